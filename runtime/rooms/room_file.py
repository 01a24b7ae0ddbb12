"""A room as a file: its signed entries under a passphrase, and the signature of the member who wrote it down.

Inside of the sealed stream lies a head, then every entry, each behind its length in four bytes. The head names the
room, counts and hashes the entries, and is signed; each entry is signed by its author besides. Reading verifies all of
that, and what the entries say of one another, before anybody gets to see any of it.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from runtime.canonical import CanonicalError, Json, decode, encode
from runtime.errors import RefusedError, UsageError
from runtime.identity import verify
from runtime.rooms.cards import Card, card_from_json, key_bytes
from runtime.rooms.entries import SignedEntry, Signer, entry_from_json
from runtime.rooms.replica import Replica
from runtime.sanitise import clean
from runtime.sealed_stream import COST, ROOM, Cost, SealedReader, SealedWriter

__all__ = ["VERSION", "RoomFile", "read_room_file", "verified", "write_room_file"]

VERSION: Final = 1
"""Of what is inside the sealed stream."""

_DOMAIN: Final = b"orlop-room-file:v1:"
_HEAD_MAX: Final = 64 << 10
_ENTRY_MAX: Final = 64 << 10
_ENTRIES_MAX: Final = 10_000_000
_LENGTH: Final = 4
_HEX32: Final = frozenset("0123456789abcdef")
_FIELDS: Final[Mapping[str, type]] = {
    "v": int,
    "room": str,
    "name": str,
    "owner": str,
    "created_ms": int,
    "exported_ms": int,
    "entries": int,
    "sha256": str,
    "card": dict,
    "sig": str,
}
_AGAIN: Final = "export the room again"


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomFile:
    """What is in a file.

    Attributes:
        room: the room's id.
        name: what it was called where it was written.
        owner: fingerprint of its creator's card.
        created_ms: when it was made, or joined, where it was written.
        exported_ms: when it was written.
        card: of the member who wrote it.
        entries: the log, in an order in which it can be taken.
    """

    room: str
    name: str
    owner: str
    created_ms: int
    exported_ms: int
    card: Card
    entries: Sequence[SignedEntry] = field(repr=False)


def write_room_file(
    room: RoomFile, signer: Signer, passphrase: bytes, put: Callable[[bytes], None], cost: Cost = COST
) -> None:
    """Writes a room down.

    Args:
        room: what is written.
        signer: the account that `room.card` is of.
        passphrase: what the file is sealed under.
        put: takes the bytes of the file, in order.
        cost: of a guess of the passphrase.
    """
    pieces = [encode(entry.to_json()) for entry in room.entries]
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(_framed(piece))
    head: dict[str, Json] = {
        "v": VERSION,
        "room": room.room,
        "name": room.name,
        "owner": room.owner,
        "created_ms": room.created_ms,
        "exported_ms": room.exported_ms,
        "entries": len(pieces),
        "sha256": digest.hexdigest(),
        "card": room.card.to_json(),
    }
    head["sig"] = signer.sign(_DOMAIN, encode(head)).hex()
    sealed = SealedWriter(put, passphrase, cost, purpose=ROOM)
    sealed.write(_framed(encode(head)))
    for piece in pieces:
        sealed.write(_framed(piece))
    sealed.finish()


def read_room_file(read: Callable[[int], bytes], passphrase: bytes) -> RoomFile:
    """Reads a file and verifies what it says of itself; `verified` does the rest.

    Args:
        read: gives up to so many bytes of the file, and none at its end.
        passphrase: what it is sealed under.

    Raises:
        UsageError: a later version wrote it.
        PassphraseError: the passphrase does not fit.
        RefusedError: it is none, damaged, cut off, or its signature does not fit.
    """
    sealed = SealedReader(read, passphrase, purpose=ROOM)
    head = _head(_piece(sealed, _HEAD_MAX, "its head"))
    card = card_from_json(head["card"])
    signed = {name: value for name, value in head.items() if name != "sig"}
    if not verify(key_bytes(card.ed25519_key), _DOMAIN, encode(signed), _bytes_of(str(head["sig"]))):
        raise RefusedError("the signature of who wrote it does not fit", hint=_AGAIN)
    digest = hashlib.sha256()
    entries: list[SignedEntry] = []
    for number in range(int(str(head["entries"]))):
        piece = _piece(sealed, _ENTRY_MAX, f"entry {number + 1}")
        digest.update(_framed(piece))
        entries.append(_entry(piece, str(head["room"]), number + 1))
    if digest.hexdigest() != head["sha256"]:
        raise RefusedError("its entries are not those that were signed", hint=_AGAIN)
    if sealed.take(1):
        raise RefusedError("there is something behind its end", hint=_AGAIN)
    return RoomFile(
        room=str(head["room"]),
        name=str(head["name"]),
        owner=str(head["owner"]),
        created_ms=int(str(head["created_ms"])),
        exported_ms=int(str(head["exported_ms"])),
        card=card,
        entries=tuple(entries),
    )


def verified(file: RoomFile, now_ms: int) -> Replica:
    """The room that a file's entries make, once every one of them was found good in its place.

    Args:
        file: as it was read.
        now_ms: wall time.

    Raises:
        RefusedError: an entry's signature does not fit, its author is not in the room, one is missing before it, or it
            is dated in the future; or who wrote the file never was a member.
    """
    replica = Replica(file.room, file.owner)
    offered = replica.offer(file.entries, now_ms)
    if offered.refused:
        why = clean(offered.refused[0].why, 200)
        raise RefusedError(f"{len(offered.refused)} of its entries are not good: {why}", hint=_AGAIN)
    if waiting := len(file.entries) - len(offered.taken):
        hint = "set the clock right, or export the room again"
        raise RefusedError(f"{waiting} of its entries wait for others or for their time", hint=hint)
    if not offered.taken or file.card.identity_key not in replica.roster.everybody:
        raise RefusedError("who wrote it is not a member of the room", hint=_AGAIN)
    return replica


def _head(piece: bytes) -> dict[str, Json]:
    try:
        head = decode(piece, limit=_HEAD_MAX)
    except CanonicalError as error:
        raise RefusedError(f"its head is damaged: {error.why}", hint=_AGAIN) from None
    if not isinstance(head, Mapping):
        raise RefusedError("its head is damaged", hint=_AGAIN)
    version = head.get("v")
    if isinstance(version, int) and version > VERSION:
        why = f"was written by a later version of orlop (form {version}, this one knows {VERSION})"
        raise UsageError(why, hint="update orlop")
    sound = set(head) == set(_FIELDS) and all(type(head[name]) is kind for name, kind in _FIELDS.items())
    if not sound or not _is_hex(head["room"], 32) or not _is_hex(head["owner"], 32) or version != VERSION:
        raise RefusedError("its head is damaged", hint=_AGAIN)
    if not 0 < int(str(head["entries"])) <= _ENTRIES_MAX:
        raise RefusedError("its head is damaged: no room has so many entries", hint=_AGAIN)
    return dict(head)


def _entry(piece: bytes, room: str, number: int) -> SignedEntry:
    try:
        return entry_from_json(decode(piece, limit=_ENTRY_MAX), room)
    except (CanonicalError, RefusedError) as error:
        raise RefusedError(f"entry {number} is none: {error.why}", hint=_AGAIN) from None


def _piece(sealed: SealedReader, limit: int, what: str) -> bytes:
    size = int.from_bytes(sealed.take(_LENGTH))
    if not 0 < size <= limit:
        raise RefusedError(f"{what} is missing or damaged", hint=_AGAIN)
    piece = sealed.take(size)
    if len(piece) < size:
        raise RefusedError(f"{what} is cut off", hint=_AGAIN)
    return piece


def _framed(piece: bytes) -> bytes:
    return len(piece).to_bytes(_LENGTH) + piece


def _is_hex(value: Json, characters: int) -> bool:
    return isinstance(value, str) and len(value) == characters and _HEX32.issuperset(value)


def _bytes_of(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""
