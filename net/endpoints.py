"""The transports of one host, each made when it is first needed."""

from collections.abc import Callable, Iterator

from net.endpoint import Endpoint, HeldConnection
from net.errors import PeerFaultError
from net.limits import NetLimits
from net.multiaddr import Multiaddr, Transport
from net.peer_id import PeerId
from net.sources import Sources
from net.stream import Protocols
from net.tcp import TcpEndpoint
from net.unread import Unread
from runtime.clock import Clock
from runtime.identity import Identity

__all__ = ["Endpoints"]


class Endpoints:
    """TCP and QUIC under one identity; the arguments are those of both.

    Args:
        identity: who we are.
        limits: the table.
        clock: the node's.
        protocols: what is served on peers' streams.
        on_connection: is given each connection that a peer has opened, once its key is proven.
        on_fault: is told who broke which rule: the address, the peer if it is proven, the rule.
        admits: whether a dialler at an address is let in at all.
        sources: whom an address is counted as.
    """

    def __init__(
        self,
        identity: Identity,
        limits: NetLimits,
        clock: Clock,
        *,
        protocols: Protocols,
        on_connection: Callable[[HeldConnection], None],
        on_fault: Callable[[Multiaddr, PeerId | None, PeerFaultError], None],
        admits: Callable[[str], bool],
        sources: Sources,
    ) -> None:
        self._identity = identity
        self._limits = limits
        self._clock = clock
        self._protocols = protocols
        self._on_connection = on_connection
        self._on_fault = on_fault
        self._admits = admits
        self._sources = sources
        self._unread = Unread(limits)
        self._made: dict[Transport, Endpoint] = {}

    def __iter__(self) -> Iterator[Endpoint]:
        """Those that were needed so far."""
        return iter(tuple(self._made.values()))

    def of(self, transport: Transport) -> Endpoint:
        """The one of a transport."""
        endpoint = self._made.get(transport)
        if endpoint is None:
            endpoint = self._made[transport] = self._tcp() if transport == "tcp" else self._quic()
        return endpoint

    def _tcp(self) -> Endpoint:
        return TcpEndpoint(
            self._identity,
            self._limits,
            protocols=self._protocols,
            unread=self._unread,
            on_connection=self._on_connection,
            on_fault=self._on_fault,
            admits=self._admits,
            sources=self._sources,
        )

    def _quic(self) -> Endpoint:
        from net.quic.endpoint import QuicEndpoint  # noqa: PLC0415 - costs much to import, and not every node needs it

        return QuicEndpoint(
            self._identity,
            self._limits,
            self._clock,
            protocols=self._protocols,
            unread=self._unread,
            on_connection=self._on_connection,
            on_fault=self._on_fault,
            admits=self._admits,
            sources=self._sources,
        )
