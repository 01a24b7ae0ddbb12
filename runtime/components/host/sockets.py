"""`orlop:ext-network/socket`: TCP and UDP sockets, over IPv4 and IPv6; nothing else exists."""

import select
import socket
import time
from typing import Final

from runtime.components.bindings.ext_network_types import (
    AddressFamily,
    Protocol,
    Readiness,
    ReadinessFlag,
    ReceiveResult,
    SendResult,
    ShutdownHow,
    SocketAddress,
    SocketOptions,
    SocketType,
)
from runtime.components.host.context import Context
from runtime.components.host.endpoints import Endpoint, destination, local_endpoint
from runtime.components.host.held_sockets import HeldSocket
from runtime.components.host.links import CHUNK, DATAGRAM_MAX, Link
from runtime.components.host.network_answers import NetworkRefusedError, answering
from runtime.components.host.reach import Reach
from runtime.components.host.socket_options import check_options, read_options, set_options
from runtime.components.permissions import Decision, Policy
from runtime.components.permissions.addresses import canonical

__all__ = ["OpenSocket", "Sockets", "permit"]

_BACKLOG_MAX: Final = 128
_FAMILIES: Final = {"ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}
_KINDS: Final = {"tcp-stream": socket.SOCK_STREAM, "udp-datagram": socket.SOCK_DGRAM}
_PROTOCOLS: Final = {"tcp-stream": "tcp", "udp-datagram": "udp"}
_HALVES: Final = {"read": socket.SHUT_RD, "write": socket.SHUT_WR, "both": socket.SHUT_RDWR}
_EVERYWHERE: Final = "0.0.0.0"  # noqa: S104 - asked of the policy


def permit(context: Context, decision: Decision, target: str) -> None:
    """Goes on only where the policy allows.

    Raises:
        NetworkRefusedError: `permission-denied`.
    """
    if not context.allow(decision, target):
        raise NetworkRefusedError("permission-denied", decision.reason)


class Sockets:
    """The operations of one instance.

    Args:
        context: whose they are.
        reach: whom it may speak to by address.
    """

    def __init__(self, context: Context, reach: Reach) -> None:
        self._context = context
        self._reach = reach

    @answering
    def create_socket(self, address_family: AddressFamily, socket_type: SocketType, protocol: Protocol) -> "OpenSocket":
        """Makes a socket."""
        if protocol != _PROTOCOLS[socket_type]:
            raise NetworkRefusedError("invalid-argument", f"{protocol} is not the protocol of {socket_type}")
        decision = self._context.policy.any_network()
        permit(self._context, decision, f"{protocol} {address_family}")
        return self._make(_FAMILIES[address_family], _KINDS[socket_type], decision.rule)

    def make_stream(self, family: socket.AddressFamily, rule: str | None) -> "OpenSocket":
        """Makes a TCP socket with a handle.

        Raises:
            HandleLimitError: too many are open.
            OSError: the system has none.
        """
        return self._make(family, socket.SOCK_STREAM, rule)

    def _make(self, family: socket.AddressFamily, kind: socket.SocketKind, rule: str | None) -> "OpenSocket":
        self._context.handles.room("socket")
        link = Link(self._context, socket.socket(family, kind))
        if family == socket.AF_INET6:
            # IPv4 addresses have sockets of their own, unless the guest asks for one for both.
            link.set(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made = OpenSocket(self._context, link, self._reach)
        self._context.handles.add("socket", made, rule, made.holds)
        return made


class OpenSocket(HeldSocket):
    """A socket that a guest holds.

    Args:
        context: whose it is.
        link: the socket of the system.
        reach: whom it may speak to by address.
    """

    def __init__(self, context: Context, link: Link, reach: Reach) -> None:
        super().__init__(context, link)
        self._reach = reach

    @answering
    def bind(self, address: SocketAddress) -> None:
        """Sets the local address."""
        self.here()
        if self.state != "created":
            raise NetworkRefusedError("invalid-state", f"the socket is {self.state}")
        self._bind(local_endpoint(address, self.link.sock.family))

    @answering
    def listen(self, backlog: int) -> None:
        """Starts to accept connections."""
        self._may_listen("listen")
        if not self.link.stream:
            raise NetworkRefusedError("unsupported", "listening is for TCP")
        if self.asked is None or self.state not in {"bound", "listening"}:
            raise NetworkRefusedError("invalid-state", f"the socket is {self.state}; bind it first")
        self.link.sock.listen(min(backlog, _BACKLOG_MAX))
        self.state = "listening"

    @answering
    def accept(self, timeout: int) -> "OpenSocket":
        """The next connection."""
        decision = self._may_listen("accept")
        if self.asked is None or self.state != "listening":
            raise NetworkRefusedError("invalid-state", f"the socket is {self.state}, not listening")
        self.context.handles.room("socket")
        sock, peer = self._next_connection(timeout)
        refused = self._refused(peer)
        if refused is not None:
            sock.close()
            permit(self.context, refused, f"accept {peer}")
        accepted = OpenSocket(self.context, Link(self.context, sock), self._reach)
        accepted.require(lambda policy: self.holds(policy) and policy.denied_peer(peer.ip, peer.port) is None)
        accepted.connected(peer, None)
        self.context.handles.add("socket", accepted, decision.rule, accepted.holds)
        return accepted

    @answering
    def get_socket_options(self) -> SocketOptions:
        """All options."""
        self.here()
        return read_options(self.link)

    @answering
    def set_socket_options(self, options: SocketOptions) -> None:
        """Changes those that are given."""
        self.here()
        check_options(self.link, options, fresh=self.state == "created")
        if options.reuse_port:
            decision = self.context.policy.any_inbound() if self.asked is None else self._inbound(self.asked)
            permit(self.context, decision, f"reuse-port {self.asked or ''}".rstrip())
        set_options(self.link, options)

    @answering
    def send(self, data: bytes) -> SendResult:
        """What fits now."""
        self.speaking()
        _check_datagram(self.link, data)
        taken = self.link.send(memoryview(data)[:CHUNK])
        if data and not taken:
            raise NetworkRefusedError("would-block", "no room now")
        return SendResult(taken)

    @answering
    def send_to(self, data: bytes, address: SocketAddress) -> SendResult:
        """One datagram."""
        self.here()
        if self.link.stream:
            raise NetworkRefusedError("unsupported", "datagrams are for UDP")
        if self.peer is not None:
            raise NetworkRefusedError("already-connected", f"to {self.peer}; use send")
        to = destination(address, self.link.sock.family)
        _check_datagram(self.link, data)
        permit(self.context, self._reach.by_address(to).decision, f"udp {to}")
        try:
            self.link.send_datagram(data, to)
        except PermissionError:
            raise NetworkRefusedError("unsupported", f"{to.ip}: broadcast is not supported") from None
        return SendResult(len(data))

    @answering
    def receive(self, max_bytes: int, timeout: int) -> ReceiveResult:
        """Some bytes of the peer."""
        self.listening_to_peer()
        until = self.link.until(timeout, self.link.manner.read_ms)
        if not self.link.stream:
            return self._datagram(max_bytes, timeout, until)
        data = self.link.receive(_size(max_bytes), self._patience(until))
        if data is None:
            raise self._in_vain(timeout)
        return ReceiveResult(data, None, end_of_stream=not data, truncated=False)

    @answering
    def receive_from(self, max_bytes: int, timeout: int) -> ReceiveResult:
        """One datagram with its sender."""
        self.here()
        if self.link.stream:
            raise NetworkRefusedError("unsupported", "datagrams are for UDP")
        if not self.link.sock.getsockname()[1]:
            raise NetworkRefusedError("invalid-state", "bind, connect or send first")
        return self._datagram(max_bytes, timeout, self.link.until(timeout, self.link.manner.read_ms))

    @answering
    def send_all(self, data: bytes, timeout: int) -> None:
        """Sends everything."""
        self.speaking()
        _check_datagram(self.link, data)
        if len(data) > CHUNK:
            raise NetworkRefusedError("message-too-large", "at most 1 MiB at once")
        until = self._patience(self.link.until(timeout, self.link.manner.write_ms))
        if not self.link.send_all(memoryview(data), until):
            raise self._in_vain(timeout)

    @answering
    def receive_all(self, max_bytes: int, timeout: int) -> ReceiveResult:
        """Bytes until there are enough, the peer closes or the time is over."""
        self.listening_to_peer()
        if not self.link.stream:
            raise NetworkRefusedError("unsupported", "a stream is needed; use receive-from")
        size, until = _size(max_bytes), self._patience(self.link.until(timeout, self.link.manner.read_ms))
        data = bytearray()
        while len(data) < size:
            piece = self.link.receive(size - len(data), until)
            if not piece:
                self.after_wait()
                return ReceiveResult(bytes(data), None, end_of_stream=piece is not None, truncated=False)
            data += piece
        return ReceiveResult(bytes(data), None, end_of_stream=False, truncated=False)

    @answering
    def poll(self, interest: Readiness, timeout: int) -> Readiness:
        """Waits until something can be done."""
        self.here()
        events = select.POLLIN * ("readable" in interest) | select.POLLOUT * ("writable" in interest)
        if "readable" in interest and self.link.channel.pending:
            return frozenset({"readable"})
        happened = self.link.wait(events, self.link.until(timeout))
        self.after_wait()
        if self.state == "connecting" and happened:
            self.settle()
        found: dict[int, ReadinessFlag] = {
            select.POLLIN: "readable",
            select.POLLOUT: "writable",
            select.POLLHUP: "hang-up",
            select.POLLERR: "failed",
        }
        return frozenset(flag for event, flag in found.items() if happened & event)

    @answering
    def get_local_address(self) -> SocketAddress:
        """The own address."""
        self.here()
        local = self.local
        if not local.port:
            raise NetworkRefusedError("invalid-state", "the socket is neither bound nor connected")
        return local.for_guest()

    @answering
    def get_remote_address(self) -> SocketAddress:
        """The peer's address."""
        self.here()
        if self.peer is None:
            raise NetworkRefusedError("not-connected", "there is no peer")
        return self.peer.for_guest()

    @answering
    def shutdown(self, how: ShutdownHow) -> None:
        """Closes one half, or both."""
        self.here()
        self.must_have_peer()
        if how in {"write", "both"} and not self.write_ended:
            self.link.channel.end_writing()
            self.write_ended = True
        if how != "write":
            self.link.sock.shutdown(_HALVES[how])
            self.link.peer_ended = True
        self.state = "closing"

    @answering
    def close_socket(self) -> None:
        """Closes."""
        self.here()
        self.close("closed")

    def _patience(self, until: float) -> float:
        return 0.0 if self.link.manner.non_blocking else until

    def _in_vain(self, timeout: int) -> NetworkRefusedError:
        self.after_wait()
        if self.link.manner.non_blocking or not timeout:
            return NetworkRefusedError("would-block", "not now")
        return NetworkRefusedError("timeout", "the time is over")

    def _bind(self, at: Endpoint) -> None:
        permit(self.context, self._inbound(at), f"bind {at}")
        self.settle_at(at)
        self.asked = at
        self.require(lambda policy: self._inbound_by(policy, at).allowed)

    def _may_listen(self, what: str) -> Decision:
        """Asks for the right first: who was taken it is told so, not that the socket is closed.

        Raises:
            NetworkRefusedError: `permission-denied` or `closed`.
        """
        decision = self.context.policy.any_inbound()
        if self.asked is not None:
            decision = self._inbound(self.asked)
            permit(self.context, decision, f"{what} {self.asked}")
        self.here()
        return decision

    def _inbound(self, at: Endpoint) -> Decision:
        return self._inbound_by(self.context.policy, at)

    def _inbound_by(self, policy: Policy, at: Endpoint) -> Decision:
        decision = policy.inbound(at.ip, at.port)
        if not decision.allowed or at.family != socket.AF_INET6 or not at.ip.is_unspecified or self.ended:
            return decision
        # All of IPv6 is all of IPv4 too, where the socket is for both.
        both = not self.link.sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
        return policy.inbound(_EVERYWHERE, at.port) if both else decision

    def _next_connection(self, timeout: int) -> tuple[socket.socket, Endpoint]:
        until = self._patience(self.link.until(timeout, self.link.manner.read_ms))
        while True:
            try:
                sock, peer = self.link.sock.accept()
            except BlockingIOError:
                if not self.link.wait(select.POLLIN, until) or time.monotonic() >= until:
                    raise self._in_vain(timeout) from None
            except ConnectionAbortedError:
                # It came and went before it was taken.
                continue
            else:
                return sock, Endpoint.from_system(peer)

    def _refused(self, peer: Endpoint) -> Decision | None:
        return self.context.policy.denied_peer(peer.ip, peer.port)

    def _datagram(self, max_bytes: int, timeout: int, until: float) -> ReceiveResult:
        until = self._patience(until)
        size = _size(max_bytes)
        while True:
            found = self.link.receive_datagram(size, until)
            if found is None:
                raise self._in_vain(timeout)
            data, sender, truncated = found
            if self._welcome(sender):
                return ReceiveResult(data, sender.for_guest(), end_of_stream=False, truncated=truncated)
            if time.monotonic() >= until:
                raise self._in_vain(timeout)

    def _welcome(self, sender: Endpoint) -> bool:
        """Whether a datagram of a sender is for the component: it listens, or it may speak to the sender."""
        if self.peer is not None:
            return canonical(self.peer.ip) == canonical(sender.ip) and self.peer.port == sender.port
        if self.asked is not None:
            return self._refused(sender) is None
        return self._reach.by_address(sender).decision.allowed


def _size(max_bytes: int) -> int:
    if not max_bytes:
        raise NetworkRefusedError("invalid-argument", "max-bytes is at least 1")
    return min(max_bytes, CHUNK)


def _check_datagram(link: Link, data: bytes) -> None:
    if not link.stream and len(data) > DATAGRAM_MAX:
        raise NetworkRefusedError("message-too-large", f"a datagram is at most {DATAGRAM_MAX:,} bytes")
