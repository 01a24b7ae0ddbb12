"""Peers as rows: what the book has, and over it the connection that stands."""

from dataclasses import replace
from typing import TYPE_CHECKING

from console.rows import PeerRow
from net.book.entry import Known

if TYPE_CHECKING:
    from console.core import Core

__all__ = ["peer_row"]


def peer_row(core: "Core", entry: Known) -> PeerRow:
    """The row of a peer.

    Args:
        core: whose connections count; on its loop.
        entry: of the book.
    """
    row = _of_book(entry)
    connection = core.mesh.connection(entry.peer) if core.built("mesh") else None
    if connection is None or entry.banned:
        return row
    return replace(
        row,
        state="connected",
        address=str(connection.remote),
        transport=connection.transport,
        dialled=connection.dialled,
    )


def _of_book(entry: Known) -> PeerRow:
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
