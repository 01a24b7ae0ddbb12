"""One instance of a component as the core sees it: calls in turn, questions answered, and how it was lost."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from runtime.canonical import Json
from runtime.components.cpu_quota import CpuQuota
from runtime.components.errors import ComponentRefusedError, WireError, WorkerUnavailableError
from runtime.components.host.context import ComponentId
from runtime.components.permissions import Policy
from runtime.components.worker.wire import (
    Answer,
    Ask,
    Call,
    Ended,
    FromWorker,
    Gone,
    Loaded,
    NewPolicy,
    Refused,
    Stop,
    Tell,
    ToWorker,
    Unload,
)
from runtime.sanitise import clean

__all__ = ["GRACE_S", "Called", "CoreDesk", "Lost", "Running"]

GRACE_S: Final = 2.0
"""How long after its deadline a call may still come back, before the worker is killed."""

_UNLOAD_S: Final = 10.0
"""How long an instance may take to let go of what it held."""

_ASKS_MAX: Final = 8
"""Questions of one instance that wait at a time: it asks one after another, but gives up some."""


class CoreDesk(Protocol):
    """Who answers for the core what a component asks beyond its worker."""

    async def answer(self, component: ComponentId, kind: str, fields: Mapping[str, Json]) -> Json:
        """Answers a question: `{"ok": value}` or `{"err": [case, reason]}`."""
        ...

    def told(self, component: ComponentId, kind: str, fields: Mapping[str, Json]) -> None:
        """Takes what needs no answer: lines of the log, records of the audit, faults of the host."""
        ...


@dataclass(frozen=True, slots=True)
class Called:
    """How a call ended.

    Attributes:
        kind: `returned`, a kind of `runtime.sandbox.outcome`, or `lost` when the worker went away.
        detail: one line for people.
        trap: the engine's name of the trap.
        value: what the export returned; None when it did not return.
        cpu_us: processor time.
        duration_us: on the wall, in the worker.
    """

    kind: str
    detail: str = ""
    trap: str = ""
    value: Json = None
    cpu_us: int = 0
    duration_us: int = 0

    @property
    def returned(self) -> bool:
        """Whether the guest came back by itself."""
        return self.kind == "returned"


@dataclass(frozen=True, slots=True)
class Lost:
    """Why an instance is gone that nobody unloaded.

    Attributes:
        why: one line.
        innocent: another component of its worker, or nobody that is known, was the reason.
    """

    why: str
    innocent: bool


class Worker(Protocol):
    """What an instance needs of its worker."""

    alone: bool
    pid: int

    def say(self, message: ToWorker) -> None:
        """Sends a message, now or as soon as there is room."""
        ...

    def kill(self, why: str, guilty: int) -> None:
        """Ends the process at once."""
        ...


class Running:
    """One instance as the core sees it.

    Args:
        worker: in which it runs.
        slot: its number there.
        component: whose it is.
        quota: of the processor; when it is used up, calls wait.
        desk: answers what it asks.

    Attributes:
        component: whose it is.
        lost: done with the reason when the instance went away without `unload`.
        overran: it has used up its processor time once.
        handles: that it had open after its last call.
    """

    def __init__(self, worker: Worker, slot: int, component: ComponentId, quota: CpuQuota, desk: CoreDesk) -> None:
        loop = asyncio.get_running_loop()
        self.component = component
        self.lost: asyncio.Future[Lost] = loop.create_future()
        self.overran = False
        self.handles = 0
        self._worker = worker
        self._slot = slot
        self._desk = desk
        self._quota = quota
        self._turn = asyncio.Lock()
        self._numbers = 0
        self._called: asyncio.Future[Called] | None = None
        self._loaded: asyncio.Future[Loaded | Refused] = loop.create_future()
        self._gone: asyncio.Future[None] = loop.create_future()
        self._ending: asyncio.Future[None] = loop.create_future()
        self._hurry: asyncio.Future[None] = loop.create_future()
        self._asks: set[asyncio.Task[None]] = set()
        self._calls: set[asyncio.Task[Called]] = set()

    @property
    def alone(self) -> bool:
        """Whether it has its worker for itself."""
        return self._worker.alone

    @property
    def process_id(self) -> int:
        """Of its worker."""
        return self._worker.pid

    async def call(self, export: str, arguments: Mapping[str, Json], timeout_ms: int) -> Called:
        """Calls an export, one call after another, once the component has processor time.

        Args:
            export: its name in the WIT.
            arguments: by their names.
            timeout_ms: from when the call begins.

        Returns:
            How it ended; never raises for what the component does.

        Raises:
            WireError: the arguments do not fit into a frame.
        """
        # A caller that gives up does not end the call: the guest is in it until it comes back.
        task = asyncio.get_running_loop().create_task(self._in_turn(export, arguments, timeout_ms))
        self._calls.add(task)
        task.add_done_callback(self._settled)
        return await asyncio.shield(task)

    def replace_policy(self, policy: Policy) -> None:
        """From the next host operation on this holds; what the old one opened and this does not allow is closed."""
        self._say(NewPolicy(self._slot, policy.to_json()))

    def request_stop(self) -> None:
        """Tells the guest to come to an end: its waits are cut short, and it can ask."""
        self.hurry()
        self._say(Stop(self._slot))

    def hurry(self) -> None:
        """Ends the calls that wait for processor time: the component is to stop."""
        if not self._hurry.done():
            self._hurry.set_result(None)

    async def unload(self) -> None:
        """Drops the instance and all that it holds. A call that runs is given the time that it has."""
        self.request_stop()
        if not self._ending.done():
            self._ending.set_result(None)
        async with self._turn:
            if not self._gone.done():
                self._say(Unload(self._slot))
                _, late = await asyncio.wait([self._gone], timeout=_UNLOAD_S)
                if late:
                    self._worker.kill("an instance did not let go of what it held", self._slot)
                    await self._gone
        if not self.lost.done():
            self.lost.cancel()

    async def loaded(self, timeout_s: float) -> None:
        """Waits until the instance is there.

        Args:
            timeout_s: then the worker is killed.

        Raises:
            ComponentRefusedError: it cannot be instantiated.
            WorkerUnavailableError: the worker went away, or did not answer in time.
        """
        _, late = await asyncio.wait([self._loaded], timeout=timeout_s)
        if late:
            self._worker.kill("an instance was not there in time", self._slot)
        said = await self._loaded
        if isinstance(said, Refused):
            if said.kind in {"host", "memory"}:
                raise ComponentRefusedError(clean(said.why), where=str(self.component))
            raise ComponentRefusedError(f"its start function: {clean(said.why)}", where=str(self.component))

    def heard(self, message: FromWorker) -> None:
        """Takes what the worker says of this instance.

        Raises:
            WireError: it is nothing that can be said now.
        """
        match message:
            case Loaded():
                self._settle(message)
            case Refused():
                self._settle(message)
            case Ended():
                self._ended(message)
            case Ask():
                self._asked(message)
            case Tell():
                self._desk.told(self.component, message.what, message.fields)
            case Gone():
                if not self._gone.done():
                    self._gone.set_result(None)

    def worker_gone(self, why: str, *, innocent: bool) -> None:
        """The worker is gone; whoever waits hears of it."""
        for task in self._asks:
            task.cancel()
        if not self.lost.done():
            self.lost.set_result(Lost(why, innocent))
        if not self._loaded.done():
            self._loaded.set_exception(WorkerUnavailableError(f"its worker ended: {why}", where=str(self.component)))
            self._loaded.exception()  # whoever waited has it; nobody has to
        if not self._gone.done():
            self._gone.set_result(None)
        if self._called is not None and not self._called.done():
            self._called.set_result(self._lost_call())

    def _settled(self, task: asyncio.Task[Called]) -> None:
        self._calls.discard(task)
        if not task.cancelled():
            task.exception()  # the caller has it, unless it gave up: then nobody needs it

    async def _in_turn(self, export: str, arguments: Mapping[str, Json], timeout_ms: int) -> Called:
        async with self._turn:
            # The last call does not wait: who stops a component does not wait for its next minute.
            in_time = export == "shutdown" or await self._in_time()
            if not in_time or self.lost.done() or self._ending.done():
                return self._lost_call()
            return await self._enter(export, arguments, timeout_ms)

    async def _in_time(self) -> bool:
        """Waits until the component has processor time; False when it ends before."""
        ends: list[asyncio.Future[Lost] | asyncio.Future[None]] = [self.lost, self._hurry]
        while (wait := self._quota.wait_s(time.monotonic())) > 0:
            if any(end.done() for end in ends):
                return False
            self.overran = True
            await asyncio.wait(ends, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
        return True

    async def _enter(self, export: str, arguments: Mapping[str, Json], timeout_ms: int) -> Called:
        self._numbers += 1
        self._worker.say(Call(self._slot, self._numbers, export, arguments, timeout_ms))
        loop = asyncio.get_running_loop()
        called: asyncio.Future[Called] = loop.create_future()
        self._called = called
        overdue = f"{export} of {self.component} was {GRACE_S:g} s over its deadline"
        watch = loop.call_later(timeout_ms / 1000 + GRACE_S, self._worker.kill, overdue, self._slot)
        try:
            ended = await called
        finally:
            watch.cancel()
        self._quota.spend(time.monotonic(), ended.cpu_us / 1000)
        return ended

    def _ended(self, message: Ended) -> None:
        if self._called is None or self._called.done() or message.number != self._numbers:
            raise WireError("an end of a call that does not run")
        self.handles = message.handles
        self._called.set_result(
            Called(
                message.kind,
                clean(message.detail),
                clean(message.trap),
                message.value if message.kind == "returned" else None,
                message.cpu_us,
                message.duration_us,
            )
        )

    def _settle(self, message: Loaded | Refused) -> None:
        if self._loaded.done():
            raise WireError("an instance that was there already")
        self._quota.spend(time.monotonic(), message.cpu_us / 1000)
        self._loaded.set_result(message)

    def _asked(self, message: Ask) -> None:
        if len(self._asks) >= _ASKS_MAX:
            raise WireError("more questions than an instance can have")
        task = asyncio.get_running_loop().create_task(self._answer(message))
        self._asks.add(task)
        task.add_done_callback(self._asks.discard)

    async def _answer(self, message: Ask) -> None:
        try:
            value = await self._desk.answer(self.component, message.what, message.fields)
            answer = Answer(self._slot, message.number, value)
            self._worker.say(answer)
        except Exception as error:  # noqa: BLE001 - the guest waits, and the worker must not die of our fault
            fault = {"op": clean(message.what), "trace": clean(f"{type(error).__name__}: {error}")}
            self._desk.told(self.component, "fault", fault)
            self._say(Answer(self._slot, message.number, None, failed=True))

    def _say(self, message: ToWorker) -> None:
        if not self._gone.done():
            self._worker.say(message)

    def _lost_call(self) -> Called:
        if self.lost.done() and not self.lost.cancelled():
            return Called("lost", self.lost.result().why)
        return Called("lost", "the instance was unloaded" if self._ending.done() else "it is to stop")
