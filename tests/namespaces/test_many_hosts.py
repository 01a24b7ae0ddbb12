"""Ten machines at one, and machines that find each other: by multicast on their network and in the DHT."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.cli.program import ROOT
from tests.cli.running import Running
from tests.namespaces.network import Host, Network

pytestmark = pytest.mark.net

HELLO = str(ROOT / "assets/jobs/hello/hello.wasm")
Begins = Callable[..., Running]


def found(host: Host, peer: str) -> Any:
    """What `peers discover` on a machine says of a peer; an announcement takes a second or two, more under load."""
    items: list[Any] = []
    for _ in range(10):
        ran = host.orlop("peers", "discover", "--wait", "5s", "--json")
        assert ran.code == 0, ran.talk
        items = [item for item in ran.json["items"] if item["peer"] == peer]
        if items:
            break
    (item,) = items
    return item


def test_ten_machines_are_connected_to_one(own_net: Network, begins: Begins) -> None:
    hub = own_net.host("hub")
    middle = begins(hub, f"/ip4/{hub.ip4}/tcp/4001", f"/ip6/{hub.ip6}/udp/4001/quic-v1")
    tcp, quic = middle.run("status")["listen"]
    for number in range(10):
        host = own_net.host(f"h{number}")
        node = begins(host, f"/ip4/{host.ip4}/tcp/0")
        dialled = node.run("peers", "dial", quic if number % 2 else tcp)
        middle.until("peer.connected", peer=node.run("status")["peer_id"], transport=dialled["transport"])
    rows = middle.run("peers", "list")["items"]
    assert len(rows) == 10
    assert {row["state"] for row in rows} == {"connected"}
    for row in rows:
        assert len(middle.run("peers", "ping", row["peer"])["rtts_us"]) == 3


def test_two_machines_on_one_network_find_each_other_by_multicast(own_net: Network, begins: Begins) -> None:
    ada, bob = own_net.host("ada"), own_net.host("bob")
    node = begins(ada.configured(lan=ada.ip4), f"/ip4/{ada.ip4}/tcp/0")
    her = node.run("status")["peer_id"]
    assert found(bob.configured(lan=bob.ip4), her)["transport"] == "tcp"
    (place,) = bob.orlop("peers", "show", her, "--json").json["places"]
    assert (place["source"], place["address"]) == ("lan", node.run("status")["listen"][0].rpartition("/p2p/")[0])


def test_a_machine_finds_a_worker_through_a_third_one_and_has_it_run_a_job(own_net: Network, begins: Begins) -> None:
    first, ada, bob = (own_net.host(name) for name in ("first", "ada", "bob"))
    (start,) = begins(first.configured(dht=True), f"/ip4/{first.ip4}/udp/0/quic-v1").run("status")["listen"]
    node = begins(ada.configured(bootstrap=start), f"/ip4/{ada.ip4}/udp/0/quic-v1")
    her = node.run("status")["peer_id"]
    node.run("peers", "trust", bob.configured(bootstrap=start).peer(), "--jobs")
    assert found(bob, her)["transport"] == "quic"
    assert bob.orlop("peers", "show", her, "--json").json["places"][0]["source"] == "dht"
    assert bob.orlop("peers", "trust", her).code == 0
    ran = bob.orlop("jobs", "run", HELLO, "--stdin", "-", "--discover", "--json", stdin=b"found")
    assert (ran.code, ran.json["where"], ran.json["stdout"]) == (0, her, "dnuof"), ran.talk
