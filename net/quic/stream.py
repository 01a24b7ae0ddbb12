"""A stream of a QUIC connection as the rest of orlop knows streams (`net.stream.Stream`)."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from net.errors import StreamResetError
from net.quic.session import Session
from net.stream import READ_MOST

__all__ = ["QuicStream"]

_PIECE: Final = 65_536
_GONE: Final = "the stream is reset"


class QuicStream:
    """One stream. The connection tells it what came; readers and writers wait on it.

    Args:
        session: of the connection.
        stream_id: the stream's, in it.
        write_s: how long a writer waits for the peer to take anything, in seconds.
        changed: is called when something is to be sent.
    """

    def __init__(self, session: Session, stream_id: int, *, write_s: float, changed: Callable[[], None]) -> None:
        self.id: Final = stream_id
        self._protocol = ""
        self._session = session
        self._write_s = write_s
        self._changed = changed
        self._front = b""
        self._pieces: deque[bytes] = deque()
        self._whole = False  # the peer has ended its direction
        self._ended = False  # we have ended ours
        self._unreadable = ""  # why nothing can be read any more
        self._unwritable = ""
        self._abandoned = False
        self._news = asyncio.Event()
        self._room = asyncio.Event()

    @property
    def protocol(self) -> str:
        """What both ends agreed to speak; empty before they have."""
        return self._protocol

    @property
    def finished(self) -> bool:
        """Whether nothing more happens in either direction."""
        read = bool(self._unreadable) or (self._whole and not self._pieces and not self._front)
        return read and (self._ended or bool(self._unwritable))

    @property
    def ended(self) -> bool:
        """Whether our direction has an end that the peer is to learn of."""
        return self._ended and not self._unwritable

    async def read(self, most: int = READ_MOST) -> bytes:
        """The next bytes; `b""` when the peer has ended its direction.

        Args:
            most: how many at most, at least 1.

        Raises:
            StreamResetError: the stream is reset, or the connection is lost before all had come.
        """
        while True:
            if self._unreadable:
                raise StreamResetError(self._unreadable)
            if self._front:
                piece, self._front = self._front[:most], self._front[most:]
                return piece
            if self._pieces:
                return self._take(most)
            if self._whole:
                return b""
            self._news.clear()
            await self._news.wait()

    async def write(self, data: bytes | memoryview) -> None:
        """Sends bytes; returns when all are taken.

        Args:
            data: any number of bytes.

        Raises:
            StreamResetError: the stream is reset or our direction ended, or the peer took nothing for too long.
        """
        rest = memoryview(data)
        while True:
            if self._unwritable or self._ended:
                raise StreamResetError(self._unwritable or "our direction of the stream is ended")
            if not rest:
                return
            piece = bytes(rest[: max(0, min(_PIECE, self._session.room(self.id)))])
            if not piece:
                await self._wait_for_room()
                continue
            self._session.send(self.id, piece)
            self._changed()
            rest = rest[len(piece) :]

    async def end(self) -> None:
        """Ends our direction. Ending twice is nothing."""
        if not self._ended and not self._unwritable:
            self._ended = True
            self._session.send(self.id, b"", end=True)
            self._changed()

    def reset(self) -> None:
        """Ends both directions at once. Of a finished stream it is nothing."""
        if self.finished:
            return
        self._session.reset(self.id)
        self._break("reset by us")
        self._changed()

    # --- the side of the connection -----------------------------------------------------------------------------------

    def agreed(self, protocol: str, leftover: bytes) -> None:
        """Both ends know what they speak.

        Args:
            protocol: that.
            leftover: bytes of it that were read already.
        """
        self._protocol = protocol
        self._front = leftover

    def arrived(self, data: bytes, *, end: bool) -> None:
        """Bytes came; `end` when they are the last."""
        self._whole = self._whole or end
        if self._unreadable:
            return
        if self._abandoned:
            self._drop(len(data))
        elif data:
            self._pieces.append(data)
        if end and not self._pieces:
            self._session.forget(self.id)
        self._news.set()

    def lost(self) -> None:
        """The peer will not send what is missing."""
        if not self._unreadable and not (self._whole and self._abandoned):
            self._unreadable = _GONE
        self._pieces.clear()
        self._front = b""
        self._session.forget(self.id)
        self._news.set()

    def stopped(self) -> None:
        """The peer reads no more."""
        self._unwritable = self._unwritable or _GONE
        self._room.set()

    def cut(self) -> None:
        """The connection is over. What came to its end can still be read."""
        if not self._whole:
            self._unreadable = self._unreadable or "the connection is lost"
        self._unwritable = self._unwritable or "the connection is lost"
        self._news.set()
        self._room.set()

    def abandon(self) -> None:
        """Nobody reads any more: what came and comes is dropped."""
        self._abandoned = True
        self._drop(sum(len(piece) for piece in self._pieces))
        self._pieces.clear()
        self._front = b""
        if self._whole:
            self._session.forget(self.id)

    async def wait_finished(self) -> None:
        """Returns when nothing more happens in either direction."""
        while not self.finished:
            self._news.clear()
            await self._news.wait()

    def look_for_room(self) -> None:
        """The peer may have taken something."""
        if not self._room.is_set() and self._session.room(self.id) > 0:
            self._room.set()

    # --- inside -------------------------------------------------------------------------------------------------------

    def _take(self, most: int) -> bytes:
        piece = self._pieces.popleft()
        if len(piece) > most:
            self._pieces.appendleft(piece[most:])
            piece = piece[:most]
        self._drop(len(piece))
        if self._whole and not self._pieces:
            self._session.forget(self.id)
        return piece

    def _drop(self, size: int) -> None:
        if self._session.read(self.id, size):
            self._changed()

    async def _wait_for_room(self) -> None:
        self._room.clear()
        try:
            async with asyncio.timeout(self._write_s):
                await self._room.wait()
        except TimeoutError:
            self.reset()
            raise StreamResetError(f"the peer took nothing for {self._write_s:g} s") from None

    def _break(self, why: str) -> None:
        self._unreadable = self._unreadable or why
        self._unwritable = self._unwritable or why
        self._pieces.clear()
        self._front = b""
        self._news.set()
        self._room.set()
