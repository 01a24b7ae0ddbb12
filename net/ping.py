"""ping: 32 random bytes go out and come back, as often as one likes on one stream."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from typing import Final

from net.bucket import Bucket
from net.errors import PeerFaultError, UnreachableError
from net.limits import NetLimits
from net.peer_id import PeerId
from net.stream import Connection, Stream, finish, read_exactly

__all__ = ["PING", "PingAnswers", "ping", "round_trip"]

PING: Final = "/ipfs/ping/1.0.0"

_SIZE: Final = 32
_SCORE: Final = 20
_WITHIN_S: Final = 10.0
_BURST_S: Final = 10
"""Pings of so many seconds may come at once: who measures its way with a few dozen must not measure our pace."""
_LIMITS: Final = NetLimits()


async def ping(
    connection: Connection,
    *,
    within_s: float = _WITHIN_S,
    now: Callable[[], float] = time.monotonic,
    random_bytes: Callable[[int], bytes] = os.urandom,
) -> float:
    """Pings a peer once, on a stream of its own.

    Args:
        connection: to the peer.
        within_s: how long opening and answer may take.
        now: monotonic seconds.
        random_bytes: so many unpredictable ones.

    Returns:
        The seconds from the ping to its answer, without the opening of the stream.

    Raises:
        UnsupportedProtocolError: the peer does not answer pings.
        UnreachableError: no answer in time.
        ConnectionLostError: the connection ended.
        StreamResetError: the peer took the stream away.
        PeerFaultError: it answered with other bytes.
    """
    try:
        async with asyncio.timeout(within_s):
            stream = await connection.open(PING)
            try:
                took = await round_trip(stream, now=now, random_bytes=random_bytes)
            except BaseException:
                stream.reset()
                raise
    except TimeoutError:
        raise UnreachableError(f"did not answer within {within_s:g} s", where=str(connection.peer)) from None
    await finish(stream)
    return took


async def round_trip(
    stream: Stream, *, now: Callable[[], float] = time.monotonic, random_bytes: Callable[[int], bytes] = os.urandom
) -> float:
    """One ping on an open stream, which stays open for more.

    Args:
        stream: of the protocol `PING`.
        now: monotonic seconds.
        random_bytes: so many unpredictable ones.

    Returns:
        The seconds until the answer was there.

    Raises:
        StreamResetError: the peer took the stream away, or ended it.
        PeerFaultError: it answered with other bytes.
    """
    sent = random_bytes(_SIZE)
    began = now()
    await stream.write(sent)
    answer = await read_exactly(stream, _SIZE)
    took = now() - began
    if answer != sent:
        raise PeerFaultError("answered a ping with other bytes", rule="ping", score=_SCORE)
    return took


class PingAnswers:
    """Serves `PING`: a `net.stream.Handler`. A peer has one stream; a new one takes the place of the one before.

    Who pings faster than the limit, and for longer than a burst, is answered later, and waits by the stream's window.

    Args:
        limits: pings a second.
        now: monotonic seconds.
        sleep: waits.
    """

    def __init__(
        self,
        limits: NetLimits = _LIMITS,
        *,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._rate = limits.pings_rate
        self._now = now
        self._sleep = sleep
        self._streams: dict[PeerId, Stream] = {}

    async def __call__(self, connection: Connection, stream: Stream) -> None:
        """Answers until the peer ends the stream."""
        before = self._streams.get(connection.peer)
        if before is not None:
            before.reset()
        self._streams[connection.peer] = stream
        try:
            await self._answer(stream)
        finally:
            if self._streams.get(connection.peer) is stream:
                del self._streams[connection.peer]

    async def _answer(self, stream: Stream) -> None:
        bucket = Bucket(self._rate, self._rate * _BURST_S)
        while head := await stream.read(_SIZE):
            rest = await read_exactly(stream, _SIZE - len(head))
            while not bucket.take(self._now()):
                await self._sleep(1 / self._rate)
            await stream.write(head + rest)
