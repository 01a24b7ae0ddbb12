"""Tasks and the pure reducer that folds task events into them.

The rules are those of Weave, so that its clients and orlop's reach the same state from the same events. The reducer
judges nothing: who may send what is checked before (`runtime.rooms.admission`), and the order of events is the room's
(`runtime.rooms.fold`). JSON keys are camelCase, attributes snake_case; `None` means that an optional field is absent.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

from runtime.canonical import Json
from runtime.errors import RefusedError

__all__ = [
    "CREATIONS",
    "EMPTY",
    "FIELDS",
    "OPTIONAL",
    "STATUSES",
    "TYPES",
    "Folding",
    "Task",
    "TaskEvent",
    "TaskState",
    "event_to_json",
    "fold",
    "parse_task",
    "parse_task_event",
    "reaches",
    "reduce",
    "task_to_json",
]

CREATIONS: Final = frozenset({"task_created", "subtask_created"})
TYPES: Final = CREATIONS | {
    "task_assigned",
    "task_status_changed",
    "task_dependencies_changed",
    "task_updated",
    "task_urgency_changed",
}
"""All types of task events; any other type is ignored by the reducer."""

STATUSES: Final = ("pending", "in_progress", "completed")

FIELDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "id": "id",
        "title": "title",
        "status": "status",
        "createdBy": "created_by",
        "createdAt": "created_at",
        "updatedAt": "updated_at",
        "assignee": "assignee",
        "parentId": "parent_id",
        "dueAt": "due_at",
        "blockedBy": "blocked_by",
        "description": "description",
        "urgent": "urgent",
    }
)
"""JSON key to attribute, in the order in which they are written."""

OPTIONAL: Final = frozenset({"assignee", "parentId", "dueAt", "blockedBy", "description", "urgent"})
"""The keys that a task may lack."""

_OPTIONAL: Final = frozenset(FIELDS[key] for key in OPTIONAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A task. Times are milliseconds since the Unix epoch, people are identity keys."""

    id: str
    title: str
    status: str
    created_by: str
    created_at: int
    updated_at: int
    assignee: str | None = None
    parent_id: str | None = None
    due_at: int | None = None
    blocked_by: tuple[str, ...] | None = None
    description: str | None = None
    urgent: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskEvent:
    """One change. `task` is the partial task of the event, by JSON key; None when the event has none."""

    type: str
    task_id: str
    task: Mapping[str, Json] | None
    timestamp: int
    actor_id: str

    @property
    def key(self) -> str:
        """What makes two events the same to the reducer."""
        return f"{self.task_id}:{self.type}:{self.timestamp}:{self.actor_id}"


@dataclass(frozen=True, slots=True)
class TaskState:
    """The tasks, in the order of their creation, and what the reducer has to remember besides."""

    tasks: Mapping[str, Task]
    last_actors: Mapping[str, str]
    """Who changed a task last: decides between two changes of the same millisecond."""
    seen: frozenset[str]
    """Keys of the events so far, those that changed nothing included."""


EMPTY: Final = TaskState(MappingProxyType({}), MappingProxyType({}), frozenset())
"""Where every fold begins."""


class Folding:
    """A fold in progress: applies events in place, and lends out immutable states at no cost.

    The mappings are copied only when they change after a state was taken.
    """

    def __init__(self, state: TaskState = EMPTY) -> None:
        self._tasks = dict(state.tasks)
        self._last = dict(state.last_actors)
        self._seen = set(state.seen)
        self._lent = False

    @property
    def tasks(self) -> Mapping[str, Task]:
        """The tasks as they are now; valid until the next `apply`."""
        return self._tasks

    def state(self) -> TaskState:
        """The state now; later events do not change it."""
        self._lent = True
        return TaskState(MappingProxyType(self._tasks), MappingProxyType(self._last), frozenset(self._seen))

    def forget(self) -> None:
        """Forgets the keys of all events so far: for callers that feed events in the order of time, at a later time."""
        self._seen.clear()

    def apply(self, event: TaskEvent) -> bool:
        """Applies one event.

        Returns:
            Whether a task changed.
        """
        if event.key in self._seen:
            return False
        self._seen.add(event.key)
        if event.task is None or event.type not in TYPES:
            return False
        old = self._tasks.get(event.task_id)
        payload = self._without_cycles(event.task_id, event.task)
        if event.type in CREATIONS:
            task = _created(event, payload)
        elif old is None or self._is_late(old, event):
            return False
        else:
            task = _merged(old, event, payload)
        self._put(task, event.actor_id)
        return True

    def _is_late(self, old: Task, event: TaskEvent) -> bool:
        if event.timestamp == old.updated_at:
            return event.actor_id <= self._last[old.id]
        return event.timestamp < old.updated_at

    def _put(self, task: Task, actor: str) -> None:
        if self._lent:
            self._tasks, self._last, self._lent = self._tasks.copy(), self._last.copy(), False
        self._tasks[task.id] = task
        self._last[task.id] = actor

    def _without_cycles(self, task_id: str, payload: Mapping[str, Json]) -> Mapping[str, Json]:
        wanted = payload.get("blockedBy")
        if not isinstance(wanted, list | tuple):
            return payload
        kept = [
            other
            for other in wanted
            if other != task_id and other in self._tasks and not reaches(self._tasks, other, task_id)
        ]
        return {**payload, "blockedBy": kept}


