"""Frames of a job's stream: one byte for the kind, the length as unsigned LEB128, the bytes. Sans-IO.

A frame is refused at its head: nothing is kept of a kind that may not come, or of a length above its bound.
"""

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from net.errors import MalformedError, PeerFaultError
from net.varint import decode_varint, encode_varint

__all__ = ["DATA_MAX", "MESSAGE_MAX", "RESULT_MAX", "Frame", "FrameReader", "Kind", "data_frames", "frame"]

DATA_MAX: Final = 65_536
"""Bytes of one frame of module, input or output."""

MESSAGE_MAX: Final = 65_536
"""Bytes of a message other than `result`."""

RESULT_MAX: Final = 262_144
"""Bytes of the message `result`."""

_LENGTH_BYTES: Final = 3
"""A length that needs more is above every bound."""


class Kind(enum.IntEnum):
    """What a frame holds. A frame of data without a byte ends its direction."""

    MESSAGE = 0
    MODULE = 1
    STDIN = 2
    STDOUT = 3
    STDERR = 4


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame that has come whole."""

    kind: Kind
    data: bytes


def frame(kind: Kind, data: bytes | memoryview) -> bytes:
    """The bytes of one frame; the caller keeps to the bounds."""
    return b"".join((bytes((kind,)), encode_varint(len(data)), data))


def data_frames(kind: Kind, data: bytes) -> bytes:
    """The frames of data of any length; of none, no frame."""
    view = memoryview(data)
    return b"".join(frame(kind, view[at : at + DATA_MAX]) for at in range(0, len(data), DATA_MAX))


class FrameReader:
    """Takes a stream apart.

    Args:
        bounds: the kinds that may come, and how many bytes of each.
    """

    def __init__(self, bounds: Mapping[Kind, int]) -> None:
        self._bounds = dict(bounds)
        self._held = bytearray()

    @property
    def between(self) -> bool:
        """Whether what has come ends with a whole frame."""
        return not self._held

    def receive(self, data: bytes) -> list[Frame]:
        """The frames that are whole now.

        Args:
            data: what came.

        Raises:
            PeerFaultError: a kind that may not come, a length above its bound or longer than it need be.
        """
        self._held += data
        return list(self._whole())

    def _whole(self) -> Iterable[Frame]:
        at = 0
        while (head := self._head(at)) is not None:
            kind, begin, end = head
            if end > len(self._held):
                break
            yield Frame(kind, bytes(memoryview(self._held)[begin:end]))
            at = end
        del self._held[:at]

    def _head(self, at: int) -> tuple[Kind, int, int] | None:
        """Kind of the frame at a place, and where its bytes begin and end; None when its head is not whole."""
        if at >= len(self._held):
            return None
        number = self._held[at]
        bound = self._bounds.get(Kind(number)) if number in _KINDS else None
        if bound is None:
            raise PeerFaultError(f"sent a frame of kind {number}", rule="bad-frame", score=20)
        size = self._length(at + 1, bound)
        return None if size is None else (Kind(number), size[1], size[1] + size[0])

    def _length(self, at: int, bound: int) -> tuple[int, int] | None:
        try:
            size = decode_varint(memoryview(self._held)[at : at + _LENGTH_BYTES + 1])
        except MalformedError as error:
            raise PeerFaultError(f"sent a bad length: {error.why}", rule="bad-frame", score=20) from None
        if size is None:
            if len(self._held) - at > _LENGTH_BYTES:
                raise _oversized(bound)
            return None
        if size[0] > bound:
            raise _oversized(bound)
        return size[0], at + size[1]


_KINDS: Final = frozenset(Kind)


def _oversized(bound: int) -> PeerFaultError:
    return PeerFaultError(f"announced a frame of more than {bound} bytes", rule="oversized-frame", score=20)
