"""What may enter a room's log: checks before the reducer, so that the reducer can stay as simple as the original's.

Each type has its keys, each key its values; nobody re-creates a task, sets what the host owns, or names a task or
member that does not exist; whoever signs an event must be its actor, or run the agent that is.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from runtime.canonical import Json
from runtime.errors import AmbiguousError, NotFoundError
from runtime.rooms.members import Member, resolve_member, runner_of
from runtime.rooms.reasons import Reason
from runtime.rooms.tasks import CREATIONS, STATUSES, TYPES, Task, TaskEvent, reaches
from runtime.sanitise import clean

__all__ = ["AGENT_TYPES", "FUTURE_MS", "Admitted", "Context", "Held", "Refused", "Verdict", "admit", "stamp"]

FUTURE_MS: Final = 300_000
"""How far ahead of the clock an event may lie; exactly this is admitted."""

TITLE_CHARACTERS: Final = 1_000
DESCRIPTION_CHARACTERS: Final = 16_384
ID_CHARACTERS: Final = 128
DEPENDENCIES: Final = 256
TIME_MAX_MS: Final = 8_640_000_000_000_000
"""The latest time that other implementations can hold."""

AGENT_TYPES: Final = TYPES - {"task_updated"}
"""The types that agents may emit."""

_HOST_OWNED: Final = frozenset({"createdBy", "createdAt", "updatedAt"})
_CREATION_KEYS: Final = frozenset(
    {"title", "status", "assignee", "parentId", "dueAt", "blockedBy", "description", "urgent"}
)
_KEYS: Final[Mapping[str, frozenset[str]]] = {
    "task_created": _CREATION_KEYS,
    "subtask_created": _CREATION_KEYS,
    "task_assigned": frozenset({"assignee"}),
    "task_status_changed": frozenset({"status", "title", "dueAt"}),  # other clients send edits under this type
    "task_dependencies_changed": frozenset({"blockedBy"}),
    "task_updated": frozenset({"title", "description", "dueAt", "parentId"}),
    "task_urgency_changed": frozenset({"urgent"}),
}
_OWN_WORDS: Final = frozenset({"title", "description"})
"""What an agent may write anew in a task that it made itself."""
_AGENT_KEYS: Final = {**_KEYS, "task_status_changed": frozenset({"status"}) | _OWN_WORDS}
_CLEARABLE: Final = frozenset({"assignee", "parentId", "dueAt", "description"})
"""Keys that null takes away again."""


@dataclass(frozen=True, slots=True)
class Context:
    """What an event is judged against."""

    room: str
    tasks: Mapping[str, Task]
    members: Sequence[Member]
    now_ms: int


@dataclass(frozen=True, slots=True)
class Admitted:
    """The event as it enters the log: member keys in full, nothing beside its type's keys."""

    event: TaskEvent


@dataclass(frozen=True, slots=True)
class Refused:
    """The event never enters."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Held:
    """The event lies too far in the future: it may be judged again when the clock reads `until_ms`."""

    until_ms: int


Verdict = Admitted | Refused | Held


class _RefusedEventError(Exception):
    """Carries the reason to `admit`.

    Args:
        words: ours.
        said: what fills their gaps.
    """

    def __init__(self, words: str, *said: object) -> None:
        super().__init__()
        self.reason = Reason(words, *said)


def stamp(now_ms: int, last_ms: int) -> int:
    """The time of an author's next event: now, but at least 1 ms after the author's last one."""
    return max(now_ms, last_ms + 1)


def admit(event: TaskEvent, context: Context, *, author: str) -> Verdict:
    """Judges one event.

    Args:
        event: what somebody wants to append.
        context: the room at this moment.
        author: identity key of the member whose sequence the event would join.
    """
    if runner_of(event.actor_id, context.room) != author:
        actor = clean(event.actor_id, 80)
        return Refused(Reason("the actor {} is not its author, nor an agent that its author runs", actor))
    if event.timestamp > context.now_ms + FUTURE_MS:
        return Held(event.timestamp - FUTURE_MS)
    try:
        return Admitted(replace(event, task=_checked(event, context)))
    except _RefusedEventError as error:
        return Refused(error.reason)


def _checked(event: TaskEvent, context: Context) -> dict[str, Json]:
    """The payload, cleared of what the host sets itself."""
    by_agent = event.actor_id != runner_of(event.actor_id, context.room)
    if event.type not in (AGENT_TYPES if by_agent else TYPES):
        raise _RefusedEventError("Disallowed event type: {}", event.type)
    if not event.task_id:
        raise _RefusedEventError("Event missing taskId")
    _check_task_id(event, context, by_agent=by_agent)
    if event.task is None:
        raise _RefusedEventError("the event has no task payload")
    payload = _without_host_keys(event)
    allowed = (_AGENT_KEYS if by_agent else _KEYS)[event.type]
    for key in payload:
        if key not in allowed:
            raise _RefusedEventError(f"{event.type} may not set {{}}", key)
    if by_agent and event.type == "task_status_changed" and not _OWN_WORDS.isdisjoint(payload):
        _check_own(event, context)
    if not payload and event.type not in CREATIONS:
        raise _RefusedEventError("the task payload is empty")
    if event.type == "subtask_created" and not payload.get("parentId"):
        raise _RefusedEventError("subtask_created needs a parentId")
    return {
        key: _RULES[key](key, value, event.task_id, context)
        for key, value in payload.items()
        if value is not None or (event.type not in CREATIONS and _may_clear(key))
    }


def _check_task_id(event: TaskEvent, context: Context, *, by_agent: bool) -> None:
    known = event.task_id in context.tasks
    if event.type not in CREATIONS:
        if not known:
            who = "Agent emitted event" if by_agent else "Event"
            raise _RefusedEventError(f"{who} for unknown taskId: {{}}", event.task_id)
        return
    if known:
        raise _RefusedEventError("the task {} exists already", event.task_id)
    _text("taskId", event.task_id, ID_CHARACTERS)


def _check_own(event: TaskEvent, context: Context) -> None:
    """An agent is the same under whichever member runs it."""
    maker = context.tasks[event.task_id].created_by
    if maker.rpartition("@")[0] != event.actor_id.rpartition("@")[0]:
        raise _RefusedEventError("an agent may word anew only a task that it made, not {}", event.task_id)


def _without_host_keys(event: TaskEvent) -> dict[str, Json]:
    """Other clients create tasks with all their fields: there the host's are left out, in changes they are refused."""
    payload = dict(event.task or {})
    if payload.pop("id", event.task_id) != event.task_id:
        raise _RefusedEventError("the payload's id is not the event's taskId")
    if event.type in CREATIONS:
        return {key: value for key, value in payload.items() if key not in _HOST_OWNED}
    return payload


