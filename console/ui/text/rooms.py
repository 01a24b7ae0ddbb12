"""Rooms: their table, members, and what was said."""

from console.client import Json
from console.rows import RoomRow
from console.table_rows import Column, Row
from console.ui.figures import clock, date_of
from console.ui.sheet import Line, line
from console.ui.text.documents import Object, integer, objects, text
from console.ui.text.tasks import actor_name
from runtime.sanitise import clean

__all__ = ["ROOM_COLUMNS", "chat_lines", "room_row"]

ROOM_COLUMNS = (
    Column(name="name", title="NAME", width=10, grow=1),
    Column(name="open", title="OPEN", width=4, right=True),
    Column(name="members", title="MEMB", width=4, right=True, priority=2),
    Column(name="agents", title="AGNT", width=4, right=True, priority=1),
    Column(name="done", title="DONE", width=4, right=True, priority=3),
)


def room_row(row: RoomRow) -> Row:
    """A row of the rooms' table."""
    cells = (clean(row.name, 64), str(row.open), str(row.members), str(row.agents), str(row.completed))
    values = (row.name, row.open, row.members, row.agents, row.completed)
    return Row(
        key=row.room, cells=cells, values=values, inks=("strong", "" if row.open else "dim", "dim", "dim", "dim")
    )


def chat_lines(document: Json) -> list[Line]:
    """The latest messages, oldest first, each day under its date; what cannot be read says why."""
    said: list[Line] = []
    day = ""
    for message in objects(document, "messages"):
        name = text(message, "name", limit=40) or actor_name(text(message, "author", limit=200), {})
        ink = "agent" if text(message, "author").startswith("agent:") else "link"
        at_ms = integer(message, "ts_ms")
        if (date := date_of(at_ms)) != day:
            said += [line((f"── {date} ", "faint"))] if day else []
            day = date
        secret = text(message, "undecryptable", limit=300)
        words = (f"⚿ unable to decrypt this message: {secret}", "warn") if secret else (_words(message), "")
        said.append(line((f"{clock(at_ms)[:5]} ", "dim"), (f"{name:<10} ", ink), words, indent=17))
    return said or [line(("nothing said yet", "faint"))]


def _words(message: Object) -> str:
    return text(message, "text", limit=4_000)
