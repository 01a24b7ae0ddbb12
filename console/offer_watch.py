"""Tells peers that have asked what this node offers when that changes: by a tenth, at most every ten seconds."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

from net.capabilities.exchange import push
from net.capabilities.measured import Measured
from net.capabilities.record import Offered, worth_telling
from net.limits import NetLimits
from net.stream import Connection
from runtime.errors import OrlopError

__all__ = ["OfferWatch"]

_EVERY_S: Final = 10.0
_AT_ONCE: Final = 16


class OfferWatch:
    """Watches for one core. Belongs to its loop.

    Args:
        now: what the machine has and what is offered, now.
        packed: the same as a signed record.
        every_s: seconds from one look to the next.
        limits: how long a peer may take to hear of it.
    """

    def __init__(
        self,
        now: Callable[[], tuple[Measured, Offered]],
        packed: Callable[[], bytes],
        *,
        every_s: float = _EVERY_S,
        limits: NetLimits = NetLimits(),
    ) -> None:
        self._now = now
        self._packed = packed
        self._every_s = every_s
        self._limits = limits
        self._asked: dict[Connection, None] = {}
        self._told: tuple[Measured, Offered] | None = None
        self._told_at = float("-inf")

    def asked(self, connection: Connection) -> None:
        """Who is there has been told the record: it hears of changes as long as the connection stands."""
        self._forget_closed()
        if not self._asked:
            self._told = self._now()
        self._asked[connection] = None

    async def run(self) -> None:
        """Looks again and again; does not return."""
        while True:
            await asyncio.sleep(self._every_s)
            await self.look()

    async def look(self) -> None:
        """Tells of a change, if there is one, somebody to tell, and nothing was told a moment ago."""
        self._forget_closed()
        moment = asyncio.get_running_loop().time()
        if not self._asked or moment - self._told_at < self._every_s:
            return
        now = self._now()
        if self._told is not None and not worth_telling(*self._told, *now):
            return
        self._told, self._told_at = now, moment
        packed, turns = self._packed(), asyncio.Semaphore(_AT_ONCE)

        async def tell(connection: Connection) -> None:
            async with turns:
                with contextlib.suppress(OrlopError):  # it is gone, or does not listen
                    await push(connection, packed, self._limits)

        await asyncio.gather(*(tell(connection) for connection in tuple(self._asked)))

    def _forget_closed(self) -> None:
        for connection in [one for one in self._asked if one.closed]:
            del self._asked[connection]
