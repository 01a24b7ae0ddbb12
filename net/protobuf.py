"""As much of protobuf as libp2p's handshakes and identify need: fields with bytes, other fields skipped.

Format: https://protobuf.dev/programming-guides/encoding/. Groups, which ended with its second version, are refused.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from net.errors import MalformedError
from net.varint import decode_varint, encode_varint

__all__ = ["bytes_fields", "encode_fields"]

_VARINT: Final = 0
_BYTES: Final = 2
_FIXED: Final = {1: 8, 5: 4}
"""Sizes of the wire types that have one."""
_NUMBER_MAX: Final = (1 << 29) - 1
_FOREIGN_VARINT: Final = 10
"""Bytes of a number in a field that is skipped: there a negative one is allowed to have ten."""


def encode_fields(fields: Iterable[tuple[int, bytes]]) -> bytes:
    """The bytes of a message.

    Args:
        fields: number and value, in the order in which they are written.
    """
    return b"".join(encode_varint(number << 3 | _BYTES) + encode_varint(len(value)) + value for number, value in fields)


def bytes_fields(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """The fields with bytes of a message, in its order; the caller bounds how long it is.

    Raises:
        MalformedError: cut short, or no protobuf.
    """
    at = 0
    while at < len(raw):
        key, at = _varint(raw, at)
        number, kind = key >> 3, key & 7
        if not 0 < number <= _NUMBER_MAX:
            raise MalformedError("a field has no number")
        if kind == _VARINT:
            at = _behind_number(raw, at)
            continue
        size, at = _varint(raw, at) if kind == _BYTES else (_fixed(kind), at)
        end = at + size
        if end > len(raw):
            raise MalformedError("a field is cut short")
        if kind == _BYTES:
            yield number, raw[at:end]
        at = end


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    found = decode_varint(raw, at)
    if found is None:
        raise MalformedError("a number is cut short")
    return found


def _behind_number(raw: bytes, at: int) -> int:
    """Where a number that nobody needs ends."""
    for end in range(at, min(len(raw), at + _FOREIGN_VARINT)):
        if raw[end] < 1 << 7:
            return end + 1
    raise MalformedError("a number has no end")


def _fixed(kind: int) -> int:
    if kind not in _FIXED:
        raise MalformedError(f"a field is of the unknown kind {kind}")
    return _FIXED[kind]
