"""Pools of connections: live ones are kept for a while and used again, to the same address only."""

import time
from typing import Final

from runtime.components.bindings.ext_network_socket import SocketHandle
from runtime.components.bindings.ext_network_types import PoolStats, SocketAddress
from runtime.components.host.context import Context
from runtime.components.host.dialing import dial
from runtime.components.host.endpoints import Endpoint, destination
from runtime.components.host.links import Manner
from runtime.components.host.network_answers import NetworkRefusedError, answering
from runtime.components.host.reach import Reach, Way
from runtime.components.host.sockets import OpenSocket, Sockets, permit
from runtime.components.permissions import Policy

__all__ = ["CONNECTIONS_MAX", "IDLE_MAX_MS", "ConnectionPool"]

CONNECTIONS_MAX: Final = 16
IDLE_MAX_MS: Final = 300_000
"""How long a connection is kept without use at most, in milliseconds."""


class ConnectionPool:
    """A pool that a guest holds.

    Args:
        context: whose it is.
        sockets: makes them.
        reach: whom it may speak to by address.
        most: connections, kept and given out.
        connect_ms: for each that is made.
        idle_ms: how long one is kept.
    """

    def __init__(
        self, context: Context, sockets: Sockets, reach: Reach, *, most: int, connect_ms: int, idle_ms: int
    ) -> None:
        self._context = context
        self._sockets = sockets
        self._reach = reach
        self._most = most
        self._connect_ms = connect_ms
        self._idle_s = idle_ms / 1000
        self._idle: dict[OpenSocket, float] = {}
        self._borrowed: set[OpenSocket] = set()
        self._ended = ""

    @answering
    def pool_acquire(self, address: SocketAddress, timeout: int) -> OpenSocket:
        """A connection to an address."""
        self._here()
        to = destination(address, None)
        way = self._reach.by_address(to)
        permit(self._context, way.decision, f"tcp {to}")
        given = self._kept(to) or self._made(to, way, timeout)
        self._borrowed.add(given)
        return given

    @answering
    def pool_release(self, socket: SocketHandle) -> None:
        """Takes a connection back, and keeps it if it can be used again."""
        own = socket if isinstance(socket, OpenSocket) and socket in self._borrowed else None
        if own is None or self._ended or not _reusable(own):
            socket.end("closed")
            self._here()
            if own is None:
                raise NetworkRefusedError("invalid-argument", "a socket of another pool, or of none; it is closed")
            return
        own.watch_silence(0)
        own.link.manner = Manner()
        self._borrowed.discard(own)
        self._idle[own] = time.monotonic() + self._idle_s
        self._context.handles.hold("socket", 1)
        self._look_at_idle()

    @answering
    def pool_stats(self) -> PoolStats:
        """What there is; nobody waits, since a component does one thing at a time."""
        self._here()
        kept = len(self._idle)
        return PoolStats(open=kept + len(self._borrowed), idle=kept, waiting=0, max_connections=self._most)

    @answering
    def close_pool(self) -> None:
        """Closes what is kept; what is given out when it comes back."""
        self._here()
        self._context.handles.closed(self)
        self.end("closed")

    def end(self, why: str) -> None:
        """Closes what is kept."""
        self._ended = self._ended or why
        for kept in list(self._idle):
            kept.end(why)
        self._context.alarms.clear(self)

    def holds(self, policy: Policy) -> bool:
        """Whether a policy would still open a pool; what is kept and it would not allow is closed."""
        for kept in [kept for kept in self._idle if not kept.holds(policy)]:
            kept.end("the permission that opened it was taken back")
        return policy.any_outbound().allowed

    def _here(self) -> None:
        if self._ended:
            raise NetworkRefusedError("closed", self._ended)

    def _kept(self, to: Endpoint) -> OpenSocket | None:
        for kept in [kept for kept in self._idle if kept.peer == to]:
            if not _reusable(kept):
                kept.end("closed")
                continue
            self._forget_idle(kept)
            decision = self._reach.by_address(to).decision
            self._context.handles.add("socket", kept, decision.rule, kept.holds)
            return kept
        return None

    def _made(self, to: Endpoint, way: Way, timeout: int) -> OpenSocket:
        if len(self._idle) + len(self._borrowed) >= self._most:
            oldest = min(self._idle, key=self._idle.__getitem__, default=None)
            if oldest is None:
                raise NetworkRefusedError("resource-exhausted", f"all {self._most} connections are given out")
            oldest.end("closed")
        made = self._sockets.make_stream(to.family, way.decision.rule)
        made.on_end = lambda: self._forget(made)
        try:
            dial(made, to, way, made.link.until(timeout, self._connect_ms or None))
        except BaseException:
            self._context.handles.drop(self._context.handles.number_of(made))
            raise
        return made

    def _forget(self, socket: OpenSocket) -> None:
        self._borrowed.discard(socket)
        self._forget_idle(socket)

    def _forget_idle(self, socket: OpenSocket) -> None:
        if self._idle.pop(socket, None) is not None:
            self._context.handles.hold("socket", -1)

    def _look_at_idle(self) -> None:
        for kept in [kept for kept, until in self._idle.items() if until <= time.monotonic()]:
            kept.end("closed")
        if self._idle:
            self._context.alarms.set(self, min(self._idle.values()), self._look_at_idle)


def _reusable(own: OpenSocket) -> bool:
    """Whether nothing of its last use is left in a connection."""
    return own.whole and own.plain and own.link.silent()