def _may_clear(key: str) -> bool:
    if key not in _CLEARABLE:
        raise _RefusedEventError(f"{key} cannot be null")
    return True


def _text(key: str, value: Json, limit: int) -> str:
    if not isinstance(value, str):
        raise _RefusedEventError(f"{key} must be a string")
    if len(value) > limit:
        raise _RefusedEventError(f"{key} is longer than {limit} characters")
    if not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
        raise _RefusedEventError(f"{key} is not valid Unicode")
    return value


def _title(key: str, value: Json, _task: str, _context: Context) -> Json:
    return _text(key, value, TITLE_CHARACTERS)


def _description(key: str, value: Json, _task: str, _context: Context) -> Json:
    return None if value is None else _text(key, value, DESCRIPTION_CHARACTERS)


def _status(_key: str, value: Json, _task: str, _context: Context) -> Json:
    if value not in STATUSES:
        raise _RefusedEventError(f"status must be one of {', '.join(STATUSES)}")
    return value


def _urgent(_key: str, value: Json, _task: str, _context: Context) -> Json:
    if not isinstance(value, bool):
        raise _RefusedEventError("urgent must be true or false")
    return value


def _due(_key: str, value: Json, _task: str, _context: Context) -> Json:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= TIME_MAX_MS:
        raise _RefusedEventError("dueAt must be a time in milliseconds since 1970")
    return value


def _assignee(key: str, value: Json, _task: str, context: Context) -> Json:
    if value is None or value == "":
        return None
    try:
        return resolve_member(_text(key, value, ID_CHARACTERS), context.members).identity_key
    except AmbiguousError:
        # Without the candidates: whoever writes an event learns nothing of who else is there.
        raise _RefusedEventError("the assignee {} fits several members", value) from None
    except NotFoundError as error:
        raise _RefusedEventError(f"the assignee {{}}: {error.why}", error.where) from None


def _parent(key: str, value: Json, task_id: str, context: Context) -> Json:
    if value is None or value == "":
        return None
    parent: str | None = _text(key, value, ID_CHARACTERS)
    if parent not in context.tasks:
        raise _RefusedEventError("the parent {} is not a task of the room", parent)
    passed: set[str] = set()
    while parent and parent not in passed:
        if parent == task_id:
            raise _RefusedEventError("a task cannot be part of itself")
        passed.add(parent)
        above = context.tasks.get(parent)
        parent = above.parent_id if above else None
    return value


def _blocked_by(_key: str, value: Json, task_id: str, context: Context) -> Json:
    if not isinstance(value, list | tuple) or len(value) > DEPENDENCIES:
        raise _RefusedEventError(f"blockedBy must be a list of at most {DEPENDENCIES} task ids")
    for other in value:
        if not isinstance(other, str) or other not in context.tasks:
            raise _RefusedEventError("the dependency {} is not a task of the room", other)
        if other == task_id:
            raise _RefusedEventError("a task cannot wait for itself")
        if reaches(context.tasks, other, task_id):
            raise _RefusedEventError("waiting for {} would close a circle", other)
    return list(dict.fromkeys(value))


_RULES: Final[Mapping[str, Callable[[str, Json, str, Context], Json]]] = {
    "title": _title,
    "description": _description,
    "status": _status,
    "urgent": _urgent,
    "dueAt": _due,
    "assignee": _assignee,
    "parentId": _parent,
    "blockedBy": _blocked_by,
}
