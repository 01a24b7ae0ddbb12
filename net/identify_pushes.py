"""Telling connected peers at once what this node says of itself when that changes, and hearing the same of them.

What changed within a moment is told together, and the next time ten seconds later at the earliest; what is the same as
before is not told. Who pushes faster than that for long is counted against.
"""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Sequence
from typing import Final

from net.bucket import Buckets
from net.errors import PeerFaultError
from net.identify import Identify, encode_identify, hears_pushes, push
from net.limits import NetLimits
from net.stream import Connection, Stream
from runtime.errors import OrlopError

__all__ = ["IdentifyPushes"]

_SCORE: Final = 10
_AT_ONCE: Final = 16


class IdentifyPushes:
    """Both sides of `/ipfs/id/push/1.0.0` for one host.

    Args:
        limits: the table.
        now: monotonic seconds.
        describe: what this node says of itself now.
        connections: all that stand.
        begin: runs a task that the host ends with itself.
        told: is given what a peer has pushed.
    """

    def __init__(
        self,
        limits: NetLimits,
        *,
        now: Callable[[], float],
        describe: Callable[[], Identify],
        connections: Callable[[], Sequence[Connection]],
        begin: Callable[[Coroutine[None, None, None]], None],
        told: Callable[[Connection, Identify], None],
    ) -> None:
        self._limits = limits
        self._now = now
        self._describe = describe
        self._connections = connections
        self._begin = begin
        self._hear = hears_pushes(told, limits)
        self._paces = Buckets(limits.pushes_rate, limits.pushes_burst, limits.peers_remembered)
        self._timer: asyncio.TimerHandle | None = None
        self._said = b""
        self._said_at = float("-inf")

    async def serve(self, connection: Connection, stream: Stream) -> None:
        """A peer tells what changed; a `net.stream.Handler`.

        Raises:
            PeerFaultError: it does so too often, or what it says is not of itself.
            UnreachableError: it did not say it in time.
        """
        if not self._paces.take(str(connection.peer), self._now()):
            raise PeerFaultError("pushes too often what it is", rule="identify-push", score=_SCORE)
        await self._hear(connection, stream)

    def changed(self) -> None:
        """Something of what this node says of itself may have changed."""
        if not self._connections():
            self._said = self._words()  # whoever connects later asks
            return
        if self._timer is not None:
            return
        wait_s = max(self._limits.push_settle_s, self._said_at + self._limits.push_apart_s - self._now())
        self._timer = asyncio.get_running_loop().call_later(wait_s, self._tell)

    def close(self) -> None:
        """Tells nothing more."""
        if self._timer is not None:
            self._timer.cancel()

    def _tell(self) -> None:
        self._timer = None
        words = self._words()
        if words == self._said:
            return
        self._said, self._said_at = words, self._now()
        self._begin(self._tell_all())

    async def _tell_all(self) -> None:
        own, turns = self._describe(), asyncio.Semaphore(_AT_ONCE)

        async def tell(connection: Connection) -> None:
            async with turns:
                with contextlib.suppress(OrlopError):  # it is gone, or does not listen to that
                    await push(connection, own, self._limits)

        await asyncio.gather(*(tell(connection) for connection in self._connections()))

    def _words(self) -> bytes:
        return encode_identify(self._describe(), self._limits)
