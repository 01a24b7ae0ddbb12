"""Whom an address is counted as: neighbours one by one, strangers by what one of them is given."""

from ipaddress import IPv4Network, IPv6Network, ip_network

import pytest

from net.limits import NetLimits
from net.sources import Sources
from runtime.clock import ManualClock

HERE = [ip_network(text) for text in ("192.0.2.0/24", "2001:db8:1:2::/64", "fe80::/64", "2000::/3")]


@pytest.mark.parametrize(
    ("host", "source", "wide"),
    [
        ("192.0.2.7", "192.0.2.7", "192.0.2.7"),
        ("203.0.113.7", "203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2::7", "2001:db8:1:2::7", "2001:db8:1:2::7"),
        ("2001:db8:1:3::7", "2001:db8:1:3::/64", "2001:db8:1::/48"),
        ("fe80::7%eth0", "fe80::7", "fe80::7"),
        ("a socket of another kind", "a socket of another kind", "a socket of another kind"),
        ("", "", ""),
        ("127.0.0.1", None, "127.0.0.1"),
        ("::1", None, "::/48"),
    ],
)
def test_a_neighbour_has_his_address_and_a_stranger_his_prefix(host: str, source: str | None, wide: str) -> None:
    sources = Sources(NetLimits(), lambda: HERE)
    assert (sources.of(host), sources.wide_of(host)) == (source, wide)


def test_the_loopback_is_counted_when_the_table_says_so() -> None:
    assert Sources(NetLimits(spare_loopback=False)).of("127.0.0.1") == "127.0.0.1"


def test_without_a_network_of_its_own_everybody_is_a_stranger() -> None:
    assert Sources(NetLimits()).of("fe80::7%eth0") == "fe80::/64"


def test_where_this_machine_is_is_asked_again_after_ten_seconds() -> None:
    clock, places, asked = ManualClock(), list[IPv4Network | IPv6Network](), list[float]()

    def networks() -> list[IPv4Network | IPv6Network]:
        asked.append(clock.monotonic())
        return places

    sources = Sources(NetLimits(), networks, clock)
    assert [sources.of("2001:db8::7") for _ in range(3)] == 3 * ["2001:db8::/64"]
    places.append(ip_network("2001:db8::/64"))
    clock.advance(9.9)
    assert sources.of("2001:db8::7") == "2001:db8::/64"
    clock.advance(0.1)
    assert sources.of("2001:db8::7") == "2001:db8::7"
    assert asked == [0.0, 10.0]
