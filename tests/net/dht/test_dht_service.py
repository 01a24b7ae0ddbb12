"""Nodes on real sockets: what is published is found, a restart needs nobody's help, and closing leaves nothing."""

import asyncio
from pathlib import Path

import pytest

from net.dht.contact import Contact
from net.dht.datagram import Kind, parse
from net.dht.own_socket import OwnSocket
from net.dht.record import capability_key, peer_key
from net.dht.saved import load_contacts
from net.dht.service import TableTrouble, bootstrap_contact
from net.errors import AddressError
from net.limits import NetLimits
from net.multiaddr import Multiaddr
from net.peer_id import PeerId
from runtime.clock import ManualClock, SystemClock
from runtime.errors import NetworkError
from runtime.identity import Identity
from tests.net.dht.machines import PATIENCE_S, Machine, Town, town
from tests.net.nodes import Future, until

KEY = capability_key("x86_64", "wasm")
QUICK = NetLimits(dht_lookup_s=PATIENCE_S)
"""With time-outs as they are: for nodes among which somebody is dead."""


@pytest.fixture
async def made():  # type: ignore[no-untyped-def] # noqa: ANN201
    async with asyncio.timeout(3 * PATIENCE_S), town() as add:
        yield add


async def test_what_one_publishes_another_finds_until_it_is_withdrawn(made: Town) -> None:
    machines = [await made() for _ in range(6)]
    assert await machines[1].dht.publish("provider", KEY, {}) >= 4
    found = await machines[5].dht.find(KEY)
    assert [record.peer for record in found] == [machines[1].identity.public]
    await machines[1].dht.withdraw(KEY)
    after = await machines[5].dht.find(KEY)
    assert all(record.expires_ms <= record.issued_ms + 1000 for record in after)


async def test_a_peer_is_found_by_its_id(made: Town) -> None:
    machines = [await made() for _ in range(3)]
    peer = PeerId(machines[2].identity.public)
    address = Multiaddr.parse("/ip4/192.0.2.1/udp/4001/quic-v1")
    await machines[2].dht.publish("peer", peer_key(peer), {"addresses": [str(address)], "relays": []})
    assert await machines[0].dht.find_peer(peer) == [address]
    assert await machines[0].dht.find_peer(PeerId(Identity(b"n" * 32).public)) == []


async def test_closing_withdraws_what_was_published(made: Town) -> None:
    first, second = await made(limits=QUICK), await made(limits=QUICK)
    leaving = await Machine(Identity(b"l" * 32)).open("127.9.2.1", known=[first.contact, second.contact])
    await leaving.dht.publish("provider", KEY, {})
    await leaving.aclose()
    for record in await first.dht.find(KEY):
        assert record.expires_ms <= record.issued_ms + 1000


async def test_after_an_hour_what_is_published_is_told_again_and_the_table_was_saved(
    made: Town, tmp_path: Path
) -> None:
    other, saved = await made(), tmp_path / "peers.json"
    clock, future = ManualClock(SystemClock().wall_ms()), Future()
    publisher = await Machine(Identity(b"h" * 32), clock=clock, saved=saved).open("127.9.6.1", known=[other.contact])
    try:
        await publisher.dht.publish("provider", KEY, {})
        publisher.sent.clear()
        clock.advance(3600.0)
        future.comes(3600.0)
        await other.until(lambda: Kind.STORE in {parse(raw).kind for raw, _ in publisher.sent})
        await until(saved.exists)
        assert len(load_contacts(saved)) == 1
    finally:
        await publisher.aclose()


async def test_a_restart_with_a_dead_bootstrap_joins_by_the_saved_table(made: Town, tmp_path: Path) -> None:
    saved = tmp_path / "peers.json"
    first, second = await made(), await made()
    identity = Identity(b"r" * 32)
    before = await Machine(identity, saved=saved).open("127.9.3.1", known=[first.contact])
    await second.dht.publish("provider", KEY, {})
    await before.aclose()
    assert {contact.key for contact in load_contacts(saved)} == {first.identity.public, second.identity.public}
    dead = Contact(Identity(b"d" * 32).public, ("127.9.9.9", 9))
    after = await Machine(identity, saved=saved, limits=QUICK).open("127.9.3.1", known=[dead])
    try:
        assert await after.dht.find(KEY)
    finally:
        await after.aclose()


async def test_a_damaged_table_is_told_and_the_node_starts(tmp_path: Path) -> None:
    saved = tmp_path / "peers.json"
    saved.write_bytes(b"\x80\x04\x95")  # a pickle
    machine = await Machine(Identity(b"p" * 32), saved=saved).open("127.9.4.1")
    await machine.aclose()
    (event,) = machine.events
    assert isinstance(event, TableTrouble)
    assert str(saved) in event.why


async def test_a_table_that_cannot_be_written_is_told(made: Town, tmp_path: Path) -> None:
    first = await made()
    machine = await Machine(Identity(b"w" * 32), saved=tmp_path / "gone" / "peers.json").open(
        "127.9.5.1", known=[first.contact]
    )
    await machine.aclose()
    assert any(isinstance(event, TableTrouble) for event in machine.events)


async def test_many_lookups_at_once_take_turns(made: Town) -> None:
    machines = [await made() for _ in range(3)]
    await machines[0].dht.publish("provider", KEY, {})
    found = await asyncio.gather(*(machines[2].dht.find(KEY) for _ in range(12)))
    assert all(len(records) == 1 for records in found)


async def test_a_port_that_is_taken_is_one_clear_line(made: Town) -> None:
    first = await made()
    with pytest.raises(NetworkError, match=r"127\.9\.0\.1 UDP port \d+: cannot be bound: .*; choose another"):
        await OwnSocket(lambda _data, _address: None).open(*first.address)


PEER = PeerId(Identity(b"1" * 32).public)


def test_a_bootstrap_address_names_a_peer_at_a_port_of_quic() -> None:
    contact = bootstrap_contact(Multiaddr.parse(f"/ip4/192.0.2.1/udp/4001/quic-v1/p2p/{PEER}"))
    assert (contact.key, contact.address) == (PEER.key, ("192.0.2.1", 4001))


@pytest.mark.parametrize(
    "text",
    [
        "/ip4/192.0.2.1/udp/4001/quic-v1",
        f"/ip4/192.0.2.1/tcp/4001/p2p/{PEER}",
        f"/dns/example.org/udp/4001/quic-v1/p2p/{PEER}",
        f"/ip6zone/eth0/ip6/fe80::1/udp/4001/quic-v1/p2p/{PEER}",
    ],
)
def test_any_other_address_is_refused(text: str) -> None:
    with pytest.raises(AddressError):
        bootstrap_contact(Multiaddr.parse(text))
