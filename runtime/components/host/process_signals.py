"""`orlop:ext-process/signals`: signals to own children, and what happens to them."""

import contextlib
import signal
from collections import deque
from typing import Final

from runtime.components.bindings.ext_process_lifecycle import ChildHandle
from runtime.components.bindings.ext_process_types import ProcessEvent, ProcessEventKind, ShutdownOutcome
from runtime.components.bindings.ext_process_types import Signal as SignalName
from runtime.components.host.children import Child
from runtime.components.host.context import Context
from runtime.components.host.process_answers import ProcessRefusedError, answering
from runtime.components.host.spawner_line import SpawnerLine
from runtime.components.permissions.signals import NAMES, read_signal

__all__ = ["ProcessSignals", "Watch"]

_EVENTS: Final = 64
_KILLED_MS: Final = 10_000
_ENDS: Final[frozenset[ProcessEventKind]] = frozenset({"terminated"})
_CHANGES: Final[frozenset[ProcessEventKind]] = frozenset({"terminated", "stopped", "continued"})
_RT_FIRST, _RT_LAST = 34, 64


class Watch:
    """Events of one child, for a guest that asks for them.

    Args:
        context: whose it is.
        line: to the spawner.
        child: that is watched.
        kinds: of events that are wanted.
    """

    def __init__(self, context: Context, line: SpawnerLine, child: Child, kinds: frozenset[ProcessEventKind]) -> None:
        self._context = context
        self._line = line
        self._child = child
        self._kinds = kinds
        self._events: deque[ProcessEvent] = deque(maxlen=_EVENTS)
        self._closed = ""
        child.watch(self._tell)

    @answering
    def next(self, timeout: int) -> ProcessEvent | None:
        """The next event, the oldest first."""
        self._here()
        if not self._line.wait(self._context, lambda: bool(self._events), timeout):
            return None
        with self._line.changed:
            return self._events.popleft()

    @answering
    def unregister_handler(self) -> None:
        """Ends the watch."""
        self._here()
        self._context.handles.closed(self)
        self.end("unregistered")

    def end(self, why: str) -> None:
        """Ends the watch."""
        if not self._closed:
            self._closed = why
            self._child.unwatch(self._tell)

    def _tell(self, event: ProcessEvent) -> None:
        if event.kind in self._kinds:
            self._events.append(event)

    def _here(self) -> None:
        if self._closed:
            raise ProcessRefusedError("closed", self._closed)


