"""What an agent uses of what it may, who runs it, and how it went over the last hour: lines of its sheet."""

from collections.abc import Sequence

from console.client import Json
from console.rows import AgentRow
from console.ui.figures import bar, day_clock, millis, size
from console.ui.sheet import BLANK, Line, field, heading, line
from console.ui.text.documents import integer, objects
from runtime.sanitise import clean

__all__ = ["hour_lines", "next_probe", "runner_lines", "sparkline", "use_lines"]

_LABEL = 11
_BAR = 10
_MINUTE_MS = 60_000
_HOUR = 60
_CELL = 3
"""Minutes in a cell: the hour has to fit beside the table on 120 columns."""

_NEARLY = 0.8
_LEVELS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[int]) -> str:
    """One cell per value, as high as its share of the greatest; a gap where there is none."""
    most = max(values, default=0)
    return "".join(
        " " if not one else _LEVELS[min(one * len(_LEVELS) // (most + 1), len(_LEVELS) - 1)] for one in values
    )


def runner_lines(row: AgentRow) -> list[Line]:
    """Who runs it, in a room with others."""
    if not row.runner and row.state != "standby":
        return []
    who = clean(row.runner, 40) if row.runner else "nobody yet"
    how = ("  this one stands by", "dim") if row.state == "standby" else ("  the others stand by", "dim")
    return [field("RUNS AT", (who, "strong"), how, label_width=_LABEL)]


def next_probe(row: AgentRow, now_ms: int) -> str:
    """When a tripped agent is probed by itself."""
    if row.next_probe_ms is None:
        return "It is not probed by itself any more, and stays off, also after a restart."
    return f"It is probed by itself at {day_clock(row.next_probe_ms, now_ms)}; until a probe is good, it stays off."


def use_lines(row: AgentRow, document: Json, now_ms: int) -> list[Line]:
    """Its quotas: what of each it has used in this minute."""
    most = {
        name: integer(document, "limits", name) for name in ("calls", "cpu_ms", "emissions", "log_bytes", "state_bytes")
    }
    if None in most.values():
        return []
    limits = {name: value or 0 for name, value in most.items()}
    now = row.minute == now_ms // _MINUTE_MS
    parts = (
        ("calls", row.used_calls * now, limits["calls"], str),
        ("cpu", row.used_cpu_us * now, limits["cpu_ms"] * 1000, millis),
        ("emissions", row.used_emissions * now, limits["emissions"], str),
        ("log", row.used_log_bytes * now, limits["log_bytes"], size),
    )
    lines = [heading("IN THIS MINUTE")]
    for name, used, limit, written in (*parts, ("state", row.state_bytes, limits["state_bytes"], size)):
        ink = "warn" if used >= limit * _NEARLY else "link"
        lines.append(
            line(
                (f"  {name:<10}", "dim"),
                (bar(used, limit, _BAR), ink),
                f" {written(used)}",
                (f" of {written(limit)}", "dim"),
                indent=12,
            )
        )
    return [BLANK, *lines]


def hour_lines(document: Json, now_ms: int) -> list[Line]:
    """The last hour, three minutes a cell: calls, the slowest of them, failures where there were any."""
    minutes = {(integer(one, "from_ms") or 0) // _MINUTE_MS: one for one in objects(document, "minutes")}
    if not minutes:
        return []
    first = now_ms // _MINUTE_MS - _HOUR + 1
    names = (("calls", "calls", "link"), ("p95", "p95_us", ""), ("failures", "failures", "trip"))
    lines = [BLANK, heading(f"LAST HOUR, {_CELL} MINUTES A CELL")]
    for shown, name, ink in names:
        each = [max(0, integer(minutes[at], name) or 0) if at in minutes else 0 for at in range(first, first + _HOUR)]
        together = max if name == "p95_us" else sum
        values = [together(each[start : start + _CELL]) for start in range(0, _HOUR, _CELL)]
        most = max(values)
        if most or name == "calls":
            lines.append(
                line(
                    (f"  {shown:<10}", "dim"),
                    (sparkline(values), ink),
                    (f" max {millis(most) if name == 'p95_us' else most}", "dim"),
                    indent=12,
                )
            )
    return lines
