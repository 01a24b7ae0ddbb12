"""The DHT on the port of the QUIC listeners, by IPv4 and IPv6, while connections stand."""

import asyncio

import pytest

from net.dht.contact import Address, Contact
from net.dht.record import capability_key
from net.dht.service import Dht, bootstrap_contact
from net.dht.shared_socket import SharedSocket
from net.multiaddr import Multiaddr
from runtime.clock import SystemClock
from tests.net.dht.machines import PATIENCE_S, PATIENT
from tests.net.quic.nodes import LOOPBACK, LOOPBACK_6, Node, node

KEY = capability_key("x86_64", "wasm")


def dht_of(at: Node) -> Dht:
    """The DHT of a node, on its endpoint."""

    def arrived(data: bytes, address: Address) -> None:
        made.receive(data, address)

    sender = SharedSocket(at.endpoint, arrived)
    made = Dht(at.identity, clock=SystemClock(), sender=sender, serves=True, limits=PATIENT)
    return made


@pytest.mark.parametrize("place", [LOOPBACK, LOOPBACK_6])
async def test_one_port_carries_connections_and_the_dht(place: Multiaddr) -> None:
    async with asyncio.timeout(3 * PATIENCE_S), node(1) as left, node(2) as right:
        here, there = await left.listen(place), await right.listen(place)
        one, other = dht_of(left), dht_of(right)
        assert await one.start() == 0
        assert await other.start([bootstrap_contact(here.with_peer(left.peer))]) == 1
        there_, here_ = await left.dial(right, there)
        assert await other.publish("provider", KEY, {}) == 1
        assert [record.peer for record in await one.find(KEY)] == [right.identity.public]
        known = one.node.table.get(Contact(right.identity.public, ("", 0)).id)
        assert known is not None
        assert known.address == (there.host, there.port)
        assert not there_.closed
        assert not here_.closed
        await other.aclose()
        await one.aclose()


async def test_what_is_sent_when_no_socket_can_be_had_is_lost() -> None:
    async with node(1) as left:
        came: list[bytes] = []
        sender = SharedSocket(left.endpoint, lambda data, _address: came.append(data))
        await left.endpoint.aclose()
        sender.send(b"\x02", ("127.0.0.1", 9))
        assert came == []
