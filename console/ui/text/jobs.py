"""Jobs: a row of the table, output as it comes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from console.rows import JobRow, PeerRow
from console.table_rows import Column, Row
from console.ui.figures import NOTHING, bar, count, day_clock, short_id, size, took
from console.ui.sheet import Line, line
from console.ui.text.job_peers import is_foreign, place_cell, place_value
from console.view import TERMINAL
from runtime.sanitise import clean, clean_multiline

__all__ = [
    "COLUMNS",
    "COLUMNS_AMONG_PEERS",
    "MARKS",
    "RUNNING",
    "WAITING",
    "Tail",
    "elapsed_ms",
    "how_full",
    "job_row",
    "output_lines",
]

_KEEP = 64 * 1024

COLUMNS = (
    Column(name="mark", title="", width=1),
    Column(name="job", title="JOB", width=8),
    Column(name="module", title="MODULE", width=9, grow=3),
    Column(name="state", title="STATE", width=9),
    Column(name="prio", title="PRI", width=3, right=True, priority=5),
    Column(name="wall", title="WALL", width=6, right=True, priority=2, unit="ms"),
    Column(name="mem", title="MEM", width=8, priority=4, unit="bytes"),
    Column(name="fuel", title="FUEL", width=8, priority=8),
    Column(name="out", title="OUT", width=5, right=True, priority=3, unit="bytes"),
    Column(name="exit", title="EXIT", width=4, right=True, priority=1),
    Column(name="limit", title="LIMIT", width=12, priority=6),
    Column(name="outcome", title="OUTCOME", width=9, priority=7),
    Column(name="created", title="CREATED", width=12, priority=9),
    Column(name="where", title="WHERE", width=7, priority=10),
)
COLUMNS_AMONG_PEERS = (*COLUMNS[:-1], replace(COLUMNS[-1], grow=1, priority=2))
"""The same where not every job is this node's own and runs here: then it matters where."""

MARKS = {
    "queued": ("◌", "warn"),
    "admitted": ("◌", "warn"),
    "done": ("●", "ok"),
    "failed": ("✗", "trip"),
    "refused": ("✗", "trip"),
    "lost": ("✗", "alarm"),
    "damaged": ("✗", "alarm"),
    "cancelled": ("○", "warn"),
}
RUNNING = ("◐", "accent")
WAITING = frozenset({"queued", "admitted"})
"""States in which a job has not begun."""


@dataclass(slots=True)
class Tail:
    """The last 64 KiB that a job wrote to one stream; pieces may come twice or, after a gap, with a hole."""

    data: bytes = b""
    at: int = field(default=0)
    """Offset behind the last byte."""

    def put(self, offset: int, piece: bytes) -> None:
        """Adds a piece that stands at `offset` of the stream."""
        if offset + len(piece) <= self.at:
            return
        known = max(self.at - offset, 0)
        self.data = (self.data + piece[known:])[-_KEEP:]
        self.at = offset + len(piece)

    @property
    def text(self) -> str:
        """The tail as text, harmless, with its lines."""
        return clean_multiline(self.data.decode("utf-8", "replace"), _KEEP)


def elapsed_ms(row: JobRow, now_ms: int) -> int | None:
    """How long a job has run so far, or ran."""
    if row.wall_ms is not None:
        return row.wall_ms
    if row.started_ms is None:
        return None
    return max((row.ended_ms or now_ms) - row.started_ms, 0)


def how_full(part: int | None, whole: int) -> str:
    """The ink of a figure by how much of its limit it is."""
    return (
        "alarm"
        if part is not None and part >= whole
        else "warn"
        if part is not None and part * 10 >= whole * 8
        else "link"
    )


def job_row(row: JobRow, peers: Mapping[str, PeerRow], now_ms: int) -> Row:
    """A row of the table.

    Args:
        row: what is known.
        peers: the book of peers, for their names.
        now_ms: wall time.
    """
    mark, ink = MARKS.get(row.state, RUNNING)
    wall = elapsed_ms(row, now_ms)
    plain = "" if row.state not in TERMINAL else "dim"
    exit_ink = "dim" if row.exit_code in (0, None) else "trip"
    cells = (
        mark,
        short_id(clean(row.job, 64), 8),
        clean(row.name, 80),
        row.state,
        f"{row.priority:+d}" if row.priority else NOTHING,
        took(wall),
        bar(row.memory_peak_bytes, row.limit_memory_bytes, 3) + f" {size(row.memory_peak_bytes):>4}",
        bar(row.fuel, row.limit_fuel, 3) + f" {count(row.fuel):>4}",
        size(row.output_bytes),
        NOTHING if row.exit_code is None else str(row.exit_code),
        clean(row.tripped, 20) or NOTHING,
        clean(row.outcome, 20) or NOTHING,
        day_clock(row.created_ms, now_ms),
        place_cell(row, peers),
    )
    inks = (
        ink,
        "link",
        "strong",
        ink,
        "agent" if row.priority else "faint",
        how_full(wall, row.limit_timeout_ms) if wall is not None and wall * 10 >= row.limit_timeout_ms * 8 else "",
        how_full(row.memory_peak_bytes, row.limit_memory_bytes),
        how_full(row.fuel, row.limit_fuel),
        plain,
        exit_ink,
        "alarm" if row.tripped else "faint",
        "dim" if row.outcome in {"exit", ""} else ink,
        "dim",
        "link" if is_foreign(row) else "dim",
    )
    values = (
        row.state,
        row.job,
        row.name,
        row.state,
        row.priority,
        wall,
        row.memory_peak_bytes,
        row.fuel,
        row.output_bytes,
        row.exit_code,
        row.tripped,
        row.outcome,
        row.created_ms,
        place_value(row, peers),
    )
    return Row(key=row.job, cells=cells, values=values, inks=inks)


def output_lines(tail: Tail, most: int = 200) -> list[Line]:
    """The end of a stream as lines."""
    if not tail.data:
        return [line(("  (empty)", "faint"))]
    rows = tail.text.removesuffix("\n").split("\n")
    hidden: Sequence[Line] = [line((f"  … {len(rows) - most:,} lines before", "dim"))] if len(rows) > most else ()
    return [*hidden, *(line("  ", row, indent=2) for row in rows[-most:])]
