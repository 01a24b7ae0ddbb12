"""Peers as those who may be given a job: rows of the list to choose from, who is unfit, how one is meant. Pure."""

from collections.abc import Iterable, Mapping

from console.petnames import short_peer
from console.rows import PeerRow
from console.table_rows import Column, Row
from console.ui.figures import NOTHING, millis
from console.ui.text.peers import called, has_lied, standing
from runtime.sanitise import clean

__all__ = ["WORKER_COLUMNS", "chosen_words", "in_order", "reference", "unfit", "worker_rows"]

WORKER_COLUMNS = (
    Column(name="chosen", title="", width=3),
    Column(name="name", title="NAME", width=10, grow=2),
    Column(name="peer", title="PEER", width=9),
    Column(name="state", title="STATE", width=9, priority=2),
    Column(name="trust", title="TRUST", width=8, priority=1),
    Column(name="rtt", title="RTT", width=6, right=True, priority=3),
    Column(name="ran", title="RAN", width=4, right=True, priority=4),
)
_NAMED = 3
"""Peers that are named where it is said who is chosen."""


def unfit(peers: Iterable[PeerRow]) -> Mapping[str, str]:
    """Those to whom no job is given, and why."""
    return {row.peer: why for row in peers if (why := _unfit(row))}


def _unfit(row: PeerRow) -> str:
    if row.state == "banned":
        return f"it is banned: {clean(row.problem, 80) or 'without a reason'}"
    return f"it gave a false receipt: {clean(row.problem, 80)}" if has_lied(row) else ""


def reference(row: PeerRow) -> str:
    """What a command takes for a peer: its name, which is nobody else's, unless it would be read as an option."""
    return row.name if row.name and not row.name.startswith("-") else row.peer


def chosen_words(rows: Iterable[PeerRow]) -> str:
    """Who is chosen, in words: of many the first."""
    names = [called(row) for row in rows]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more or "nobody"


def in_order(peers: Iterable[PeerRow]) -> list[PeerRow]:
    """Who is trusted first, of those who is connected; who is unfit last."""
    return sorted(peers, key=_rank)


def worker_rows(peers: Iterable[PeerRow], chosen: frozenset[str]) -> list[Row]:
    """All peers, in order.

    Args:
        peers: the book of peers.
        chosen: PeerIds of those that are ticked.
    """
    return [_row(row, ticked=row.peer in chosen) for row in in_order(peers)]


def _rank(row: PeerRow) -> tuple[bool, bool, bool, bool, str]:
    return bool(_unfit(row)), not row.worker, row.state != "connected", not row.name, row.name or row.peer


def _row(row: PeerRow, *, ticked: bool) -> Row:
    why = _unfit(row)
    _, ink, word = standing(row)
    box, box_ink = ("[✓]", "ok") if ticked else (" ✗ ", "warn") if why else ("[ ]", "dim")
    cells = (
        box,
        clean(row.name, 40) or NOTHING,
        short_peer(row.peer),
        word,
        "trusted" if row.worker else NOTHING,
        millis(row.rtt_us),
        str(row.done),
    )
    plain = "faint" if why else ""
    inks = (box_ink, plain or "strong", plain or "link", ink, "ok" if row.worker else "faint", "dim", "dim")
    values = (int(ticked), row.name, row.peer, word, int(row.worker), row.rtt_us, row.done)
    return Row(key=row.peer, cells=cells, values=values, inks=inks)
