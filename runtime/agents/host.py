"""What the host functions do, as plain Python: everything of one call of an agent, collected until the call has ended.

Nothing here raises because of a guest: what is denied, missing, too large or out of bounds is 0 or nothing to the
guest, and a note with the reason to its operator. Nothing takes effect before the call returned.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from runtime.agents.interface import NEEDS
from runtime.agents.limits import (
    MAX_EMISSIONS,
    MAX_EVENT_BYTES,
    MAX_LOG_LINE_BYTES,
    MAX_LOG_LINES,
    MAX_NOTES,
    MAX_STATE_BYTES,
)
from runtime.agents.manifest import Permission

__all__ = ["Assignment", "GuestMemory", "HostCall", "Invalid", "RawEvent", "Request", "Urgency", "View"]


class GuestMemory(Protocol):
    """The memory that the host made for an agent."""

    def holds(self, ptr: int, length: int) -> bool:
        """Whether all these bytes are inside; both numbers are signed, as they arrive."""
        ...

    def read(self, ptr: int, length: int) -> bytes | None:
        """The bytes there, or None when they are not all inside."""
        ...

    def write(self, ptr: int, data: bytes) -> bool:
        """Writes all of `data`, or nothing when it would not be all inside."""
        ...


class View(Protocol):
    """The room as an agent sees it, prepared once for all agents."""

    @property
    def tasks_json(self) -> bytes:
        """The answer to `host_get_tasks`."""
        ...

    @property
    def members_json(self) -> bytes:
        """The answer to `host_get_members`."""
        ...

    @property
    def assignment_data(self) -> bytes:
        """Layout A."""
        ...

    @property
    def dependency_data(self) -> bytes:
        """Layout D."""
        ...


@dataclass(frozen=True, slots=True)
class RawEvent:
    """`host_emit_event`: the bytes, not yet looked at."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Assignment:
    """`host_emit_assignment`: a task id and a member's key or the beginning of one."""

    task_id: str
    assignee: str


@dataclass(frozen=True, slots=True)
class Urgency:
    """`host_emit_urgency`: a task id."""

    task_id: str


@dataclass(frozen=True, slots=True)
class Invalid:
    """An emission that was refused before it was read; `event` is what can be shown of it."""

    reason: str
    event: str = ""


Request = RawEvent | Assignment | Urgency | Invalid
"""What a guest asked to emit."""

_OUTSIDE: Final = "out of bounds"


