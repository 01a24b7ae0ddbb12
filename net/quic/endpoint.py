"""The node's QUIC: one socket per family, on which it listens and dials, and which others may share.

A datagram goes to the connection whose id it carries; a first one to the intake; one whose first byte is no QUIC
packet's to whoever has asked for that byte.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from net.errors import AddressError, ConnectionLostError, PeerFaultError, UnreachableError
from net.limits import NetLimits
from net.multiaddr import Multiaddr
from net.peer_id import PeerId
from net.quic.certificate import make_credentials
from net.quic.connection import QuicConnection
from net.quic.events import Address
from net.quic.intake import FIRST_QUIC_BYTE, Admission, Intake, destination
from net.quic.session import Session
from net.quic.terms import Terms
from net.quic.udp import UdpSocket, address_of, pair_of
from net.sources import Sources
from net.stream import Protocols
from net.unread import Unread
from runtime.clock import Clock
from runtime.identity import Identity

__all__ = ["DatagramHandler", "QuicEndpoint"]

DatagramHandler = Callable[[bytes, tuple[str, int]], None]
"""Takes a datagram and where it came from, host and port. It is quick, and never raises."""

_ANY: Final = {"ip4": "0.0.0.0", "ip6": "::"}  # noqa: S104  # a dialler's own address is the system's choice


class QuicEndpoint:
    """Listens, dials, and keeps what comes of it. All calls on one event loop.

    Args:
        identity: who we are.
        limits: the table.
        clock: tells by its wall time whether certificates hold.
        protocols: what is served on peers' streams.
        unread: counts what the process holds of all peers.
        on_connection: is given each connection that a peer has opened, once its key is proven.
        on_fault: is told who broke which rule: the address, the peer if it is proven, the rule.
        admits: whether a dialler at an address is let in at all. It is asked once the address has proven to be the
            dialler's own, so that nobody can use up what somebody else is allowed.
        sources: whom an address is counted as.
    """

    def __init__(
        self,
        identity: Identity,
        limits: NetLimits,
        clock: Clock,
        *,
        protocols: Protocols,
        unread: Unread,
        on_connection: Callable[[QuicConnection], None],
        on_fault: Callable[[Multiaddr, PeerId | None, PeerFaultError], None],
        admits: Callable[[str], bool] = lambda _: True,
        sources: Sources | None = None,
    ) -> None:
        logging.getLogger("quic").addHandler(logging.NullHandler())  # the library would write what strangers do
        self._identity = identity
        self._limits = limits
        self._clock = clock
        self._protocols = protocols
        self._unread = unread
        self._on_connection = on_connection
        self._on_fault = on_fault
        self._admits = admits
        self._sources = sources or Sources(limits)
        self._intake = Intake(limits)
        self._credentials = make_credentials(identity, clock.wall_ms())
        self._sockets: list[UdpSocket] = []
        self._listening: set[UdpSocket] = set()
        """Those of them on which we are to be found: they stay what they are."""
        self._by_cid: dict[bytes, QuicConnection] = {}
        self._connections: dict[QuicConnection, None] = {}  # in the order in which they were made
        self._half_open: dict[QuicConnection, bool] = {}
        """Those that peers have begun, and whether it is still to be asked who is there."""
        self._handlers: dict[int, DatagramHandler] = {}
        self._closed = False

    @property
    def connections(self) -> tuple[QuicConnection, ...]:
        """All that stand or are being made."""
        return tuple(self._connections)

    @property
    def known_ids(self) -> int:
        """How many connection ids datagrams are known by."""
        return len(self._by_cid)

    async def listen(self, place: Multiaddr) -> Multiaddr:
        """Begins to listen.

        Args:
            place: an address of this machine; port 0 for any that is free.

        Returns:
            Where it listens, with the real port.

        Raises:
            NetworkError: it cannot.
            AddressError: the place is a name.
        """
        carrier = self._open(place.without_peer())
        self._listening.add(carrier)
        return carrier.place

    async def dial(self, peer: PeerId | None, place: Multiaddr) -> QuicConnection:
        """Opens a connection; it stands when the peer has accepted us too.

        Args:
            peer: who must be there; None for anybody.
            place: where, as an address: names are looked up by somebody else.

        Raises:
            WrongPeerError: somebody else is there.
            PeerFaultError: who is there proved no key, or broke a rule.
            UnreachableError: nobody answered in time, or who did refused us.
        """
        address = address_of(place)
        carrier = self._carrier_for(place)
        now = asyncio.get_running_loop().time()
        session = Session.dial(self._terms(), address, peer, now)
        connection = self._adopt(session, address, carrier)
        connection.flush()
        try:
            await connection.wait_established()
        except (PeerFaultError, UnreachableError) as error:
            error.where = error.where or str(place)
            raise
        except ConnectionLostError as error:  # let in, and put out in the same breath
            raise UnreachableError(error.why, where=str(place)) from None
        finally:
            if connection.half_open:
                connection.end()
        return connection

    def on_datagram(self, first_byte: int, handler: DatagramHandler) -> None:
        """Hands on datagrams of another protocol that share the sockets.

        Args:
            first_byte: by which they are known, less than 64.
            handler: takes them.
        """
        if not 0 <= first_byte < FIRST_QUIC_BYTE:
            raise ValueError(f"a first byte of {first_byte} may be QUIC's")
        self._handlers[first_byte] = handler

    def send_datagram(self, datagram: bytes, place: Multiaddr) -> None:
        """Sends a datagram of another protocol from the socket on which connections are.

        Args:
            datagram: its first byte less than 64.
            place: where to, an address.

        Raises:
            AddressError: the place is a name.
            NetworkError: there is no socket to be had.
        """
        self._carrier_for(place).send(datagram, address_of(place))

    def rebind(self) -> None:
        """After the machine's addresses changed: lets the peers that we dialled hear where we are now.

        Where we listen we keep the socket, since others know its port; else we take a new one.

        Raises:
            NetworkError: there is no socket to be had.
        """
        for carrier in self._sockets:
            if carrier not in self._listening:
                carrier.rebind()
        for connection in self.connections:
            if connection.dialled and not connection.half_open:
                connection.ping()

    async def aclose(self) -> None:
        """Closes all connections and sockets; nothing is left when it returns."""
        self._closed = True
        await asyncio.gather(*(connection.close() for connection in self.connections))
        for carrier in self._sockets:
            carrier.close()
        self._sockets.clear()
        self._by_cid.clear()

    # --- what connections ask of their owner --------------------------------------------------------------------------

    def issued(self, connection: QuicConnection, cid: bytes) -> None:
        """Knows a connection by another id."""
        self._by_cid[cid] = connection

    def retired(self, cid: bytes) -> None:
        """Forgets an id."""
        self._by_cid.pop(cid, None)

    def established(self, connection: QuicConnection) -> None:
        """Tells of a connection that a peer has opened."""
        if connection.dialled:
            return
        if self._half_open.pop(connection) and not self._admits(connection.remote.host):
            connection.end()
            return
        self._on_connection(connection)

    def ended(self, connection: QuicConnection) -> None:
        """Forgets a connection."""
        self._half_open.pop(connection, None)
        for cid in [cid for cid, known in self._by_cid.items() if known is connection]:
            del self._by_cid[cid]
        self._connections.pop(connection, None)

    def blamed(self, connection: QuicConnection, fault: PeerFaultError) -> None:
        """Tells of a broken rule."""
        self._on_fault(connection.remote, connection.proven, fault)

    # --- inside -------------------------------------------------------------------------------------------------------

    def _terms(self) -> Terms:
        if self._clock.wall_ms() >= self._credentials.renew_ms:
            self._credentials = make_credentials(self._identity, self._clock.wall_ms())
        return Terms(PeerId(self._identity.public), self._credentials, self._limits, self._clock, self._unread)

    def _open(self, place: Multiaddr) -> UdpSocket:
        if self._closed:
            raise UnreachableError("the endpoint is closed", where=str(place))
        carrier = UdpSocket(place, self._received)
        self._sockets.append(carrier)
        return carrier

    def _carrier_for(self, place: Multiaddr) -> UdpSocket:
        for carrier in self._sockets:
            if carrier.reaches(place):
                return carrier
        if place.kind not in _ANY:
            raise AddressError("is a name and not an address", where=str(place))
        return self._open(Multiaddr(kind=place.kind, host=_ANY[place.kind], transport="quic", port=0))

    def _adopt(self, session: Session, address: Address, carrier: UdpSocket) -> QuicConnection:
        connection = QuicConnection(
            session, address, send=carrier.send, owner=self, protocols=self._protocols, limits=self._limits
        )
        self._connections[connection] = None
        for cid in session.cids:
            self._by_cid[cid] = connection
        return connection

    def _received(self, carrier: UdpSocket, batch: list[tuple[bytes, Address]]) -> None:
        heard: dict[QuicConnection, None] = {}
        for datagram, address in batch:
            if not datagram:
                continue
            handler = self._handlers.get(datagram[0])
            if handler is not None:
                handler(datagram, pair_of(address))
                continue
            connection = self._by_cid.get(destination(datagram))
            if connection is not None:
                connection.receive(datagram, address)
            else:
                connection = self._let_in(carrier, datagram, address)
            if connection is not None:
                heard[connection] = None
        for connection in heard:
            connection.flush()

    def _has_place(self, host: str) -> bool:
        """Whether one more of where it comes from may be in the middle of its handshake."""
        source = self._sources.of(host)
        if source is None:
            return True
        pending = sum(self._sources.of(connection.remote.host) == source for connection in self._half_open)
        return pending < self._limits.half_open_per_prefix

    def _let_in(self, carrier: UdpSocket, datagram: bytes, address: Address) -> QuicConnection | None:
        """Makes a connection for a first datagram that deserves one, or answers it."""
        if self._closed or datagram[0] < FIRST_QUIC_BYTE:
            return None
        now = asyncio.get_running_loop().time()
        found = self._intake.judge(datagram, address, pending=len(self._half_open), now=now)
        if isinstance(found, bytes):
            carrier.send(found, address)
        if not isinstance(found, Admission) or not self._has_place(address[0]):
            return None
        came_back = found.retried is not None
        if came_back and not self._admits(address[0]):
            return None
        session = Session.accept(self._terms(), (found.original, found.retried), datagram, address, now)
        if session is None:
            return None
        connection = self._adopt(session, address, carrier)
        self._half_open[connection] = not came_back
        return connection
