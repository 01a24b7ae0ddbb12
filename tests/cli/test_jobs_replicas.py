"""`orlop jobs run --replicas N`: the same job on several peers at once, and nothing printed that no majority signed."""

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from net.host import Host
from net.jobs.terms import PROTOCOL
from net.limits import NetLimits
from net.multiaddr import Multiaddr
from runtime.clock import SystemClock
from runtime.identity import Identity
from tests import hostile
from tests.cli.program import ROOT, Ran, command, environment, inside, orlop
from tests.cli.running import Running
from tests.net.jobs.liar import Liar

HELLO = str(ROOT / "assets/jobs/hello/hello.wasm")
ALIKE = "--deterministic"
SPIN = ("--timeout", "10m", "--fuel", "9000000000000000")
CHANCE = hostile.job_wat(
    "(drop (call $random_get (i32.const 64) (i32.const 5000)))"
    "(drop (call $clock_time_get (i32.const 0) (i64.const 1) (i32.const 5064)))"
    "(i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (i32.const 5008))"
    "(drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))",
    wasi=("random_get", "clock_time_get", "fd_write"),
)
"""Writes random bytes and the time."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """Three workers, and the home of Bob, who may give each of them jobs and knows where they are."""

    bob: Path
    key: str
    workers: dict[str, Running]

    def words(self, module: str, *words: str, on: tuple[str, ...] = ("ada", "eve", "ian")) -> tuple[str, ...]:
        """Bob's `jobs run --replicas`."""
        named = [word for name in on for word in ("--on", name)]
        return ("jobs", "run", module, ALIKE, "--replicas", str(len(on)), *named, *words)

    def run(self, *words: str, on: tuple[str, ...] = ("ada", "eve", "ian"), stdin: bytes = b"") -> Ran:
        """The same, to its end."""
        return orlop(self.bob, *self.words(*words, on=on), stdin=stdin, timeout=150)

    def begun(self, *words: str, on: tuple[str, ...]) -> "subprocess.Popen[bytes]":
        """The same, under way."""
        return subprocess.Popen(
            command(*self.words(*words, on=on)),
            env=environment(self.bob),
            cwd=self.bob,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def add(self, home: Path, name: str) -> Running:
        """One more worker."""
        worker = Running(home, "--no-ui", "--p2p-listen", "/ip4/127.0.0.1/tcp/0")
        worker.until("core.ready")
        (place,) = worker.run("status")["listen"]
        worker.run("peers", "trust", orlop(self.bob, "status", "--json").json["peer_id"], "--jobs")
        assert orlop(self.bob, "peers", "dial", place).code == 0
        assert orlop(self.bob, "peers", "name", place.rpartition("/")[2], name).code == 0
        return worker

    def jobs(self) -> list[dict[str, Any]]:
        """Bob's jobs, newest first."""
        return list(orlop(self.bob, "jobs", "list", "--json").json["items"])


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("fleet")
    bob = folder / "bob"
    bob.mkdir()
    orlop(bob, "init", "--yes")
    key = orlop(bob, "jobs", "run", HELLO, "--json").json["receipt"]["worker_pubkey"]
    made = Fleet(bob, key, {})
    for name in ("ada", "eve", "ian"):
        made.workers[name] = made.add(folder / name, name)
    yield made
    for worker in made.workers.values():
        worker.close()


def written(folder: Path, name: str) -> str:
    path = folder / f"{name}.wasm"
    path.write_bytes(hostile.wat(CHANCE) if name == "chance" else hostile.job(name))
    return str(path)


@asynccontextmanager
async def worker_that_says(*outputs: bytes) -> AsyncIterator[list[str]]:
    """Workers that run nothing and sign these outputs; gives their addresses."""
    hosts: list[Host] = []
    places: list[str] = []
    for output in outputs:
        identity = Identity(os.urandom(32))
        host = Host(identity, NetLimits(), clock=SystemClock(), on_event=lambda _: None)
        host.serve(PROTOCOL, Liar(identity, stdout=output).serve, bulk=True)
        hosts.append(host)
        places.append(str(await host.listen(Multiaddr.at("127.0.0.1", 0, "tcp"))))
    yield places
    for host in hosts:
        await host.aclose()


def test_three_that_agree_give_one_output_and_three_receipts(fleet: Fleet, tmp_path: Path) -> None:
    before = len(fleet.jobs())
    ran = fleet.run(written(tmp_path, "chance"), "--agree", "3", "--json")
    document = ran.json
    assert (ran.code, document["outcome"], ran.err) == (0, "exit", b"")
    replicas = document["replicas"]
    assert [replica["agrees"] for replica in replicas] == [True] * 3
    assert len({replica["commitment"] for replica in replicas}) == 1
    assert len({replica["where"] for replica in replicas}) == len({replica["job"] for replica in replicas}) == 3
    assert all(replica["verification"]["ok"] is not False for replica in replicas)
    assert document["receipt"] == replicas[0]["receipt"]
    assert len(fleet.jobs()) == before + 3
    shown = [inside(fleet.bob, ["jobs", "show", one["job"], "--json"], cwd=fleet.bob).json for one in replicas]
    assert len({job["manifest"]["payload"]["orlop"]["nonce"] for job in shown}) == 1
    assert [job["receipt_document"] for job in shown] == [one["receipt"] for one in replicas]
    again = fleet.run(written(tmp_path, "chance"), "--json").json
    assert again["replicas"][0]["commitment"] != replicas[0]["commitment"]


def test_p1_streams_and_exit_codes_are_those_of_one_run(fleet: Fleet, tmp_path: Path) -> None:
    two = ("ada", "eve")
    assert fleet.run(HELLO, "--stdin", "-", on=two, stdin="Grüße".encode()) == Ran(0, "eßürG".encode(), b"")
    escapes = fleet.run(written(tmp_path, "writes_escapes"), on=two)
    assert escapes == Ran(0, b"\x1b[2J\x1b]0;pwn\x07\xff\xfe\r\n", b"")
    exits = tmp_path / "exits.wasm"
    exits.write_bytes(hostile.job_exits(3))
    assert fleet.run(str(exits), on=two) == Ran(3, b"", b"")
    trapped = fleet.run(written(tmp_path, "unreachable"), on=two)
    assert (trapped.code, trapped.out, trapped.talk.count("\n")) == (134, b"", 1)


async def test_who_signs_for_another_output_is_outvoted_and_named(fleet: Fleet, tmp_path: Path) -> None:
    kept = tmp_path / "receipt.json"
    async with worker_that_says(b"all lies") as (place,):
        words = (HELLO, "--stdin", "-", "--receipt", str(kept))
        ran = await asyncio.to_thread(fleet.run, *words, on=(place, "ada", "eve"), stdin=b"true")
    assert (ran.code, ran.out) == (0, b"eurt")
    liar, ada, eve = ran.talk.splitlines()
    assert (place.rpartition("/")[2] in liar, "otherwise than most" in liar) == (True, True)
    assert (": ada: exit 0, output " in ada, ada.endswith("as most"), ": eve: " in eve) == (True, True, True)
    assert kept.exists()
    rows = fleet.jobs()[:3]
    assert {row["outcome"] for row in rows} == {"exit"}
    shown = orlop(fleet.bob, "peers", "show", place.rpartition("/")[2], "--json").json
    assert (shown["done"], shown["failed"], shown["problem"]) == (1, 0, "")
    replayed = orlop(fleet.bob, "--no-ui", "--since", "0", "--events", "job.*", "--for", "1ms").out.splitlines()
    assert sum(b'"job.disagreed"' in line for line in replayed) == 1


async def test_without_a_majority_nothing_is_printed(fleet: Fleet) -> None:
    async with worker_that_says(b"one lie", b"another") as places:
        ran = await asyncio.to_thread(fleet.run, HELLO, on=("ada", *places))
        assert (ran.code, ran.out, ran.talk.count("\n")) == (125, b"", 4)
        assert "unverified: no 2 of 3 peers agree" in ran.talk.splitlines()[-1]
    async with worker_that_says(b"one lie") as (place,):
        ran = await asyncio.to_thread(fleet.run, HELLO, "--agree", "3", "--json", on=("ada", "eve", place))
    document = ran.json
    assert (ran.code, document["outcome"], document["stdout"], document["receipt"]) == (125, "unverified", "", None)
    assert [replica["agrees"] for replica in document["replicas"]] == [None] * 3


def test_a_worker_that_is_killed_has_no_vote(fleet: Fleet, tmp_path: Path) -> None:
    home = tmp_path / "zoe"
    (home / ".config/orlop").mkdir(parents=True)
    (home / ".config/orlop/config.toml").write_text("[jobs]\nworkers = 1\n")
    zoe = fleet.add(home, "zoe")
    try:
        busy = zoe.run("jobs", "submit", written(tmp_path, "spin"), *SPIN)["job"]
        zoe.until("job.state", job=busy, state="running")
        run = fleet.begun(HELLO, on=("ada", "zoe", "eve"))
        zoe.until("job.submitted", submitter=fleet.key)
        zoe.kill()
        out, err = run.communicate(timeout=150)
    finally:
        zoe.close()
    assert (run.returncode, out) == (0, b""), err
    assert b": zoe: no vote: " in err


def test_who_cannot_be_reached_or_refuses_has_no_vote(fleet: Fleet) -> None:
    nobody = "/ip4/127.0.0.1/tcp/1/p2p/12D3KooWBiLeB9Qn575rSEFdWgvwXwRfTdN8XFrCEpXWcWjbNDWa"
    ran = fleet.run(HELLO, on=("ada", nobody, "eve"))
    assert (ran.code, ran.talk.count("\n"), "no vote: lost" in ran.talk) == (0, 3, True)
    orlop(fleet.bob, "peers", "ban", "eve", "--yes")
    ran = fleet.run(HELLO, on=("ada", "eve"))
    orlop(fleet.bob, "peers", "ban", "eve", "--remove", "--yes")
    assert (ran.code, "eve: no vote: refused: is banned" in ran.talk) == (125, True)


def test_a_signal_cancels_them_all(fleet: Fleet, tmp_path: Path) -> None:
    known = {row["job"] for row in fleet.jobs()}
    run = fleet.begun(written(tmp_path, "spin"), *SPIN, on=("ada", "eve"))
    found: dict[str, str] = {}
    for name in ("ada", "eve"):
        worker = fleet.workers[name]

        def running(worker: Running = worker, name: str = name) -> bool:
            for line in worker.lines:
                if line["type"] == "job.state" and line["state"] == "running" and line["job"] not in known:
                    found[name] = line["job"]
            return name in found

        worker.wait(running)
    run.send_signal(signal.SIGINT)
    out, err = run.communicate(timeout=150)
    assert (run.returncode, out) == (130, b""), err
    for name, job in found.items():
        fleet.workers[name].until("job.state", job=job, state="cancelled")
    assert {row["state"] for row in fleet.jobs()[:2]} == {"cancelled"}


def test_the_best_that_are_trusted_are_found(fleet: Fleet) -> None:
    words = ("jobs", "run", HELLO, ALIKE, "--stdin", "-", "--replicas")
    for name in ("ada", "eve"):
        assert orlop(fleet.bob, "peers", "trust", name).code == 0
    ran = orlop(fleet.bob, *words, "2", stdin=b"found")
    assert (ran.code, ran.out) == (0, b"dnuof"), ran.talk
    ran = orlop(fleet.bob, *words, "3", stdin=b"found")
    assert (ran.code, ran.out, ran.talk.count("\n")) == (125, b"", 1)
    assert "needs 3 trusted peers that could run it, and 2 were found" in ran.talk


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--replicas", "2"), "is for jobs that run alike everywhere"),
        ((ALIKE, "--replicas", "2", "--on", "ada"), "asks for 2 peers, and --on names 1"),
        ((ALIKE, "--replicas", "2", "--on", "ada", "--on", "ada"), "is named twice"),
        ((ALIKE, "--replicas", "4", "--agree", "2"), "2 of 4 is no majority"),
        ((ALIKE, "--replicas", "2", "--agree", "3"), "3 of 2 is no majority"),
        ((ALIKE, "--replicas", "2", "--priority", "1"), "--priority"),
        ((ALIKE, "--replicas", "2", "--dir", ".:/data"), "a directory cannot be given to another node"),
        ((ALIKE, "--replicas", "2", "--on", "ada", "--on", "eve", "--discover"), "--on"),
        (("--on", "ada", "--on", "eve"), "names 2 peers"),
        (("--agree", "2"), "goes with --replicas"),
        ((ALIKE, "--replicas", "1"), "--replicas"),
    ],
)
def test_what_does_not_fit_together_is_refused_in_one_line(fleet: Fleet, words: tuple[str, ...], said: str) -> None:
    ran = inside(fleet.bob, ["jobs", "run", HELLO, *words], cwd=fleet.bob)
    assert (ran.code, ran.out, ran.talk.count("\n")) == (125, b"", 1), ran.talk
    assert said in ran.talk
