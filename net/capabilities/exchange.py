"""`/orlop/capabilities/1.0.0`: an empty question, or a record that is pushed, and the other's record as the answer."""

import asyncio
from collections.abc import Callable
from typing import Final

from net.bucket import Buckets
from net.capabilities.record import Capabilities, read_record
from net.errors import PeerFaultError, UnreachableError
from net.limits import NetLimits
from net.stream import Connection, Stream, finish, read_varint_frame
from net.varint import encode_varint
from runtime.clock import Clock

__all__ = ["PROTOCOL", "Exchange", "ask", "push"]

PROTOCOL: Final = "/orlop/capabilities/1.0.0"

_SCORE: Final = 10


async def ask(connection: Connection, now_ms: Callable[[], int], limits: NetLimits = NetLimits()) -> Capabilities:
    """Asks a peer what it offers.

    Args:
        connection: to the peer.
        now_ms: Unix milliseconds, when the answer is there.
        limits: how long it may take, and how much it may be.

    Raises:
        UnsupportedProtocolError: it says nothing.
        UnreachableError: not in time.
        ConnectionLostError: the connection ended.
        StreamResetError: it took the stream away.
        PeerFaultError: what it said is no record of its own; the connection is to be closed.
    """
    try:
        async with asyncio.timeout(limits.capabilities_s):
            stream = await connection.open(PROTOCOL)
            try:
                await stream.end()
                packed = await read_varint_frame(stream, limits.capabilities)
            except BaseException:
                stream.reset()
                raise
    except TimeoutError:
        why = f"did not say what it offers within {limits.capabilities_s:g} s"
        raise UnreachableError(why, where=str(connection.peer)) from None
    await finish(stream)
    return read_record(packed, connection.peer, now_ms(), limits)


async def push(connection: Connection, packed: bytes, limits: NetLimits = NetLimits()) -> None:
    """Tells a peer what this node offers now.

    Args:
        connection: to whom.
        packed: the record.
        limits: how long it may take, and how much its answer may be, which is passed over.

    Raises:
        UnsupportedProtocolError: the peer does not speak of that.
        UnreachableError: it did not take it in time.
        ConnectionLostError: the connection ended.
        StreamResetError: it took the stream away.
        PeerFaultError: its answer is longer than it may be.
    """
    try:
        async with asyncio.timeout(limits.capabilities_s):
            stream = await connection.open(PROTOCOL)
            try:
                await stream.write(encode_varint(len(packed)) + packed)
                await stream.end()
                await read_varint_frame(stream, limits.capabilities)
            except BaseException:
                stream.reset()
                raise
    except TimeoutError:
        why = f"did not hear what we offer within {limits.capabilities_s:g} s"
        raise UnreachableError(why, where=str(connection.peer)) from None
    await finish(stream)


class Exchange:
    """Serves `PROTOCOL`: answers with this node's record, to an empty question and to a record of the peer's own.

    Args:
        record: this node's, as it is now.
        clock: the node's.
        asked: told on which connection somebody was told our record.
        heard: given what a peer has said of itself without being asked.
        limits: how long a question may take, how much it may be, and how often a peer may push.
    """

    def __init__(
        self,
        record: Callable[[], bytes],
        clock: Clock,
        *,
        asked: Callable[[Connection], None],
        heard: Callable[[Capabilities], None],
        limits: NetLimits = NetLimits(),
    ) -> None:
        self._record = record
        self._clock = clock
        self._asked = asked
        self._heard = heard
        self._limits = limits
        self._paces = Buckets(limits.pushes_rate, limits.pushes_burst, limits.peers_remembered)

    async def serve(self, connection: Connection, stream: Stream) -> None:
        """A `net.stream.Handler`.

        Raises:
            PeerFaultError: the peer pushes too often, or says what is no record of its own.
            UnreachableError: it did not say in time what it wants.
        """
        try:
            async with asyncio.timeout(self._limits.capabilities_s):
                first = await stream.read(1)
                packed = await read_varint_frame(stream, self._limits.capabilities, head=first) if first else b""
        except TimeoutError:
            why = f"did not say what it wants within {self._limits.capabilities_s:g} s"
            raise UnreachableError(why, where=str(connection.peer)) from None
        if packed:
            self._take(connection, packed)
        self._asked(connection)
        answer = self._record()
        await stream.write(encode_varint(len(answer)) + answer)

    def _take(self, connection: Connection, packed: bytes) -> None:
        if not self._paces.take(str(connection.peer), self._clock.monotonic()):
            raise PeerFaultError("pushes too often what it offers", rule="capabilities-push", score=_SCORE)
        self._heard(read_record(packed, connection.peer, self._clock.wall_ms(), self._limits))
