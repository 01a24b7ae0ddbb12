"""The DHT of a running node: the sans-IO core on an event loop, with what it publishes and remembers."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from net.dht.contact import Address, Contact
from net.dht.events import Done, Equivocated, Fault
from net.dht.node import DhtNode
from net.dht.own_socket import DatagramSender
from net.dht.publications import Publications
from net.dht.record import Record, Signer, key_id, peer_key
from net.dht.saved import SAVED_MAX, load_contacts, save_contacts
from net.errors import AddressError, UnreachableError
from net.limits import NetLimits
from net.multiaddr import Multiaddr
from net.peer_id import PeerId
from runtime.canonical import Json
from runtime.clock import Clock
from runtime.errors import OrlopError, UnavailableError

__all__ = ["Dht", "DhtEvent", "TableTrouble", "bootstrap_contact"]

_SAVE_S: Final = 600.0
_QUERIES_MAX: Final = 16
_FAREWELL_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class TableTrouble:
    """The saved table cannot be read or written; the DHT goes on without.

    Attributes:
        why: in one line.
    """

    why: str


DhtEvent = Fault | Equivocated | TableTrouble


def bootstrap_contact(address: Multiaddr) -> Contact:
    """The contact in a bootstrap address.

    Args:
        address: of the form `/ip4/…/udp/N/quic-v1/p2p/PEERID`, or with `ip6`.

    Raises:
        AddressError: another form.
    """
    if address.peer is None or address.transport != "quic" or address.relay or address.kind not in {"ip4", "ip6"}:
        hint = "write /ip4/192.0.2.1/udp/4001/quic-v1/p2p/PEERID"
        raise AddressError("is no address of the DHT", where=str(address), hint=hint)
    if address.zone:
        raise AddressError("is bound to an interface, which the DHT does not use", where=str(address))
    return Contact(address.peer.key, (address.host, address.port))


class Dht:
    """One node on the running loop.

    Args:
        signer: the node's key.
        clock: its clocks.
        sender: carries datagrams; what arrives is given to `receive`.
        serves: whether others may ask it, which needs a port that stays.
        saved: where the table is remembered; None for nowhere.
        limits: what it takes and does at most.
        on_event: told what the operator should know.
    """

    def __init__(
        self,
        signer: Signer,
        *,
        clock: Clock,
        sender: DatagramSender,
        serves: bool,
        saved: Path | None = None,
        limits: NetLimits = NetLimits(),
        on_event: Callable[[DhtEvent], None] = lambda _event: None,
    ) -> None:
        self._clock = clock
        self._sender = sender
        self._saved = saved
        self._on_event = on_event
        self.node = DhtNode(signer, wall_ms=clock.wall_ms, now=clock.monotonic(), limits=limits, serves=serves)
        self._publications = Publications(signer)
        self._waiting: dict[int, asyncio.Future[Done]] = {}
        self._turns = asyncio.Semaphore(_QUERIES_MAX)
        self._timer: asyncio.TimerHandle | None = None
        self._wake = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._closed = False

    async def start(self, contacts: Iterable[Contact] = ()) -> int:
        """Remembers the saved table, joins the others, and keeps what is published alive.

        Args:
            contacts: configured or found on the LAN.

        Returns:
            How many nodes answered; 0 is no error: somebody may come.
        """
        if self._saved is not None:
            try:
                self.node.hint(await asyncio.to_thread(load_contacts, self._saved))
            except OrlopError as error:
                self._on_event(TableTrouble(str(error)))
        self.node.hint(contacts)
        self._keeper = asyncio.create_task(self._keep(), name="orlop-dht")
        done = await self._query(lambda now: self.node.find_nodes(self.node.id, now))
        return done.answered

    def hint(self, contacts: Iterable[Contact]) -> None:
        """Tells of nodes that were found otherwise, such as on the LAN."""
        self.node.hint(contacts)

    def receive(self, data: bytes, address: Address) -> None:
        """Takes a datagram whose first byte is 2.

        Args:
            data: as it came.
            address: where it came from, the IP in its one spelling.
        """
        if not self._closed:
            self.node.receive(data, address, self._clock.monotonic())
            self._pump()

    async def find(self, key: str) -> Sequence[Record]:
        """The records of a key: valid, signed, and nothing but hints. Those that were seen on two paths come first.

        Args:
            key: its text.

        Raises:
            UnreachableError: no node answered at all.
        """
        done = await self._query(lambda now: self.node.find_records(key_id(key), now))
        if not done.answered and not done.records:
            raise self._alone(key)
        return done.records

    async def find_peer(self, peer: PeerId) -> Sequence[Multiaddr]:
        """Where a peer says that it is. Only a handshake proves that it is there.

        Raises:
            UnreachableError: no node answered at all.
        """
        for record in await self.find(peer_key(peer)):
            addresses = record.body["addresses"]
            if isinstance(addresses, Sequence):
                return [Multiaddr.parse(str(text)) for text in addresses]
        return []

    async def publish(self, kind: str, key: str, body: Mapping[str, Json]) -> int:
        """Publishes a record, and keeps it alive until `withdraw`.

        Args:
            kind: `peer`, `provider` or `manifest`.
            key: its text.
            body: as the kind has it.

        Returns:
            How many nodes took it; with 0 it is tried again in a minute.

        Raises:
            RecordError: others would refuse it.
        """
        record = self._publications.put(kind, key, body, self._clock.monotonic(), self._clock.wall_ms())
        self._wake.set()
        return await self._tell(record)

    async def withdraw(self, key: str) -> None:
        """Publishes no longer, and tells who has the record."""
        record = self._publications.take_back(key, self._clock.wall_ms())
        if record is not None:
            await self._query(lambda now: self.node.publish(record, now))

    async def aclose(self) -> None:
        """Withdraws what is published, ends everything with what it has, and remembers the table. The sender stays."""
        if self._closed:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FAREWELL_S):
                await asyncio.gather(*(self.withdraw(key) for key in self._publications.keys()))  # noqa: SIM118
        self._closed = True
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
        self.node.close(self._clock.monotonic())
        self._hand_out()
        if self._timer is not None:
            self._timer.cancel()
        await self._remember()
        if self._keeper is not None and not self._keeper.cancelled():
            self._keeper.result()  # it ends by itself only through a fault of ours

    # --- inside -----------------------------------------------------------------------------------------------------

    async def _query(self, begin: Callable[[float], int]) -> Done:
        async with self._turns:
            if self._closed:
                raise UnreachableError("the DHT is closed")
            number = begin(self._clock.monotonic())
            future: asyncio.Future[Done] = asyncio.get_running_loop().create_future()
            self._waiting[number] = future
            self._pump()
            try:
                return await future
            finally:
                self._waiting.pop(number, None)

    async def _tell(self, record: Record) -> int:
        done = await self._query(lambda now: self.node.publish(record, now))
        if not done.contacts:
            self._publications.failed(record.key, self._clock.monotonic())
            self._wake.set()
        return len(done.contacts)

    def _pump(self) -> None:
        """Sends what the core has to send, hands out its results, sets its timer."""
        for data, address in self.node.take():
            self._sender.send(data, address)
        self._hand_out()
        if self._timer is not None:
            self._timer.cancel()
        now = self._clock.monotonic()
        self._timer = asyncio.get_running_loop().call_later(max(0.0, self.node.timer(now) - now), self._tick)

    def _tick(self) -> None:
        self.node.tick(self._clock.monotonic())
        self._pump()

    def _hand_out(self) -> None:
        for event in self.node.events():
            if not isinstance(event, Done):
                self._on_event(event)
            elif (future := self._waiting.get(event.query)) is not None and not future.done():
                future.set_result(event)

    async def _keep(self) -> None:
        """Tells again what is due, and remembers the table every ten minutes."""
        save_at = self._clock.monotonic() + _SAVE_S
        while True:
            due_at = self._publications.due_at()
            wait_s = min(save_at, save_at if due_at is None else due_at) - self._clock.monotonic()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, wait_s)):
                    await self._wake.wait()
            self._wake.clear()
            now = self._clock.monotonic()
            for record in self._publications.due(now, self._clock.wall_ms()):
                await self._tell(record)
            if now >= save_at:
                save_at = now + _SAVE_S
                await self._remember()

    async def _remember(self) -> None:
        contacts = self.node.table.nearest(self.node.id, SAVED_MAX)
        if self._saved is None or not contacts:
            return
        try:
            await asyncio.to_thread(save_contacts, self._saved, contacts)
        except UnavailableError as error:
            self._on_event(TableTrouble(str(error)))

    def _alone(self, key: str) -> UnreachableError:
        hint = "name a node that is there by p2p.bootstrap"
        return UnreachableError("no node of the DHT answered", where=key, hint=hint)
