"""Nodes that are killed at every step of a handshake and of a job: the other end ends cleanly, and goes on."""

import contextlib
import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.cli.running import SECONDS, Running
from tests.namespaces.gate import Gate, gate
from tests.namespaces.guests import HELLO, other_hello, writes_and_sleeps
from tests.namespaces.job_steps import PROVEN, STEPS, holds_at
from tests.namespaces.network import Host, Network
from tests.namespaces.sluice import sluice

pytestmark = [pytest.mark.net, pytest.mark.timeout(400)]

LEASED = ("offer", "lease")
"""Whoever dies after these and does not ask loses its lease after ten seconds."""

KEPT = ("request", "module")
"""Whoever dies after these may come back for five minutes, and until then what it sent is kept."""

DATAGRAMS = (1, 2, 3, 4)
"""A handshake over QUIC takes at least five."""

CLOSED, GONE, RUNS = (125, "closed|broke"), (125, "the worker: there is no such job"), (0, "")
LATE = (125, "the worker was lost")
"""On a machine that needs longer to begin a node than its requester waits."""
ENDS = {
    **dict.fromkeys(("connected", "multistream of the dialler", "multistream of the listener"), (CLOSED,)),
    **dict.fromkeys(("noise 1", "noise 2"), (CLOSED,)),
    **dict.fromkeys(("noise 3", "yamux", "identify"), (CLOSED, RUNS)),  # it dials again, and may be early for that
    "offer": (RUNS, LATE),  # nothing was promised: it is offered anew
    **dict.fromkeys(("lease", "request", "module"), (GONE, LATE)),
    "result": (RUNS, LATE),
}
"""How a requester ends whose worker was killed and begun anew: the exit code, and what is found in what it says."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Ada's node, which lets Bob run jobs, and Bob's home, on one machine."""

    node: Running
    machine: Host
    bob: Host
    his: str

    def begin(self) -> None:
        """Begins her node anew."""
        self.node.start()
        self.node.until("core.ready")

    def place(self, kind: str = "tcp", port: int = 4001) -> str:
        """Where she listens, or stands a gate before her."""
        listens: list[str] = self.node.run("status")["listen"]
        return next(place for place in listens if kind in place).replace("/4001/", f"/{port}/")

    def gate(self, step: str) -> "contextlib.AbstractContextManager[Gate]":
        """One that holds there."""
        return gate(self.machine, 4001, holds_at(step))

    def asks(self, module: Path, place: str, *words: str) -> "subprocess.Popen[bytes]":
        """Bob's `jobs run` that goes on."""
        return self.bob.begun("jobs", "run", str(module), "--on", place, *words)

    def descriptors(self, word: str) -> int:
        """How many of a kind her node has open."""
        links = [path.readlink() for path in Path(f"/proc/{self.node.pid}/fd").iterdir()]
        return len([link for link in links if word in str(link)])

    def parts(self) -> list[Path]:
        """Her files of what came in part."""
        return [*(self.node.home / ".local/state/orlop/blobs").glob(".incoming-*")]

    def count(self, kind: str, **fields: object) -> int:
        """How often she told it."""
        return len([line for line in self.node.lines if line["type"] == kind and fields.items() <= line.items()])


@pytest.fixture(scope="module")
def pair(net: Network) -> Iterator[Pair]:
    machine = net.lonely("one")
    bob = replace(machine, home=net.folder / "bob")
    node = machine.listening("/ip4/127.0.0.1/tcp/4001", "/ip4/127.0.0.1/udp/4001/quic-v1")
    his = bob.peer()
    node.run("peers", "trust", his, "--jobs")
    yield Pair(node, machine, bob, his)
    node.close()


def test_requesters_that_are_killed_at_any_step_leave_nothing_behind(pair: Pair, tmp_path: Path) -> None:
    assert pair.bob.orlop("jobs", "run", str(HELLO), "--on", pair.place()).code == 0
    pair.node.until("peer.disconnected", peer=pair.his)
    sockets, seen = pair.descriptors("socket:"), pair.count("peer.disconnected")
    for number, step in enumerate(sorted(STEPS, key=lambda step: step not in LEASED)):
        with pair.gate(step) as held:
            process = pair.asks(other_hello(tmp_path, number), pair.place(port=held.port))
            assert held.reached.wait(SECONDS), step
            process.kill()
            process.communicate(timeout=SECONDS)
            assert held.shut.wait(SECONDS), step  # both ends: her node has closed its own
        seen += step in PROVEN
        pair.node.wait(lambda: pair.count("peer.disconnected") == pair.count("peer.connected") == seen)  # noqa: B023
    assert pair.count("peer.fault") == 0
    for _ in range(200):  # until leases end; she works meanwhile
        ran = pair.bob.orlop("jobs", "run", str(HELLO), "--on", pair.place())
        assert ran.code == 0, ran.talk
        if len(pair.parts()) == len(KEPT) and pair.descriptors("socket:") <= sockets:
            break
    assert (len(pair.parts()), pair.descriptors("incoming")) == (len(KEPT), len(KEPT))
    assert pair.descriptors("socket:") <= sockets
    rows = pair.node.run("jobs", "list")["items"]
    assert {(row["state"], row["outcome"]) for row in rows} == {("done", "exit")}
    pair.node.end()
    assert pair.parts() == []
    pair.begin()


