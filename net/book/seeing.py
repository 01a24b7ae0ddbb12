"""What was seen of a peer."""

from collections.abc import Iterable
from typing import Final

from net.book.entry import Source
from net.book.rows import remember
from net.multiaddr import Multiaddr
from net.peer_id import PeerId
from runtime.events import PeerFound, PeerLied, PeerRan
from runtime.sanitise import clean
from runtime.store import Transaction

__all__ = ["ADDRESSES_MOST", "found", "identified", "lied", "measured", "proven", "ran"]

ADDRESSES_MOST: Final = 16
_WORDS_MOST: Final = 200
_AGENT_MOST: Final = 64


def found(tx: Transaction, peer: PeerId, addresses: Iterable[Multiaddr], source: Source) -> None:
    """Somebody said where a peer is: a hint. An event tells of addresses that are new."""
    before = {text for (text,) in tx.execute("SELECT address FROM peer_addresses WHERE peer = ?", (str(peer),))}
    remember(tx, peer)
    said = list(dict.fromkeys(str(address.without_peer()) for address in addresses))[:ADDRESSES_MOST]
    for text in said:
        _place(tx, peer, text, source, None)
    _trim(tx, peer)
    new = tuple(text for text in said if text not in before)
    if new:
        tx.emit(PeerFound(peer=str(peer), source=source, addresses=new))


def proven(tx: Transaction, peer: PeerId, address: Multiaddr | None) -> None:
    """A peer proved its key.

    Args:
        tx: the transaction.
        peer: who.
        address: where this node dialled it; None when it came by itself, from a port that nobody can dial.
    """
    remember(tx, peer)
    tx.execute("UPDATE peers SET proven_ms = ? WHERE peer = ?", (tx.now_ms, str(peer)))
    if address is not None:
        _place(tx, peer, str(address.without_peer()), "typed", tx.now_ms)
        _trim(tx, peer)


def identified(tx: Transaction, peer: PeerId, agent: str) -> None:
    """A peer said what program it is: a claim."""
    tx.execute("UPDATE peers SET agent = ? WHERE peer = ?", (clean(agent, _AGENT_MOST), str(peer)))


def measured(tx: Transaction, peer: PeerId, rtt_us: int) -> None:
    """A peer answered a ping, after so many microseconds."""
    remember(tx, peer)
    tx.execute("UPDATE peers SET rtt_us = ? WHERE peer = ?", (rtt_us, str(peer)))


def ran(tx: Transaction, peer: PeerId, job: str, *, proved: bool) -> None:
    """A job that was given to a peer has ended: with a receipt that is true, or without one."""
    remember(tx, peer)
    sql = "UPDATE peers SET done = done + ?, failed = failed + ? WHERE peer = ? RETURNING done, failed"
    done, failed = tx.execute(sql, (int(proved), int(not proved), str(peer))).fetchone()
    tx.emit(PeerRan(peer=str(peer), job=job, proved=proved, done=done, failed=failed))


def lied(tx: Transaction, peer: PeerId, job: str, step: str) -> None:
    """A peer's receipt had a false step: it is given no job until it is trusted anew."""
    ran(tx, peer, job, proved=False)
    why = clean(step, _WORDS_MOST)
    tx.execute("UPDATE peers SET lied_ms = ?, lie = ? WHERE peer = ?", (tx.now_ms, why, str(peer)))
    tx.emit(PeerLied(peer=str(peer), job=job, reason=why))


def _place(tx: Transaction, peer: PeerId, address: str, source: Source, proven_ms: int | None) -> None:
    sql = (
        "INSERT INTO peer_addresses VALUES (?, ?, ?, ?, ?) ON CONFLICT (peer, address) DO UPDATE SET"
        " seen_ms = excluded.seen_ms, proven_ms = coalesce(excluded.proven_ms, proven_ms)"
    )
    tx.execute(sql, (str(peer), address, source, tx.now_ms, proven_ms))


def _trim(tx: Transaction, peer: PeerId) -> None:
    """Lets addresses go that are too many: hints before proven ones, old before new."""
    sql = (
        "DELETE FROM peer_addresses WHERE peer = ? AND address IN (SELECT address FROM peer_addresses WHERE peer = ?"
        " ORDER BY proven_ms IS NULL, proven_ms DESC, seen_ms DESC, address LIMIT -1 OFFSET ?)"
    )
    tx.execute(sql, (str(peer), str(peer), ADDRESSES_MOST))
