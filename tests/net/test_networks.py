"""Where this machine is, and when that is another place than before."""

import pytest

from net.multiaddr import Multiaddr
from net.networks import has_moved, is_anywhere, own_addresses, told_places


@pytest.mark.parametrize(
    ("before", "now", "moved"),
    [
        (["192.0.2.1"], ["192.0.2.2"], True),
        (["192.0.2.1"], ["192.0.2.1", "2001:db8::1"], True),
        (["192.0.2.1", "2001:db8::1"], ["192.0.2.1"], True),
        ([], ["192.0.2.1"], True),
        (["192.0.2.1", "2001:db8::1"], ["2001:db8::1", "192.0.2.1"], False),
        (["192.0.2.1"], ["192.0.2.1", "192.0.2.1"], False),
        (["192.0.2.1"], [], False),
        ([], [], False),
    ],
)
def test_a_machine_has_moved_when_it_has_other_addresses_and_some(
    before: list[str], now: list[str], moved: bool
) -> None:
    assert has_moved(before, now) is moved


def test_both_kinds_of_addresses_together_are_all() -> None:
    assert sorted(own_addresses()) == sorted(own_addresses("ip4") + own_addresses("ip6"))


def test_anywhere_is_told_as_what_it_is_here() -> None:
    here = [
        Multiaddr.parse(text) for text in ("/ip4/127.0.0.1/tcp/1", "/ip4/127.0.0.1/tcp/1", "/ip6/::1/udp/2/quic-v1")
    ]
    assert told_places(here) == [here[0], here[2]]
    anywhere = Multiaddr.parse("/ip4/0.0.0.0/tcp/4001")
    assert is_anywhere(anywhere)
    assert told_places([anywhere]) == [Multiaddr.at(host, 4001, "tcp") for host in own_addresses("ip4")][:8]
    many = [Multiaddr.at("127.0.0.1", port, "tcp") for port in range(1, 20)]
    assert told_places(many) == many[:8]
