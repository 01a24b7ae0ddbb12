"""How this node hears of others and lets them hear of it: the LAN and the DHT, as the settings say.

All that is heard is a hint and goes into the book as one; only a dial proves who is there. Without a setting nothing is
announced, asked or answered.
"""

import contextlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from net.book import seeing
from net.book.entry import Source
from net.dht.contact import Address, Contact
from net.dht.events import Equivocated, Fault
from net.dht.own_socket import DatagramSender, OwnSocket
from net.dht.record import capability_key, peer_key
from net.dht.scopes import plain_address
from net.dht.service import Dht, DhtEvent, bootstrap_contact
from net.errors import AddressError
from net.lan.announcement import PEERS
from net.lan.service import Lan, LanEvent, Sighted
from net.multiaddr import Multiaddr
from net.networks import told_places
from net.peer_id import PeerId
from net.quic.events import Address as SocketAddress
from runtime.canonical import Json
from runtime.errors import NetworkError, OrlopError, UsageError
from runtime.events import CoreError, PeerFault
from runtime.sanitise import clean

if TYPE_CHECKING:
    from console.core import Core
    from net.quic.endpoint import QuicEndpoint

__all__ = ["Discovery"]

_DHT_BYTE: Final = 2
_PROVIDERS_MOST: Final = 32


