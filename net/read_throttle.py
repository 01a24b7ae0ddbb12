"""Reads from a socket no more than there is room for; and no crumbs that each cost as much as a loaf."""

import asyncio
from collections.abc import Callable
from typing import Final

from net.limits import NetLimits
from net.wire import NOISE_FRAME_MAX, Wire
from net.yamux import Yamux

__all__ = ["ReadThrottle"]

_MANY: Final = 256
_CRUMBS: Final = 8192


class ReadThrottle:
    """Stops the socket of one connection, and lets it go on, by what its session has unread.

    Args:
        wire: the socket.
        mux: the session.
        limits: the table.
        overfull: told of the stream of which most is unread, when nothing was read for too long.
    """

    def __init__(self, wire: Wire, mux: Yamux, limits: NetLimits, overfull: Callable[[int], None]) -> None:
        self._wire = wire
        self._mux = mux
        self._limits = limits
        self._overfull = overfull
        self._events = 0
        """What the last bytes that were read came to."""
        self._stuck: asyncio.TimerHandle | None = None
        """When to look whether anything was read, while we do not read from the socket."""
        self._stopped = False

    @property
    def room(self) -> int:
        """Bytes that may be read at once: few after a read that was full of crumbs, each of which costs as a loaf."""
        return _CRUMBS if self._events > _MANY else max(self._mux.room, NOISE_FRAME_MAX)

    def begin(self) -> None:
        """Bytes were read."""
        self._events = 0

    def came(self, events: int) -> None:
        """They came to so many events more."""
        self._events += events

    def look(self) -> None:
        """Reads from the socket while there is room for what it may give."""
        reading = self._mux.room > 0
        if reading == self._wire.reading or self._stopped:
            return
        self._wire.read_on(reading=reading)
        if not reading:
            self._look_later()
        elif self._stuck is not None:
            self._stuck.cancel()

    def stop(self) -> None:
        """The connection is of no more use."""
        self._stopped = True
        if self._stuck is not None:
            self._stuck.cancel()

    def _look_later(self) -> None:
        self._stuck = asyncio.get_running_loop().call_later(self._limits.unread_s, self._unstick, self._mux.unread)

    def _unstick(self, unread: int) -> None:
        """Resets the fullest stream when nothing was read for long.

        While we do not read from the socket we do not hear of credit either. A handler that reads only after it has
        written, and waits for credit to write, would wait for ever.
        """
        fullest = self._mux.fullest
        if self._mux.unread >= unread and fullest is not None:
            self._overfull(fullest)
        if self._stopped:
            return
        self._look_later()
        self.look()
