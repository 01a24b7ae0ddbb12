"""A peer of the book as a row."""

from console.rows import PeerRow
from net.book.entry import Known

__all__ = ["peer_row"]


def peer_row(entry: Known) -> PeerRow:
    """The row of a peer of which nothing is known but what the book has.

    Args:
        entry: of the book.
    """
    return PeerRow(
        peer=str(entry.peer),
        name=entry.name,
        note=entry.note,
        state="banned" if entry.banned else "known",
        worker=entry.worker,
        submitter=entry.submitter,
        problem=entry.lie or entry.reason,
        seen_ms=entry.seen_ms,
        proven_ms=entry.proven_ms,
        done=entry.done,
        failed=entry.failed,
        rtt_us=entry.rtt_us,
        agent=entry.agent,
        address=str(entry.addresses[0].address) if entry.addresses else "",
    )
