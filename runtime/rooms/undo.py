"""Undo of one's own last change: what would take it back, computed from the room's events alone.

What undo says is marked as such in the log, so a change that it took back no longer counts, and undo goes further back
each time. Who takes a change back by hand makes another one, and undo begins with that. Nobody's change is overwritten:
what somebody else changed since is refused, by name of the field.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from runtime.canonical import Json
from runtime.errors import NotFoundError, RefusedError
from runtime.rooms.drafts import TaskDraft
from runtime.rooms.facts import UNDOES, task_event_of
from runtime.rooms.replica import Replica
from runtime.rooms.tasks import CREATIONS, EMPTY, FIELDS, Folding, Task, TaskEvent, TaskState

__all__ = ["Undo", "undo_in", "undo_last"]

_KINDS: Final[Mapping[str, str]] = {
    "assignee": "task_assigned",
    "status": "task_status_changed",
    "blockedBy": "task_dependencies_changed",
    "urgent": "task_urgency_changed",
    "title": "task_updated",
    "description": "task_updated",
    "dueAt": "task_updated",
    "parentId": "task_updated",
}
"""The event that sets a field, in the order in which they are sent: an assignment may change the status."""

_EMPTY: Final[Mapping[str, Json]] = {"blockedBy": [], "urgent": False, "title": ""}
"""What stands for a field that was absent, where null may not."""


@dataclass(frozen=True, slots=True)
class Undo:
    """What takes a change back.

    Attributes:
        task_id: whose change it was.
        fields: JSON keys that become what they were.
        drafts: to be submitted together, in order.
    """

    task_id: str
    fields: tuple[str, ...]
    drafts: tuple[TaskDraft, ...]


def undo_in(replica: Replica, me: str) -> Undo:
    """As `undo_last`, for a room as far as no snapshot stands for it.

    Raises:
        NotFoundError: as `undo_last`.
        RefusedError: as `undo_last`.
    """
    events = (
        (event, entry.content.get(UNDOES) is True)
        for entry in replica.entries()
        if entry.kind == "task" and replica.counts(entry) and not replica.covered(entry)
        if (event := task_event_of(entry)) is not None
    )
    return undo_last(events, me, EMPTY if replica.snapshot is None else replica.snapshot.state)


@dataclass(slots=True)
class _Change:
    """One event of ours that changed something, as far as it has not been taken back."""

    place: int
    task_id: str
    created: bool
    undoes: bool
    """Whether undo said it."""
    fields: dict[str, tuple[object, object]] = field(default_factory=dict)
    """By attribute: before and after."""


def undo_last(events: Iterable[tuple[TaskEvent, bool]], me: str, base: TaskState = EMPTY) -> Undo:
    """What takes back the last change of a member.

    Args:
        events: all of a room, in the order of its fold, each with whether it was said to take something back.
        me: the member's identity key; what its agents do is not its own change.
        base: the tasks before all of them, such as those of a snapshot.

    Raises:
        NotFoundError: there is no change left to take back.
        RefusedError: it created a task, or somebody else changed the same field since.
    """
    mine: list[_Change] = []
    others: dict[tuple[str, str], int] = {}
    folding = Folding(base)
    for place, (event, undoes) in enumerate(events):
        before = folding.tasks.get(event.task_id)
        if not folding.apply(event):
            continue
        found = _difference(before, folding.tasks[event.task_id])
        if event.actor_id == me:
            _remember(mine, _Change(place, event.task_id, event.type in CREATIONS, undoes, found))
        else:
            others.update(dict.fromkeys(((event.task_id, name) for name in found), place))
    if not mine:
        raise NotFoundError("there is no change of yours to undo")
    return _inverse(mine[-1], others, folding.tasks)


def _difference(before: Task | None, after: Task) -> dict[str, tuple[object, object]]:
    return {
        name: (_value(before, name), _value(after, name))
        for name in (FIELDS[key] for key in _KINDS)
        if _value(before, name) != _value(after, name)
    }


def _value(task: Task | None, name: str) -> object:
    """A field; absent, false and empty are the same, since no event can make one of the others."""
    return getattr(task, name, None) or None


def _remember(mine: list[_Change], change: _Change) -> None:
    """Keeps a change; one that undo took back goes away together with what took it back."""
    if change.created or change.fields:
        mine.append(change)
    while len(mine) > 1 and _takes_back(mine[-1], mine[-2]):
        for name in mine.pop().fields:
            del mine[-1].fields[name]
        if not mine[-1].fields:
            mine.pop()


def _takes_back(later: _Change, earlier: _Change) -> bool:
    if not later.undoes or later.task_id != earlier.task_id or later.created or earlier.created:
        return False
    return all(earlier.fields.get(name) == (new, old) for name, (old, new) in later.fields.items())


def _inverse(change: _Change, others: Mapping[tuple[str, str], int], tasks: Mapping[str, Task]) -> Undo:
    title = tasks[change.task_id].title[:60]
    if change.created:
        hint = "set it to completed instead"
        raise RefusedError("your last change made this task, and rooms never delete one", where=title, hint=hint)
    drafts: dict[str, dict[str, Json]] = {}
    fields: list[str] = []
    for key, kind in _KINDS.items():
        if FIELDS[key] in change.fields:
            if others.get((change.task_id, FIELDS[key]), -1) > change.place:
                raise RefusedError(f"somebody else changed its {key} since", where=title, hint="nothing was undone")
            drafts.setdefault(kind, {})[key] = _json(key, change.fields[FIELDS[key]][0])
            fields.append(key)
    if (drafts.get("task_assigned") or {}).get("assignee"):  # which would begin the task, whatever its status is
        drafts.setdefault("task_status_changed", {"status": tasks[change.task_id].status})
    made = tuple(TaskDraft(kind, change.task_id, payload, undoes=True) for kind, payload in drafts.items())
    return Undo(change.task_id, tuple(fields), made)


def _json(key: str, value: object) -> Json:
    if value is None:
        return _EMPTY.get(key)
    return list(value) if isinstance(value, tuple) else value  # type: ignore[return-value]  # a field of a task is JSON
