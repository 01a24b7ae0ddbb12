"""Signed entries of a room's log: what a member says, in a form that anybody can check.

An entry is signed by its author's account over canonical JSON, and named by the hash of the same bytes, so that its id
verifies its content. Each names the one before it in its author's sequence: nothing can be left out or put between.
"""

import functools
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from runtime.canonical import CanonicalError, Json, encode
from runtime.errors import RefusedError
from runtime.identity import verify
from runtime.rooms.cards import key_bytes
from runtime.rooms.members import runner_of
from runtime.sanitise import clean

__all__ = [
    "ENTRY_BYTES",
    "NO_ENTRY",
    "SEQ_MAX",
    "TIME_MAX_MS",
    "EntryError",
    "SignedEntry",
    "Signer",
    "block_of",
    "entry_from_json",
    "number_of",
    "place",
    "sign_entry",
]

ENTRY_BYTES: Final = 32_768
"""Bytes of an entry's canonical form at most, without its signature."""

NO_ENTRY: Final = "0" * 32
"""Stands for the entry before the first one of a block."""

TIME_MAX_MS: Final = 8_640_000_000_000_000
"""The latest time that other implementations can hold."""

_VERSION: Final = 1
_DOMAIN: Final = b"orlop-room:v1:"
_BLOCK_BITS: Final = 32
_NUMBERS: Final = (1 << _BLOCK_BITS) - 1
SEQ_MAX: Final = 2**63 - 1
"""The greatest place."""

_ID: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)
_SIGNATURE: Final = re.compile(r"[0-9a-f]{128}", re.ASCII)
_KIND: Final = re.compile(r"[a-z][a-z_]{0,31}", re.ASCII)
_ACTOR_CHARACTERS: Final = 200
_FIELDS: Final = frozenset({"v", "room", "author", "seq", "prev", "ts", "actor", "kind", "content", "sig"})


class EntryError(RefusedError):
    """Not an entry of a room's log, or none that may be there."""


