"""The UI's end of the core: the view of what is, the one way to run commands, and what they answered."""

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from console.client import Args, CoreClient, Fault, Result, Sink, Subscription
from console.registry import COMMANDS
from console.ui.options import UiOptions
from console.ui.recent import Recent
from console.ui.spelling import command_line
from console.view import TOPICS, Changes, View
from runtime.clock import Clock
from runtime.sanitise import clean

__all__ = ["READ_ONLY_HINT", "Desk", "Done", "command_outcome", "read_only_fault"]

READ_ONLY_HINT = "this screen was opened with --read-only"

_HISTORY = 2_000
_GONE = Fault(code="unavailable", text="the core is gone", hint="leave with q and start again")
_EARLY = Fault(code="unavailable", text="the core is still starting", hint="try again in a moment")


@dataclass(frozen=True, slots=True)
class Done:
    """A command that the operator ran from this screen."""

    at_ms: int
    line: str
    """The command line that does the same."""
    ok: bool
    text: str
    """What came of it, one line."""


class Desk:
    """What panes and dialogs hold of the core. All methods but `close` run on the UI's loop.

    Args:
        options: of this run.
        clock: what the screen's times are counted from.
    """

    def __init__(self, options: UiOptions, clock: Clock) -> None:
        self.options = options
        self.clock = clock
        self.view = View()
        self.recent = Recent()
        self.client: CoreClient | None = None
        self.ready = False
        """True once the first snapshot was loaded."""
        self.since = 0
        """Seq of the first snapshot: records after it are news, those before it history."""
        self.done: deque[Done] = deque(maxlen=500)
        self.running = 0
        """Commands of this screen that have not answered yet."""
        self.changed: Callable[[], None] = lambda: None
        """Called when a command began or ended."""
        self._subscription: Subscription | None = None
        self._thread: threading.Thread | None = None
        self._asking = False
        self._closing = threading.Lock()

    # --- the core ---------------------------------------------------------------------------------------------------

    def open(self, sink: Sink, ready: Callable[[], None], failed: Callable[[BaseException], None]) -> None:
        """Reaches the core on a thread of its own; answers on this loop.

        Args:
            sink: gets a little history first, so that the log is not empty, and then what happens.
            ready: the rows are there.
            failed: the core could not be reached.
        """
        loop = asyncio.get_running_loop()

        def answer(call: Callable[..., None], *values: object) -> None:
            # A RuntimeError means that the screen was left meanwhile: `close` looks after the client.
            try:
                loop.call_soon_threadsafe(call, *values)
            except RuntimeError:
                return

        def reach() -> None:
            try:
                client = self.client = self.options.connect()
                snapshot = client.snapshot(*TOPICS).result()
                # Nobody else looks at the view before `ready`, so rows and history are read off the screen's loop.
                self.view.load(snapshot)
                since = max(snapshot.seq - _HISTORY, 0)
                self._subscription = client.subscribe(since, sink, content=True)
            except BaseException as error:  # noqa: BLE001 - whatever it is, it must end on the screen's thread
                answer(failed, error)
            else:
                answer(self._opened, snapshot.seq, ready)

        self._thread = threading.Thread(target=reach, name="orlop-connect", daemon=True)
        self._thread.start()

    def _opened(self, seq: int, ready: Callable[[], None]) -> None:
        self.since = seq
        self.ready = True
        ready()

    def close(self) -> None:
        """Lets go of the core; blocks until a local one has stopped. After the loop has ended."""
        if self._thread is not None:
            self._thread.join()
        with self._closing:
            subscription, self._subscription = self._subscription, None
            client, self.client = self.client, None
        if subscription is not None:
            subscription.close()
        if client is not None:
            client.close()

    async def refresh(self, topics: frozenset[str]) -> Changes | None:
        """Loads topics anew; None while another such question is on its way or nobody answers."""
        if self.client is None or self._asking or not topics:
            return None
        self._asking = True
        try:
            snapshot = await asyncio.wrap_future(self.client.snapshot(*sorted(topics)))
        except (OSError, RuntimeError):
            return None
        finally:
            self._asking = False
        return self.view.load(snapshot)

    # --- commands ---------------------------------------------------------------------------------------------------

    @property
    def read_only(self) -> bool:
        """Whether changing commands are off."""
        node = self.view.node
        return self.options.read_only or (node is not None and node.read_only)

    def now_ms(self) -> int:
        """Wall time."""
        return self.clock.wall_ms()

    async def ask(self, command: str, args: Args) -> Result:
        """Runs a command that only reads, without a trace."""
        return await self._execute(command, args, None)

    async def run(self, command: str, args: Args, files: Mapping[str, int] | None = None) -> Result:
        """Runs a command for the operator and keeps what came of it.

        Args:
            command: its name in the registry.
            args: by name.
            files: descriptors by argument.
        """
        return await self.follow(command_line(COMMANDS[command], args), self._execute(command, args, files))

    async def follow(self, line: str, work: Awaitable[Result]) -> Result:
        """Waits for a command that runs already, and keeps what came of it.

        Args:
            line: the command line that does the same.
            work: the command.
        """
        self.running += 1
        self.changed()
        try:
            result = await work
        finally:
            self.running -= 1
        self.note(line, result)
        return result

    def note(self, line: str, result: Result) -> None:
        """Keeps what a command came to, for the status row and the command log."""
        text = command_outcome(line, result)
        self.done.append(Done(self.now_ms(), line, result.ok, text))
        self.changed()

    async def _execute(self, command: str, args: Args, files: Mapping[str, int] | None) -> Result:
        if self.client is None:
            return Result(ok=False, fault=_EARLY)
        if self.read_only and COMMANDS[command].changes:
            return Result(ok=False, fault=read_only_fault(command))
        try:
            return await asyncio.wrap_future(self.client.execute(command, args, files).result)
        except (OSError, RuntimeError):
            return Result(ok=False, fault=_GONE)


def read_only_fault(command: str) -> Fault:
    """Why a changing command is not run."""
    return Fault(code="read-only", what=command, text="changing commands are off", hint=READ_ONLY_HINT)


def command_outcome(line: str, result: Result) -> str:
    """One line: what a command came to."""
    verb = line.removeprefix("orlop ").split(" ")
    name = " ".join(verb[:2]) if " ".join(verb[:2]) in COMMANDS else verb[0]
    if result.ok:
        return name
    return clean(result.fault.line, 200) if result.fault is not None else f"{name} failed"
