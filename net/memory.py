"""Two ends of a connection in one process, without a network: for tests and simulations of what speaks on streams.

They keep the promises of `net.stream`: bounded buffers, ends of each direction, resets, loss of the whole connection.
"""

import asyncio
from collections import deque
from typing import Final

from net.errors import ConnectionLostError, PeerFaultError, StreamResetError, UnsupportedProtocolError
from net.multiaddr import Multiaddr
from net.peer_id import PeerId
from net.serving import run_handler
from net.stream import READ_MOST, Handler, Protocols, Stream

__all__ = ["MemoryConnection", "pair"]

_ROOM: Final = 262_144
"""Bytes that a direction of a stream holds unread."""


def pair(
    left: PeerId, right: PeerId, serve_left: Protocols, serve_right: Protocols
) -> tuple["MemoryConnection", "MemoryConnection"]:
    """Connects two peers.

    Args:
        left: who has dialled.
        right: who was dialled.
        serve_left: what `left` serves.
        serve_right: what `right` serves.

    Returns:
        The connection as `left` has it, and as `right` has it. `close` and `cut` of either end both.
    """
    link = _Link()
    here = MemoryConnection(link, peer=right, remote="/ip4/127.0.0.1/tcp/4001", dialled=True, serves=serve_left)
    there = MemoryConnection(link, peer=left, remote="/ip4/127.0.0.1/tcp/40001", dialled=False, serves=serve_right)
    here.other, there.other = there, here
    return here, there


class MemoryConnection:
    """One end of a pair; satisfies `net.stream.Connection`.

    Attributes:
        other: the other end, once there is one.
        faults: what handlers of this end blamed the peer for.
    """

    def __init__(self, link: "_Link", *, peer: PeerId, remote: str, dialled: bool, serves: Protocols) -> None:
        self.peer: Final = peer
        self.remote: Final = Multiaddr.parse(remote)
        self.transport: Final = "tcp"
        self.dialled: Final = dialled
        self.other: MemoryConnection | None = None
        self.faults: list[PeerFaultError] = []
        self._link = link
        self._serves = serves

    @property
    def closed(self) -> bool:
        """Whether it is closed or cut."""
        return self._link.gone.is_set()

    async def wait_closed(self) -> None:
        """Returns when it is closed or cut."""
        await self._link.gone.wait()

    async def open(self, protocol: str, *, bulk: bool = False) -> Stream:
        """Opens a stream; the other end's handler serves it from the next turn of the loop on.

        Args:
            protocol: what is to be spoken on it.
            bulk: of no meaning in memory.

        Raises:
            UnsupportedProtocolError: the other end does not serve that.
            ConnectionLostError: the connection is closed.
        """
        del bulk
        await asyncio.sleep(0)  # as over a network, somebody else has his turn
        if self.closed or self.other is None:
            raise ConnectionLostError("the connection is closed", where=str(self.peer))
        served = self.other._serves.get(protocol)  # noqa: SLF001 - the other end is of this class
        if served is None:
            raise UnsupportedProtocolError(f"does not speak {protocol}", where=str(self.peer))
        out, back = self._link.pipe(), self._link.pipe()
        self._link.start(self.other, served.handler, _MemoryStream(protocol, incoming=out, outgoing=back))
        return _MemoryStream(protocol, incoming=back, outgoing=out)

    async def close(self) -> None:
        """Ends both ends, and waits for the handlers that this cancels."""
        self._link.cut()
        await self._link.finish()

    def cut(self) -> None:
        """Loses the connection at once, as if a cable were pulled."""
        self._link.cut()

    async def serve(self, handler: Handler, stream: Stream) -> None:
        """Lets a handler of this end serve a stream of the other."""
        fault = await run_handler(handler, self, stream)
        if fault is not None:
            self.faults.append(fault)


class _Link:
    """What both ends share: all that a cut has to end."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()
        self._pipes: set[_Pipe] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def pipe(self) -> "_Pipe":
        self._pipes = {pipe for pipe in self._pipes if not pipe.done}
        pipe = _Pipe()
        self._pipes.add(pipe)
        return pipe

    def start(self, end: MemoryConnection, handler: Handler, stream: "_MemoryStream") -> None:
        task = asyncio.create_task(end.serve(handler, stream))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: stream.abandon())

    def cut(self) -> None:
        self.gone.set()
        for pipe in self._pipes:
            pipe.break_off("the connection is lost")
        self._pipes.clear()
        for task in self._others():
            task.cancel()

    async def finish(self) -> None:
        await asyncio.gather(*self._others(), return_exceptions=True)

    def _others(self) -> list["asyncio.Task[None]"]:
        return [task for task in self._tasks if task is not asyncio.current_task()]


class _Pipe:
    """One direction of a stream."""

    def __init__(self) -> None:
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._ended = False
        self._unread = False
        self._broken = ""
        self._changed = asyncio.Event()

    @property
    def done(self) -> bool:
        return bool(self._broken) or (self._ended and not self._pieces)

    async def get(self, most: int) -> bytes:
        while True:
            self._fail_if_broken()
            if self._pieces:
                return self._take(most)
            if self._ended:
                return b""
            await self._change()

    async def put(self, data: bytes) -> None:
        rest = memoryview(data)
        while True:
            self._fail_if_broken()
            if self._ended:
                raise StreamResetError("our direction of the stream is ended")
            if self._unread:
                return
            taken = bytes(rest[: _ROOM - self._size])
            if taken:
                self._pieces.append(taken)
                self._size += len(taken)
                self._changed.set()
            rest = rest[len(taken) :]
            if not rest:
                return
            await self._change()

    def end(self) -> None:
        self._ended = True
        self._changed.set()

    def break_off(self, why: str) -> None:
        self._broken = self._broken or why
        self._pieces.clear()
        self._changed.set()

    def drop(self) -> None:
        """Nobody reads any more: what comes and came is dropped."""
        self._unread = True
        self._pieces.clear()
        self._changed.set()

    def _take(self, most: int) -> bytes:
        piece = self._pieces.popleft()
        if len(piece) > most:
            self._pieces.appendleft(piece[most:])
            piece = piece[:most]
        self._size -= len(piece)
        self._changed.set()
        return piece

    def _fail_if_broken(self) -> None:
        if self._broken:
            raise StreamResetError(self._broken)

    async def _change(self) -> None:
        # Reader and writer may both wait; each looks again at what it waits for.
        self._changed.clear()
        await self._changed.wait()


class _MemoryStream:
    """One end of a stream."""

    def __init__(self, protocol: str, *, incoming: _Pipe, outgoing: _Pipe) -> None:
        self.protocol: Final = protocol
        self._incoming = incoming
        self._outgoing = outgoing

    async def read(self, most: int = READ_MOST) -> bytes:
        return await self._incoming.get(most)

    async def write(self, data: bytes | memoryview) -> None:
        await self._outgoing.put(bytes(data))

    async def end(self) -> None:
        self._outgoing.end()

    def reset(self) -> None:
        for pipe in (self._incoming, self._outgoing):
            if not pipe.done:
                pipe.break_off("the stream is reset")

    def abandon(self) -> None:
        """The handler has ended and reads no more."""
        self._incoming.drop()