class Signer(Protocol):
    """What signs entries: `runtime.account.MemberAccount`."""

    @property
    def identity_key(self) -> str:
        """The author."""
        ...

    @property
    def ed25519_key(self) -> str:
        """The key that signs."""
        ...

    def sign(self, domain: bytes, message: bytes) -> bytes:
        """Signs under a domain."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedEntry:
    """One entry. Made by `sign_entry` and `entry_from_json`, or read from a sealed row.

    Attributes:
        id: the first 32 hexadecimal characters of the SHA-256 of its canonical form.
        room: the room's id.
        author: identity key of the member in whose sequence it stands.
        seq: its place there, from 1: a block, of which a new one begins after a restore, and a number in it.
        prev: id of the entry before it in the block; zeros for the first.
        ts_ms: the author's time.
        actor: the author, or an agent that the author runs.
        kind: what it is; `runtime.rooms.facts` knows which there are.
        content: belongs to the kind.
        signature: the author's, 64 bytes; nobody has verified it yet.
    """

    id: str
    room: str
    author: str
    seq: int
    prev: str
    ts_ms: int
    actor: str
    kind: str
    content: Mapping[str, Json]
    signature: bytes

    def to_json(self) -> dict[str, Json]:
        """The entry as it travels."""
        return self._signed() | {"sig": self.signature.hex()}

    def message(self) -> bytes:
        """What the author signs, behind the domain."""
        return encode(self._signed())

    def fits(self, ed25519_key: str) -> bool:
        """Whether the owner of a key signed the entry.

        Args:
            ed25519_key: 43 characters of base64.
        """
        return _fits(ed25519_key, self.message(), self.signature)

    def _signed(self) -> dict[str, Json]:
        return {
            "v": _VERSION,
            "room": self.room,
            "author": self.author,
            "seq": self.seq,
            "prev": self.prev,
            "ts": self.ts_ms,
            "actor": self.actor,
            "kind": self.kind,
            "content": self.content,
        }


def place(block: int, number: int) -> int:
    """The sequence number of an entry."""
    return block << _BLOCK_BITS | number


def block_of(seq: int) -> int:
    """The block in which a sequence number lies."""
    return seq >> _BLOCK_BITS


def number_of(seq: int) -> int:
    """The number of an entry within its block, from 1."""
    return seq & _NUMBERS


def sign_entry(
    signer: Signer, *, room: str, seq: int, prev: str, ts_ms: int, actor: str, kind: str, content: Mapping[str, Json]
) -> SignedEntry:
    """Makes an entry of one's own.

    Raises:
        EntryError: it is larger than 32 KiB, or the content has no canonical form.
    """
    fields: dict[str, Json] = {
        "v": _VERSION,
        "room": room,
        "author": signer.identity_key,
        "seq": seq,
        "prev": prev,
        "ts": ts_ms,
        "actor": actor,
        "kind": kind,
        "content": content,
    }
    message = _canonical(fields)
    return SignedEntry(
        id=_id(message),
        room=room,
        author=signer.identity_key,
        seq=seq,
        prev=prev,
        ts_ms=ts_ms,
        actor=actor,
        kind=kind,
        content=content,
        signature=signer.sign(_DOMAIN, message),
    )


def entry_from_json(value: Json, room: str) -> SignedEntry:
    """Reads an entry that somebody else wrote. Its signature is not verified: that needs the author's key.

    Args:
        value: what came.
        room: the room for which it came.

    Raises:
        EntryError: another shape or version, another room, a false place or actor, or larger than 32 KiB.
    """
    if not isinstance(value, Mapping) or set(value) != _FIELDS:
        raise EntryError(f"must have exactly the fields {', '.join(sorted(_FIELDS))}", where="entry")
    fields = {key: item for key, item in value.items() if key != "sig"}
    message = _canonical(fields)
    room_said, author, prev, actor, kind = (
        _text(value, "room"),
        _text(value, "author"),
        _text(value, "prev"),
        _text(value, "actor"),
        _text(value, "kind"),
    )
    seq, ts_ms = _number(value, "seq", SEQ_MAX), _number(value, "ts", TIME_MAX_MS)
    content, signature = value["content"], _text(value, "sig")
    if _number(value, "v", SEQ_MAX) != _VERSION:
        raise EntryError("is of another version", where="entry")
    if room_said != room:
        raise EntryError("belongs to another room", where="entry")
    key_bytes(author)
    if not number_of(seq):
        raise EntryError("must name a place from 1 on", where="entry: seq")
    if not _ID.fullmatch(prev) or (prev == NO_ENTRY) != (number_of(seq) == 1):
        raise EntryError("must name the entry before it, and zeros for the first", where="entry: prev")
    if len(actor) > _ACTOR_CHARACTERS or runner_of(actor, room) != author:
        raise EntryError(f"{clean(actor, 80)} is not its author, nor an agent that its author runs", where="entry")
    if not _KIND.fullmatch(kind):
        raise EntryError("must be a short lower-case word", where="entry: kind")
    if not isinstance(content, Mapping):
        raise EntryError("must be an object", where="entry: content")
    if not _SIGNATURE.fullmatch(signature):
        raise EntryError("must have 128 hexadecimal characters", where="entry: sig")
    return SignedEntry(
        id=_id(message),
        room=room,
        author=author,
        seq=seq,
        prev=prev,
        ts_ms=ts_ms,
        actor=actor,
        kind=kind,
        content=content,
        signature=bytes.fromhex(signature),
    )


@functools.lru_cache(maxsize=256)
def _fits(ed25519_key: str, message: bytes, signature: bytes) -> bool:
    """Whether a signature fits. Entries come again, and to each member in this program: the answer never changes."""
    return verify(key_bytes(ed25519_key), _DOMAIN, message, signature)


def _canonical(fields: Mapping[str, Json]) -> bytes:
    try:
        message = encode(fields)
    except CanonicalError as error:
        raise EntryError(error.why, where="entry") from None
    if len(message) > ENTRY_BYTES:
        raise EntryError(f"is larger than {ENTRY_BYTES // 1024} KiB", where="entry")
    return message


def _id(message: bytes) -> str:
    return hashlib.sha256(message).hexdigest()[:32]


def _text(value: Mapping[str, Json], key: str) -> str:
    found = value[key]
    if not isinstance(found, str):
        raise EntryError("must be a string", where=f"entry: {key}")
    return found


def _number(value: Mapping[str, Json], key: str, most: int) -> int:
    found = value[key]
    if isinstance(found, bool) or not isinstance(found, int) or not 0 <= found <= most:
        raise EntryError("must be a whole number within its bounds", where=f"entry: {key}")
    return found
