"""Who may connect at all: by place, by pace and by prefix."""

from ipaddress import ip_network

from net.admission import Admission
from net.limits import NetLimits
from net.sources import Sources

LIMITS = NetLimits()


def verdict(
    gate: Admission, host: str = "203.0.113.1", now: float = 0.0, inbound: tuple[str, ...] = (), connections: int = 0
) -> tuple[str, int] | None:
    found = gate.judge(host, now, inbound=inbound, connections=connections)
    return None if found is None else (found.rule, found.score)


def test_twenty_at_once_and_then_ten_a_minute_from_one_prefix() -> None:
    gate = Admission(LIMITS)
    assert [verdict(gate) for _ in range(20)] == 20 * [None]
    assert verdict(gate) == ("connection-churn", 10)
    assert verdict(gate, "203.0.113.2") is None
    assert verdict(gate, now=5.9) == ("connection-churn", 10)
    assert verdict(gate, now=6.1) is None
    assert verdict(gate, now=6.1) == ("connection-churn", 10)


def test_an_ipv6_host_has_all_its_64_network() -> None:
    gate = Admission(LIMITS)
    for number in range(20):
        assert verdict(gate, f"2001:db8::{number:x}") is None
    assert verdict(gate, "2001:db8::99") == ("connection-churn", 10)
    assert verdict(gate, "2001:db8:0:1::99") is None


def test_eight_of_one_prefix_at_a_time() -> None:
    gate = Admission(LIMITS)
    assert verdict(gate, inbound=7 * ("203.0.113.1",)) is None
    assert verdict(gate, inbound=8 * ("203.0.113.1",)) == ("connections-of-prefix", 0)
    assert verdict(gate, inbound=8 * ("203.0.113.9",)) is None


def test_neighbours_on_a_link_of_ours_are_counted_one_by_one() -> None:
    gate = Admission(LIMITS, Sources(LIMITS, lambda: [ip_network("2001:db8::/64"), ip_network("fe80::/64")]))
    lan = tuple(f"2001:db8::{number:x}" for number in range(50))
    assert [verdict(gate, host, inbound=lan) for host in lan] == 50 * [None]
    assert verdict(gate, "fe80::7%eth0", inbound=("fe80::1%eth0", "fe80::2%eth0") * 8) is None
    assert verdict(gate, "2001:db8::1", inbound=8 * ("2001:db8::1",)) == ("connections-of-prefix", 0)
    assert [verdict(gate, "2001:db8::2") for _ in range(20)][-1] == ("connection-churn", 10)
    assert verdict(gate, "2001:db8:0:1::9", inbound=8 * ("2001:db8:0:1::1",)) == ("connections-of-prefix", 0)


def test_192_inbound_and_256_in_all() -> None:
    gate = Admission(LIMITS)
    others = tuple(f"198.51.100.{number}" for number in range(192))
    assert verdict(gate, inbound=others[:191]) is None
    assert verdict(gate, inbound=others) == ("connections", 0)
    assert verdict(gate, connections=255) is None
    assert verdict(gate, connections=256) == ("connections", 0)


def test_a_hundred_handshakes_at_once_and_then_fifty_a_second() -> None:
    gate = Admission(LIMITS)
    hosts = [f"10.0.{number // 250}.{number % 250}" for number in range(152)]
    assert [verdict(gate, host) for host in hosts[:100]] == 100 * [None]
    assert verdict(gate, hosts[100]) == ("handshakes", 0)
    assert [verdict(gate, host, now=1.0) for host in hosts[101:151]] == 50 * [None]
    assert verdict(gate, hosts[151], now=1.0) == ("handshakes", 0)


def test_the_loopback_is_counted_only_when_asked() -> None:
    gate = Admission(LIMITS)
    assert [verdict(gate, "127.0.0.1", inbound=50 * ("127.0.0.1",)) for _ in range(50)] == 50 * [None]
    strict = Admission(NetLimits(spare_loopback=False))
    assert verdict(strict, "127.0.0.1", inbound=50 * ("127.0.0.1",)) == ("connections-of-prefix", 0)


def test_a_million_prefixes_cost_no_more_than_a_few_thousand() -> None:
    gate = Admission(NetLimits(handshakes_rate=1e9, handshakes_burst=10_000))
    for number in range(5000):
        assert verdict(gate, f"2001:db8:0:{number:x}::1", now=float(number)) is None
    assert len(gate._paces) == 4096
