"""The relay: a WebSocket server at `/room/{32 hex}` that passes ciphertext on between the members of rooms.

It keeps everything in memory, writes nothing down and looks into nothing; what it decides is in `net.rooms.exchange`.
Nobody needs to trust it: it can lose, delay and repeat messages and count who is there, and nothing else.
"""

import asyncio
import contextlib
import logging
import os
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Final, Literal

from aiohttp import WSMsgType, web

from net.prefix import prefix_of
from net.rooms.exchange import CloseCode, Exchange, Limits, Rate, Seat
from net.rooms.wire import MESSAGE_MAX, WireError, decode_request
from runtime.errors import NetworkError

__all__ = ["Relay"]

_READ_MAX: Final = 1 << 20
"""Bytes that are read of a message: what is too large, but not by far, is told so in the words of section 10."""

_CLOSE_S: Final = 5.0
_TOO_BIG: Final = 1009


class Relay:
    """One server. All calls on one event loop.

    Args:
        limits: what it takes at most.
        now: seconds that never go back.
    """

    def __init__(self, limits: Limits | None = None, *, now: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits or Limits()
        self._now = now
        self._exchange = Exchange(self._limits)
        self._per_source: Counter[str] = Counter()
        self._lines: set[_Line] = set()
        self._runner: web.AppRunner | None = None
        self.passed = 0
        """Messages that were taken since the start."""

    @property
    def rooms(self) -> int:
        """How many rooms there are."""
        return self._exchange.rooms

    @property
    def connections(self) -> int:
        """How many connections there are."""
        return len(self._lines)

    async def start(self, host: str, port: int) -> tuple[str, int]:
        """Begins to listen.

        Args:
            host: an address of this machine, or a name of one.
            port: 0 for any that is free.

        Returns:
            Where it listens.

        Raises:
            NetworkError: it cannot.
        """
        logging.getLogger("aiohttp").addHandler(logging.NullHandler())  # it would write what strangers send
        app = web.Application()
        app.router.add_get("/room/{room:[a-f0-9]{32}}", self._serve)
        app.router.add_get("/", _greet)
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=_CLOSE_S)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
        except (OSError, OverflowError) as error:
            await runner.cleanup()
            why = _why(error)
            hint = "name a free address with --bind, such as 127.0.0.1:0"
            raise NetworkError(f"cannot be listened on: {why.lower()}", where=f"{host}:{port}", hint=hint) from error
        self._runner = runner
        bound = runner.addresses[0]
        return str(bound[0]), int(bound[1])

    async def close(self) -> None:
        """Tells everybody that it ends, and ends."""
        for line in tuple(self._lines):
            line.end(CloseCode.GOING_AWAY, "the relay ends")
        if self._runner is not None:
            await self._runner.cleanup()

    # --- inside -----------------------------------------------------------------------------------------------------

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        source = prefix_of(request.remote or "")
        if self._per_source[source] >= self._limits.per_address:
            return web.Response(status=429, text="too many connections from this address\n")
        self._per_source[source] += 1
        try:
            return await self._connected(request)
        finally:
            self._per_source[source] -= 1
            if not self._per_source[source]:
                del self._per_source[source]

    async def _connected(self, request: web.Request) -> web.StreamResponse:
        socket = _Socket(
            heartbeat=self._limits.ping_s, compress=False, max_msg_size=_READ_MAX, decode_text=False, timeout=_CLOSE_S
        )
        await socket.prepare(request)
        line = _Line(socket, request.transport, self._limits.waiting)
        seat = Seat(request.match_info["room"], line)
        self._lines.add(line)
        loop = asyncio.get_running_loop()
        patience = loop.call_later(self._limits.join_s, _not_joined, seat)
        try:
            await self._read(socket, seat, line)
        finally:
            patience.cancel()
            self._exchange.leave(seat)
            await line.finish()
            self._lines.discard(line)
        return socket

    async def _read(self, socket: "_Socket", seat: Seat, line: "_Line") -> None:
        rate = Rate(self._limits.per_second, self._now)
        while not line.ending:
            message = await socket.receive()
            if message.type not in {WSMsgType.TEXT, WSMsgType.BINARY}:
                return
            if not rate.allows():
                line.end(CloseCode.RATE, "rate limit exceeded")
            elif len(message.data) > MESSAGE_MAX:
                line.end(CloseCode.TOO_LARGE, "message too large")
            else:
                self._take(seat, line, message.data)

    def _take(self, seat: Seat, line: "_Line", raw: bytes) -> None:
        try:
            message = decode_request(raw)
        except WireError as error:
            line.end(error.close_code, "invalid message")
            return
        self.passed += 1
        self._exchange.take(seat, message)


class _Line:
    """One connection's way out: what is told waits in a bounded queue for a task that writes at the reader's pace."""

    def __init__(self, socket: "_Socket", transport: asyncio.Transport | None, most: int) -> None:
        self.ending = False
        """Whether it is closed, or will be after what was told."""
        self._socket = socket
        self._transport = transport
        self._most = most
        self._waiting: deque[str] = deque()
        self._size = 0
        self._more = asyncio.Event()
        self._close: tuple[int, str] | None = None
        self._loop = asyncio.get_running_loop()
        self._patience: asyncio.TimerHandle | None = None
        self._task = self._loop.create_task(self._write())

    def tell(self, text: str) -> None:
        if self.ending:
            return
        self._size += len(text)
        if self._size > self._most:
            self.cut()
            return
        self._waiting.append(text)
        self._more.set()

    def end(self, code: int, reason: str) -> None:
        if not self.ending:
            self.ending = True
            self._close = (code, reason)
            self._patience = self._loop.call_later(_CLOSE_S, self.cut)
            self._more.set()

    def cut(self) -> None:
        """Ends the connection at once, whatever waits."""
        self.ending = True
        self._waiting.clear()
        self._task.cancel()
        if self._transport is not None:
            self._transport.abort()

    async def finish(self) -> None:
        """Waits until what was told is written, when it ends in order; else the task ends now."""
        if self._close is None:
            self._task.cancel()
        await asyncio.wait([self._task])
        if self._patience is not None:
            self._patience.cancel()

    async def _write(self) -> None:
        with contextlib.suppress(ConnectionError, RuntimeError):  # the other side has gone
            while True:
                await self._more.wait()
                self._more.clear()
                while self._waiting:
                    text = self._waiting.popleft()
                    await self._socket.send_str(text)
                    self._size -= len(text)
                if self._close is not None:
                    code, reason = self._close
                    await self._socket.close(code=code, message=reason.encode())
                    return


class _Socket(web.WebSocketResponse[Literal[False]]):
    """What is far too large is closed with the protocol's code, not with that of the library."""

    async def close(self, *, code: int = 1000, message: bytes = b"", drain: bool = True) -> bool:
        return await super().close(code=CloseCode.TOO_LARGE if code == _TOO_BIG else code, message=message, drain=drain)


def _not_joined(seat: Seat) -> None:
    if seat.seen is None:
        seat.line.end(CloseCode.NOT_JOINED, "nobody joined")


async def _greet(_request: web.Request) -> web.Response:
    return web.Response(text="orlop relay\n")


def _why(error: OSError | OverflowError) -> str:
    """The kernel's words, without those that asyncio puts around them; a resolver has words of its own."""
    if not isinstance(error, OSError) or not error.errno:
        return str(error)
    return os.strerror(error.errno) if error.errno > 0 else error.strerror or str(error)
