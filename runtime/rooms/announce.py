"""What the journal says of entries that were taken: by comparing the room before with the room after."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runtime.events import (
    MemberJoined,
    MemberLeft,
    MemberRemoved,
    MemberVerified,
    MessagePosted,
    RoomSettings,
    RoomWarning,
    TaskChanged,
)
from runtime.rooms.entries import SignedEntry
from runtime.rooms.facts import message_of
from runtime.rooms.replica import Offered, Replica
from runtime.rooms.roster import Roster
from runtime.rooms.tasks import FIELDS, Task, TaskEvent
from runtime.store import Transaction

__all__ = ["Before", "announce", "before", "task_changed"]

_SHOWN = [(key, name) for key, name in FIELDS.items() if key not in {"id", "updatedAt"}]
"""What an event calls a changed field, and the field's attribute."""


@dataclass(frozen=True, slots=True)
class Before:
    """What a room was like."""

    tasks: Mapping[str, Task]
    roster: Roster
    doubted: bool


def before(replica: Replica) -> Before:
    """What a room is like now, before it changes."""
    return Before(replica.fold.folding.state().tasks, replica.roster, replica.doubted)


def announce(
    tx: Transaction, replica: Replica, was: Before, offered: Offered, *, self_key: str, cause: int | None = None
) -> None:
    """Says what changed.

    Args:
        tx: the transaction that stores it.
        replica: the room now.
        was: the room before.
        offered: what was taken.
        self_key: this node's member, which every room that it knows has.
        cause: seq of the event that led to this.
    """
    _announce_members(tx, replica, was, self_key, cause)
    _announce_tasks(tx, replica, was, offered.events, cause)
    for entry in offered.taken:
        if replica.counts(entry):
            _announce_entry(tx, entry, cause)
    if replica.doubted and not was.doubted:
        why = "the creator's snapshot is not what its entries come to"
        creator, name = replica.roster.creator, _name(replica.roster, replica.roster.creator)
        tx.emit(RoomWarning(room=replica.room, key=creator, about="snapshot", reason=why, name=name, cause=cause))


def task_changed(room: str, event: TaskEvent, was: Task | None, task: Task, cause: int | None) -> TaskChanged:
    """What a change of a task is told as."""
    return TaskChanged(
        room=room,
        task=event.task_id,
        change=event.type,
        actor=event.actor_id,
        fields=tuple(key for key, name in _SHOWN if getattr(was, name, None) != getattr(task, name)),
        status=task.status,
        title=task.title,
        cause=cause,
    )


def _announce_tasks(
    tx: Transaction, replica: Replica, was: Before, events: Sequence[TaskEvent], cause: int | None
) -> None:
    latest = {event.task_id: event for event in events}
    for task_id, task in replica.fold.folding.tasks.items():
        known = was.tasks.get(task_id)
        if known is task or known == task:
            continue
        event = latest.get(task_id)
        if event is None:  # it follows from who counts now
            kind = "task_updated" if known else "task_created"
            event = TaskEvent(
                type=kind, task_id=task_id, task=None, timestamp=task.updated_at, actor_id=task.created_by
            )
        tx.emit(task_changed(replica.room, event, known, task, cause))


def _announce_members(tx: Transaction, replica: Replica, was: Before, self_key: str, cause: int | None) -> None:
    room, roster = replica.room, replica.roster
    if roster is was.roster:
        return
    before_keys, now = was.roster.members, roster.members
    for key, member in now.items():
        known = was.roster.everybody.get(key)
        if key not in before_keys and key != self_key:
            already = self_key not in before_keys
            tx.emit(MemberJoined(room=room, key=key, already=already, name=member.card.name, cause=cause))
        if known is not None and known.card.keys != member.card.keys:
            tx.emit(MemberVerified(room=room, key=key, verified=False, cause=cause))
    for key in before_keys.keys() - now.keys():
        gone = MemberLeft if roster.has_left(key) else MemberRemoved
        tx.emit(gone(room=room, key=key, own=key == self_key, name=before_keys[key].card.name, cause=cause))
    for key in sorted(roster.forked - was.roster.forked):
        why = "two devices write in this name; what they said since does not count"
        tx.emit(RoomWarning(room=room, key=key, about="fork", reason=why, name=_name(roster, key), cause=cause))
    for key in sorted(roster.contested - was.roster.contested):
        why = "members vouch for different keys in this name"
        tx.emit(RoomWarning(room=room, key=key, about="impostor", reason=why, name=_name(roster, key), cause=cause))


def _name(roster: Roster, key: str) -> str | None:
    known = roster.everybody.get(key)
    return None if known is None else known.card.name


def _announce_entry(tx: Transaction, entry: SignedEntry, cause: int | None) -> None:
    if entry.kind == "message" and (message := message_of(entry)) is not None:
        tx.emit(MessagePosted(room=entry.room, id=entry.id, author=entry.author, text=message.text, cause=cause))
    elif entry.kind in {"settings", "keep", "burn"}:
        changed = tuple(sorted(entry.content)) if entry.kind == "settings" else (entry.kind,)
        tx.emit(RoomSettings(room=entry.room, author=entry.author, changed=changed, cause=cause))
