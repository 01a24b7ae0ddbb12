"""What happened in rooms that nobody should miss, as toasts. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from console.ui.figures import short_id
from console.ui.text.tasks import KEY_SHOWN
from console.view import View
from runtime import events
from runtime.events import Record
from runtime.sanitise import clean

__all__ = ["Notice", "notices"]

_MOST = 3
"""Toasts of one frame: a burst must not cover the screen."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One toast."""

    title: str
    text: str
    severity: Literal["information", "warning", "error"] = "information"


def notices(records: Sequence[Record], view: View, since: int) -> list[Notice]:
    """The toasts of some records.

    Args:
        records: in order.
        view: for names of rooms.
        since: seq of the newest record that is history.
    """
    told = [notice for record in records if record.seq > since for notice in _notice(record, view)]
    if len(told) <= _MOST:
        return told
    return [*told[: _MOST - 1], Notice("Rooms", f"and {len(told) - _MOST + 1} more; the Log pane has them")]


def _notice(record: Record, view: View) -> Iterator[Notice]:
    match record.event:
        case events.TaskDue() as due:
            minutes = max(due.due_ms - record.ts_ms, 0) // 60_000
            when = f"due in {minutes} m" if minutes else "due now"
            yield Notice(_room(view, due.room), f"{when}: {clean(due.title or 'a task', 120)}", "warning")
        case events.RoomWarning() as warning:
            who = short_id(clean(warning.key, 80), KEY_SHOWN)
            yield Notice(_room(view, warning.room), f"{who}: {clean(warning.reason, 200)}", "error")
        case events.MemberJoined(name=name, key=key, room=room) if _others(view, room):
            yield Notice(_room(view, room), f"{_who(name, key)} is a member now")
        case events.MemberLeft(key=key, room=room):
            yield Notice(_room(view, room), f"{_who(None, key)} has left")
        case events.RoomBurned(by=by) if by != "operator":
            yield Notice("Rooms", f"a room was burned by its {clean(by, 20)}", "warning")
        case _:
            return


def _others(view: View, room: str) -> bool:
    """Whether there are others: the first member of a room is who made it."""
    row = view.rooms.get(room)
    return row is not None and row.members > 1


def _room(view: View, room: str) -> str:
    row = view.rooms.get(room)
    return clean(row.name, 40) if row is not None else short_id(clean(room, 32))


def _who(name: str | None, key: str) -> str:
    return clean(name, 40) if name else short_id(clean(key, 80), KEY_SHOWN)
