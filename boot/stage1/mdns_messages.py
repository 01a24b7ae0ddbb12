"""Questions and answers of multicast DNS, as far as a one-shot question needs them. Pure; every loop has an end.

What is on the link can be anything: an answer is read within limits, and one that is not sound is no answer.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Final

__all__ = ["PTR", "SRV", "TXT", "A", "MessageError", "Record", "question", "records_of", "service_of", "text_of"]

A: Final = 1
PTR: Final = 12
TXT: Final = 16
SRV: Final = 33

_IN: Final = 1
_FLUSH: Final = 0x8000
_RESPONSE: Final = 0x8000
_HEAD: Final = struct.Struct("!HHHHHH")
_MESSAGE_MAX: Final = 9000
_RECORDS_MAX: Final = 128
_QUESTIONS_MAX: Final = 32
_NAME_MAX: Final = 255
_LABEL_MAX: Final = 63
_POINTER: Final = 0xC0
_TEXT_MAX: Final = 1300


class MessageError(ValueError):
    """What came is no sound answer."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record of an answer.

    Attributes:
        name: labels with dots between and one at the end, in lower case as all names here.
        kind: such as `SRV`.
        value: of `A` 4 bytes, of `TXT` the strings as they are, of `PTR` a name, of `SRV` port and name.
    """

    name: str
    kind: int
    value: bytes


def question(asked: Iterable[tuple[str, int]]) -> bytes:
    """One question for several things, of which each is answered to the port that asks.

    Args:
        asked: names and kinds.
    """
    entries = [_encoded(name) + struct.pack("!HH", kind, _IN) for name, kind in asked]
    return _HEAD.pack(0, 0, len(entries), 0, 0, 0) + b"".join(entries)


def records_of(raw: bytes) -> list[Record]:
    """The records of an answer, of the kinds above and of the Internet's class.

    Args:
        raw: one datagram.

    Raises:
        MessageError: it is no answer, or not sound.
    """
    if not _HEAD.size <= len(raw) <= _MESSAGE_MAX:
        raise MessageError("of a length that no answer has")
    _, flags, questions, *counts = _HEAD.unpack_from(raw)
    if not flags & _RESPONSE or questions > _QUESTIONS_MAX or sum(counts) > _RECORDS_MAX:
        raise MessageError("no answer, or too long a one")
    at, found = _HEAD.size, list[Record]()
    for _ in range(questions):
        at = _name(raw, at)[1] + 4
    for _ in range(sum(counts)):
        record, at = _record(raw, at)
        if record is not None:
            found.append(record)
    return found


def service_of(value: bytes) -> tuple[int, str]:
    """Port and host of a service.

    Args:
        value: of a record of the kind `SRV`.
    """
    return struct.unpack_from("!H", value)[0], value[2:].decode("ascii")


def text_of(value: bytes) -> dict[bytes, bytes | None]:
    """The fields of a text; of one that stands twice, the first counts.

    Args:
        value: of a record of the kind `TXT`.
    """
    fields: dict[bytes, bytes | None] = {}
    at = 0
    while at < len(value):
        part = value[at + 1 : at + 1 + value[at]]
        at += 1 + value[at]
        name, equals, content = part.partition(b"=")
        if name:
            fields.setdefault(name, content if equals else None)
    return fields


def _record(raw: bytes, at: int) -> tuple[Record | None, int]:
    name, at = _name(raw, at)
    if at + 10 > len(raw):
        raise MessageError("a record is cut off")
    kind, cls, _, length = struct.unpack_from("!HHIH", raw, at)
    at += 10
    end = at + length
    if end > len(raw):
        raise MessageError("a record is cut off")
    if cls & ~_FLUSH != _IN:
        return None, end
    value = _value(raw, at, end, kind)
    return (Record(name, kind, value) if value is not None else None), end


def _value(raw: bytes, at: int, end: int, kind: int) -> bytes | None:
    """The value of a record, its names without pointers; None of a kind that nobody asked for."""
    if kind == A and end - at == IPv4Address(0).max_prefixlen // 8:
        return raw[at:end]
    if kind == TXT and end - at <= _TEXT_MAX:
        return raw[at:end]
    if kind == PTR:
        return _within(raw, at, end).encode("ascii")
    if kind == SRV and end - at > 6:  # noqa: PLR2004 - priority, weight and port
        return raw[at + 4 : at + 6] + _within(raw, at + 6, end).encode("ascii")
    return None


def _within(raw: bytes, at: int, end: int) -> str:
    name, after = _name(raw, at)
    if after != end:
        raise MessageError("a name does not end with its record")
    return name


def _name(raw: bytes, at: int) -> tuple[str, int]:
    """A name, and where what follows it begins; pointers only ever go back."""
    labels: list[str] = []
    after, lowest, size = 0, at, 0
    while True:
        if at >= len(raw):
            raise MessageError("a name is cut off")
        length = raw[at]
        if length & _POINTER == _POINTER:
            if at + 1 >= len(raw):
                raise MessageError("a name is cut off")
            after = after or at + 2
            at = (length & ~_POINTER) << 8 | raw[at + 1]
            if at >= lowest:
                raise MessageError("a name points forward")
            lowest = at
            continue
        if length > _LABEL_MAX:
            raise MessageError("a label is too long")
        at += 1
        if not length:
            return ".".join(labels).lower() + ".", after or at
        if at + length > len(raw):
            raise MessageError("a name is cut off")
        size += length + 1
        if size > _NAME_MAX:
            raise MessageError("a name is too long")
        labels.append(raw[at : at + length].decode("ascii", "backslashreplace"))
        at += length


def _encoded(name: str) -> bytes:
    parts = [label.encode("ascii") for label in name.rstrip(".").split(".")]
    return b"".join(bytes([len(part)]) + part for part in parts) + b"\0"