class ProcessSignals:
    """The operations of one instance.

    Args:
        context: whose they are.
        line: to the spawner.
    """

    def __init__(self, context: Context, line: SpawnerLine) -> None:
        self._context = context
        self._line = line

    @answering
    def send_signal(self, child: ChildHandle, name: SignalName) -> None:
        """One with a name."""
        _own(child).send(NAMES[name])

    @answering
    def send_term(self, child: ChildHandle) -> None:
        """SIGTERM."""
        _own(child).send(signal.SIGTERM)

    @answering
    def send_kill(self, child: ChildHandle) -> None:
        """SIGKILL."""
        _own(child).send(signal.SIGKILL)

    @answering
    def send_int(self, child: ChildHandle) -> None:
        """SIGINT."""
        _own(child).send(signal.SIGINT)

    @answering
    def send_stop(self, child: ChildHandle) -> None:
        """SIGSTOP."""
        _own(child).send(signal.SIGSTOP)

    @answering
    def send_cont(self, child: ChildHandle) -> None:
        """SIGCONT."""
        _own(child).send(signal.SIGCONT)

    @answering
    def send_hup(self, child: ChildHandle) -> None:
        """SIGHUP."""
        _own(child).send(signal.SIGHUP)

    @answering
    def send_raw_signal(self, child: ChildHandle, signal_number: int) -> None:
        """One by its number."""
        _own(child).send(_known(signal_number))

    @answering
    def on_terminate(self, child: ChildHandle) -> Watch:
        """Tells of its end."""
        return self._watch(_own(child), _ENDS)

    @answering
    def on_status_change(self, child: ChildHandle) -> Watch:
        """Tells of all that happens to it."""
        return self._watch(_own(child), _CHANGES)

    @answering
    def send_signal_group(self, child: ChildHandle, name: SignalName) -> None:
        """One with a name to its group."""
        _own(child).send(NAMES[name], group=True)

    @answering
    def get_process_group(self, child: ChildHandle) -> int:
        """Each leads its own."""
        _own(child).ask_to_exist()
        return _own(child).number

    @answering
    def set_process_group(self, child: ChildHandle, leader: int) -> None:
        """Cannot be."""
        del leader
        _own(child).ask_to_signal(self._any_allowed())
        raise ProcessRefusedError("unsupported", "each child leads a group and a session of its own, for good")

    @answering
    def graceful_shutdown(self, child: ChildHandle, timeout: int) -> ShutdownOutcome:
        """Asks it to end, and ends it when it does not."""
        return self._shut_down(_own(child), timeout, group=False)

    @answering
    def graceful_shutdown_group(self, child: ChildHandle, timeout: int) -> ShutdownOutcome:
        """The same for its group."""
        return self._shut_down(_own(child), timeout, group=True)

    @answering
    def emergency_kill(self, child: ChildHandle) -> None:
        """Ends it and waits until it is reaped."""
        self._kill(_own(child), group=False)

    @answering
    def emergency_kill_group(self, child: ChildHandle) -> None:
        """Ends its group and waits until it is reaped."""
        self._kill(_own(child), group=True)

    @answering
    def signal_name(self, signal_number: int) -> str:
        """Of a number."""
        number = _known(signal_number)
        if number >= _RT_FIRST:
            return "RTMIN" if number == _RT_FIRST else f"RTMIN+{number - _RT_FIRST}"
        return signal.Signals(number).name.removeprefix("SIG")

    @answering
    def signal_number(self, signal_name: str) -> int:
        """Of a name."""
        name = signal_name.upper().removeprefix("SIG")
        if name.startswith("RTMIN"):
            return _real_time(name)
        for number in range(1, _RT_FIRST - 2):
            if signal.Signals(number).name == f"SIG{name}":
                return number
        raise ProcessRefusedError("signal-not-supported", "no signal has this name")

    def list_signals(self) -> tuple[str, ...]:
        """Names of those that may be sent."""
        policy = self._context.policy
        return tuple(name.upper() for name in NAMES if policy.signal(name).allowed)

    def _watch(self, child: Child, kinds: frozenset[ProcessEventKind]) -> Watch:
        child.ask_to_exist()
        self._context.handles.room("watch")
        watch = Watch(self._context, self._line, child, kinds)
        self._context.handles.add("watch", watch, None)
        return watch

    def _shut_down(self, child: Child, timeout: int, *, group: bool) -> ShutdownOutcome:
        child.ask_to_signal(signal.SIGTERM)
        child.ask_to_signal(signal.SIGKILL)
        try:
            child.send(signal.SIGTERM, group=group)
        except ProcessRefusedError as refusal:
            if refusal.case != "already-terminated":
                raise
            return "already-terminated"
        except ProcessLookupError:
            return "already-terminated"
        with contextlib.suppress(ProcessRefusedError):
            child.wait_for_end(timeout)
            return "exited"
        self._kill(child, group=group)
        return "killed"

    def _kill(self, child: Child, *, group: bool) -> None:
        child.ask_to_signal(signal.SIGKILL)
        if child.result is None:
            child.kill_now(group=group)
        child.wait_for_end(_KILLED_MS)

    def _any_allowed(self) -> int:
        """A signal that may be sent, or one that may not if there is none."""
        policy = self._context.policy
        return next((number for number in NAMES.values() if policy.signal(number).allowed), int(signal.SIGHUP))


def _own(child: ChildHandle) -> Child:
    """The child that a handle stands for: there are no others."""
    if not isinstance(child, Child):
        raise TypeError("not a child of this host")
    return child


def _known(number: int) -> int:
    """A signal's number.

    Raises:
        ProcessRefusedError: there is none, or it is the C library's own.
    """
    if read_signal(number) is None:
        raise ProcessRefusedError("signal-not-supported", "from 1 to 31 and from 34 to 64")
    return number


def _real_time(name: str) -> int:
    digits = name.removeprefix("RTMIN").removeprefix("+") or "0"
    number = _RT_FIRST + int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 3 else 0  # noqa: PLR2004
    if not _RT_FIRST <= number <= _RT_LAST:
        raise ProcessRefusedError("signal-not-supported", "no signal has this name")
    return number
