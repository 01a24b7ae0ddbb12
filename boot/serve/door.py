"""Connections of a boot server: counted, bounded by address, and each with little time to say what it wants."""

import asyncio
import logging
from collections import Counter
from typing import Final

from aiohttp import web

from boot.serve.limits import ServeLimits
from net.prefix import is_loopback, prefix_of

__all__ = ["Door", "Doorman"]

_SILENT: Final = logging.getLogger("orlop.boot.access")
_SILENT.disabled = True  # it would write what strangers send

_BUSY: Final = b'{"error":"too many connections","v":1}\n'
_REFUSAL: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nConnection: close\r\nRetry-After: 5\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(_BUSY), _BUSY)
)


class Doorman:
    """Who may come in.

    Args:
        limits: how many.
    """

    def __init__(self, limits: ServeLimits) -> None:
        self.limits = limits
        self.inside = 0
        self._by_address: Counter[str] = Counter()

    def enter(self, host: str) -> str | None:
        """Somebody comes.

        Args:
            host: from where.

        Returns:
            What to give to `leave`; None where there is no room.
        """
        who = prefix_of(host)
        free = is_loopback(host) and not self.limits.loopback
        if self.inside >= self.limits.connections or (not free and self._by_address[who] >= self.limits.per_address):
            return None
        self.inside += 1
        self._by_address[who] += 1
        return who

    def leave(self, who: str) -> None:
        """Somebody who came in goes."""
        self.inside -= 1
        self._by_address[who] -= 1
        if not self._by_address[who]:
            del self._by_address[who]


class Door(web.RequestHandler):
    """One connection."""

    __slots__ = ("_doorman", "_patience", "_who")

    def __init__(self, server: web.Server, doorman: Doorman) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(server, loop=loop, access_log=_SILENT, keepalive_timeout=1.0, lingering_time=1.0)
        self._doorman = doorman
        self._who: str | None = None
        self._patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Lets somebody in, or says that there is no room."""
        if not isinstance(transport, asyncio.Transport):
            transport.close()
            return
        self._who = self._doorman.enter(str((transport.get_extra_info("peername") or ("",))[0]))
        super().connection_made(transport)
        if self._who is None:
            transport.write(_REFUSAL)
            transport.close()
            return
        loop = asyncio.get_running_loop()
        self._patience = loop.call_later(self._doorman.limits.head_s, transport.abort)

    def asked(self) -> None:
        """The head of a request is there."""
        if self._patience is not None:
            self._patience.cancel()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Somebody went."""
        self.asked()
        if self._who is not None:
            self._doorman.leave(self._who)
            self._who = None
        super().connection_lost(exc)
