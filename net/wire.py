"""The socket under a connection: asyncio's callbacks, one receive buffer for all sockets of a loop, and no more.

What is read lies in the shared buffer only until `receive` returns; so a thousand idle connections cost one buffer.
asyncio's selector loop asks for the buffer, reads into it and tells so in one go, between which nobody else comes.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Final, Protocol

from net.limits import NetLimits
from net.noise_transport import PLAINTEXT_MAX

__all__ = ["NOISE_FRAME_MAX", "Reader", "Wire", "receive_buffer"]

NOISE_FRAME_MAX: Final = PLAINTEXT_MAX + 18
"""The longest frame of Noise with its length: when less is asked of the socket, frames come in halves."""
_USER_TIMEOUT_MS: Final = 45_000
"""What is sent and not acknowledged for so long ends the connection."""


def receive_buffer(limits: NetLimits) -> memoryview:
    """A buffer for all sockets of one loop."""
    return memoryview(bytearray(max(limits.receive_buffer, NOISE_FRAME_MAX)))


class Reader(Protocol):
    """Who makes something of what a socket receives."""

    @property
    def room(self) -> int:
        """Bytes that it wants to be given at once at most, at least 1."""
        ...

    def receive(self, data: memoryview) -> None:
        """Takes bytes, which change after the return."""
        ...

    def writable(self) -> None:
        """The socket takes more again."""
        ...

    def lost(self, error: Exception | None) -> None:
        """The socket is closed, by the peer when there is no error. Told once."""
        ...


class Wire(asyncio.BufferedProtocol):
    """One socket.

    Args:
        buffer: as `receive_buffer` gives it.
        limits: the table.
        on_made: is told when there is a socket.
    """

    def __init__(
        self, buffer: memoryview, limits: NetLimits, *, on_made: Callable[["Wire"], None] | None = None
    ) -> None:
        self.reader: Reader | None = None
        """Who reads; set before the loop's next turn after the socket is there."""
        self.free = True
        """The socket takes more: what is written goes out or waits within the bound."""
        self.remote: tuple[str, int] = ("", 0)
        self._buffer = buffer
        self._limits = limits
        self._on_made = on_made
        self._transport: asyncio.Transport | None = None
        self._closed = asyncio.Event()
        self._reading = True

    @property
    def reading(self) -> bool:
        """Whether it reads from the socket."""
        return self._reading

    def write(self, data: bytes) -> None:
        """Sends bytes; the socket may keep what it did not take, which is why they are of a kind that cannot change."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def read_on(self, *, reading: bool) -> None:
        """Stops reading from the socket, or goes on."""
        if self._transport is None or self._transport.is_closing() or reading == self._reading:
            return
        self._reading = reading
        if reading:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    async def close(self, *, gently: bool = True) -> None:
        """Sends what waits and closes; after two seconds without waiting any longer.

        Args:
            gently: the peer is given the chance to hear all of it: a socket that is closed while something comes in
                takes back what it has sent.
        """
        if self._transport is None:
            return
        if not gently or not self._say_end(self._transport):
            self._transport.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._limits.close_s):
                await self._closed.wait()
        await self.cut()

    def _say_end(self, transport: asyncio.Transport) -> bool:
        """Ends our direction, and reads on until the peer ends its own; whether that could be done."""
        if transport.is_closing():
            return False
        try:
            transport.write_eof()
        except OSError:  # the peer is gone, which nobody has noticed while nothing was read
            return False
        self.read_on(reading=True)
        return True

    async def cut(self) -> None:
        """Closes at once; returns when the socket is gone."""
        self.abort()
        if self._transport is not None:
            await self._closed.wait()

    def abort(self) -> None:
        """Closes at once; the socket is gone at the loop's next turn."""
        if self._transport is not None:
            self._transport.abort()

    # --- called by the loop -------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """There is a socket."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("not a stream transport")
        self._transport = transport
        transport.set_write_buffer_limits(high=self._limits.send_buffer)
        name = transport.get_extra_info("peername")
        self.remote = (str(name[0]), int(name[1])) if name else ("", 0)
        bare = transport.get_extra_info("socket")
        if bare is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
            bare.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _USER_TIMEOUT_MS)
        if self._on_made is not None:
            self._on_made(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the socket reads into."""
        del sizehint
        return self._buffer if self.reader is None else self._buffer[: self.reader.room]

    def buffer_updated(self, nbytes: int) -> None:
        """The socket has read."""
        if self.reader is not None:
            self.reader.receive(self._buffer[:nbytes])
        # Without a reader it is what a peer said before it heard our goodbye.

    def eof_received(self) -> bool:
        """The peer sends no more: of no use, since it could not even say goodbye."""
        return False

    def pause_writing(self) -> None:
        """More waits than should."""
        self.free = False

    def resume_writing(self) -> None:
        """Less waits again."""
        self.free = True
        if self.reader is not None:
            self.reader.writable()

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed."""
        self._closed.set()
        reader, self.reader = self.reader, None
        if reader is not None:
            reader.lost(exc)
