"""The node's TCP: listens, dials, and lets nobody through whose key is not proven in time."""

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Final

from net.connection import TcpConnection
from net.errors import AddressError, ConnectionLostError, PeerFaultError, UnreachableError
from net.handshake import Handshake
from net.limits import NetLimits
from net.multiaddr import Multiaddr
from net.noise import NoiseKey
from net.peer_id import PeerId
from net.sources import Sources
from net.stream import Protocols
from net.unread import Unread
from net.upgrade import Upgrade, Upgraded
from net.wire import Wire, receive_buffer
from runtime.errors import NetworkError
from runtime.identity import Identity

__all__ = ["TcpEndpoint"]

_SLOW: Final = 5
_ADDRESSES: Final = frozenset({"ip4", "ip6"})


class TcpEndpoint:
    """Listens, dials, and keeps what comes of it; satisfies `net.endpoint.Endpoint`. All calls on one event loop.

    Args:
        identity: who we are.
        limits: the table.
        protocols: what is served on peers' streams.
        unread: counts what the process holds of all peers.
        on_connection: is given each connection that a peer has opened, once its key is proven, before it is read.
        on_fault: is told who broke which rule: the address, the peer if it is proven, the rule.
        admits: whether a dialler at an address is let in at all.
        sources: whom an address is counted as.
    """

    def __init__(
        self,
        identity: Identity,
        limits: NetLimits,
        *,
        protocols: Protocols,
        unread: Unread,
        on_connection: Callable[[TcpConnection], None],
        on_fault: Callable[[Multiaddr, PeerId | None, PeerFaultError], None],
        admits: Callable[[str], bool] = lambda _: True,
        sources: Sources | None = None,
    ) -> None:
        self._own = PeerId(identity.public)
        self._key = NoiseKey.fresh(identity)
        self._limits = limits
        self._protocols = protocols
        self._unread = unread
        self._on_connection = on_connection
        self._on_fault = on_fault
        self._admits = admits
        self._sources = sources or Sources(limits)
        self._buffer = receive_buffer(limits)
        self._servers: list[asyncio.Server] = []
        self._connections: set[TcpConnection] = set()
        self._half_open: Counter[str] = Counter()
        self._handshakes: set[asyncio.Task[None]] = set()
        self._burials: set[asyncio.Task[None]] = set()
        self._closed = False

    async def listen(self, place: Multiaddr) -> Multiaddr:
        """Begins to listen; see `net.endpoint.Endpoint`."""
        _checked(place)
        loop = asyncio.get_running_loop()
        try:
            server = await loop.create_server(self._incoming, place.socket_host, place.port)
        except (OSError, OverflowError) as error:
            hint = "name a free address of this machine, such as /ip4/127.0.0.1/tcp/0"
            raise NetworkError(f"cannot be listened on: {_why(error)}", where=str(place), hint=hint) from error
        self._servers.append(server)
        name = server.sockets[0].getsockname()
        return Multiaddr.at(str(name[0]), int(name[1]), "tcp")

    async def dial(self, peer: PeerId | None, place: Multiaddr) -> TcpConnection:
        """Opens a connection; see `net.endpoint.Endpoint`."""
        _checked(place)
        wire = await self._connected(place)
        try:
            async with asyncio.timeout(self._limits.upgrade_s):
                return await self._handshake(wire, dialler=True, expected=peer).result()
        except (TimeoutError, ConnectionLostError) as error:
            await wire.cut()
            why = error.why if isinstance(error, ConnectionLostError) else "did not finish the handshake in time"
            raise UnreachableError(why, where=str(place)) from None
        except PeerFaultError as fault:
            await wire.cut()
            fault.where = fault.where or str(place)
            raise
        except asyncio.CancelledError:
            await wire.cut()
            raise

    def rebind(self) -> None:
        """Does nothing: TCP cannot move; what is lost is dialled anew by whoever needs it."""

    async def aclose(self) -> None:
        """Ends all that it has, and waits for it."""
        self._closed = True
        for server in self._servers:
            server.close()
        for task in self._handshakes:
            task.cancel()
        for connection in tuple(self._connections):
            connection.part("closed by us")
        while self._handshakes or self._burials:
            await asyncio.gather(*self._handshakes, *self._burials, return_exceptions=True)
        for server in self._servers:
            await server.wait_closed()

    # --- of its connections -------------------------------------------------------------------------------------------

    def ended(self, connection: TcpConnection) -> None:
        """Closes what is of no more use, and forgets it when nothing of it is left."""
        _begin(self._bury(connection), self._burials)

    def blamed(self, connection: TcpConnection, fault: PeerFaultError) -> None:
        """Tells of a broken rule."""
        self._on_fault(connection.remote, connection.peer, fault)

    async def _bury(self, connection: TcpConnection) -> None:
        await connection.close()
        self._connections.discard(connection)

    # --- inside -------------------------------------------------------------------------------------------------------

    async def _connected(self, place: Multiaddr) -> Wire:
        wire = Wire(self._buffer, self._limits)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._limits.connect_s):
                await loop.create_connection(lambda: wire, place.socket_host, place.port)
        except TimeoutError:
            raise UnreachableError(f"did not answer within {self._limits.connect_s:g} s", where=str(place)) from None
        except OSError as error:
            raise UnreachableError(f"cannot be reached: {_why(error)}", where=str(place)) from None
        return wire

    def _handshake(self, wire: Wire, *, dialler: bool, expected: PeerId | None) -> Handshake:
        def finish(wire: Wire, upgraded: Upgraded) -> TcpConnection:
            return self._finish(wire, upgraded, dialled=dialler)

        upgrade = Upgrade(dialler=dialler, key=self._key, own=self._own, expected=expected, limits=self._limits)
        return Handshake(wire, upgrade, finish)

    def _finish(self, wire: Wire, upgraded: Upgraded, *, dialled: bool) -> TcpConnection:
        connection = TcpConnection(
            wire,
            upgraded,
            dialled=dialled,
            owner=self,
            protocols=self._protocols,
            limits=self._limits,
            unread=self._unread,
        )
        self._connections.add(connection)
        if not dialled:
            self._on_connection(connection)
        connection.start(upgraded)
        return connection

    def _incoming(self) -> Wire:
        return Wire(self._buffer, self._limits, on_made=self._accepted)

    def _accepted(self, wire: Wire) -> None:
        """A peer has connected: it is let in, or cut off before anything is said."""
        host = wire.remote[0]
        if self._closed or not host or not self._has_place(host) or not self._admits(host):
            _begin(wire.cut(), self._burials)
            return
        _begin(self._let_in(wire, self._sources.of(host) or ""), self._handshakes)

    def _has_place(self, host: str) -> bool:
        """Whether one more may be in the middle of its handshake."""
        source = self._sources.of(host)
        of_source = 0 if source is None else self._half_open[source]
        return self._half_open.total() < self._limits.half_open and of_source < self._limits.half_open_per_prefix

    async def _let_in(self, wire: Wire, source: str) -> None:
        self._half_open[source] += 1
        proven = False
        try:
            async with asyncio.timeout(self._limits.upgrade_s):
                await self._handshake(wire, dialler=False, expected=None).result()
            proven = True
        except TimeoutError:
            why = "did not finish the handshake in time"
            self._refuse(wire, PeerFaultError(why, rule="handshake-timeout", score=_SLOW))
        except PeerFaultError as fault:
            self._refuse(wire, fault)
        except ConnectionLostError:
            pass
        finally:
            self._half_open -= Counter({source: 1})
            if not proven:
                await wire.cut()

    def _refuse(self, wire: Wire, fault: PeerFaultError) -> None:
        self._on_fault(Multiaddr.at(*wire.remote, "tcp"), None, fault)


def _begin(work: Coroutine[None, None, None], tasks: set[asyncio.Task[None]]) -> None:
    task = asyncio.get_running_loop().create_task(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)


def _checked(place: Multiaddr) -> None:
    if place.kind not in _ADDRESSES:
        raise AddressError("is a name and not an address", where=str(place))


def _why(error: OSError | OverflowError) -> str:
    number = error.errno if isinstance(error, OSError) else None
    return os.strerror(number).lower() if number else str(error)
