"""One stream of a TCP connection: what its reader and its writer hold on to.

Bytes that have come wait here until they are read, and only then is credit given back. Bytes that are to go stay with
their writer, who waits until the last of them is in a frame.
"""

import asyncio
from collections import deque
from typing import Final, Protocol

from net.errors import StreamResetError, UnsupportedProtocolError
from net.multistream import Multistream, Refused, Selected
from net.stream import READ_MOST

__all__ = ["Mux", "TcpStream"]

_SMALL: Final = 4096
"""A piece that is shorter is added to the one before it: a thousand pieces of a byte would cost forty times that."""
_POOL: Final = 65_536


class Mux(Protocol):
    """The connection, as its streams know it."""

    def send(self, number: int, data: bytes | memoryview) -> None:
        """Takes bytes of a stream, one lot at a time, and sends what may be sent; `sent` tells when it is all."""
        ...

    def consumed(self, number: int, count: int) -> None:
        """So many bytes of a stream are read."""
        ...

    def finish(self, number: int) -> None:
        """Ends our direction of a stream."""
        ...

    def reset(self, number: int) -> None:
        """Ends a stream both ways; `fail` tells of it."""
        ...


class TcpStream:
    """One end of a stream; satisfies `net.stream.Stream` once both ends have agreed on what to speak.

    Args:
        mux: the connection.
        number: of the stream.
        negotiation: our end of the agreement.
    """

    __slots__ = (
        "_dropping", "_ended", "_error", "_greeting", "_mux", "_negotiation", "_number", "_over", "_pieces",
        "_reads", "_refused", "_sending", "_writes", "_writing", "protocol",
    )  # fmt: skip

    def __init__(self, mux: Mux, number: int, negotiation: Multistream) -> None:
        self.protocol = ""
        """What both agreed on; empty before."""
        self._mux = mux
        self._number = number
        self._negotiation: Multistream | None = negotiation
        self._refused = False
        self._greeting = bytearray()
        self._pieces: deque[bytes | bytearray | memoryview] = deque()
        self._sending = False
        self._writing = False
        self._dropping = False
        self._ended = False
        self._over = False
        self._error = ""
        self._reads: asyncio.Future[None] | None = None
        self._writes: asyncio.Future[None] | None = None
        """Whoever waits for something to read, and to have written."""

    @property
    def over(self) -> bool:
        """Our direction is ended."""
        return self._over

    @property
    def finished(self) -> bool:
        """Nothing is left to be said or read."""
        return bool(self._error) or (self._over and self._ended and not self._pieces)

    # --- of the application -------------------------------------------------------------------------------------------

    async def read(self, most: int = READ_MOST) -> bytes:
        """The next bytes; see `net.stream.Stream`."""
        while not self._pieces:
            if self._ended:
                return b""
            self._fail_if_broken()
            await self._something_to_read()
        piece = self._pieces.popleft()
        if len(piece) > most:
            self._pieces.appendleft(memoryview(piece)[most:])
            piece = memoryview(piece)[:most]
        self._mux.consumed(self._number, len(piece))
        return bytes(piece)

    async def write(self, data: bytes | memoryview) -> None:
        """Sends bytes; see `net.stream.Stream`. When it is cancelled before all are taken, the stream is reset."""
        if self._writing:
            raise RuntimeError("two tasks write to one stream")
        self._writing = True
        try:
            while self._sending:  # the end of the agreement
                await self._all_sent()
                self._fail_if_broken()
            await self._send(data)
        except asyncio.CancelledError:
            self.reset()  # the bytes are the writer's, who may change them from now on
            raise
        finally:
            self._writing = False

    async def end(self) -> None:
        """Ends our direction; see `net.stream.Stream`."""
        if not self._over and not self._error:
            self._over = True
            self._mux.finish(self._number)

    def reset(self) -> None:
        """Ends both directions; see `net.stream.Stream`."""
        if not self.finished:
            self._ended = False
            self._mux.reset(self._number)

    # --- of the connection --------------------------------------------------------------------------------------------

    async def agree(self) -> None:
        """Says what is proposed and waits for the answer.

        Raises:
            UnsupportedProtocolError: the peer does not speak that.
            StreamResetError: the stream is gone.
        """
        self.greet()
        while not self.protocol:
            self._fail_if_broken()
            if self._refused:
                raise UnsupportedProtocolError("does not speak the protocol")
            await self._something_to_read()

    def greet(self) -> None:
        """Says what the agreement has to say now."""
        if self._negotiation is not None:
            self._greeting += self._negotiation.take()
        if self._greeting and not self._sending:
            greeting = bytes(self._greeting)
            self._greeting.clear()
            self._sending = True
            self._mux.send(self._number, greeting)

    def feed(self, data: bytes | memoryview) -> None:
        """Takes bytes of the peer.

        Raises:
            PeerFaultError: it does not negotiate as it should.
        """
        if self._negotiation is None:
            self._keep(data)
            _wake(self._reads)
            return
        event = self._negotiation.receive(data)
        self.greet()
        leftover = event.leftover if isinstance(event, Selected) else b""
        self._mux.consumed(self._number, len(data) - len(leftover))
        if event is None:
            return
        self._negotiation = None
        self._refused = isinstance(event, Refused)
        if isinstance(event, Selected):
            self.protocol = event.name
        if leftover:
            self._keep(leftover)
        _wake(self._reads)

    def feed_end(self) -> None:
        """The peer sends no more."""
        self._ended = True
        _wake(self._reads)
        if self._negotiation is not None:
            self.reset()

    def sent(self) -> None:
        """All that was given is in frames."""
        self._sending = False
        self.greet()
        _wake(self._writes)

    def fail(self, why: str) -> None:
        """The stream is gone, for this reason. What was not read is lost, unless the peer had sent all of it."""
        self._error = self._error or why
        if not self._ended:
            self._pieces.clear()
        _wake(self._reads)
        _wake(self._writes)

    def abandon(self) -> None:
        """Nobody reads any more: what has come and comes is dropped."""
        self._dropping = True
        dropped = sum(map(len, self._pieces))
        self._pieces.clear()
        self._mux.consumed(self._number, dropped)

    # --- inside -------------------------------------------------------------------------------------------------------

    async def _send(self, data: bytes | memoryview) -> None:
        self._fail_if_broken()
        if self._over:
            raise StreamResetError("our direction of the stream is ended")
        if not data:
            return
        self._sending = True
        self._mux.send(self._number, data)
        while self._sending:
            self._fail_if_broken()
            await self._all_sent()

    def _keep(self, data: bytes | memoryview) -> None:
        last = self._pieces[-1] if self._pieces else None
        if self._dropping:
            self._mux.consumed(self._number, len(data))
        elif len(data) >= _SMALL:
            self._pieces.append(data)
        elif isinstance(last, bytearray) and len(last) < _POOL:
            last += data
        else:
            self._pieces.append(bytearray(data))

    def _fail_if_broken(self) -> None:
        if self._error:
            raise StreamResetError(self._error)

    async def _something_to_read(self) -> None:
        if self._reads is not None:
            raise RuntimeError("two tasks read from one stream")
        self._reads = asyncio.get_running_loop().create_future()
        try:
            await self._reads
        finally:
            self._reads = None

    async def _all_sent(self) -> None:
        self._writes = asyncio.get_running_loop().create_future()
        try:
            await self._writes
        finally:
            self._writes = None


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)
