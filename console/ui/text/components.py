"""Components: a row of the table, and how it stands with one in a mark and a word."""

from console.rows import ComponentRow
from console.table_rows import Column, Row
from console.ui.figures import NOTHING, bar, count
from console.ui.text.jobs import how_full
from runtime.sanitise import clean

__all__ = ["COLUMNS", "HEALTH", "at_rest", "component_row", "short_name", "standing"]

_BAR = 3
_NAMESPACE = "local/"

COLUMNS = (
    Column(name="mark", title="", width=1),
    Column(name="component", title="COMPONENT", width=12, grow=2),
    Column(name="state", title="STATE", width=11),
    Column(name="health", title="HEALTH", width=9, priority=3),
    Column(name="restarts", title="RESTARTS", width=8, right=True, priority=6),
    Column(name="calls", title="CALLS", width=5, right=True, priority=5),
    Column(name="denied", title="DENIED", width=6, right=True, priority=2),
    Column(name="mailbox", title="MAILBOX", width=_BAR + 8, priority=4),
    Column(name="version", title="VERSION", width=8, priority=7),
    Column(name="reason", title="REASON", width=8, grow=3, priority=1),
)

_MARKS = {
    "running": ("●", "ok"),
    "suspended": ("◌", "warn"),
    "installed": ("○", "dim"),
    "stopped": ("○", "dim"),
    "failed": ("✗", "trip"),
    "given-up": ("✗", "alarm"),
}
_BETWEEN = ("◐", "accent")
"""A step from one state to the next."""

_RANKS = ("installed", "stopped", "running", "suspended", "failed", "given-up")
"""States in the order of sorting: what needs a look comes last; steps between them stand before `suspended`."""

HEALTH = {"healthy": "ok", "degraded": "warn", "unhealthy": "trip", "unknown": "dim"}
"""The ink of each word about health."""


def standing(row: ComponentRow) -> tuple[str, str]:
    """Mark and ink of a component's state."""
    return _MARKS.get(row.state, _BETWEEN)


def at_rest(row: ComponentRow) -> bool:
    """Whether nothing of it runs, nor is about to."""
    return row.state in {"installed", "stopped", "failed", "given-up"}


def short_name(name: str) -> str:
    """`doer` for `local/doer`; any other namespace is said."""
    return clean(name.removeprefix(_NAMESPACE), 140)


def component_row(row: ComponentRow) -> Row:
    """A row of the table.

    Args:
        row: what is known.
    """
    mark, ink = standing(row)
    still = at_rest(row)
    health = NOTHING if still else clean(row.status, 10)
    cells = (
        mark,
        short_name(row.component),
        clean(row.state, 12),
        health,
        count(row.restarts),
        count(row.calls),
        count(row.denied),
        f"{bar(row.mailbox, row.mailbox_max, _BAR).replace(' ', '·')} {count(row.mailbox)}/{count(row.mailbox_max)}",
        clean(row.version, 20),
        clean(row.reason, 120) or NOTHING,
    )
    inks = (
        ink,
        "dim" if still else "strong",
        ink,
        "faint" if still else HEALTH.get(row.status, "dim"),
        "warn" if row.restarts else "faint",
        "" if row.calls else "faint",
        "warn" if row.denied else "faint",
        how_full(row.mailbox, row.mailbox_max) if row.mailbox else "faint",
        "dim",
        ("alarm" if row.state == "given-up" else "trip" if row.state == "failed" else "dim") if row.reason else "faint",
    )
    rank = _RANKS.index(row.state) if row.state in _RANKS else _RANKS.index("suspended") - 0.5
    values = (
        rank,
        row.component,
        rank,
        row.status,
        row.restarts,
        row.calls,
        row.denied,
        row.mailbox,
        row.version,
        row.reason,
    )
    return Row(key=row.component, cells=cells, values=values, inks=inks)
