"""A node among its peers: listens and dials on every transport, holds the connections, serves protocols on them.

It decides who gets in, which of several connections is used and who has made too much trouble; what it tells goes to
`on_event`. All calls on one event loop.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from ipaddress import IPv4Network, IPv6Network
from typing import TYPE_CHECKING, Final

from net.admission import Admission
from net.conduct import Conduct
from net.dialler import Dialler
from net.dialling import is_dialable
from net.endpoint import HeldConnection
from net.endpoints import Endpoints
from net.errors import AddressError, ConnectionLostError, PeerFaultError, UnreachableError
from net.held import Held
from net.host_events import Connected, DialFailed, Disconnected, HostEvent, Identified, Listening
from net.identify import IDENTIFY, IDENTIFY_PUSH, Identify, says
from net.identify_pushes import IdentifyPushes
from net.limits import NetLimits
from net.multiaddr import Multiaddr
from net.networks import told_places
from net.peer_id import PeerId
from net.ping import PING, PingAnswers
from net.sources import Sources
from net.standing import Standing, Strangers
from net.stream import Handler, Protocols, Stream
from runtime.clock import Clock
from runtime.errors import OrlopError, UsageError
from runtime.identity import Identity
from runtime.sanitise import clean

if TYPE_CHECKING:
    from net.quic.endpoint import DatagramHandler, QuicEndpoint

__all__ = ["Host"]

_PROTOCOL_VERSION: Final = "orlop/1"


class Host:
    """One node. It serves identify and ping by itself.

    Args:
        identity: who we are.
        limits: the table.
        clock: the node's.
        on_event: is told what happens; quick, and never raises.
        standing: what the operator has said about peers.
        agent: what identify says this program is, such as `orlop/1.0`.
        own_networks: the networks that this machine is in: addresses there that others have told of are dialled, and
            who is there is counted by his own.
    """

    def __init__(
        self,
        identity: Identity,
        limits: NetLimits,
        *,
        clock: Clock,
        on_event: Callable[[HostEvent], None],
        standing: Standing | None = None,
        agent: str = "orlop",
        own_networks: Callable[[], Sequence[IPv4Network | IPv6Network]] = tuple,
    ) -> None:
        self.peer: Final = PeerId(identity.public)
        self._clock = clock
        self._tell = on_event
        self._standing = standing or Strangers()
        self._agent = agent
        self._own_networks = own_networks
        self._protocols = Protocols()
        self._listening: list[Multiaddr] = []
        self._held = Held(self.peer, limits)
        self._sources = Sources(limits, own_networks, clock)
        self._admission = Admission(limits, self._sources)
        self._conduct = Conduct(
            limits,
            clock,
            sources=self._sources,
            standing=self._standing,
            held=self._held,
            close=lambda connection: self._begin(connection.close()),
            tell=on_event,
        )
        self._endpoints = Endpoints(
            identity,
            limits,
            clock,
            protocols=self._protocols,
            on_connection=self._came,
            on_fault=self._on_fault,
            admits=self._admits,
            sources=self._sources,
        )
        self._dialler = Dialler(
            limits,
            clock,
            endpoint=self._endpoints.of,
            keep=self._keep_dialled,
            discard=lambda late: self._begin(late.close()),
            failed=self._dial_failed,
        )
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False
        self._pushes = IdentifyPushes(
            limits,
            now=clock.monotonic,
            describe=self.describe,
            connections=self.connections,
            begin=self._begin,
            told=lambda _, said: on_event(Identified(said=said)),
        )
        self.serve(IDENTIFY_PUSH, self._pushes.serve)
        self.serve(IDENTIFY, says(self.describe, limits))
        self.serve(PING, PingAnswers(limits, now=clock.monotonic))

    # --- what it offers -----------------------------------------------------------------------------------------------

    def serve(
        self, protocol: str, handler: Handler, *, bulk: bool = False, listed: Callable[[], bool] = lambda: True
    ) -> None:
        """Serves a protocol from now on, to whomever; the handler decides whether it likes the peer.

        Args:
            protocol: its name, beginning with `/`.
            handler: of each stream that a peer opens.
            bulk: much is received on its streams.
            listed: whether peers are told now that it is served; `tell_changes` after that changed.
        """
        self._protocols.serve(protocol, handler, bulk=bulk, listed=listed)
        self._pushes.changed()

    def describe(self) -> Identify:
        """What this node says of itself."""
        return Identify(
            peer=self.peer,
            listening=tuple(told_places(self._listening)),
            protocols=self._protocols.listed(),
            protocol_version=_PROTOCOL_VERSION,
            agent_version=self._agent,
        )

    async def listen(self, address: Multiaddr) -> Multiaddr:
        """Begins to listen.

        Args:
            address: of this machine; port 0 for any that is free.

        Returns:
            Where it listens, with the real port and `/p2p`.

        Raises:
            NetworkError: it cannot.
            AddressError: a name, or an address of another peer.
        """
        self._fail_if_closed()
        if address.peer not in {None, self.peer} or address.relay is not None:
            raise AddressError("is the address of somebody else", where=str(address))
        place = await self._endpoints.of(address.transport).listen(address.without_peer())
        self._listening.append(place)
        self._pushes.changed()
        self._tell(Listening(address=str(place.with_peer(self.peer))))
        return place.with_peer(self.peer)

    def tell_changes(self) -> None:
        """Tells those who are connected what this node says of itself, if it says something else than before."""
        self._pushes.changed()

    def listening(self) -> list[Multiaddr]:
        """Where it listens, with `/p2p`."""
        return [place.with_peer(self.peer) for place in self._listening]

    def share_udp(self, first_byte: int, take: "DatagramHandler") -> "QuicEndpoint":
        """Lets another protocol use the UDP socket on which QUIC listens.

        Args:
            first_byte: by which its datagrams are known, less than 64.
            take: takes them.

        Returns:
            What sends them, by `send_datagram`.
        """
        from net.quic.endpoint import QuicEndpoint  # noqa: PLC0415 - as in `Endpoints`

        endpoint = self._endpoints.of("quic")
        assert isinstance(endpoint, QuicEndpoint)  # noqa: S101 - there is no other
        endpoint.on_datagram(first_byte, take)
        return endpoint

    # --- connections --------------------------------------------------------------------------------------------------

    def connections(self) -> list[HeldConnection]:
        """All connections that stand."""
        return [connection for connection in self._held if not connection.closed]

    async def connect(
        self, peer: PeerId, addresses: Sequence[Multiaddr] = (), *, hearsay: Sequence[Multiaddr] = ()
    ) -> HeldConnection:
        """A connection to a peer: one that stands, or a new one.

        Args:
            peer: who; nobody else is taken for it.
            addresses: where it may be, as the operator or our own memory has it.
            hearsay: where others say that it is; tried when public or in a network of ours.

        Raises:
            UsageError: ourselves, or nowhere to look.
            RefusedError: the peer is banned.
            PeerFaultError: everybody who answered was somebody else, or broke a rule.
            UnreachableError: nobody answered.
        """
        self._fail_if_closed()
        if peer == self.peer:
            raise UsageError("is this node itself", where=str(peer))
        self._conduct.fail_if_banned(peer)
        held = self._held.usable(peer)
        if held is not None:
            return held
        networks = self._own_networks()
        told = [address for address in hearsay if is_dialable(address, networks)]
        connection = await self._dialler.dial(peer, [*addresses, *told])
        return self._held.usable(peer) or connection

    async def dial_any(self, address: Multiaddr) -> HeldConnection:
        """A connection to whoever is at an address.

        Args:
            address: with or without `/p2p`; with it, nobody else is taken.

        Raises:
            PeerFaultError: who is there broke a rule, or is this node.
            UnreachableError: nobody answered.
        """
        self._fail_if_closed()
        place = address.without_peer()
        connection = await self._endpoints.of(place.transport).dial(address.peer, place)
        return self._keep_dialled(connection)

    async def open(
        self, peer: PeerId, protocol: str, addresses: Sequence[Multiaddr] = (), *, bulk: bool = False
    ) -> Stream:
        """A stream to a peer, on a connection that stands or on a new one.

        Args:
            peer: who.
            protocol: what is to be spoken.
            addresses: where it may be.
            bulk: much is to be received.

        Raises:
            UnsupportedProtocolError: the peer does not speak that.
            ConnectionLostError: the connection ended meanwhile.
            OrlopError: as `connect` does.
        """
        connection = await self.connect(peer, addresses)
        try:
            return await connection.open(protocol, bulk=bulk)
        except ConnectionLostError:
            # It has ended just now, or the peer takes no more streams on it: another may stand, or can be made.
            self._held.set_aside(connection)
            if not addresses and self._held.usable(peer) is None:
                raise
            other = await self.connect(peer, addresses)
            return await other.open(protocol, bulk=bulk)

    def rebind(self) -> None:
        """This machine has other addresses than before: connections that can move go on from there.

        Raises:
            NetworkError: there is no socket to be had.
        """
        for endpoint in self._endpoints:
            endpoint.rebind()
        self._pushes.changed()

    async def disconnect(self, peer: PeerId) -> None:
        """Closes all connections to a peer."""
        await asyncio.gather(*(connection.close() for connection in self._held.of(peer)))

    def forgive(self, peer: PeerId) -> None:
        """Forgets what a peer has done: the operator has named it anew."""
        self._conduct.forgive(peer)

    def heed(self, peer: PeerId) -> None:
        """Does at once what `standing` says of a peer now."""
        self._conduct.heed(peer)

    def blame(self, fault: PeerFaultError, *, peer: PeerId | None, remote: Multiaddr | None) -> None:
        """Counts a fault against a peer, and ends its connections when it is one too many.

        Args:
            fault: what it did.
            peer: who, when it is proven.
            remote: where it is, when that is known.
        """
        self._conduct.blame(fault, peer=peer, remote=remote)

    async def aclose(self) -> None:
        """Ends everything and waits for it; nothing of it is left."""
        self._closed = True
        self._pushes.close()
        await self._dialler.aclose()
        await asyncio.gather(*(endpoint.aclose() for endpoint in self._endpoints))
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- inside: dialling ---------------------------------------------------------------------------------------------

    def _dial_failed(self, event: DialFailed, place: Multiaddr, error: OrlopError) -> None:
        self._tell(event)
        if isinstance(error, PeerFaultError):
            self.blame(error, peer=None, remote=place)

    def _keep_dialled(self, connection: HeldConnection) -> HeldConnection:
        if self._closed or connection.closed or not self._keep(connection):
            self._begin(connection.close())
            raise UnreachableError("has no place for one more connection", where=str(connection.peer))
        return connection

    # --- inside: who gets in ------------------------------------------------------------------------------------------

    def _admits(self, host: str) -> bool:
        now = self._clock.monotonic()
        if self._closed or self._conduct.keeps_out(host):
            return False
        refusal = self._admission.judge(host, now, inbound=self._held.inbound_hosts(), connections=len(self._held))
        if refusal is not None:
            self.blame(refusal, peer=None, remote=Multiaddr.at(host, 0, "tcp"))
        return refusal is None

    def _came(self, connection: HeldConnection) -> None:
        """A peer has opened a connection and proven its key."""
        if self._closed or self._conduct.is_banned(connection.peer) or not self._keep(connection):
            self._begin(connection.close())

    def _keep(self, connection: HeldConnection) -> bool:
        """Holds a connection, if there is a place for it."""
        if not self._held.has_place(connection):
            return False
        if self._standing.is_listed(connection.peer):
            connection.trust()
        for loser in self._held.add(connection, self._clock.monotonic()):
            self._begin(loser.drain())
        self._tell(
            Connected(
                peer=str(connection.peer),
                remote=str(connection.remote),
                transport=connection.transport,
                dialled=connection.dialled,
            )
        )
        self._begin(self._watch(connection))
        return True

    async def _watch(self, connection: HeldConnection) -> None:
        await connection.wait_closed()
        self._held.remove(connection)
        self._tell(
            Disconnected(
                peer=str(connection.peer),
                remote=str(connection.remote),
                reason=clean(connection.end_reason),
                last=not self._held.of(connection.peer),
            )
        )

    def _on_fault(self, remote: Multiaddr, peer: PeerId | None, fault: PeerFaultError) -> None:
        self.blame(fault, peer=peer, remote=remote)

    def _fail_if_closed(self) -> None:
        if self._closed:
            raise ConnectionLostError("the node is stopping")

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
