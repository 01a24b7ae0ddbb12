"""Two machines dial, prove their keys, ping and run a job, over each transport and family, and on small cables."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.cli.program import ROOT, Ran
from tests.cli.running import Running
from tests.namespaces.network import Host, Network

pytestmark = pytest.mark.net

HELLO = str(ROOT / "assets/jobs/hello/hello.wasm")


@dataclass(frozen=True, slots=True)
class Pair:
    """Ada, who listens everywhere and lets Bob run jobs, and Bob's machine."""

    node: Running
    ada: Host
    bob: Host

    def place(self, kind: str) -> str:
        """Where she listens, of one kind: `/ip4/tcp`, `/ip6/udp`, …"""
        family, protocol = kind.split("/")[1:]
        (place,) = [
            one for one in self.node.run("status")["listen"] if one.startswith(f"/{family}/") and f"/{protocol}/" in one
        ]
        return str(place)


@pytest.fixture(scope="module")
def pair(net: Network) -> Iterator[Pair]:
    ada, bob = net.host("ada"), net.host("bob")
    places = [f"/{kind}/{rest}" for kind in (f"ip4/{ada.ip4}", f"ip6/{ada.ip6}") for rest in ("tcp/0", "udp/0/quic-v1")]
    his = bob.peer()
    node = ada.listening(*places)
    node.run("peers", "trust", his, "--jobs")
    yield Pair(node, ada, bob)
    node.close()


KINDS = ("/ip4/tcp", "/ip6/tcp", "/ip4/udp", "/ip6/udp")


@pytest.mark.parametrize("kind", KINDS)
def test_they_dial_ping_and_run_a_job(pair: Pair, kind: str) -> None:
    place = pair.place(kind)
    her = place.rpartition("/")[2]
    dialled = pair.bob.orlop("peers", "dial", place, "--json")
    assert dialled.code == 0, dialled.talk
    assert dialled.json["peer"] == her
    assert dialled.json["transport"] == {"tcp": "tcp", "udp": "quic"}[kind.rpartition("/")[2]]
    pinged = pair.bob.orlop("peers", "ping", place, "--json")
    assert (pinged.code, len(pinged.json["rtts_us"])) == (0, 3), pinged.talk
    ran = pair.bob.orlop("jobs", "run", HELLO, "--on", place, "--stdin", "-", "--json", stdin=kind.encode())
    assert (ran.code, ran.json["where"], ran.json["stdout"]) == (0, her, kind[::-1]), ran.talk
    assert all(step["ok"] is not False for step in ran.json["verification"]["steps"])


@pytest.mark.parametrize("kind", ["/ip4/tcp", "/ip6/udp"])
def test_another_key_at_her_address_is_refused(pair: Pair, kind: str) -> None:
    wrong = pair.place(kind).rpartition("/")[0] + "/12D3KooWBiLeB9Qn575rSEFdWgvwXwRfTdN8XFrCEpXWcWjbNDWa"
    ran = pair.bob.orlop("peers", "dial", wrong)
    assert (ran.code, ran.talk.count("\n"), "another key" in ran.talk) == (1, 1, True), ran.talk


@pytest.mark.parametrize(("mtu", "kind"), [(1280, "/ip6/udp"), (1280, "/ip4/tcp"), (576, "/ip4/tcp")])
def test_a_small_cable_carries_a_megabyte_both_ways(net: Network, pair: Pair, mtu: int, kind: str) -> None:
    name = f"m{mtu}{kind[3]}"
    small = net.host(name, mtu=mtu)
    pair.node.run("peers", "trust", small.peer(), "--jobs")
    ran = megabyte(small, pair.place(kind))
    assert (ran.code, ran.out) == (0, b"z" + b"a" * 1_000_000), ran.talk


def megabyte(host: Host, place: str) -> Ran:
    """A job with a megabyte in and out."""
    return host.orlop("jobs", "run", HELLO, "--on", place, "--stdin", "-", stdin=b"a" * 1_000_000 + b"z")
