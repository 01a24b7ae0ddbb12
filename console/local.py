"""`LocalCore`: a core on a thread and an event loop of its own, in this process.

The faces' loops and the core's never mix: a terminal that stops reading stops the screen, not the agents.
"""

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace

from console.client import Args, Execution, Result, Sink, Snapshot, Subscription
from console.core import Core, CoreOptions
from runtime.codec import strip
from runtime.errors import UnavailableError
from runtime.events import Record
from runtime.journal import Journal

__all__ = ["LocalCore"]


class LocalCore:
    """A `CoreClient` over a core that it starts and stops. The constructor waits for the start, `close` for the end.

    Args:
        options: how the core is started.
        face: who asks, for the journal: `ui`, `headless`, `cli`.

    Raises:
        OrlopError: the core could not be started; nothing is left open.
    """

    def __init__(self, options: CoreOptions, *, face: str) -> None:
        self._options = options
        self._face = face
        self._started: Future[Core] = Future()
        self._stopping: tuple[str, int] | None = None
        self._door = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="orlop-core", daemon=True)
        self._thread.start()
        try:
            self._core = self._started.result()
        except BaseException:
            self._thread.join()
            raise

    # --- CoreClient -------------------------------------------------------------------------------------------------

    def snapshot(self, *topics: str) -> Future[Snapshot]:
        """As `CoreClient.snapshot`."""
        with self._door:
            if self._stopping is None:
                return asyncio.run_coroutine_threadsafe(self._core.snapshot(topics), self._loop)
        refused: Future[Snapshot] = Future()
        refused.set_exception(UnavailableError("the core has stopped"))
        return refused

    def subscribe(self, since: int, sink: Sink, *, content: bool = False) -> Subscription:
        """As `CoreClient.subscribe`; the sink is called on threads of the store."""
        return self._core.journal.subscribe(since, sink if content else _without_content(sink), content=content)

    def execute(self, command: str, args: Args, files: Mapping[str, int] | None = None) -> Execution:
        """As `CoreClient.execute`."""
        with self._door:
            if self._stopping is None:
                interrupted: asyncio.Future[int] = self._loop.create_future()
                own = {name: os.dup(descriptor) for name, descriptor in (files or {}).items()}
                work = self._core.execute(
                    command, args, own, interrupted=interrupted, uid=os.geteuid(), face=self._face
                )
                future = asyncio.run_coroutine_threadsafe(_or_unavailable(work), self._loop)
                return _LocalExecution(self, interrupted, future)
        refused: Future[Result] = Future()
        refused.set_exception(UnavailableError("the core has stopped"))
        return _LocalExecution(self, None, refused)

    def close(self) -> None:
        """Stops the core in order and waits for it: what runs may finish for `core.drain`."""
        self.stop("closed")
        self._thread.join()

    # --- what a face of this process can do beside --------------------------------------------------------------------

    @property
    def history(self) -> Journal:
        """The journal, for those who read it page by page."""
        return self._core.journal

    @property
    def first_seq(self) -> int:
        """Every event of this run has a greater seq."""
        return self._core.store.first_seq

    def stop(self, reason: str, exit_code: int = 0) -> None:
        """Begins to stop the core and returns at once; only the first reason counts.

        Args:
            reason: for the journal.
            exit_code: what the process will end with.
        """
        with self._door:
            if self._stopping is None:
                self._stopping = (reason, exit_code)
                self._loop.call_soon_threadsafe(self._end.set)

    def hurry(self) -> None:
        """Ends the patience of a stop that has begun."""
        self._soon(self._core.hurry)

    def wait(self, timeout: float | None = None) -> bool:
        """Waits for the end of a stop that has begun.

        Args:
            timeout: seconds.

        Returns:
            Whether the core has ended.
        """
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def reload(self) -> None:
        """Reads the configuration again; `core.config` or `core.error` says what came of it."""
        self._soon(self._core.reload_or_report)

    def interrupt(self, interrupted: "asyncio.Future[int]", code: int) -> None:
        """Asks a running command to end early."""
        self._soon(lambda: None if interrupted.done() else interrupted.set_result(code))

    def _soon(self, work: Callable[[], object]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: there is nobody left to ask
            self._loop.call_soon_threadsafe(work)

    # --- the core's thread --------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            asyncio.run(self._live())
        except BaseException as error:
            if not self._started.done():
                self._started.set_exception(error)
            elif self._options.debug:
                raise

    async def _live(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._end = asyncio.Event()
        core = await Core.start(self._options)
        self._started.set_result(core)
        await self._end.wait()
        reason, exit_code = self._stopping or ("closed", 0)
        await core.stop(reason, exit_code)


class _LocalExecution:
    def __init__(self, core: LocalCore, interrupted: asyncio.Future[int] | None, result: Future[Result]) -> None:
        self._core = core
        self._interrupted = interrupted
        self._result = result

    @property
    def result(self) -> Future[Result]:
        return self._result

    def interrupt(self, code: int) -> None:
        if self._interrupted is not None:
            self._core.interrupt(self._interrupted, code)


async def _or_unavailable(work: Coroutine[object, object, Result]) -> Result:
    """The result, unless the core gave the command up."""
    try:
        return await work
    except asyncio.CancelledError:
        raise UnavailableError("the core stopped before the command ended") from None


def _without_content(sink: Sink) -> Sink:
    """The same sink, told sizes in the place of content."""

    def stripped(records: Sequence[Record]) -> None:
        bare = ((record, strip(record.event)) for record in records)
        sink([record if event is record.event else replace(record, event=event) for record, event in bare])

    return stripped
