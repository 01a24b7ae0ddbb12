"""`orlop:ext-network/connection`: connections by address and by name, pools, names, TLS and statistics.

A name is resolved once: its answers are filtered by the policy, and the very addresses that are left are dialled.
Nothing is resolved again, so a resolver that changes its mind gains nothing.
"""

import select
import time
from typing import Final

from runtime.components.bindings.core_types import Timestamp
from runtime.components.bindings.ext_network_socket import SocketHandle
from runtime.components.bindings.ext_network_types import (
    AddressInfo,
    ConnectionInfo,
    ConnectionStats,
    HostnameResolution,
    SocketAddress,
    TlsInfo,
    TlsOptions,
)
from runtime.components.host.context import Context
from runtime.components.host.dialing import TRIES_MAX, dial, dial_again
from runtime.components.host.endpoints import Endpoint, address_of, destination, is_one_host
from runtime.components.host.links import Link
from runtime.components.host.names import Names
from runtime.components.host.network_answers import NetworkRefusedError, answering
from runtime.components.host.pools import CONNECTIONS_MAX, IDLE_MAX_MS, ConnectionPool
from runtime.components.host.reach import Reach
from runtime.components.host.socket_options import keep_alive
from runtime.components.host.sockets import OpenSocket, Sockets, permit
from runtime.components.host.tcp_info import tcp_info
from runtime.components.host.tls import Tls, tls_context
from runtime.components.permissions import Decision
from runtime.components.permissions.addresses import Address
from runtime.components.permissions.errors import InvalidRequestError
from runtime.components.permissions.hosts import normalise_host

__all__ = ["Connections"]

_SECOND: Final = 1_000_000_000


