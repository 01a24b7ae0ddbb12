"""What stands in the book."""

import sqlite3
from collections.abc import Sequence
from typing import Final

from net.book.entry import Address, Known
from net.errors import AddressError
from net.multiaddr import Multiaddr
from net.peer_id import PeerId
from runtime.columns import Columns
from runtime.errors import AmbiguousError, NotFoundError
from runtime.jobs import submitters
from runtime.sanitise import clean
from runtime.transaction import Queries

__all__ = ["believed", "find", "known", "listed", "names"]

_PREFIX_LEAST: Final = 4
_HEAD: Final = "12D3KooW"
"""How every PeerId begins; who names one may leave it out."""

_PEERS: Final = Columns(
    "peers",
    {
        "peer": str, "name": str, "note": str, "trusted_ms": int, "banned_ms": int, "reason": str, "lied_ms": int,
        "lie": str, "seen_ms": int, "proven_ms": int, "done": int, "failed": int, "rtt_us": int, "agent": str,
    },
    optional=frozenset({"trusted_ms", "banned_ms", "lied_ms", "proven_ms", "rtt_us"}),
)  # fmt: skip
_ADDRESSES: Final = Columns(
    "peer_addresses",
    {"peer": str, "address": str, "source": str, "seen_ms": int, "proven_ms": int},
    key=2,
    optional=frozenset({"proven_ms"}),
)


def known(db: Queries, peer: PeerId) -> Known | None:
    """What the book has of a peer; None for nothing."""
    row = db.execute(f"SELECT {_PEERS.names} FROM peers WHERE peer = ?", (str(peer),)).fetchone()  # noqa: S608 - constants
    if row is None:
        return None
    places = _places(db, "WHERE peer = ?", (str(peer),)).get(str(peer), ())
    return _entry(row, places, submitter=submitters.allowed(db, peer.key.hex()))


def listed(db: sqlite3.Connection) -> list[Known]:
    """The whole book: who is trusted first, then who was seen last."""
    rows = db.execute(f"SELECT {_PEERS.names} FROM peers ORDER BY trusted_ms IS NULL, seen_ms DESC, peer").fetchall()  # noqa: S608
    places = _places(db, "", ())
    allowed = {one.key for one in submitters.listed(db)}
    return [_entry(row, places.get(row[0], ()), submitter=PeerId.parse(row[0]).key.hex() in allowed) for row in rows]


def names(db: sqlite3.Connection) -> dict[str, str]:
    """What the operator calls peers, by PeerId; without those that have no name."""
    return dict(db.execute("SELECT peer, name FROM peers WHERE name <> ''").fetchall())


def find(db: sqlite3.Connection, text: str) -> PeerId:
    """The peer that an operator means.

    Args:
        db: of the store.
        text: its name in the book; a whole PeerId in any form, which need not be in the book; or a beginning of a
            PeerId in it, of at least four characters (`12D3KooW`, with which all begin, counts for none).

    Raises:
        AddressError: no name of anybody, and too short for a beginning.
        AmbiguousError: several peers begin so.
        NotFoundError: nobody in the book is called so or begins so.
    """
    named = db.execute("SELECT peer FROM peers WHERE name = ? AND name <> ''", (text,)).fetchone()
    if named is not None:
        return PeerId.parse(named[0])
    try:
        return PeerId.parse(text)
    except AddressError as error:
        return _beginning(db, text, error)


def believed(db: sqlite3.Connection, key: str) -> bool:
    """Whether a receipt may be believed because of who signed it.

    Args:
        db: of the store.
        key: Ed25519, 64 hexadecimal characters.
    """
    entry = known(db, PeerId(bytes.fromhex(key)))
    return entry is not None and entry.worker


def _beginning(db: sqlite3.Connection, text: str, no_peer: AddressError) -> PeerId:
    tail = text.removeprefix(_HEAD)
    if len(tail) < _PREFIX_LEAST:
        raise no_peer
    everybody = (peer for (peer,) in db.execute("SELECT peer FROM peers ORDER BY peer"))
    fits = [peer for peer in everybody if peer.removeprefix(_HEAD).startswith(tail)]
    if not fits:
        hint = "`orlop peers list` shows who is known; a whole PeerId needs not be known"
        raise NotFoundError("no peer is called so, or begins so", where=clean(text, 80), hint=hint)
    if len(fits) > 1:
        raise AmbiguousError(f"fits {len(fits)} peers: {', '.join(fits[:5])}", where=clean(text, 80))
    return PeerId.parse(fits[0])


def _places(db: Queries, where: str, params: Sequence[str]) -> dict[str, tuple[Address, ...]]:
    order = "ORDER BY proven_ms IS NULL, proven_ms DESC, seen_ms DESC, address"
    places: dict[str, tuple[Address, ...]] = {}
    for row in db.execute(f"SELECT {_ADDRESSES.names} FROM peer_addresses {where} {order}", params):  # noqa: S608 - constants
        peer, address, source, seen, proved = _ADDRESSES.checked(row)
        places[peer] = (*places.get(peer, ()), Address(Multiaddr.parse(address), source, seen, proved))
    return places


def _entry(row: Sequence[object], places: Sequence[Address], *, submitter: bool) -> Known:
    peer, name, note, trusted, banned, reason, lied, lie, seen, proven, done, failed, rtt, agent = _PEERS.checked(row)
    return Known(
        peer=PeerId.parse(peer),
        name=name,
        note=note,
        trusted_ms=trusted,
        submitter=submitter,
        banned_ms=banned,
        reason=reason,
        lied_ms=lied,
        lie=lie,
        seen_ms=seen,
        proven_ms=proven,
        done=done,
        failed=failed,
        rtt_us=rtt,
        agent=agent,
        addresses=tuple(places),
    )
