"""One instance in its worker: a thread that alone enters the guest, and what others leave for it to do."""

import os
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, get_args

from runtime.canonical import Json
from runtime.components.errors import WireError
from runtime.components.host.context import ComponentId, Context, HostLimits
from runtime.components.host.mounts import Mounts, MountSource
from runtime.components.host.spawner_line import SpawnerLine
from runtime.components.permissions import Policy
from runtime.components.worker.instance import Instance
from runtime.components.worker.line import Line, SlotLine
from runtime.components.worker.linking import Hosts, link
from runtime.components.worker.wire import Answer, Call, Ended, Gone, Load, Loaded, Refused
from runtime.sandbox.compile import load_component
from runtime.sandbox.engine import Ticker
from runtime.sandbox.errors import SandboxError
from runtime.sandbox.outcome import Outcome

if TYPE_CHECKING:
    import wasmtime

__all__ = ["Machinery", "Slot"]

_TOO_LARGE: Final = Outcome("host", "what it returned does not fit into a frame")
_SOURCES: Final[dict[str, MountSource]] = {source: source for source in get_args(MountSource)}


@dataclass(frozen=True, slots=True)
class Machinery:
    """What all instances of a worker share.

    Attributes:
        engine: of the kind `component`.
        ticker: moves its epoch.
        line: to the core.
        spawner: starts programs; None where there is none.
    """

    engine: "wasmtime.Engine"
    ticker: Ticker
    line: Line
    spawner: SpawnerLine | None = None


class _Adopt:
    """Work for an idle instance: put the policy that waits in force."""


class Slot:
    """An instance and its thread.

    Args:
        machinery: of the worker.
        load: what is wanted.
        descriptors: the compiled component, as `Load` says; they are the slot's from now on.
        forget: called with its number when nothing of it is left.
    """

    def __init__(
        self, machinery: Machinery, load: Load, descriptors: Sequence[int], forget: Callable[[int], object]
    ) -> None:
        self._machinery = machinery
        self._forget = forget
        self._load = load
        self._descriptors = list(descriptors)
        self._work: queue.SimpleQueue[Call | _Adopt | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._line = SlotLine(machinery.line, load.slot, lambda: self._context.deadline)
        limits = load.limits
        self._context = Context(
            ComponentId(load.namespace, load.name, load.version, load.instance),
            Policy.from_json(load.policy),
            HostLimits(limits.handles, limits.sockets, limits.children, limits.open_files, limits.filesystem),
            self._line,
            self._stopping.is_set,
        )
        self._thread = threading.Thread(target=self._run, name=f"slot-{load.slot}", daemon=True)

    def begin(self) -> None:
        """Makes the instance, in its thread."""
        self._thread.start()

    def call(self, call: Call) -> None:
        """Has the guest called, after what waits already."""
        self._work.put(call)

    def answer(self, answer: Answer) -> None:
        """Gives a host operation the answer for which it waits."""
        self._line.answered(answer)

    def adopt(self, policy: Json) -> None:
        """Sets the policy of the next host operation on; an idle instance loses at once what it does not allow.

        Raises:
            OrlopError: it is no policy.
        """
        self._context.replace_policy(Policy.from_json(policy))
        self._work.put(_Adopt())

    def stop(self) -> None:
        """Tells the guest to come to an end: its waits are cut short."""
        self._stopping.set()

    def unload(self) -> None:
        """Has the instance dropped, once the call that runs has ended; `Gone` is said then."""
        self._stopping.set()
        self._work.put(None)

    def _run(self) -> None:
        load, say = self._load, self._machinery.line.say
        try:
            mounts = self._mounts()
        except OSError as error:
            os.close(self._descriptors[0])
            self._forget(load.slot)
            say(Refused(load.slot, "host", f"its mounts cannot be read: {error.strerror}"))
            say(Gone(load.slot))
            return
        hosts = Hosts(self._context, load, mounts, self._machinery.spawner)
        instance = Instance(self._machinery.engine, self._machinery.ticker, load.limits, self._context)
        try:
            self._live(instance, hosts)
        finally:
            self._context.close()
            hosts.close()
            instance.close()
            mounts.close()
            self._forget(load.slot)
            say(Gone(load.slot))

    def _mounts(self) -> Mounts:
        if not self._load.mounts:
            return Mounts((), self._load.limits.filesystem)
        *folders, account = self._descriptors[1:]
        pairs = zip(self._load.mounts, folders, strict=True)
        given = [(mount.guest, fd, _SOURCES[mount.source], mount.read_only) for mount, fd in pairs]
        return Mounts(given, self._load.limits.filesystem, account)

    def _live(self, instance: Instance, hosts: Hosts) -> None:
        outcome, cpu_us = self._instantiate(instance, hosts)
        if outcome.kind != "returned":
            self._machinery.line.say(Refused(self._load.slot, outcome.kind, outcome.detail, cpu_us))
            return
        self._machinery.line.say(Loaded(self._load.slot, cpu_us))
        while (work := self._next()) is not None:
            if isinstance(work, Call):
                self._call(instance, work)
            else:
                self._context.adopt_policy()

    def _next(self) -> Call | _Adopt | None:
        """What is to be done next; meanwhile, what the instance's alarms are for."""
        alarms = self._context.alarms
        while True:
            try:
                return self._work.get(timeout=alarms.seconds())
            except queue.Empty:
                alarms.run()

    def _instantiate(self, instance: Instance, hosts: Hosts) -> tuple[Outcome, int]:
        """How it went, and the processor time that it took the component itself."""
        engine = self._machinery.engine
        code = self._descriptors[0]
        try:
            component = load_component(engine, code)
        except SandboxError as error:
            return Outcome("host", error.why), 0
        finally:
            os.close(code)
        linker, exports = link(engine, hosts), list(component.type.exports(engine))
        before = time.thread_time_ns()
        outcome = instance.instantiate(component, linker, exports, self._load.timeout_ms)
        return outcome, (time.thread_time_ns() - before) // 1000

    def _call(self, instance: Instance, call: Call) -> None:
        before = time.thread_time_ns()
        value, outcome = instance.call(call.export, call.arguments, call.timeout_ms)
        self._context.audit.flush()
        cpu_us = (time.thread_time_ns() - before) // 1000
        try:
            self._machinery.line.say(self._ended(call, outcome, value, cpu_us))
        except WireError:
            self._machinery.line.say(self._ended(call, _TOO_LARGE, None, cpu_us))

    def _ended(self, call: Call, outcome: Outcome, value: Json, cpu_us: int) -> Ended:
        return Ended(
            self._load.slot,
            call.number,
            outcome.kind,
            outcome.detail,
            outcome.trap,
            value,
            cpu_us,
            outcome.duration_us,
            len(self._context.handles),
        )