@dataclass(slots=True)
class HostCall:
    """One call of one agent: what it may see, and what it asked for.

    Attributes:
        view: the room at the start of the call.
        granted: the permissions that hold for the whole call.
        state: the agent's state, None when it has none; replaced by `host_set_state`.
        now_ms: the wall clock.
        event: JSON of the pending task event; None outside `on_task_event`.
        requests: emissions in order, at most 64.
        refused: emissions beyond these.
        log: lines as the guest wrote them, decoded leniently, capped.
        cut: log lines beyond the cap.
        notes: why functions answered 0, or did nothing, without duplicates, in order.
        fault: an error of the host itself inside a host function; the call is not the agent's failure then.
        state_limit: bytes that a state may have.
        log_left: bytes of log lines that the agent has left in this minute.
        log_full: what is noted when a line does not fit into them.
        log_bytes: of its lines in this call.
    """

    view: View
    granted: frozenset[Permission]
    state: bytes | None
    now_ms: Callable[[], int]
    event: bytes | None = None
    requests: list[Request] = field(default_factory=list)
    refused: int = 0
    log: list[str] = field(default_factory=list)
    cut: int = 0
    notes: dict[str, None] = field(default_factory=dict)
    fault: BaseException | None = None
    state_limit: int = MAX_STATE_BYTES
    log_left: int = MAX_LOG_LINES * MAX_LOG_LINE_BYTES
    log_full: str = ""
    log_bytes: int = 0

    def get_tasks(self, memory: GuestMemory, buf: int, length: int) -> int:
        """`host_get_tasks`: the JSON of all tasks."""
        name = "host_get_tasks"
        return self._give(memory, buf, length, name, self.view.tasks_json) if self._may(name) else 0

    def get_members(self, memory: GuestMemory, buf: int, length: int) -> int:
        """`host_get_members`: the JSON of all members."""
        name = "host_get_members"
        return self._give(memory, buf, length, name, self.view.members_json) if self._may(name) else 0

    def get_assignment_data(self, memory: GuestMemory, buf: int, length: int) -> int:
        """`host_get_assignment_data`: layout A."""
        name = "host_get_assignment_data"
        return self._give(memory, buf, length, name, self.view.assignment_data) if self._may(name) else 0

    def get_dependency_data(self, memory: GuestMemory, buf: int, length: int) -> int:
        """`host_get_dependency_data`: layout D."""
        name = "host_get_dependency_data"
        return self._give(memory, buf, length, name, self.view.dependency_data) if self._may(name) else 0

    def get_event(self, memory: GuestMemory, buf: int, length: int) -> int:
        """`host_get_event`: the JSON of the pending event, as often as it is asked for."""
        return self._give(memory, buf, length, "host_get_event", self.event or b"")

    def get_state(self, memory: GuestMemory, buf: int, length: int) -> int:
        """`host_get_state`: the state's bytes."""
        name = "host_get_state"
        return self._give(memory, buf, length, name, self.state or b"") if self._may(name) else 0

    def get_now(self) -> int:
        """`host_get_now`: Unix time in milliseconds."""
        return self.now_ms()

    def set_state(self, memory: GuestMemory, ptr: int, length: int) -> None:
        """`host_set_state`: replaces the state, or leaves it exactly as it was."""
        name = "host_set_state"
        if not self._may(name):
            return
        if length > self.state_limit:
            self._note(f"{name}: {length} bytes are more than {self.state_limit}; the state is as it was")
            return
        data = memory.read(ptr, length)
        if data is None:
            self._note(f"{name}: {_OUTSIDE}; the state is as it was")
            return
        self.state = data

    def write_log(self, memory: GuestMemory, ptr: int, length: int) -> None:
        """`host_log`: one line of the diagnostics."""
        if len(self.log) >= MAX_LOG_LINES:
            self.cut += 1
            return
        data = memory.read(ptr, min(length, MAX_LOG_LINE_BYTES)) if memory.holds(ptr, length) else None
        if data is None:
            self._note(f"host_log: {_OUTSIDE}")
            return
        if len(data) > self.log_left:
            self.cut += 1
            self._note(self.log_full)
            return
        self.log_left -= len(data)
        self.log_bytes += len(data)
        line = data.decode(errors="replace")
        self.log.append(f"{line}…" if length > MAX_LOG_LINE_BYTES else line)

    def emit_event(self, memory: GuestMemory, ptr: int, length: int) -> None:
        """`host_emit_event`: a task event as JSON; read after the call."""
        name = "host_emit_event"
        if not self._may_emit(name):
            return
        if length > MAX_EVENT_BYTES:
            self._ask(Invalid(f"an event of {length} bytes is larger than {MAX_EVENT_BYTES}"))
            return
        data = memory.read(ptr, length)
        self._ask(Invalid(f"{name}: {_OUTSIDE}") if data is None else RawEvent(data))

    def emit_assignment(self, memory: GuestMemory, tid: int, tid_len: int, who: int, who_len: int) -> None:
        """`host_emit_assignment`: gives a task to a member; nothing when either text is empty."""
        name = "host_emit_assignment"
        if not self._may_emit(name):
            return
        task_id, assignee = self._text(memory, name, tid, tid_len), self._text(memory, name, who, who_len)
        if task_id and assignee:
            self._ask(Assignment(task_id, assignee))

    def emit_urgency(self, memory: GuestMemory, tid: int, tid_len: int) -> None:
        """`host_emit_urgency`: makes a task urgent; nothing when the text is empty."""
        name = "host_emit_urgency"
        if not self._may_emit(name):
            return
        task_id = self._text(memory, name, tid, tid_len)
        if task_id:
            self._ask(Urgency(task_id))

    def _give(self, memory: GuestMemory, buf: int, length: int, name: str, data: bytes) -> int:
        if not data:
            return 0
        if len(data) > length:
            self._note(f"{name}: {len(data)} bytes do not fit into a buffer of {length}")
            return 0
        if not memory.write(buf, data):
            self._note(f"{name}: {_OUTSIDE}")
            return 0
        return len(data)

    def _text(self, memory: GuestMemory, name: str, ptr: int, length: int) -> str:
        """A text of a guest: lenient UTF-8, empty when out of bounds, without the zeros that fill a field."""
        data = memory.read(ptr, length) if length <= MAX_EVENT_BYTES else None
        if data is None:
            self._note(f"{name}: {_OUTSIDE}" if length <= MAX_EVENT_BYTES else f"{name}: a text of {length} bytes")
            return ""
        return data.rstrip(b"\0").decode(errors="replace")

    def _may(self, name: str) -> bool:
        missing = _missing(NEEDS[name], self.granted)
        if missing:
            self._note(f"{name}: {missing} is not granted")
        return not missing

    def _may_emit(self, name: str) -> bool:
        missing = _missing(NEEDS[name], self.granted)
        if missing:
            self._ask(Invalid(f"{name}: {missing} is not granted"))
        return not missing

    def _ask(self, request: Request) -> None:
        if len(self.requests) < MAX_EMISSIONS:
            self.requests.append(request)
        else:
            self.refused += 1

    def _note(self, text: str) -> None:
        if len(self.notes) < MAX_NOTES:
            self.notes.setdefault(text)


def _missing(needs: Sequence[Permission], granted: frozenset[Permission]) -> str:
    return " and ".join(permission.value for permission in needs if permission not in granted)
