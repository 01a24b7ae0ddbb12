"""What happened in rooms, with peers and with components that nobody should miss, as toasts."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from console.petnames import petname
from console.ui.figures import short_id
from console.ui.text.tasks import KEY_SHOWN
from console.view import View
from runtime import events
from runtime.events import Event, Record
from runtime.sanitise import clean

__all__ = ["Notice", "notices"]

_MOST = 3
"""Toasts of one frame: a burst must not cover the screen."""

_NAMED = 3
"""Names in one toast."""

_WHO = "\x00"
"""Stands for names in what is said of them; no name that was made clean has it."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One toast."""

    title: str
    text: str
    severity: Literal["information", "warning", "error"] = "information"


@dataclass(frozen=True, slots=True)
class _Moved:
    """Somebody, or an agent, of whom the same may be said as of others in the same room."""

    room: str
    who: str
    one: str
    """What is said of one, with `_WHO` in the place of its name."""
    many: str
    """What is said of several."""
    severity: Literal["information", "warning", "error"] = "information"


def notices(
    records: Sequence[Record], view: View, since: int, of_components: Callable[[Record], Iterator[Notice]]
) -> list[Notice]:
    """The toasts of some records: what is to be said of several in a room is one toast.

    Args:
        records: in order.
        view: for names of rooms, as it is after the records.
        since: seq of the newest record that is history.
        of_components: such as `ComponentNotices`, which remembers what it said a moment ago.
    """
    fresh = [record for record in records if record.seq > since]
    told = [notice for record in fresh for notice in (*_notice(record, view), *of_components(record))]
    imported = {record.event.room for record in fresh if isinstance(record.event, events.RoomImported)}
    moved = [each for record in fresh for each in _moved(record.event, view) if each.room not in imported]
    told += _together(moved, view)
    if len(told) <= _MOST:
        return told
    return [*told[: _MOST - 1], Notice("More", f"and {len(told) - _MOST + 1} more; the Log pane has them")]


def _notice(record: Record, view: View) -> Iterator[Notice]:
    match record.event:
        case events.TaskDue() as due:
            minutes = max(due.due_ms - record.ts_ms, 0) // 60_000
            when = f"due in {minutes} m" if minutes else "due now"
            yield Notice(_room(view, due.room), f"{when}: {clean(due.title or 'a task', 120)}", "warning")
        case events.RoomWarning() as warning:
            who = _who(warning.name, warning.key)
            yield Notice(_room(view, warning.room), f"{who}: {clean(warning.reason, 200)}", "error")
        case events.MemberRemoved(room=room, own=True):
            yield Notice(_room(view, room), "you were removed; what came until then stays to be read", "warning")
        case events.RoomBurned(by=by) if by != "operator":
            yield Notice("Rooms", f"a room was burned by its {clean(by, 20)}", "warning")
        case events.PeerLied(peer=peer, reason=reason):
            lied = f"gave a false receipt and gets no job until it is trusted anew: {clean(reason, 200)}"
            yield Notice("Peers", f"{_peer(view, peer)} {lied}", "error")
        case events.PeerBanned(peer=peer, banned=True, until=str(until), reason=reason) if _known_to_us(view, peer):
            yield Notice("Peers", f"{_peer(view, peer)} is banned until {until}: {clean(reason, 200)}", "warning")
        case _:
            return


def _moved(event: Event, view: View) -> Iterator[_Moved]:
    match event:
        case events.MemberJoined(name=name, key=key, room=room, already=True):
            yield _Moved(room, _who(name, key), f"you are in, with {_WHO}", f"you are in, with {_WHO}")
        case events.MemberJoined(name=name, key=key, room=room) if _others(view, room):
            yield _Moved(room, _who(name, key), f"{_WHO} is a member now", f"{_WHO} are members now")
        case events.MemberLeft(name=name, key=key, room=room, own=False):
            yield _Moved(room, _who(name, key), f"{_WHO} has left the room", f"{_WHO} have left the room")
        case events.MemberRemoved(name=name, key=key, room=room, own=False):
            more = "; the room's keys are others now"
            yield _Moved(room, _who(name, key), f"{_WHO} was removed{more}", f"{_WHO} were removed{more}", "warning")
        case events.AgentLeased(room=room, agent=agent, own=True, term=term) if term > 1:
            yield _Moved(room, clean(agent, 40), f"{_WHO} runs here now", f"{_WHO} run here now")
        case events.AgentLeased(room=room, agent=agent, own=False, runner=runner, name=name) if runner:
            there = _who(name, runner)
            one, many = f"{_WHO} runs at {there}; here it stands by", f"{_WHO} run at {there}; here they stand by"
            yield _Moved(room, clean(agent, 40), one, many)
        case _:
            return


def _together(moved: Sequence[_Moved], view: View) -> list[Notice]:
    """One toast for all of whom the same is said."""
    groups: dict[tuple[str, str], list[_Moved]] = {}
    for each in moved:
        groups.setdefault((each.room, each.one), []).append(each)
    told = []
    for (room, _), group in groups.items():
        names = list(dict.fromkeys(each.who for each in group))
        said = group[0].one if len(names) == 1 else group[0].many
        told.append(Notice(_room(view, room), said.replace(_WHO, _listed(names), 1), group[0].severity))
    return told


def _listed(names: Sequence[str]) -> str:
    """`ann`, `ann and bob`, `ann, bob and 3 more`."""
    if len(names) > _NAMED:
        return f"{', '.join(names[: _NAMED - 1])} and {len(names) - _NAMED + 1} more"
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _others(view: View, room: str) -> bool:
    """Whether there are others: the first member of a room is who made it."""
    row = view.rooms.get(room)
    return row is not None and row.members > 1


def _room(view: View, room: str) -> str:
    row = view.rooms.get(room)
    return clean(row.name, 40) if row is not None else short_id(clean(room, 32))


def _known_to_us(view: View, peer: str) -> bool:
    """Whether the operator has to do with a peer: strangers are banned in the log alone."""
    row = view.peers.get(peer)
    return row is not None and bool(row.name or row.worker or row.submitter or row.done)


def _peer(view: View, peer: str) -> str:
    row = view.peers.get(peer)
    return petname(row.name if row is not None else "", peer)


def _who(name: str | None, key: str) -> str:
    return clean(name, 40) if name else short_id(clean(key, 80), KEY_SHOWN)
