"""A machine whose address changes while its job runs elsewhere."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.running import SECONDS, Running
from tests.namespaces.capture import UDP, Capture
from tests.namespaces.guests import copies
from tests.namespaces.network import Host, Network

pytestmark = [pytest.mark.net, pytest.mark.timeout(400)]

LATER = "203.0.113.77"
Begins = Callable[..., Running]


class Talking:
    """A job on another machine, which says what it is told, and the command that waits for it."""

    def __init__(self, host: Host, place: str, folder: Path) -> None:
        words = ("jobs", "run", str(copies(folder)), "--on", place, "--stdin", "-", "--timeout", "300s")
        self._process = host.begun(*words)

    def answers(self, text: bytes) -> bool:
        """Whether it says the same."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(text)
        self._process.stdin.flush()
        return self._process.stdout.read(len(text)) == text

    def end(self) -> tuple[int, bytes, bytes]:
        """Ends its input; how the command ended, and what else came."""
        out, talk = self._process.communicate(timeout=SECONDS)
        return self._process.returncode, out, talk


def listens(net: Network, begins: Begins, listen: str) -> tuple[Running, str, Host, Host]:
    """Ada's node, which lets Bob run jobs, where it listens, and both machines."""
    ada, bob = net.host("ada"), net.host("bob")
    node = begins(ada, f"/ip4/{ada.ip4}/{listen}")
    node.run("peers", "trust", bob.peer(), "--jobs")
    (place,) = node.run("status")["listen"]
    return node, place, ada, bob


def test_by_quic_the_connection_goes_on_from_the_new_address(own_net: Network, begins: Begins, tmp_path: Path) -> None:
    node, place, ada, bob = listens(own_net, begins, "udp/0/quic-v1")
    job = Talking(bob, place, tmp_path)
    assert job.answers(b"before")
    port = int(node.until("peer.connected")["address"].split("/")[4])
    with closing(Capture(ada)) as capture:
        bob.moves(LATER)
        for _ in range(100_000):  # until its node has taken another socket, too, which it does within five seconds
            assert job.answers(b"after!")
            came = {one.source for one in capture.segments() if one.protocol == UDP and one.target[0] == ada.ip4}
            if any(address == LATER and number != port for address, number in came):
                break
        else:
            raise AssertionError("it kept its socket")
    assert job.answers(b"again!")
    assert job.end() == (0, b"", b"")
    node.until("peer.disconnected")
    assert [line["type"] for line in node.lines].count("peer.connected") == 1


def test_by_tcp_the_job_is_resumed_on_another_connection(own_net: Network, begins: Begins, tmp_path: Path) -> None:
    node, place, _, bob = listens(own_net, begins, "tcp/0")
    job = Talking(bob, place, tmp_path)
    assert job.answers(b"before")
    bob.moves(LATER)
    assert job.answers(b"after!")
    code, out, talk = job.end()
    assert (code, out) == (0, b""), talk
    first, second = (line["address"] for line in node.lines if line["type"] == "peer.connected")
    assert (bob.ip4 in first, LATER in second) == (True, True)
    rows = node.run("jobs", "list")["items"]
    assert [(row["state"], row["outcome"]) for row in rows] == [("done", "exit")]