@pytest.mark.parametrize("step", ENDS)
def test_a_requester_whose_worker_is_killed_ends_as_is_written(pair: Pair, step: str, tmp_path: Path) -> None:
    module = other_hello(tmp_path, 100 + [*ENDS].index(step))
    with pair.gate(step) as held:
        process = pair.asks(module, pair.place(port=held.port), "--json")
        assert held.reached.wait(SECONDS)
        pair.node.kill()
        assert held.shut.wait(SECONDS)
        pair.begin()
        out, talk = process.communicate(timeout=2 * SECONDS)
    code = process.returncode
    assert any(code == known and re.search(words, talk.decode()) for known, words in ENDS[step]), (code, talk)
    if code == 0:
        assert all(one["ok"] is not False for one in json.loads(out)["verification"]["steps"])
    names = [row["name"] for row in pair.node.run("jobs", "list")["items"]]
    assert names.count(module.name) == (code == 0)


def test_requesters_over_quic_that_are_killed_in_the_handshake_leave_nothing_behind(pair: Pair, tmp_path: Path) -> None:
    assert pair.bob.orlop("jobs", "run", str(HELLO), "--on", pair.place("quic")).code == 0
    before = {row["job"] for row in pair.node.run("jobs", "list")["items"]}
    for passes in DATAGRAMS:
        with sluice(pair.machine, 4001, passes) as held:
            process = pair.asks(other_hello(tmp_path, 200 + passes), pair.place("quic", held.udp))
            assert held.reached.wait(SECONDS), passes
            process.kill()
            process.communicate(timeout=SECONDS)
    assert pair.bob.orlop("jobs", "run", str(HELLO), "--on", pair.place("quic")).code == 0
    rows = [row for row in pair.node.run("jobs", "list")["items"] if row["job"] not in before]
    assert {row["state"] for row in rows} == {"done"}


def test_a_requester_over_quic_whose_worker_is_killed_in_the_handshake_ends_as_is_written(
    pair: Pair, tmp_path: Path
) -> None:
    with sluice(pair.machine, 4001, 3) as held:
        process = pair.asks(other_hello(tmp_path, 300), pair.place("quic", held.udp))
        assert held.reached.wait(SECONDS)
        pair.node.kill()
        out, talk = process.communicate(timeout=2 * SECONDS)
        pair.begin()
    assert (process.returncode, out) == (125, b""), talk
    assert b"did not answer within 10 s" in talk
    assert pair.bob.orlop("jobs", "run", str(HELLO), "--on", pair.place("quic")).code == 0


@pytest.mark.parametrize("kind", ["tcp", "quic"])
def test_a_job_goes_on_without_its_requester_who_was_killed(pair: Pair, kind: str, tmp_path: Path) -> None:
    process = pair.asks(writes_and_sleeps(tmp_path), pair.place(kind), "--timeout", "2s")
    told = pair.count("job.output")
    pair.node.wait(lambda: pair.count("job.output") > told)
    job = pair.node.run("jobs", "list")["items"][0]["job"]
    process.kill()
    process.communicate(timeout=SECONDS)
    pair.node.until("receipt.issued", job=job)
    shown = pair.node.run("jobs", "show", job)
    assert (shown["state"], shown["outcome"]) == ("failed", "deadline")


def test_the_requester_of_a_job_that_ran_in_a_worker_that_was_killed_hears_that_it_is_lost(
    pair: Pair, tmp_path: Path
) -> None:
    told = pair.count("job.output")
    process = pair.asks(writes_and_sleeps(tmp_path), pair.place(), "--timeout", "300s")
    pair.node.wait(lambda: pair.count("job.output") > told)
    pair.node.kill()
    pair.begin()
    out, talk = process.communicate(timeout=2 * SECONDS)
    assert (process.returncode, out) == (125, b"word"), talk
    assert b"the worker lost it" in talk
    assert pair.node.run("jobs", "list")["items"][0]["state"] == "lost"