class Discovery:
    """The LAN and the DHT of a core. All calls on its loop.

    Args:
        core: whose settings, book and host.
    """

    def __init__(self, core: "Core") -> None:
        self._core = core
        self._lan: Lan | None = None
        self._dht: Dht | None = None
        self._socket: OwnSocket | None = None

    @property
    def anywhere(self) -> bool:
        """Whether there is anywhere to look."""
        settings = self._core.config.p2p
        return bool(settings.lan or settings.bootstrap or settings.dht)

    async def start(self, *, tell: bool) -> None:
        """Begins to look, as far as the settings say; a second time it does nothing.

        Args:
            tell: whether others are to hear of this node, if it listens.

        Raises:
            UsageError: a setting names what is none.
            NetworkError: an interface that is not there, or no socket.
        """
        settings = self._core.config.p2p
        tell = tell and bool(self._core.mesh.host.listening())
        if settings.lan and self._lan is None:
            self._lan = Lan(self._core.mesh.host.peer, settings.lan.split(), on_event=self._on_lan)
            await self._lan.start()
            if tell:
                self._core.keep_running(self._announce(self._lan), "LAN")
        if (settings.bootstrap or settings.dht) and self._dht is None:
            await self._join(self._contacts(settings.bootstrap.split()), tell=tell)

    async def close(self) -> None:
        """Takes back what was told, and ends both."""
        if self._dht is not None:
            await self._dht.aclose()
        if self._socket is not None:
            await self._socket.aclose()
        if self._lan is not None:
            await self._lan.aclose()

    async def providers(self, arch: str, kind: str) -> list[PeerId]:
        """Who says in the DHT that it runs jobs of a kind; nobody when there is no DHT.

        Raises:
            UsageError: no words for a key.
        """
        if self._dht is None:
            return []
        with contextlib.suppress(NetworkError):
            records = await self._dht.find(capability_key(arch, kind))
            return [PeerId(record.peer) for record in records[:_PROVIDERS_MOST]]
        return []

    async def tell(self, kind: str, said: Mapping[str, Mapping[str, Json]]) -> None:
        """Publishes records beside those of this node, until `forget`; where there is no DHT, nothing.

        Args:
            kind: of the records.
            said: bodies by key.

        Raises:
            RecordError: others would refuse one.
        """
        if self._dht is not None:
            for key, body in said.items():
                with contextlib.suppress(NetworkError):
                    await self._dht.publish(kind, key, body)

    async def forget(self, keys: Iterable[str]) -> None:
        """Takes back what `tell` published."""
        if self._dht is not None:
            for key in keys:
                with contextlib.suppress(NetworkError):
                    await self._dht.withdraw(key)

    async def look_up(self, peer: PeerId) -> None:
        """Asks the DHT where a peer is; what it says goes into the book."""
        if self._dht is None:
            return
        with contextlib.suppress(NetworkError, AddressError):
            places = await self._dht.find_peer(peer)
            await self._heard(peer, places, "dht")

    # --- inside -----------------------------------------------------------------------------------------------------

    async def _join(self, contacts: list[Contact], *, tell: bool) -> None:
        core = self._core
        serves = tell and any(place.transport == "quic" for place in core.mesh.host.listening())
        dht: Dht | None = None

        def receive(data: bytes, address: SocketAddress) -> None:
            ip = plain_address(address[0])
            if dht is not None and ip is not None:
                dht.receive(data, (ip, address[1]))

        sender: DatagramSender
        if serves:
            sender = _Shared(core.mesh.host.share_udp(_DHT_BYTE, receive))
        else:
            self._socket = sender = OwnSocket(receive)
            version = 6 if contacts and ":" in contacts[0].address[0] else 4
            await self._socket.open("::" if version == 6 else "0.0.0.0")  # noqa: S104, PLR2004 - it only asks
        dht = self._dht = Dht(
            core.identity,
            clock=core.clock,
            sender=sender,
            serves=serves,
            saved=core.state.path / "dht.json" if core.options.owner else None,
            on_event=self._on_dht,
        )
        if core.options.owner:
            core.keep_running(self._publish(dht, contacts, serves=serves), "DHT")
        else:
            await dht.start(contacts)

    async def _publish(self, dht: Dht, contacts: Iterable[Contact], *, serves: bool) -> None:
        await dht.start(contacts)
        if not serves:
            return
        me, places = self._core.mesh.host.peer, told_places(self._core.mesh.host.listening())
        with contextlib.suppress(NetworkError):
            await dht.publish("peer", peer_key(me), {"addresses": [str(place) for place in places], "relays": []})
            arch = self._core.mesh.offer.machine().arch
            await dht.publish("provider", capability_key(arch, "wasm"), {})

    async def _announce(self, lan: Lan) -> None:
        ports = {place.transport: place.port for place in self._core.mesh.host.listening()}
        await lan.announce(tcp=ports.get("tcp"), quic=ports.get("quic"))

    def _on_lan(self, event: LanEvent) -> None:
        if isinstance(event, Sighted) and event.kind == PEERS:
            said = event.announcement
            self._core.keep_running(self._heard(said.peer, said.addresses, "lan"), "LAN")

    def _on_dht(self, event: DhtEvent) -> None:
        match event:
            case Fault():
                peer = str(PeerId(event.key)) if event.key else ""
                place = str(Multiaddr.at(event.address[0], event.address[1], "quic"))
                why = "broke a rule of the DHT"
                self._core.note(PeerFault(peer=peer, address=place, rule=event.rule, reason=why))
            case Equivocated():
                peer = str(PeerId(event.record.peer))
                why = "told different nodes different things in the DHT"
                self._core.note(PeerFault(peer=peer, address="", rule="equivocation", reason=why))
            case _:
                self._core.note(CoreError(where="DHT", error=clean(event.why)))

    async def _heard(self, peer: PeerId, places: Iterable[Multiaddr], source: Source) -> None:
        if peer != self._core.mesh.host.peer:
            said = list(places)
            await self._core.write(lambda tx: seeing.found(tx, peer, said, source))

    def _contacts(self, texts: list[str]) -> list[Contact]:
        try:
            return [bootstrap_contact(Multiaddr.parse(text)) for text in texts]
        except OrlopError as error:
            where = f"p2p.bootstrap: {error.where}"
            raise UsageError(error.why, what="configuration", where=where, hint=error.hint) from error


class _Shared:
    """The UDP socket of QUIC as the DHT's."""

    def __init__(self, endpoint: "QuicEndpoint") -> None:
        self._endpoint = endpoint

    def send(self, data: bytes, address: Address) -> None:
        """Sends at once or loses it."""
        with contextlib.suppress(OrlopError):
            self._endpoint.send_datagram(data, Multiaddr.at(address[0], address[1], "quic"))
