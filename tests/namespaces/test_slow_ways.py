"""Jobs over ways that are long, out of order and in crumbs."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.cli.running import Running
from tests.namespaces.guests import HELLO
from tests.namespaces.network import Network
from tests.namespaces.slow_way import slow_way

pytestmark = [pytest.mark.net, pytest.mark.timeout(400)]

Begins = Callable[..., Running]


def test_a_job_runs_and_verifies_over_a_way_that_delays_and_reorders(own_net: Network, begins: Begins) -> None:
    machine = own_net.lonely("one")
    bob = replace(machine, home=own_net.folder / "bob")
    node = begins(machine, "/ip4/127.0.0.1/tcp/4001", "/ip4/127.0.0.1/udp/4002/quic-v1")
    node.run("peers", "trust", bob.peer(), "--jobs")
    tcp, quic = node.run("status")["listen"]
    text = b"a" * 50_000 + b"z"
    with slow_way(machine, 4001, 4002) as way:
        for place in (tcp.replace("/4001/", f"/{way.tcp}/"), quic.replace("/4002/", f"/{way.udp}/")):
            kept = str(own_net.folder / "receipt.json")
            ran = bob.orlop("jobs", "run", str(HELLO), "--on", place, "--stdin", "-", "--receipt", kept, stdin=text)
            assert (ran.code, ran.out) == (0, text[::-1]), ran.talk
            her = place.rpartition("/")[2]
            verified = bob.orlop("receipts", "verify", kept, "--key", her, "--json")
            assert (verified.code, verified.json["ok"]) == (0, True)
        assert way.overtaken > 20
        assert way.doubled > 0
    assert [line for line in node.lines if line["type"] == "peer.fault"] == []
