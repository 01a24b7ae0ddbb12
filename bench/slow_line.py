"""A line between two programs that carries so many bytes a second, counts them, and is cut when it is told to be."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

__all__ = ["SlowLine", "slow_line"]

_PIECE: Final = 65_536


class SlowLine:
    """Takes connections on a port of the loopback and carries each on to another port.

    Args:
        port: where it leads.
        rate: bytes that it carries to there in a second; those that come back are not held up.

    Attributes:
        carried: bytes, both ways.
        cuts: how often it was cut.
    """

    def __init__(self, port: int, rate: float) -> None:
        self.carried = 0
        self.cuts = 0
        self._port = port
        self._rate = rate
        self._cut_at: int | None = None
        self._open: set[asyncio.StreamWriter] = set()

    def cut_after(self, size: int) -> None:
        """Cuts all connections once, after so many more bytes.

        Args:
            size: both ways together.
        """
        self._cut_at = self.carried + size

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carries one connection to its end."""
        further, back = await asyncio.open_connection("127.0.0.1", self._port)
        ends = {writer, back}
        self._open |= ends
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._carry(reader, back, self._rate))
                both.create_task(self._carry(further, writer, None))
        finally:
            self._open -= ends
            for end in ends:
                end.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, rate: float | None) -> None:
        loop = asyncio.get_running_loop()
        free_at = loop.time()
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(_PIECE):
                self.carried += len(data)
                if rate is not None:
                    free_at = max(free_at, loop.time()) + len(data) / rate
                    await asyncio.sleep(free_at - loop.time())
                writer.write(data)
                await writer.drain()
                if self._cut_at is not None and self.carried >= self._cut_at:
                    self._cut()
            writer.write_eof()

    def _cut(self) -> None:
        self._cut_at = None
        self.cuts += 1
        for end in self._open:
            end.transport.abort()


@contextlib.asynccontextmanager
async def slow_line(port: int, rate: float) -> AsyncIterator[tuple[SlowLine, int]]:
    """Lays one.

    Args:
        port: where it leads, on the loopback.
        rate: bytes a second.

    Yields:
        The line, and the port on which it begins.
    """
    line = SlowLine(port, rate)
    server = await asyncio.start_server(line.take, "127.0.0.1", 0)
    try:
        yield line, server.sockets[0].getsockname()[1]
    finally:
        server.close()
