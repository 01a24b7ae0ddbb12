"""Reminders: five minutes before a task is due, once for each due time. Pure but for its two statements.

What was reminded of is kept in `room_reminders`, so that a restart repeats nothing; a task whose due time is changed is
reminded of again.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from runtime.rooms.log import Connection
from runtime.rooms.tasks import Task

__all__ = ["LEAD_MS", "Reminder", "due_reminders", "note_reminded", "reminded"]

LEAD_MS: Final = 5 * 60_000
"""How long before its due time a task is reminded of."""

_STALE_MS: Final = 24 * 3_600_000
"""What was due longer ago is no news: a room that comes back after a month must not ring for all of it."""


@dataclass(frozen=True, slots=True)
class Reminder:
    """A task that is due in at most five minutes, or was due within the last day."""

    task_id: str
    due_ms: int


def due_reminders(tasks: Iterable[Task], done: Mapping[str, int], now_ms: int) -> list[Reminder]:
    """What is to be told now, the most urgent first.

    Args:
        tasks: of a room.
        done: the due time that each task was last reminded of.
        now_ms: wall time.
    """
    found = [
        Reminder(task.id, task.due_at)
        for task in tasks
        if task.due_at is not None
        and task.status != "completed"
        and now_ms - _STALE_MS <= task.due_at <= now_ms + LEAD_MS
        and done.get(task.id) != task.due_at
    ]
    return sorted(found, key=lambda one: (one.due_ms, one.task_id))


def reminded(connection: Connection, room: str) -> dict[str, int]:
    """The due time that each task of a room was last reminded of."""
    rows = connection.execute("SELECT task, due_ms FROM room_reminders WHERE room = ?", (room,))
    return {str(task): int(due_ms) for task, due_ms in rows}


def note_reminded(connection: Connection, room: str, reminder: Reminder) -> None:
    """Keeps that a task was reminded of, in the transaction of the event that does it."""
    connection.execute(
        "INSERT INTO room_reminders (room, task, due_ms) VALUES (?, ?, ?)"
        " ON CONFLICT (room, task) DO UPDATE SET due_ms = excluded.due_ms",
        (room, reminder.task_id, reminder.due_ms),
    )
