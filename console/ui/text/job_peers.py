"""Where a job runs and who gave it, by the operator's own names for peers. Pure."""

from collections.abc import Mapping
from functools import lru_cache

from console.rows import JobRow, PeerRow
from console.ui.figures import short_peer
from console.ui.text.peers import called
from net.peer_id import PeerId
from runtime.sanitise import clean

__all__ = ["giver", "is_foreign", "place", "place_cell", "place_value"]

_LOCAL = "local"
_KEY = 64
"""Digits of a public key."""


def is_foreign(row: JobRow) -> bool:
    """Whether it runs at a peer, or a peer gave it."""
    return row.where != _LOCAL or bool(giver(row))


def giver(row: JobRow) -> str:
    """The PeerId of who gave this node a job; empty for a job of its own."""
    return _peer_of(row.submitter)


def place(peer: str, peers: Mapping[str, PeerRow]) -> str:
    """A peer, or this node, as the operator calls it.

    Args:
        peer: a PeerId or `local`.
        peers: the book of peers.
    """
    if peer == _LOCAL:
        return peer
    known = peers.get(peer)
    return called(known) if known is not None else short_peer(clean(peer, 80))


def place_cell(row: JobRow, peers: Mapping[str, PeerRow]) -> str:
    """Where it runs; of one that a peer gave, from whom: `← bob`."""
    by = giver(row)
    return f"← {place(by, peers)}" if by else place(row.where, peers)


def place_value(row: JobRow, peers: Mapping[str, PeerRow]) -> str:
    """What rows are sorted and filtered by: the peer's name, else its whole PeerId."""
    peer = giver(row) or row.where
    known = peers.get(peer)
    return known.name if known is not None and known.name else peer


@lru_cache(maxsize=1024)
def _peer_of(submitter: str) -> str:
    if len(submitter) != _KEY:
        return ""
    try:
        return str(PeerId(bytes.fromhex(submitter)))
    except ValueError:
        return ""
