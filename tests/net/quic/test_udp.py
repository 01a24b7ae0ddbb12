"""The socket: its buffer, its families, its names of places."""

from pathlib import Path

import pytest

from net.errors import AddressError
from net.multiaddr import Multiaddr
from net.quic.udp import RECEIVE_BUFFER, UdpSocket, address_of, pair_of, place_of


@pytest.fixture
async def bound() -> object:
    made = UdpSocket(Multiaddr.parse("/ip4/127.0.0.1/udp/0/quic-v1", listening=True), lambda *_: None)
    yield made
    made.close()
    made.close()


ALLOWED = int(Path("/proc/sys/net/core/rmem_max").read_text())


async def test_the_receive_buffer_is_as_large_as_the_system_allows(bound: UdpSocket) -> None:
    assert bound.receive_buffer >= 2 * min(RECEIVE_BUFFER, ALLOWED)
    assert RECEIVE_BUFFER == 4 * 1024 * 1024


@pytest.mark.parametrize(
    ("place", "yes"),
    [
        ("/ip4/127.0.0.1/udp/9/quic-v1", True),
        ("/ip4/127.9.9.9/udp/9/quic-v1", True),
        ("/ip4/192.0.2.1/udp/9/quic-v1", False),
        ("/ip6/::1/udp/9/quic-v1", False),
        ("/dns4/example.org/udp/9/quic-v1", False),
    ],
)
async def test_a_socket_on_the_loopback_reaches_only_the_loopback(bound: UdpSocket, place: str, yes: bool) -> None:
    assert bound.reaches(Multiaddr.parse(place)) is yes


@pytest.mark.parametrize("text", ["/ip4/192.0.2.1/udp/9/quic-v1", "/ip6/2001:db8::1/udp/9/quic-v1"])
def test_places_and_addresses_are_the_same(text: str) -> None:
    assert str(place_of(address_of(Multiaddr.parse(text)))) == text


def test_host_and_port_alone_are_enough_to_send_back() -> None:
    assert pair_of(("192.0.2.1", 9)) == ("192.0.2.1", 9)
    assert pair_of(("2001:db8::1", 9, 0, 0)) == ("2001:db8::1", 9)
    assert pair_of(("fe80::1", 9, 0, 1)) == ("fe80::1%lo", 9)


def test_a_link_local_place_has_its_interface() -> None:
    place = Multiaddr.parse("/ip6zone/lo/ip6/fe80::1/udp/9/quic-v1")
    assert address_of(place) == ("fe80::1", 9, 0, 1)
    assert place_of(("fe80::1", 9, 0, 1)) == place
    with pytest.raises(AddressError, match="interface that is not there"):
        address_of(Multiaddr.parse("/ip6zone/nothere/ip6/fe80::1/udp/9/quic-v1"))
