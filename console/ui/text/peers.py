"""Peers: a row of the table, how it stands with one in words, where this node is reached."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from console.petnames import petname
from console.rows import JobRow, PeerRow
from console.table_rows import Column, Row
from console.ui.figures import NOTHING, millis, time_or_day
from console.ui.sheet import Span
from console.ui.text.agent_use import sparkline
from console.ui.text.peer_events import allowed_words
from console.view import TERMINAL
from runtime.sanitise import clean

__all__ = ["COLUMNS", "called", "has_lied", "listening", "peer_row", "running_at", "standing", "way"]

_TRIPS = 4
"""Round trips beside the last one."""
_ALWAYS = 1 << 62
"""When a connected peer was last seen, as it is sorted: later than all others."""
_NODE = "/p2p/"

COLUMNS = (
    Column(name="mark", title="", width=1),
    Column(name="peer", title="PEER", width=10, grow=2),
    Column(name="state", title="STATE", width=9),
    Column(name="may", title="MAY", width=11, priority=2),
    Column(name="via", title="VIA", width=6, priority=5),
    Column(name="rtt", title="RTT", width=_TRIPS + 7, right=True, priority=3, unit="us"),
    Column(name="jobs", title="JOBS", width=4, right=True, priority=6),
    Column(name="ran", title="RAN", width=4, right=True, priority=8),
    Column(name="failed", title="FAIL", width=4, right=True, priority=7),
    Column(name="seen", title="SEEN", width=6, priority=4),
    Column(name="problem", title="PROBLEM", width=11, grow=3, priority=1),
)

_CONNECTED = ("●", "ok", "connected")
_BANNED = ("✗", "trip", "banned")
_KNOWN = ("○", "dim", "known")
_UNPROVEN = ("○", "warn", "unproven")


def standing(row: PeerRow) -> tuple[str, str, str]:
    """Mark, ink and word; `unproven` is one of whom others told, and who never proved to have the key."""
    if row.state == "connected":
        return _CONNECTED
    if row.state == "banned":
        return _BANNED
    return _KNOWN if row.proven_ms is not None else _UNPROVEN


def called(row: PeerRow) -> str:
    """The operator's own name for a peer, else as much of its PeerId as tells it apart."""
    return petname(row.name, row.peer)


def has_lied(row: PeerRow) -> bool:
    """Whether it gave a false receipt since it was last trusted; of one that is banned the ban alone is told."""
    return row.state != "banned" and bool(row.problem)


def way(row: PeerRow) -> str:
    """Transport and direction: `tcp →` where this node dialled."""
    return f"{clean(row.transport, 4)} {'→' if row.dialled else '←'}" if row.transport else NOTHING


def running_at(jobs: Iterable[JobRow]) -> Mapping[str, int]:
    """How many jobs of this node run or wait at each place now."""
    return Counter(row.where for row in jobs if row.state not in TERMINAL)


def peer_row(row: PeerRow, trips: Sequence[int], running: int, now_ms: int) -> Row:
    """A row of the table.

    Args:
        row: what is known.
        trips: its last round trips in microseconds, oldest first.
        running: jobs of this node that run there now.
        now_ms: wall time.
    """
    mark, ink, word = standing(row)
    lied = has_lied(row)
    may = allowed_words(worker=row.worker, submitter=row.submitter)
    problem = ("lied: " if lied else "") + clean(row.problem, 80)
    connected = row.state == "connected"
    cells = (
        mark,
        called(row),
        word,
        "runs, gives" if row.worker and row.submitter else may or NOTHING,
        way(row),
        f"{sparkline(tuple(trips)[-_TRIPS:])} {millis(row.rtt_us):>6}",
        str(running) if running else NOTHING,
        str(row.done),
        str(row.failed),
        "now" if connected else time_or_day(row.seen_ms, now_ms),
        problem or NOTHING,
    )
    inks = (
        "alarm" if lied else ink,
        "strong" if row.name else "link",
        ink,
        "" if may else "faint",
        "dim",
        "link" if connected else "dim",
        "accent" if running else "faint",
        "dim",
        "trip" if row.failed else "faint",
        "dim",
        "alarm" if row.problem else "faint",
    )
    values = (
        word,
        row.name or row.peer,
        word,
        may,
        row.transport,
        row.rtt_us,
        running,
        row.done,
        row.failed,
        _ALWAYS if connected else row.seen_ms,
        row.problem,
    )
    return Row(key=row.peer, cells=cells, values=values, inks=inks)


def listening(addresses: Sequence[str]) -> tuple[Span, ...]:
    """Where this node is reached, without what all its addresses end in: the first, and how many more."""
    if not addresses:
        return (("listens nowhere", "dim"),)
    first = clean(addresses[0].partition(_NODE)[0], 60)
    return (("listens at ", "dim"), (first, "link"), (f" and {len(addresses) - 1} more" * (len(addresses) > 1), "dim"))