class Connections:
    """The operations of one instance.

    Args:
        context: whose they are.
        sockets: makes them.
        reach: whom it may speak to by address.
        names: asks the resolver.
    """

    def __init__(self, context: Context, sockets: Sockets, reach: Reach, names: Names) -> None:
        self._context = context
        self._sockets = sockets
        self._reach = reach
        self._names = names

    @answering
    def connect(self, socket: SocketHandle, address: SocketAddress, timeout: int) -> None:
        """Connects to an address."""
        own, to = _connectable(socket, address)
        way = self._reach.by_address(to)
        permit(self._context, way.decision, f"{_kind(own.link)} {to}")
        dial(own, to, way, own.link.until(timeout, own.link.manner.connect_ms))

    @answering
    def connect_host(self, hostname: str, port: int, timeout: int) -> OpenSocket:
        """Connects to a name, by the addresses that were checked."""
        if not port:
            raise NetworkRefusedError("invalid-port", "port 0 is no destination")
        host = _host(hostname)
        until = time.monotonic() + self._context.time_left(timeout)
        permit(self._context, self._context.policy.outbound_name(hostname, port), f"tcp {hostname}:{port}")
        if isinstance(host, str):
            usable = [answer for answer in self._addresses(host, until) if is_one_host(answer)]
        else:
            usable = [destination(Endpoint(host, port).for_guest(), None).ip]
        addresses, decision = self._context.policy.dialable(hostname, port, usable)
        permit(self._context, decision, f"tcp {hostname}:{port}")
        return self._first_of(str(host), [Endpoint(address, port) for address in addresses], decision, until)

    @answering
    def connect_with_retry(
        self, socket: SocketHandle, address: SocketAddress, max_retries: int, retry_delay: int, timeout: int
    ) -> None:
        """Connects to an address, in several tries."""
        if max_retries > TRIES_MAX:
            raise NetworkRefusedError("invalid-argument", f"max-retries is at most {TRIES_MAX}")
        own, to = _connectable(socket, address)
        way = self._reach.by_address(to)
        permit(self._context, way.decision, f"{_kind(own.link)} {to}")
        until = own.link.until(timeout, own.link.manner.connect_ms)
        dial_again(self._context, own, to, way, tries=max(1, max_retries), delay=retry_delay, until=until)

    @answering
    def resolve_hostname(self, hostname: str, timeout: int) -> HostnameResolution:
        """Addresses of a name."""
        name, addresses = self._resolve(hostname, timeout)
        return HostnameResolution(name, tuple(map(_info, addresses)), None)

    @answering
    def resolve_hostname_single(self, hostname: str, timeout: int) -> AddressInfo:
        """The first address of a name."""
        return _info(self._resolve(hostname, timeout)[1][0])

    @answering
    def reverse_lookup(self, address: SocketAddress, timeout: int) -> str:
        """The name of an address."""
        to = destination(address, None)
        permit(self._context, self._reach.by_address(to).decision, f"name of {to}")
        return self._names.name_of(to, time.monotonic() + self._context.time_left(timeout))

    @answering
    def get_connection_info(self, socket: SocketHandle) -> ConnectionInfo:
        """Addresses, state and counters."""
        own = _own(socket)
        own.here()
        connected = own.since[1]
        return ConnectionInfo(
            local_address=own.local.for_guest(),
            remote_address=None if own.peer is None else own.peer.for_guest(),
            state=own.state,
            established_time=Timestamp(connected // _SECOND, connected % _SECOND) if connected else None,
            bytes_sent=own.link.sent,
            bytes_received=own.link.received,
            tls=not own.plain,
        )

    @answering
    def is_connected(self, socket: SocketHandle) -> bool:
        """Whether there is a peer, which has not ended its half."""
        own = _own(socket)
        own.here()
        if own.state == "connecting" and own.link.wait(select.POLLOUT, 0.0):
            own.settle()
        if own.state not in {"connected", "closing"}:
            return False
        return not own.link.stream or not own.link.ended()

    @answering
    def create_pool(self, max_connections: int, connect_timeout: int, idle_timeout: int) -> ConnectionPool:
        """Makes an empty pool."""
        decision = self._context.policy.any_outbound()
        permit(self._context, decision, "pool")
        if not 0 < max_connections <= CONNECTIONS_MAX:
            raise NetworkRefusedError("invalid-argument", f"max-connections is 1 to {CONNECTIONS_MAX}")
        pool = ConnectionPool(
            self._context,
            self._sockets,
            self._reach,
            most=max_connections,
            connect_ms=connect_timeout,
            idle_ms=min(idle_timeout or IDLE_MAX_MS, IDLE_MAX_MS),
        )
        self._context.handles.add("pool", pool, decision.rule, pool.holds)
        return pool

    @answering
    def upgrade_to_tls(self, socket: SocketHandle, options: TlsOptions, timeout: int) -> None:
        """Starts TLS; a socket on which it fails is closed."""
        own = _own(socket)
        own.speaking()
        if not own.link.stream:
            raise NetworkRefusedError("unsupported", "TLS is for TCP")
        if not own.plain:
            raise NetworkRefusedError("invalid-state", "TLS is there already")
        name = str(_host(options.hostname))
        if not options.verify_certificate:
            self._permit_unverified(own)
        tls = Tls(own.link.sock, tls_context(options), name)
        own.link.channel = tls
        try:
            self._shake(own, tls, timeout)
        except (OSError, NetworkRefusedError):
            own.close("TLS could not be started")
            raise

    @answering
    def get_tls_info(self, socket: SocketHandle) -> TlsInfo:
        """What TLS agreed on."""
        own = _own(socket)
        own.here()
        if not isinstance(own.link.channel, Tls):
            raise NetworkRefusedError("invalid-state", "there is no TLS")
        return own.link.channel.info()

    @answering
    def set_idle_timeout(self, socket: SocketHandle, timeout: int) -> None:
        """Has the host close the socket after silence."""
        own = _own(socket)
        own.here()
        own.watch_silence(timeout)

    @answering
    def enable_keep_alive(self, socket: SocketHandle, interval_seconds: int) -> None:
        """Has the kernel ask a silent peer whether it is there."""
        own = _own(socket)
        own.here()
        keep_alive(own.link, interval_seconds)

    @answering
    def get_connection_stats(self, socket: SocketHandle) -> ConnectionStats:
        """Counters of the host and of the kernel."""
        own = _own(socket)
        own.listening_to_peer()
        known = tcp_info(own.link.sock) if own.link.stream else None
        return ConnectionStats(
            bytes_sent=own.link.sent,
            bytes_received=own.link.received,
            uptime_ms=int((time.monotonic() - own.since[0]) * 1000),
            retransmits=None if known is None else known.retransmits,
            rtt_us=None if known is None else known.rtt_us,
        )

    def _first_of(self, host: str, ways: list[Endpoint], decision: Decision, until: float) -> OpenSocket:
        """A socket to the first that answers; each has its share of the time that is left."""
        for left in range(len(ways), 0, -1):
            to = ways[-left]
            made = self._sockets.make_stream(to.family, decision.rule)
            share = time.monotonic() + (until - time.monotonic()) / left
            try:
                dial(made, to, self._reach.by_name(host, to), share)
            except (OSError, NetworkRefusedError):
                self._context.handles.drop(self._context.handles.number_of(made))
                if left == 1:
                    raise
            else:
                return made
        raise NetworkRefusedError("dns-resolution-failed", "the name has no address")

    def _resolve(self, hostname: str, timeout: int) -> tuple[str, tuple[Address, ...]]:
        host = _host(hostname)
        permit(self._context, self._context.policy.resolve(hostname), f"resolve {hostname}")
        if not isinstance(host, str):
            return str(host), (host,)
        found = self._addresses(host, time.monotonic() + self._context.time_left(timeout))
        self._reach.remember(host, found)
        return host, found

    def _addresses(self, name: str, until: float) -> tuple[Address, ...]:
        found = self._names.addresses(name, until)
        if not found:
            raise NetworkRefusedError("dns-resolution-failed", "the name has no address")
        return found

    def _permit_unverified(self, own: OpenSocket) -> None:
        """The rule is that of whom it was connected to: what the guest calls the peer says nothing."""
        if own.peer is None or own.way is None:
            raise NetworkRefusedError("permission-denied", "a peer that came by itself is verified")
        host = own.way.host
        port = own.peer.port
        permit(self._context, self._context.policy.tls_insecure(host, port), f"unverified {host}")
        own.require(lambda policy: policy.tls_insecure(host, port).allowed)

    def _shake(self, own: OpenSocket, tls: Tls, timeout: int) -> None:
        until = own.link.until(timeout)
        while True:
            try:
                tls.shake()
            except BlockingIOError:
                events = select.POLLOUT if tls.unsent else select.POLLIN
                if not own.link.wait(events, until) or time.monotonic() >= until:
                    raise NetworkRefusedError("timeout", "the handshake took too long") from None
            else:
                return


def _own(socket: SocketHandle) -> OpenSocket:
    """The socket that a handle stands for: there are no others."""
    if not isinstance(socket, OpenSocket):
        raise TypeError("not a socket of this host")
    return socket


def _kind(link: Link) -> str:
    return "tcp" if link.stream else "udp"


def _connectable(socket: SocketHandle, address: SocketAddress) -> tuple[OpenSocket, Endpoint]:
    """A socket that can be connected, and where to."""
    own = _own(socket)
    own.here()
    if own.peer is not None and own.state != "connecting":
        raise NetworkRefusedError("already-connected", f"to {own.peer}")
    if own.state not in {"created", "bound"}:
        raise NetworkRefusedError("invalid-state", f"the socket is {own.state}")
    return own, destination(address, own.link.sock.family)


def _host(hostname: str) -> str | Address:
    try:
        return normalise_host(hostname)
    except InvalidRequestError as error:
        raise NetworkRefusedError("invalid-hostname", error.why) from None


def _info(address: Address) -> AddressInfo:
    return AddressInfo(address_of(address), 0, "tcp-stream", "tcp")
