"""Jobs: a row of the table, limits as bars, output as it comes."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from console.client import Json
from console.rows import JobRow
from console.table_rows import Column, Row
from console.ui.figures import NOTHING, bar, count, day_clock, short_id, size, took
from console.ui.sheet import BLANK, Line, Span, heading, line
from console.ui.sheet import field as labelled
from console.ui.text.documents import text
from console.view import TERMINAL
from runtime.sanitise import clean, clean_multiline

__all__ = ["COLUMNS", "Tail", "elapsed_ms", "job_row", "job_sheet", "output_lines"]

_LABEL = 9
_BAR = 14
_KEEP = 64 * 1024

COLUMNS = (
    Column(name="mark", title="", width=1),
    Column(name="job", title="JOB", width=8),
    Column(name="module", title="MODULE", width=9, grow=3),
    Column(name="state", title="STATE", width=9),
    Column(name="wall", title="WALL", width=6, right=True, priority=2, unit="ms"),
    Column(name="mem", title="MEM", width=8, priority=4, unit="bytes"),
    Column(name="fuel", title="FUEL", width=8, priority=5),
    Column(name="out", title="OUT", width=5, right=True, priority=3, unit="bytes"),
    Column(name="exit", title="EXIT", width=4, right=True, priority=1),
    Column(name="outcome", title="OUTCOME", width=9, priority=6),
    Column(name="created", title="CREATED", width=12, priority=7),
    Column(name="where", title="WHERE", width=7, priority=8),
)

_MARKS = {
    "done": ("●", "ok"),
    "failed": ("✗", "trip"),
    "refused": ("✗", "trip"),
    "lost": ("✗", "alarm"),
    "cancelled": ("○", "warn"),
}
_RUNNING = ("◐", "accent")


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


def _used(part: int | None, whole: int) -> str:
    return (
        "alarm"
        if part is not None and part >= whole
        else "warn"
        if part is not None and part * 10 >= whole * 8
        else "link"
    )


def job_row(row: JobRow, now_ms: int) -> Row:
    """A row of the table."""
    mark, ink = _MARKS.get(row.state, _RUNNING)
    wall = elapsed_ms(row, now_ms)
    plain = "" if row.state not in TERMINAL else "dim"
    exit_ink = "dim" if row.exit_code in (0, None) else "trip"
    cells = (
        mark,
        short_id(clean(row.job, 64), 8),
        clean(row.name, 80),
        row.state,
        took(wall),
        bar(row.memory_peak_bytes, row.limit_memory_bytes, 3) + f" {size(row.memory_peak_bytes):>4}",
        bar(row.fuel, row.limit_fuel, 3) + f" {count(row.fuel):>4}",
        size(row.output_bytes),
        NOTHING if row.exit_code is None else str(row.exit_code),
        clean(row.outcome, 20) or NOTHING,
        day_clock(row.created_ms, now_ms),
        clean(row.where, 40),
    )
    inks = (
        ink,
        "link",
        "strong",
        ink,
        _used(wall, row.limit_timeout_ms) if wall is not None and wall * 10 >= row.limit_timeout_ms * 8 else "",
        _used(row.memory_peak_bytes, row.limit_memory_bytes),
        _used(row.fuel, row.limit_fuel),
        plain,
        exit_ink,
        "dim" if row.outcome in {"exit", ""} else ink,
        "dim",
        "dim",
    )
    values = (
        row.state,
        row.job,
        row.name,
        row.state,
        wall,
        row.memory_peak_bytes,
        row.fuel,
        row.output_bytes,
        row.exit_code,
        row.outcome,
        row.created_ms,
        row.where,
    )
    return Row(key=row.job, cells=cells, values=values, inks=inks)


def job_sheet(row: JobRow, document: Json, output: tuple[Tail, Tail], verdict: str, now_ms: int) -> list[Line]:
    """Everything about one job.

    Args:
        row: its row.
        document: the answer of `jobs show`; empty until it is there.
        output: what is known of its standard output and standard error.
        verdict: of its receipt, as in the receipts' rows.
        now_ms: wall time.
    """
    mark, ink = _MARKS.get(row.state, _RUNNING)
    wall = elapsed_ms(row, now_ms)
    lines = [
        line(
            (f"{mark} {row.state}", ink), (f"  {clean(row.name, 80)}", "strong"), ("  on ", "dim"), clean(row.where, 60)
        ),
        line((f"  {short_id(clean(row.job, 64), 40)}", "link")),
    ]
    if row.state in TERMINAL:
        lines += _ending(row)
    lines += [
        BLANK,
        heading("LIMITS"),
        _limit("clock", wall, row.limit_timeout_ms, took(wall), took(row.limit_timeout_ms)),
        _limit(
            "memory",
            row.memory_peak_bytes,
            row.limit_memory_bytes,
            size(row.memory_peak_bytes),
            size(row.limit_memory_bytes),
        ),
        _limit("fuel", row.fuel, row.limit_fuel, count(row.fuel), count(row.limit_fuel)),
        _limit(
            "output",
            row.output_bytes,
            row.limit_output_bytes,
            size(row.output_bytes),
            f"{size(row.limit_output_bytes)} each",
        ),
        BLANK,
        heading("STDOUT"),
        *output_lines(output[0]),
        BLANK,
        heading("STDERR"),
        *output_lines(output[1]),
        BLANK,
        _receipt(row, verdict),
        labelled("MODULE", (clean(row.module, 71)[:23] + "…", "link"), label_width=_LABEL),
        labelled("FROM", (clean(row.submitter, 60), "dim"), label_width=_LABEL),
    ]
    created = text(document, "manifest", "created_at", limit=40)
    if created:
        lines.append(labelled("SIGNED", (created, "dim"), label_width=_LABEL))
    return lines


def _ending(row: JobRow) -> list[Line]:
    failed = row.state != "done"
    parts: list[Span] = [(f"  {clean(row.outcome or row.state, 40)}", "trip" if failed else "ok")]
    if row.exit_code is not None:
        parts.append((f"  exit code {row.exit_code}", "" if row.exit_code == 0 else "trip"))
    lines = [line(*parts)]
    if row.reason and row.reason != row.outcome:
        lines.append(line((f"  {clean(row.reason, 300)}", "warn"), indent=2))
    return lines


def _limit(name: str, part: int | None, whole: int, used: str, most: str) -> Line:
    return line(
        (f"  {name:<8}", "dim"),
        (bar(part, whole, _BAR).replace(" ", "·"), _used(part, whole)),
        f" {used:>7}",
        (f" of {most}", "dim"),
    )


def output_lines(tail: Tail, most: int = 200) -> list[Line]:
    """The end of a stream as lines."""
    if not tail.data:
        return [line(("  (empty)", "faint"))]
    rows = tail.text.removesuffix("\n").split("\n")
    hidden: Sequence[Line] = [line((f"  … {len(rows) - most:,} lines before", "dim"))] if len(rows) > most else ()
    return [*hidden, *(line("  ", row, indent=2) for row in rows[-most:])]


def _receipt(row: JobRow, verdict: str) -> Line:
    if not row.receipt:
        said: Span = (
            ("not yet: it is signed when the job ends", "dim") if row.state not in TERMINAL else ("none", "warn")
        )
        return labelled("RECEIPT", said, label_width=_LABEL)
    marks: dict[str, Span] = {"valid": ("  ✓ valid", "ok"), "invalid": ("  ✗ invalid", "alarm")}
    return labelled(
        "RECEIPT",
        (f"{clean(row.receipt, 64)[:12]}…", "link"),
        marks.get(verdict, ("  ? not checked", "warn")),
        ("  o shows it", "dim"),
        label_width=_LABEL,
    )
