"""Rooms: their table, how it stands with the one that is looked at, and what was said."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from console.client import Json
from console.rows import RoomRow
from console.table_rows import Column, Row
from console.ui.bound import Keys
from console.ui.figures import clock, date_of, short_id
from console.ui.sheet import Line, Span, line
from console.ui.text.documents import Object, integer, objects, text, texts
from console.ui.text.tasks import KEY_SHOWN, actor_name, members_by_key
from runtime.rooms.members import is_program
from runtime.sanitise import clean

__all__ = ["ROOM_COLUMNS", "Unread", "banner", "chat_lines", "left", "link_mark", "room_line", "room_row"]

ROOM_COLUMNS = (
    Column(name="link", title="", width=1),
    Column(name="name", title="NAME", width=9, grow=1),
    Column(name="open", title="OPEN", width=4, right=True),
    Column(name="members", title="MEMB", width=4, right=True, priority=2),
    Column(name="agents", title="AGNT", width=4, right=True, priority=1),
    Column(name="done", title="DONE", width=4, right=True, priority=3),
)

_LINKS = {
    "": (" ", "faint", "this node's alone", 0),
    "online": ("●", "ok", "connected", 1),
    "connecting": ("◐", "accent", "connecting", 2),
    "offline": ("○", "warn", "not connected", 3),
    "closed": ("✗", "trip", "closed", 4),
}
_AGAIN = ("◐", "accent", "re-establishing", 2)
_FLAME = "♨"
_HOUR_MS, _MINUTE_MS = 3_600_000, 60_000


@dataclass(frozen=True, slots=True)
class Unread:
    """A message of a member that could not be read."""

    ts_ms: int
    key: str
    reason: str


def link_mark(row: RoomRow) -> tuple[str, str, str]:
    """Dot, ink and word: the way to the other members."""
    known = _AGAIN if row.link == "online" and row.reestablishing else _LINKS.get(row.link, _LINKS[""])
    return known[:3]


def room_row(row: RoomRow) -> Row:
    """A row of the rooms' table."""
    mark, ink, _ = link_mark(row)
    flame = f"{_FLAME} " if row.ephemeral else ""
    cells = (
        mark,
        flame + clean(row.name, 64),
        str(row.open),
        f"{row.present + 1}/{row.members}" if row.link == "online" else str(row.members),
        str(row.agents),
        str(row.completed),
    )
    rank = _LINKS.get(row.link, _LINKS[""])[3]
    values = (rank, row.name, row.open, row.members, row.agents, row.completed)
    inks = (ink, "strong", "" if row.open else "dim", "dim", "dim", "dim")
    return Row(key=row.room, cells=cells, values=values, inks=inks)


def room_line(row: RoomRow) -> tuple[Span, ...]:
    """`● quiet-harbor ♨ ephemeral`, and who is there."""
    mark, ink, _ = link_mark(row)
    spans: list[Span] = [(f" {mark} ", ink), (clean(row.name, 40), "strong")]
    if row.ephemeral:
        spans.append((f"  {_FLAME} ephemeral", "warn"))
    return (*spans, ("  ", ""))


def left(ms: int) -> str:
    """How long is left: `23 h 59 m`, `4 m`, `less than a minute`."""
    hours, minutes = divmod(max(ms, 0) // _MINUTE_MS, 60)
    if hours:
        return f"{hours} h {minutes:02d} m"
    return f"{minutes} m" if minutes else "less than a minute"


def banner(row: RoomRow, document: Json, now_ms: int, keys: Keys) -> tuple[Span, ...]:
    """What must be known of a room before one goes on; empty where all is well."""
    if row.deletes_ms is not None:
        return (
            (" ▲ ", "alarm"),
            (f"all is done: the room deletes itself in {left(row.deletes_ms - now_ms)}", "warn"),
            (" · ", "dim"),
            (keys.named("rooms keep", "K"), "key"),
            (" keeps it ", "dim"),
            (keys.named("rooms burn", "B"), "key"),
            (" deletes now", "dim"),
        )
    if row.link == "online" and row.reestablishing:
        return (
            (" ◐ ", "accent"),
            (f"re-establishing: no keys of {_waiting(row, document)} yet", "accent"),
            ("; their words cannot be read", "dim"),
        )
    if row.link in {"connecting", "offline", "closed"}:
        mark, ink, word = link_mark(row)
        why = f": {clean(row.problem, 120)}" if row.problem else ""
        after = "" if row.link == "closed" else "; tried again by itself, nothing is lost"
        return ((f" {mark} ", ink), (f"{word}{why}", ink), (after, "dim"))
    return ()


def _waiting(row: RoomRow, document: Json) -> str:
    names = members_by_key(document)
    missing = texts(document, "link", "reestablishing")
    known = [names.get(key) or short_id(key, KEY_SHOWN) for key in missing[:4]]
    more = row.reestablishing - len(known)
    if not known:
        return f"{row.reestablishing} member{'' if row.reestablishing == 1 else 's'}"
    return ", ".join(known) + (f" and {more} more" if more > 0 else "")


def chat_lines(document: Json, unread: Sequence[Unread] = ()) -> list[Line]:
    """The latest messages, oldest first, each day under its date; what could not be read stands among them, with why.

    Args:
        document: the room, as `rooms show` has it.
        unread: what came while this screen was open and could not be read.
    """
    names = members_by_key(document)
    said = [(integer(message, "ts_ms") or 0, _said(message)) for message in objects(document, "messages")]
    said += [(each.ts_ms, _unread(each, names)) for each in unread]
    lines: list[Line] = []
    day = ""
    for at_ms, spoken in sorted(said, key=lambda pair: pair[0]):
        if (date := date_of(at_ms)) != day:
            lines += [line((f"── {date} ", "faint"))] if day else []
            day = date
        lines.append(spoken)
    return lines or [line(("nothing said yet", "faint"))]


def _said(message: Object) -> Line:
    name = text(message, "name", limit=40) or actor_name(text(message, "author", limit=200), {})
    ink = "agent" if is_program(text(message, "author")) else "link"
    at = clock(integer(message, "ts_ms"))[:5]
    return line((f"{at} ", "dim"), (f"{name:<10} ", ink), text(message, "text", limit=4_000), indent=17)


def _unread(each: Unread, names: Mapping[str, str]) -> Line:
    name = names.get(each.key) or short_id(clean(each.key, 80), KEY_SHOWN)
    why = f"⚿ unable to decrypt this message: {clean(each.reason, 300)}"
    return line((f"{clock(each.ts_ms)[:5]} ", "dim"), (f"{name:<10} ", "link"), (why, "warn"), indent=17)
