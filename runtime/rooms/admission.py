"""What may enter a room's log: checks before the reducer, so that the reducer can stay as simple as the original's.

Each type has its keys, each key its values; nobody re-creates a task, sets what the host owns, or names a task or
member that does not exist; whoever signs an event must be its actor, or run the agent that is.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, cast

from runtime.canonical import Json
from runtime.errors import AmbiguousError, NotFoundError
from runtime.rooms.members import Member, resolve_member, runner_of
from runtime.rooms.payload import (
    AGENT_TYPES,
    HOST_OWNED,
    ID_CHARACTERS,
    OWN_WORDS,
    PayloadError,
    check_keys,
    check_value,
    may_clear,
    text_of,
)
from runtime.rooms.reasons import Reason
from runtime.rooms.tasks import CREATIONS, TYPES, Task, TaskEvent, reaches
from runtime.sanitise import clean

__all__ = ["FUTURE_MS", "Admitted", "Context", "Held", "Refused", "Verdict", "admit", "stamp"]

FUTURE_MS: Final = 300_000
"""How far ahead of the clock an event may lie; exactly this is admitted."""


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
    except PayloadError as error:
        return Refused(error.reason)


def _checked(event: TaskEvent, context: Context) -> dict[str, Json]:
    """The payload, cleared of what the host sets itself."""
    by_agent = event.actor_id != runner_of(event.actor_id, context.room)
    if event.type not in (AGENT_TYPES if by_agent else TYPES):
        raise PayloadError("Disallowed event type: {}", event.type)
    if not event.task_id:
        raise PayloadError("Event missing taskId")
    _check_task_id(event, context, by_agent=by_agent)
    if event.task is None:
        raise PayloadError("the event has no task payload")
    payload = _without_host_keys(event)
    check_keys(event.type, payload, by_agent=by_agent)
    if by_agent and event.type == "task_status_changed" and not OWN_WORDS.isdisjoint(payload):
        _check_own(event, context)
    if not payload and event.type not in CREATIONS:
        raise PayloadError("the task payload is empty")
    if event.type == "subtask_created" and not payload.get("parentId"):
        raise PayloadError("subtask_created needs a parentId")
    return {
        key: _value(key, value, event.task_id, context)
        for key, value in payload.items()
        if value is not None or (event.type not in CREATIONS and may_clear(key))
    }


def _check_task_id(event: TaskEvent, context: Context, *, by_agent: bool) -> None:
    known = event.task_id in context.tasks
    if event.type not in CREATIONS:
        if not known:
            who = "Agent emitted event" if by_agent else "Event"
            raise PayloadError(f"{who} for unknown taskId: {{}}", event.task_id)
        return
    if known:
        raise PayloadError("the task {} exists already", event.task_id)
    text_of("taskId", event.task_id, ID_CHARACTERS)


def _check_own(event: TaskEvent, context: Context) -> None:
    """An agent is the same under whichever member runs it."""
    maker = context.tasks[event.task_id].created_by
    if maker.rpartition("@")[0] != event.actor_id.rpartition("@")[0]:
        raise PayloadError("an agent may word anew only a task that it made, not {}", event.task_id)


def _without_host_keys(event: TaskEvent) -> dict[str, Json]:
    """Other clients create tasks with all their fields: there the host's are left out, in changes they are refused."""
    payload = dict(event.task or {})
    if payload.pop("id", event.task_id) != event.task_id:
        raise PayloadError("the payload's id is not the event's taskId")
    if event.type in CREATIONS:
        return {key: value for key, value in payload.items() if key not in HOST_OWNED}
    return payload


def _value(key: str, value: Json, task_id: str, context: Context) -> Json:
    check_value(key, value)
    found = _FOUND_BY.get(key)
    return value if found is None else found(key, value, task_id, context)


def _assignee(key: str, value: Json, _task: str, context: Context) -> Json:
    if value is None or value == "":
        return None
    try:
        return resolve_member(text_of(key, value, ID_CHARACTERS), context.members).identity_key
    except AmbiguousError:
        # Without the candidates: whoever writes an event learns nothing of who else is there.
        raise PayloadError("the assignee {} fits several members", value) from None
    except NotFoundError as error:
        raise PayloadError(f"the assignee {{}}: {error.why}", error.where) from None


def _parent(key: str, value: Json, task_id: str, context: Context) -> Json:
    if value is None or value == "":
        return None
    parent: str | None = text_of(key, value, ID_CHARACTERS)
    if parent not in context.tasks:
        raise PayloadError("the parent {} is not a task of the room", parent)
    passed: set[str] = set()
    while parent and parent not in passed:
        if parent == task_id:
            raise PayloadError("a task cannot be part of itself")
        passed.add(parent)
        above = context.tasks.get(parent)
        parent = above.parent_id if above else None
    return value


def _blocked_by(_key: str, value: Json, task_id: str, context: Context) -> Json:
    wanted = cast(Sequence[str], value)
    for other in wanted:
        if other not in context.tasks:
            raise PayloadError("the dependency {} is not a task of the room", other)
        if other == task_id:
            raise PayloadError("a task cannot wait for itself")
        if reaches(context.tasks, other, task_id):
            raise PayloadError("waiting for {} would close a circle", other)
    return list(dict.fromkeys(wanted))


_FOUND_BY: Final[Mapping[str, Callable[[str, Json, str, Context], Json]]] = {
    "assignee": _assignee,
    "parentId": _parent,
    "blockedBy": _blocked_by,
}
"""What the room adds to a value."""
