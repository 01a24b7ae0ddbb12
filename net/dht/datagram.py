"""Datagrams of the DHT, byte for byte: one strict parser for all that strangers send.

`version 2 | type | id 16 | sender key 32 | cookie length | cookie | msgpack map`. The first byte tells them apart from
QUIC's on the same port. What is accepted has no extension types, no floats, no depth and no bytes behind it.
"""

import io
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import umsgpack

from net.dht.contact import KEY_BYTES
from net.errors import MalformedError

__all__ = [
    "COOKIE_BYTES",
    "DATAGRAM_MAX",
    "HEAD_BYTES",
    "ID_SIZE",
    "VERSION",
    "Body",
    "Datagram",
    "Kind",
    "Value",
    "parse",
    "unpack",
    "write",
]

VERSION: Final = 2
ID_SIZE: Final = 16
COOKIE_BYTES: Final = 24
DATAGRAM_MAX: Final = 1200
_HEAD: Final = struct.Struct(f">BB{ID_SIZE}s{KEY_BYTES}sB")
HEAD_BYTES: Final = _HEAD.size
"""Before cookie and body."""

_FIELDS_MAX: Final = 8
_ITEMS_MAX: Final = 32

Value = bool | int | bytes | Sequence[bytes]
Body = Mapping[str, Value]


class Kind(IntEnum):
    """What a datagram is; answers have the highest bit."""

    PING = 1
    FIND = 2
    """Who is nearest to `t`, and how many records are there that are not in `h`?"""
    GET = 3
    """Records of `t` that are not in `h`."""
    STORE = 4
    RETRY = 129
    """Come again with this cookie."""
    PONG = 130
    FOUND = 131
    RECORDS = 132
    STORED = 133

    @property
    def is_answer(self) -> bool:
        """Whether it answers a request."""
        return self >= Kind.RETRY


@dataclass(frozen=True, slots=True)
class Datagram:
    """One datagram.

    Attributes:
        kind: what it is.
        id: of the request; its answer repeats it.
        sender: the public key that it claims, 32 bytes.
        cookie: empty, or 24 bytes.
        packed: the body, which is read by `unpack` once the sender is worth it.
    """

    kind: Kind
    id: bytes
    sender: bytes
    cookie: bytes
    packed: bytes


def write(kind: Kind, request: bytes, sender: bytes, body: Body, cookie: bytes = b"") -> bytes:
    """The bytes of a datagram.

    Args:
        kind: what it is.
        request: the id, 16 bytes.
        sender: our public key.
        body: as `kind` has it.
        cookie: as it was given, or none.
    """
    packed: bytes = umsgpack.packb(body)
    return _HEAD.pack(VERSION, kind, request, sender, len(cookie)) + cookie + packed


def parse(raw: bytes) -> Datagram:
    """Reads a datagram without its body.

    Args:
        raw: as it came.

    Raises:
        MalformedError: anything that `write` would not write, up to the choice among forms that msgpack leaves.
    """
    if not _HEAD.size < len(raw) <= DATAGRAM_MAX:
        raise MalformedError(f"a datagram of {len(raw)} bytes")
    version, kind, request, sender, size = _HEAD.unpack_from(raw)
    if version != VERSION or kind not in _KINDS or size not in {0, COOKIE_BYTES}:
        raise MalformedError("a datagram with another head")
    body = _HEAD.size + size
    if body >= len(raw):
        raise MalformedError("a datagram that is cut short")
    return Datagram(_KINDS[kind], request, sender, raw[_HEAD.size : body], raw[body:])


_KINDS: Final = {int(kind): kind for kind in Kind}


def unpack(raw: bytes) -> Body:
    """Reads the body of a datagram.

    Raises:
        MalformedError: no map of few names to booleans, integers, bytes and lists of bytes.
    """
    stream = io.BytesIO(raw)
    try:
        found: object = umsgpack.unpack(stream)
    except (umsgpack.UnpackException, RecursionError, ValueError, OverflowError, MemoryError):
        raise MalformedError("a datagram whose body is not msgpack") from None
    if stream.tell() != len(raw):
        raise MalformedError("a datagram with bytes behind its body")
    if type(found) is not dict or len(found) > _FIELDS_MAX:
        raise MalformedError("a datagram whose body is no small map")
    return {_name(name): _value(value) for name, value in found.items()}


def _name(name: object) -> str:
    if type(name) is not str:
        raise MalformedError("a datagram with a field that has no name")
    return name


def _value(value: object) -> Value:
    if type(value) in {bool, int, bytes}:
        return value  # type: ignore[return-value]
    if type(value) is list and len(value) <= _ITEMS_MAX and all(type(item) is bytes for item in value):
        return value
    raise MalformedError("a datagram with a value of a type that has no use")
