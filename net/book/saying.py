"""What an operator says about a peer."""

from typing import Final

from net.book.entry import Known
from net.book.reading import known
from net.book.rows import enter
from net.peer_id import PeerId
from runtime.errors import NotFoundError, UsageError
from runtime.events import PeerBanned, PeerNamed, PeerTrusted
from runtime.jobs import submitters
from runtime.sanitise import clean
from runtime.store import Transaction

__all__ = ["ban", "name", "note", "trust", "trust_submitter", "unban"]

_NAME_MOST: Final = 40
_NOTE_MOST: Final = 200


def trust(tx: Transaction, peer: PeerId, *, on: bool = True) -> Known:
    """Believes a peer's receipts and gives it jobs, whatever it did before; or does so no more.

    Raises:
        UsageError: it is banned.
    """
    _allowed_to(tx, peer, on=on)
    if on:
        tx.execute("UPDATE peers SET trusted_ms = ?, lied_ms = NULL, lie = '' WHERE peer = ?", (tx.now_ms, str(peer)))
    else:
        tx.execute("UPDATE peers SET trusted_ms = NULL WHERE peer = ?", (str(peer),))
    return _told(tx, peer)


def trust_submitter(tx: Transaction, peer: PeerId, *, on: bool = True) -> Known:
    """Lets a peer give this node jobs; or no more, and those that wait or run go on.

    Raises:
        UsageError: it is banned.
    """
    entry = _allowed_to(tx, peer, on=on)
    if on:
        submitters.add(tx, peer.key.hex(), entry.name)
    elif entry.submitter:
        submitters.remove(tx, peer.key.hex())
    return _told(tx, peer)


def ban(tx: Transaction, peer: PeerId, reason: str = "") -> Known:
    """Bans a peer and takes every trust from it, at once."""
    enter(tx, peer)
    why = clean(reason, _NOTE_MOST)
    sql = "UPDATE peers SET banned_ms = coalesce(banned_ms, ?), reason = ?, trusted_ms = NULL WHERE peer = ?"
    tx.execute(sql, (tx.now_ms, why, str(peer)))
    if submitters.allowed(tx, peer.key.hex()):
        submitters.remove(tx, peer.key.hex())
    tx.emit(PeerBanned(peer=str(peer), banned=True, reason=why))
    return _told(tx, peer)


def unban(tx: Transaction, peer: PeerId) -> Known:
    """Bans a peer no more; it has no trust afterwards.

    Raises:
        NotFoundError: nobody bans it.
    """
    entry = known(tx, peer)
    if entry is None or not entry.banned:
        raise NotFoundError("is not banned", where=str(peer))
    tx.execute("UPDATE peers SET banned_ms = NULL, reason = '' WHERE peer = ?", (str(peer),))
    tx.emit(PeerBanned(peer=str(peer), banned=False, reason=""))
    return _entry(tx, peer)


def name(tx: Transaction, peer: PeerId, text: str) -> Known:
    """Gives a peer a name, by which it can be meant from now on; an empty one takes it away.

    Raises:
        UsageError: the name is another peer's, or looks like an address or a PeerId.
    """
    called = clean(text, _NAME_MOST).strip()
    if called.startswith(("12D3KooW", "Qm", "/")):
        raise UsageError("looks like an address or a PeerId", where=called, hint="take a name of your own")
    taken = tx.one("SELECT peer FROM peers WHERE name = ? AND name <> '' AND peer <> ?", (called, str(peer)))
    if taken is not None:
        raise UsageError(f"is the name of {taken[0]}", where=called, hint="take another, or an empty one from it first")
    enter(tx, peer)
    tx.execute("UPDATE peers SET name = ? WHERE peer = ?", (called, str(peer)))
    tx.emit(PeerNamed(peer=str(peer), name=called))
    return _entry(tx, peer)


def note(tx: Transaction, peer: PeerId, text: str) -> Known:
    """Keeps an operator's words about a peer."""
    enter(tx, peer)
    tx.execute("UPDATE peers SET note = ? WHERE peer = ?", (clean(text, _NOTE_MOST), str(peer)))
    entry = _entry(tx, peer)
    tx.emit(PeerNamed(peer=str(peer), name=entry.name))
    return entry


def _allowed_to(tx: Transaction, peer: PeerId, *, on: bool) -> Known:
    """The peer's entry, unless it is to be trusted and is banned."""
    enter(tx, peer)
    entry = _entry(tx, peer)
    if on and entry.banned:
        raise UsageError("is banned", where=str(peer), hint=f"`orlop peers ban {peer} --remove` lifts that first")
    return entry


def _told(tx: Transaction, peer: PeerId) -> Known:
    entry = _entry(tx, peer)
    tx.emit(PeerTrusted(peer=str(peer), worker=entry.worker, submitter=entry.submitter))
    return entry


def _entry(tx: Transaction, peer: PeerId) -> Known:
    entry = known(tx, peer)
    assert entry is not None, "it was remembered in this transaction"  # noqa: S101 - for the type
    return entry
