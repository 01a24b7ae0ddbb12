"""What the host knows of a socket that a guest holds: its life, its peer, and what it was allowed for."""

import os
import socket
import time
from collections.abc import Callable

from runtime.components.bindings.ext_network_types import ConnectionState
from runtime.components.host.channels import Plain
from runtime.components.host.context import Context
from runtime.components.host.endpoints import Endpoint
from runtime.components.host.links import Link
from runtime.components.host.network_answers import NetworkRefusedError, refusal_of
from runtime.components.host.reach import Way
from runtime.components.permissions import Policy

__all__ = ["HeldSocket"]


class HeldSocket:
    """A socket that a guest holds.

    Args:
        context: whose it is.
        link: the socket of the system.

    Attributes:
        context: whose it is.
        link: the socket of the system.
        state: where it is in its life.
        ended: why it is closed; empty while it is open.
        asked: where it was bound to, as the guest asked; None while it is not.
        write_ended: this half is shut.
        way: by what its peer was allowed; None before.
        peer: the other end; None before.
        since: monotonic seconds and nanoseconds since 1970 of when it was connected.
        on_end: told when it ends.
    """

    def __init__(self, context: Context, link: Link) -> None:
        self._needs: list[Callable[[Policy], bool]] = []
        self.context = context
        self.link = link
        self.state: ConnectionState = "created"
        self.ended = ""
        self.asked: Endpoint | None = None
        self.write_ended = False
        self.way: Way | None = None
        self.peer: Endpoint | None = None
        self.since = (0.0, 0)
        self.on_end: Callable[[], None] = _nothing

    @property
    def local(self) -> Endpoint:
        """Where it is.

        Raises:
            OSError: it is closed.
        """
        return Endpoint.from_system(self.link.sock.getsockname())

    @property
    def whole(self) -> bool:
        """Whether it is connected in both directions."""
        return self.state == "connected" and not self.link.peer_ended

    @property
    def plain(self) -> bool:
        """Whether there is no TLS."""
        return isinstance(self.link.channel, Plain)

    def end(self, why: str) -> None:
        """Closes; later operations answer why."""
        if self.ended:
            return
        self.ended = why
        self.state = "closed"
        self.context.alarms.clear(self)
        self.link.close()
        self.on_end()

    def close(self, why: str) -> None:
        """Closes, and gives its place to another."""
        self.context.handles.closed(self)
        self.end(why)

    def holds(self, policy: Policy) -> bool:
        """Whether a policy would still allow what it is and what it was connected or bound for."""
        needs = self._needs if self.way is None else [*self._needs, self.way.holds]
        return policy.any_network().allowed and all(need(policy) for need in needs)

    def here(self) -> None:
        """Checks that it is open; the record names it.

        Raises:
            NetworkRefusedError: `closed`.
        """
        self.context.note(target=self.target)
        if self.ended:
            raise NetworkRefusedError("closed", self.ended)

    @property
    def target(self) -> str:
        """What records call it."""
        return f"{'tcp' if self.link.stream else 'udp'} {self.peer or self.asked or 'socket'}"

    def after_wait(self) -> None:
        """Closes what was silent for too long, itself perhaps.

        Raises:
            NetworkRefusedError: `closed`.
        """
        self.context.alarms.run()
        self.here()

    def connected(self, peer: Endpoint, way: Way | None) -> None:
        """It has a peer now.

        Args:
            peer: the other end.
            way: by what it was allowed; None when the peer came.
        """
        self.peer, self.way, self.state = peer, way, "connected"
        self.since = (time.monotonic(), time.time_ns())

    def require(self, need: Callable[[Policy], bool]) -> None:
        """It is closed once this does not hold any more."""
        self._needs.append(need)

    def settle(self) -> None:
        """A connection that was begun is there, or failed.

        Raises:
            OSError: why it failed; a new socket has taken its place.
        """
        code = self.link.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self.begin_anew()
            raise OSError(code, os.strerror(code))
        if self.peer is not None:
            self.connected(self.peer, self.way)

    def begin_anew(self) -> None:
        """Puts a new socket in the place of one that could not connect, at the same local address."""
        self.peer = self.way = None
        try:
            self.link.renew()
            self.state = "created"
            if self.asked is not None:
                self.settle_at(self.asked)
        except OSError as error:
            self.close(f"it could not begin anew: {refusal_of(error).text}")

    def speaking(self) -> None:
        """Checks that something can be sent to its peer.

        Raises:
            NetworkRefusedError: `closed`, `not-connected` or `invalid-state`.
        """
        self.here()
        self.must_have_peer()
        if self.write_ended:
            raise NetworkRefusedError("invalid-state", "shut down for writing")

    def listening_to_peer(self) -> None:
        """Checks that something can come from its peer.

        Raises:
            NetworkRefusedError: `closed` or `not-connected`.
        """
        self.here()
        self.must_have_peer()

    def watch_silence(self, timeout_ms: int) -> None:
        """Closes it once nothing has moved for so long; 0 for never."""
        self.link.idle = timeout_ms / 1000 if timeout_ms else None
        self.link.last = time.monotonic()
        self._look_at_silence()

    def _look_at_silence(self) -> None:
        idle = self.link.idle
        if idle is None:
            self.context.alarms.clear(self)
        elif self.link.last + idle > time.monotonic():
            self.context.alarms.set(self, self.link.last + idle, self._look_at_silence)
        else:
            self.close(f"nothing moved for {round(idle * 1000)} ms")

    def must_have_peer(self) -> None:
        """Checks that it is connected.

        Raises:
            NetworkRefusedError: `not-connected`.
        """
        if self.state == "connecting":
            raise NetworkRefusedError("not-connected", "still connecting; poll until it is writable")
        if self.peer is None:
            raise NetworkRefusedError("not-connected", "there is no peer")

    def settle_at(self, at: Endpoint) -> None:
        """Binds it.

        Raises:
            OSError: the address cannot be had.
        """
        self.link.sock.bind(at.for_system())
        self.state = "bound"


def _nothing() -> None:
    """Nobody wants to know."""