def reaches(tasks: Mapping[str, Task], start: str, goal: str) -> bool:
    """Whether `start` waits for `goal`, directly or through others."""
    found = {start}
    queue = deque(found)
    while queue:
        task = tasks.get(queue.popleft())
        for other in (task and task.blocked_by) or ():
            if other == goal:
                return True
            if other not in found:
                found.add(other)
                queue.append(other)
    return False


def _attributes(payload: Mapping[str, Json]) -> dict[str, Any]:
    """The payload by attribute; keys that no task has are left out."""
    found = {FIELDS[key]: value for key, value in payload.items() if key in FIELDS}
    blocked_by = found.get("blocked_by")
    if isinstance(blocked_by, list):
        found["blocked_by"] = tuple(blocked_by)
    return found


def _created(event: TaskEvent, payload: Mapping[str, Json]) -> Task:
    given = {name: value for name, value in _attributes(payload).items() if value is not None}
    defaults: dict[str, Any] = {
        "title": "",
        "status": "pending",
        "created_by": event.actor_id,
        "created_at": event.timestamp,
    }
    return Task(**(defaults | given | {"id": event.task_id, "updated_at": event.timestamp}))


def _merged(old: Task, event: TaskEvent, payload: Mapping[str, Json]) -> Task:
    given = {name: value for name, value in _attributes(payload).items() if value is not None or name in _OPTIONAL}
    task: Task = replace(old, **(given | {"id": event.task_id, "updated_at": event.timestamp}))
    if event.type == "task_assigned" and payload.get("assignee") and task.status == "pending":
        return replace(task, status="in_progress")
    return task


def reduce(state: TaskState, event: TaskEvent) -> TaskState:
    """The state after one more event; total, for any sequence of events."""
    folding = Folding(state)
    folding.apply(event)
    return folding.state()


def fold(events: Iterable[TaskEvent], state: TaskState = EMPTY) -> TaskState:
    """The state after these events, in the order given."""
    folding = Folding(state)
    for event in events:
        folding.apply(event)
    return folding.state()


def task_to_json(task: Task) -> dict[str, Json]:
    """The task by JSON key; absent optional fields are left out."""
    found: dict[str, Json] = {}
    for key, name in FIELDS.items():
        value = getattr(task, name)
        if value is not None:
            found[key] = list(value) if name == "blocked_by" else value
    return found


def event_to_json(event: TaskEvent) -> dict[str, Json]:
    """The event as agents and other clients read it."""
    found: dict[str, Json] = {"type": event.type, "taskId": event.task_id}
    if event.task is not None:
        found["task"] = dict(event.task)
    return found | {"timestamp": event.timestamp, "actorId": event.actor_id}


def parse_task_event(value: Json) -> TaskEvent:
    """Reads an event of any known type; the payload's keys and values are admission's business.

    Raises:
        RefusedError: not an object, an unknown type, or a field that is missing or has the wrong type.
    """
    event = _object(value, "event")
    kind = _of(event, "type", str)
    if kind not in TYPES:
        raise RefusedError("is not a type of task events", where=f"type {kind[:40]!r}")
    payload = event.get("task")
    return TaskEvent(
        type=kind,
        task_id=_of(event, "taskId", str),
        task=None if payload is None else _object(payload, "task"),
        timestamp=_of(event, "timestamp", int),
        actor_id=_of(event, "actorId", str),
    )


def parse_task(value: Json) -> Task:
    """Reads a whole task.

    Raises:
        RefusedError: a required field is missing, or a field has the wrong type or status.
    """
    task = _object(value, "task")
    kinds = {"createdAt": int, "updatedAt": int, "dueAt": int, "urgent": bool, "blockedBy": list}
    found: dict[str, Any] = {}
    for key, name in FIELDS.items():
        if key not in OPTIONAL or task.get(key) is not None:
            found[name] = _of(task, key, kinds.get(key, str))
    if found["status"] not in STATUSES:
        raise RefusedError(f"must be one of {', '.join(STATUSES)}", where="status")
    if "blocked_by" in found:
        if not all(isinstance(other, str) for other in found["blocked_by"]):
            raise RefusedError("must be a list of task ids", where="blockedBy")
        found["blocked_by"] = tuple(found["blocked_by"])
    return Task(**found)


def _object(value: Json, where: str) -> Mapping[str, Json]:
    if not isinstance(value, Mapping):
        raise RefusedError("must be an object", where=where)
    return value


_NAMES: Final = {str: "a string", int: "an integer", bool: "true or false", list: "a list"}


def _of(item: Mapping[str, Json], key: str, kind: Any) -> Any:  # noqa: ANN401 - the type is the argument
    value = item.get(key)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise RefusedError(f"must be {_NAMES[kind]}", where=key)
    return value
