"""This node among its peers: the host, and what the book and the journal hear of it.

Whoever is dialled must prove the key that is expected; whoever dials proves one. The book says who is banned and who is
trusted, and is asked each time: a word of the operator's holds at once.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Final

from console.address_watch import AddressWatch
from console.discovery import Discovery
from console.mesh_jobs import MeshJobs
from console.offer import Offer
from console.offer_watch import OfferWatch
from net import identify
from net.book import reading, seeing
from net.book.entry import Known
from net.capabilities import exchange as capabilities
from net.capabilities.heard import Heard
from net.capabilities.record import Capabilities
from net.endpoint import HeldConnection
from net.errors import AddressError
from net.host import Host
from net.host_events import (
    Banned,
    Connected,
    DialFailed,
    Disconnected,
    HostEvent,
    Identified,
    Listening,
    PeerFault,
)
from net.limits import NetLimits
from net.multiaddr import Multiaddr
from net.networks import own_networks
from net.peer_id import PeerId
from runtime import events
from runtime.canonical import timestamp
from runtime.errors import OrlopError, UsageError
from runtime.sanitise import clean
from runtime.store import Transaction

if TYPE_CHECKING:
    from concurrent.futures import Future

    from console.core import Core

__all__ = ["Mesh"]

_LOOPBACK: Final = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
_SOURCE: Final = "p2p.listen"


class Mesh:
    """The host of a core. All calls on its loop.

    Args:
        core: whose store, identity and settings count.
        limits: of the network.
    """

    def __init__(self, core: "Core", limits: NetLimits | None = None) -> None:
        self._core = core
        self._limits = limits or NetLimits()
        self.host: Final = Host(
            core.identity,
            self._limits,
            clock=core.clock,
            on_event=self._happened,
            standing=_Standing(core),
            agent=f"orlop/{core.options.version}",
            own_networks=self._networks,
        )
        self._watch = AddressWatch(self.host)
        self.jobs: Final = MeshJobs(core)
        self.offer: Final = Offer(core)
        self.heard: Final = Heard()
        self._offers = OfferWatch(self.offer.now, self.offer.packed, limits=self._limits)
        self.discovery: Final = Discovery(core)

    async def start(self) -> None:
        """Listens where the settings say.

        Raises:
            UsageError: an address there is none.
            NetworkError: it cannot be listened on.
        """
        self.jobs.serve()
        exchange = capabilities.Exchange(
            self.offer.packed, self._core.clock, asked=self._offers.asked, heard=self._offered, limits=self._limits
        )
        self.host.serve(capabilities.PROTOCOL, exchange.serve)
        self._core.keep_running(self._offers.run(), "capabilities")
        for address in self._places():
            await self.host.listen(address)
        await self.discovery.start(tell=True)

    def heed_settings(self) -> None:
        """The settings have changed: those who are connected hear what that changes for them."""
        self.host.tell_changes()
        self._core.keep_running(self._offers.look(), "capabilities")

    async def close(self) -> None:
        """Ends all connections, and waits for it."""
        self.jobs.close()
        await self.discovery.close()
        await self.host.aclose()

    # --- peers ------------------------------------------------------------------------------------------------------

    async def connect(self, peer: PeerId) -> HeldConnection:
        """A connection to a peer, where the book says that it is.

        Raises:
            OrlopError: as `Host.connect` does.
        """
        own, hearsay = _where(await self.entry(peer))
        return await self.host.connect(peer, own, hearsay=hearsay)

    async def entry(self, peer: PeerId) -> Known | None:
        """What the book has of a peer."""
        return await asyncio.wrap_future(self._core.store.read(lambda db: reading.known(db, peer)))

    async def dial(self, address: Multiaddr) -> HeldConnection:
        """A connection to whom an address names, which is remembered.

        Args:
            address: ends in `/p2p/` and a PeerId.

        Raises:
            AddressError: it names nobody.
            OrlopError: as `Host.connect` does.
        """
        peer = address.peer
        if peer is None:
            hint = "add /p2p/ and its PeerId, or --insecure-any to take whoever is there"
            raise AddressError("names nobody", where=str(address), hint=hint)
        return await self.host.connect(peer, [address])

    async def end(self, peer: PeerId) -> None:
        """Closes what connects this node with a peer."""
        await self.host.disconnect(peer)

    def connection(self, peer: PeerId) -> HeldConnection | None:
        """The connection to a peer that stands, or None."""
        return next((one for one in self.host.connections() if one.peer == peer), None)

    def tell_round_trip(self, peer: PeerId, seconds: float) -> None:
        """A ping was answered."""
        rtt_us = round(seconds * 1e6)

        def work(tx: Transaction) -> None:
            seeing.measured(tx, peer, rtt_us)
            tx.emit(events.PeerMeasured(peer=str(peer), rtt_us=rtt_us))

        self._write(work)

    # --- what happens -----------------------------------------------------------------------------------------------

    def _happened(self, event: HostEvent) -> None:
        match event:
            case Listening():
                addrs = tuple(str(address) for address in self.host.listening())
                self._core.note(events.NetListening(addrs=addrs))
            case Connected():
                self._connected(event)
            case Disconnected():
                if event.last:
                    self._core.note(events.PeerDisconnected(peer=event.peer, reason=event.reason))
            case DialFailed():
                reason = f"{event.address}: {event.reason}"
                self._core.note(events.PeerUnreachable(peer=event.peer, reason=reason))
            case PeerFault():
                reason = event.reason if event.count == 1 else f"{event.reason}, {event.count} times"
                self._core.note(events.PeerFault(peer=event.peer, address=event.remote, rule=event.rule, reason=reason))
            case Banned():
                self._banned(event)
            case Identified(said=said):
                self._write(lambda tx: _heard(tx, said.peer, said))

    def _connected(self, event: Connected) -> None:
        peer, remote = PeerId.parse(event.peer), Multiaddr.parse(event.remote)

        def work(tx: Transaction) -> None:
            seeing.proven(tx, peer, remote if event.dialled else None)
            tx.emit(
                events.PeerConnected(
                    peer=event.peer, address=event.remote, transport=event.transport, dialled=event.dialled
                )
            )

        self._write(work)
        self._core.keep_running(self._ask(peer), "peers")
        if self._watch.is_due:
            self._core.keep_running(self._watch.run(), "addresses")

    async def _ask(self, peer: PeerId) -> None:
        """What a new peer says of itself: claims, and where it says that it listens: hints."""
        connection = self.connection(peer)
        if connection is None:
            return
        with contextlib.suppress(OrlopError):
            said = await identify.ask(connection, self._limits)
            await self._core.write(lambda tx: _heard(tx, peer, said))

    def _offered(self, record: Capabilities) -> None:
        self.heard.take(record)

    def _banned(self, event: Banned) -> None:
        if event.spared:
            why = f"would be banned, were it not trusted: {event.reason}"
            self._core.note(events.PeerFault(peer=event.subject, address="", rule="score", reason=why))
            return
        until = timestamp(self._core.clock.wall_ms() + round(event.seconds * 1000))
        peer = event.subject if event.kind == "peer" else ""
        reason = event.reason if peer else f"{event.subject}: {event.reason}"
        self._core.note(events.PeerBanned(peer=peer, banned=True, reason=reason, until=until))

    # --- inside -----------------------------------------------------------------------------------------------------

    def _networks(self) -> list[IPv4Network | IPv6Network]:
        """This machine's, and the loopback where the operator's own start nodes of the DHT are on it."""
        starts = self._core.config.p2p.bootstrap.split()
        return own_networks() + [network for network in _LOOPBACK if any(_is_in(network, start) for start in starts)]

    def _places(self) -> list[Multiaddr]:
        try:
            return [Multiaddr.parse(text, listening=True) for text in self._core.config.p2p.listen.split()]
        except AddressError as error:
            origin = self._core.config.origins.get(_SOURCE, "")
            where = (
                f"{_SOURCE}: {error.where}"
                if origin in {"", "option"}
                else f"{clean(origin)}: {_SOURCE}: {error.where}"
            )
            raise UsageError(error.why, what="configuration", where=where, hint=error.hint) from error

    def _write(self, work: Callable[[Transaction], None]) -> None:
        self._core.store.write(work).add_done_callback(self._written)

    def _written(self, done: "Future[None]") -> None:
        """On a thread of the store."""
        error = None if done.cancelled() else done.exception()
        if error is not None:
            self._core.report("peers", error)


class _Standing:
    """What the operator has said, as the host asks for it."""

    def __init__(self, core: "Core") -> None:
        self._core = core

    def is_banned(self, peer: PeerId) -> bool:
        """Whether an operator bans it."""
        entry = self._core.store.read_now(lambda db: reading.known(db, peer))
        return entry is not None and entry.banned

    def is_listed(self, peer: PeerId) -> bool:
        """Whether it is trusted with anything."""
        entry = self._core.store.read_now(lambda db: reading.known(db, peer))
        return entry is not None and not entry.banned and (entry.submitter or entry.worker)


def _heard(tx: Transaction, peer: PeerId, said: identify.Identify) -> None:
    seeing.identified(tx, peer, said.agent_version)
    seeing.found(tx, peer, [place for place in said.listening if place.peer in {None, peer}], "identify")


def _is_in(network: IPv4Network | IPv6Network, text: str) -> bool:
    with contextlib.suppress(OrlopError, ValueError):
        return ip_address(Multiaddr.parse(text).host) in network
    return False


def _where(entry: Known | None) -> tuple[Sequence[Multiaddr], Sequence[Multiaddr]]:
    """Addresses at which it was, that were typed, or that are in a network on which we listen; and what others say."""
    places = () if entry is None else entry.addresses
    sure = [one.address for one in places if one.proven_ms is not None or one.source in {"typed", "lan"}]
    return sure, [one.address for one in places if one.address not in sure]
