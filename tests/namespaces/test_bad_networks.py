"""Networks that lose, are slow, break and heal; and machines without one."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.running import SECONDS, Running
from tests.namespaces.guests import HELLO, writes_and_sleeps
from tests.namespaces.network import Host, Network

pytestmark = [pytest.mark.net, pytest.mark.timeout(400)]  # it waits for what the kernel and QUIC give up

NOBODY = "12D3KooWBiLeB9Qn575rSEFdWgvwXwRfTdN8XFrCEpXWcWjbNDWa"
LOSES = "ip protocol udp numgen inc mod 5 0 drop"  # a fifth; counted, so that no run has bad luck
SLOW = "meta l4proto {{ tcp, udp }} limit rate over {rate} kbytes/second drop"
DROPS = "policy drop"
CUT = "tcp flags rst accept; meta l4proto tcp reject with tcp reset; policy drop"  # TCP hears of it sooner than in 45 s
Begins = Callable[..., Running]


@dataclass(frozen=True, slots=True)
class Pair:
    """Ada, whose node lets Bob run jobs, and Bob's machine."""

    node: Running
    place: str
    ada: Host
    bob: Host


@pytest.fixture(params=["tcp/0", "udp/0/quic-v1"], ids=["tcp", "quic"])
def pair(request: pytest.FixtureRequest, own_net: Network, begins: Begins) -> Pair:
    """Two machines, over one transport."""
    return _pair(own_net, begins, request.param)


def _pair(net: Network, begins: Begins, listen: str) -> Pair:
    ada, bob = net.host("ada"), net.host("bob")
    node = begins(ada, f"/ip4/{ada.ip4}/{listen}")
    node.run("peers", "trust", bob.peer(), "--jobs")
    (place,) = node.run("status")["listen"]
    return Pair(node, place, ada, bob)


def test_a_fifth_of_all_datagrams_is_lost_and_a_job_runs(own_net: Network, begins: Begins) -> None:
    pair = _pair(own_net, begins, "udp/0/quic-v1")
    with pair.ada.filtering(LOSES), pair.bob.filtering(LOSES):
        pinged = pair.bob.orlop("peers", "ping", pair.place, "--json")
        assert (pinged.code, len(pinged.json["rtts_us"])) == (0, 3), pinged.talk
        ran = pair.bob.orlop("jobs", "run", str(HELLO), "--on", pair.place, "--stdin", "-", stdin=b"a" * 100_000 + b"z")
    assert (ran.code, ran.out) == (0, b"z" + b"a" * 100_000), ran.talk


def test_a_slow_network_carries_a_job(pair: Pair) -> None:
    with pair.ada.filtering(SLOW.format(rate=500)):
        ran = pair.bob.orlop("jobs", "run", str(HELLO), "--on", pair.place, "--stdin", "-", stdin=b"a" * 500_000 + b"z")
    assert (ran.code, ran.out) == (0, b"z" + b"a" * 500_000), ran.talk


def test_jobs_outlive_a_partition_and_their_ends_come_when_it_heals(
    own_net: Network, begins: Begins, tmp_path: Path
) -> None:
    ada, bob, eve = (own_net.host(name) for name in ("ada", "bob", "eve"))
    node = begins(ada, f"/ip4/{ada.ip4}/tcp/0", f"/ip4/{ada.ip4}/udp/0/quic-v1")
    peers = [bob.peer(), eve.peer()]
    for peer in peers:
        node.run("peers", "trust", peer, "--jobs")
    module, processes = str(writes_and_sleeps(tmp_path)), []
    for host, place, seconds in zip((bob, eve), node.run("status")["listen"], (10, 11), strict=True):
        processes.append(host.begun("jobs", "run", module, "--on", place, "--timeout", f"{seconds}s"))
    node.wait(lambda: len([line for line in node.lines if line["type"] == "job.output"]) == len(processes))
    # Each is cut off until its node knows it and the job has ended; who waits for a job waits for a minute then.
    with contextlib.ExitStack() as quic:
        quic.enter_context(eve.filtering(CUT))
        with bob.filtering(CUT):
            node.until("peer.disconnected", peer=peers[0])
            node.wait(lambda: len([line for line in node.lines if line["type"] == "receipt.issued"]) == len(processes))
        node.until("peer.disconnected", peer=peers[1])
    for host, process in zip((bob, eve), processes, strict=True):
        out, talk = process.communicate(timeout=SECONDS)
        assert (process.returncode, out) == (124, b"word"), talk
        (row,) = host.orlop("jobs", "list", "--json").json["items"]
        assert (row["state"], row["outcome"]) == ("failed", "deadline")


def test_who_gives_up_during_a_partition_ends_and_says_so(own_net: Network, begins: Begins, tmp_path: Path) -> None:
    pair = _pair(own_net, begins, "tcp/0")
    process = pair.bob.begun("jobs", "run", str(writes_and_sleeps(tmp_path)), "--on", pair.place, "--timeout", "60s")
    pair.node.until("job.output")
    with pair.ada.filtering(DROPS):
        process.terminate()
        out, talk = process.communicate(timeout=SECONDS)
    assert (process.returncode, out, b"cancelled" in talk, talk.count(b"\n")) == (143, b"word", True, 1), talk
    (row,) = pair.bob.orlop("jobs", "list", "--json").json["items"]
    assert row["state"] == "cancelled"


def test_without_a_network_a_node_lives_and_says_what_it_cannot(own_net: Network, begins: Begins) -> None:
    host = own_net.lonely("alone")
    node = begins(host, "/ip4/127.0.0.1/tcp/0", "/ip4/0.0.0.0/udp/0/quic-v1")
    assert node.run("peers", "list")["items"] == []
    node.close()
    assert host.orlop("jobs", "run", str(HELLO), "--stdin", "-", stdin=b"here").out == b"ereh"
    for place in ("/ip4/203.0.113.1/tcp/4001", "/ip6/2001:db8::1/udp/4001/quic-v1"):
        ran = host.orlop("peers", "dial", f"{place}/p2p/{NOBODY}")
        assert (ran.code, ran.talk.count("\n")) == (5, 1), ran.talk


@pytest.mark.parametrize("place", ["/ip4/203.0.113.99/tcp/4001", "/ip6/2001:db8::99/udp/4001/quic-v1"])
def test_listening_on_an_address_of_others_is_refused_in_one_line(own_net: Network, place: str) -> None:
    ran = own_net.host("ada").orlop("--no-ui", "--for", "1s", "--p2p-listen", place)
    assert (ran.code, ran.talk.count("\n"), place.split("/")[2] in ran.talk) == (5, 1, True), ran.talk


def test_a_network_that_comes_later_is_used(own_net: Network, begins: Begins) -> None:
    pair = _pair(own_net, begins, "tcp/0")
    with pair.bob.filtering(DROPS), pair.ada.filtering(CUT):
        ran = pair.bob.orlop("peers", "dial", pair.place)
        assert (ran.code, ran.talk.count("\n")) == (5, 1), ran.talk
    assert pair.bob.orlop("peers", "dial", pair.place).code == 0
