"""The frames of yamux: a header of 12 bytes, big-endian, and, of DATA only, the bytes that follow it."""

from collections.abc import Iterator
from struct import Struct
from typing import Final, NamedTuple

__all__ = ["HEADER_BYTES", "Flag", "FrameReader", "GoAway", "Header", "Kind", "frame"]

HEADER_BYTES: Final = 12
_HEADER: Final = Struct(">BBHII")


class Kind:
    """What a frame is. Plain numbers: they are compared several times for each frame, and enums are slow at that."""

    DATA: Final = 0
    WINDOW_UPDATE: Final = 1
    PING: Final = 2
    GO_AWAY: Final = 3


class Flag:
    """What a frame says beside; kinds carry any of them. Plain numbers, as above."""

    NONE: Final = 0
    SYN: Final = 1
    ACK: Final = 2
    FIN: Final = 4
    RST: Final = 8


class GoAway:
    """Why a session ends."""

    NORMAL: Final = 0
    PROTOCOL_ERROR: Final = 1


class Header(NamedTuple):
    """A header as it came; nothing of it is checked.

    Attributes:
        version: 0.
        kind: a `Kind`.
        flags: of `Flag`.
        stream: 0 is the session.
        length: of DATA the bytes that follow; of WINDOW_UPDATE the credit; of PING any number; of GO_AWAY the reason.
    """

    version: int
    kind: int
    flags: int
    stream: int
    length: int


def frame(kind: int, flags: int, stream: int, length: int) -> bytes:
    """A header's bytes; the arguments are those of `Header`."""
    return _HEADER.pack(0, kind, flags, stream, length)


class FrameReader:
    """Cuts the bytes of a session into headers and what follows them. It keeps less than a header."""

    def __init__(self) -> None:
        self.left = 0
        """Bytes of the present DATA frame that are to come."""
        self._head = b""

    def read(self, data: bytes | memoryview) -> Iterator[Header | memoryview]:
        """Reads on; lazily, so that whoever dislikes a header stops before its bytes.

        Args:
            data: the next bytes, cut anywhere.

        Yields:
            Each header when it is whole, and after one of DATA its bytes in views of `data`; `left` tells the last.
        """
        view, at, end = memoryview(data), 0, len(data)
        while at < end:
            if self.left:
                piece = view[at : at + self.left]
                self.left -= len(piece)
                at += len(piece)
                yield piece
            elif not self._head and end - at >= HEADER_BYTES:
                header = Header._make(_HEADER.unpack_from(view, at))
                at += HEADER_BYTES
                self.left = 0 if header.kind else header.length
                yield header
            else:
                part = view[at : at + HEADER_BYTES - len(self._head)]
                at += len(part)
                self._head += part
                if len(self._head) == HEADER_BYTES:
                    header = Header._make(_HEADER.unpack(self._head))
                    self._head = b""
                    self.left = 0 if header.kind else header.length
                    yield header
