"""Where a job runs and who gave it, by the operator's own names for peers. Pure."""

from collections.abc import Mapping
from functools import partial

from console.petnames import giver, job_place, petname
from console.rows import JobRow, PeerRow

__all__ = ["is_foreign", "place", "place_cell", "place_value"]


def is_foreign(row: JobRow) -> bool:
    """Whether it runs at a peer, or a peer gave it."""
    return row.where != "local" or bool(giver(row.submitter))


def place(where: str, peers: Mapping[str, PeerRow]) -> str:
    """A peer, or this node, as the operator calls it.

    Args:
        where: a PeerId or `local`.
        peers: the book of peers.
    """
    return job_place(where, "", partial(_called, peers))


def place_cell(row: JobRow, peers: Mapping[str, PeerRow]) -> str:
    """Where it runs; of one that a peer gave, from whom: `← bob`."""
    return job_place(row.where, row.submitter, partial(_called, peers))


def place_value(row: JobRow, peers: Mapping[str, PeerRow]) -> str:
    """What rows are sorted and filtered by: the peer's name, else its whole PeerId."""
    peer = giver(row.submitter) or row.where
    known = peers.get(peer)
    return known.name if known is not None and known.name else peer


def _called(peers: Mapping[str, PeerRow], peer: str) -> str:
    known = peers.get(peer)
    return petname(known.name if known is not None else "", peer)
