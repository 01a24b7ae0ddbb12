"""`orlop jobs run --on PEER`: the same streams, exit codes and receipts as here, over a real wire between processes."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from console.petnames import short_peer
from tests import hostile
from tests.cli.program import ROOT, Ran, command, environment, orlop
from tests.cli.running import Running

HELLO = str(ROOT / "assets/jobs/hello/hello.wasm")
NOBODY = "12D3KooWBiLeB9Qn575rSEFdWgvwXwRfTdN8XFrCEpXWcWjbNDWa"


@dataclass(frozen=True, slots=True)
class Pair:
    """Ada, who listens, and the home of Bob, who is allowed to give her jobs and knows where she is."""

    ada: Running
    her: str
    bob: Path
    his: str
    key: str

    def run(self, *words: str, stdin: bytes = b"") -> Ran:
        """Bob's `jobs run --on ada`."""
        return orlop(self.bob, "jobs", "run", *words, "--on", "ada", stdin=stdin)


@pytest.fixture(scope="module", params=["tcp/0", "udp/0/quic-v1"], ids=["tcp", "quic"])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("pair")
    ada, bob = Running(folder / "ada", "--no-ui", "--p2p-listen", f"/ip4/127.0.0.1/{request.param}"), folder / "bob"
    bob.mkdir()
    ada.until("core.ready")
    orlop(bob, "init", "--yes")
    his = orlop(bob, "status", "--json").json["peer_id"]
    (place,) = ada.run("status")["listen"]
    ada.run("peers", "trust", his, "--jobs", "--name", "bob")
    assert orlop(bob, "peers", "dial", place).code == 0
    her = place.rpartition("/")[2]
    assert orlop(bob, "peers", "name", her, "ada").code == 0
    key = orlop(bob, "jobs", "run", HELLO, "--json").json["receipt"]["worker_pubkey"]
    yield Pair(ada, her, bob, his, key)
    ada.close()


def written(folder: Path, name: str) -> str:
    path = folder / f"{name}.wasm"
    path.write_bytes(hostile.job(name) if name in hostile.JOBS else hostile.binary(name))
    return str(path)


def test_p1_streams_and_exit_codes_cross_the_wire_unchanged(pair: Pair, tmp_path: Path) -> None:
    assert pair.run(HELLO, "--stdin", "-", stdin="Grüße, Hafen".encode()) == Ran(0, "nefaH ,eßürG".encode(), b"")
    assert pair.run(written(tmp_path, "writes_escapes")) == Ran(0, b"\x1b[2J\x1b]0;pwn\x07\xff\xfe\r\n", b"")
    exits = tmp_path / "exits.wasm"
    for given, got in ((3, 3), (256, 255)):
        exits.write_bytes(hostile.job_exits(given))
        assert pair.run(str(exits)).code == got


def test_11_1_11_4_the_receipt_is_the_workers_and_verified_step_by_step(pair: Pair, tmp_path: Path) -> None:
    kept = tmp_path / "receipt.json"
    ran = pair.run(HELLO, "--stdin", "-", "--json", "--receipt", str(kept), stdin=b"receipt")
    document = ran.json
    assert (ran.code, document["where"], document["stdout"]) == (0, pair.her, "tpiecer")
    assert all(step["ok"] is not False for step in document["verification"]["steps"])
    assert [step["ok"] for step in document["verification"]["steps"]][:7] == [True] * 7
    assert json.loads(kept.read_text()) == document["receipt"]
    verified = orlop(pair.bob, "receipts", "verify", str(kept), "--key", pair.her, "--json")
    assert (verified.code, verified.json["ok"]) == (0, True)
    shown = orlop(pair.bob, "jobs", "show", document["job"], "--json").json
    assert (shown["where"], shown["state"], shown["outcome"]) == (pair.her, "done", "exit")
    assert shown["where_name"] == "ada"
    assert f"ada {pair.her}\n" in orlop(pair.bob, "jobs", "show", document["job"]).out.decode()
    (hers,) = [row for row in pair.ada.run("jobs", "list")["items"] if row["job"] == document["job"]]
    assert (hers["where"], hers["where_name"]) == ("local", "")
    assert (hers["submitter"], hers["submitter_name"]) == (pair.key, "bob")


def test_both_sides_list_the_job_with_the_name_of_the_other_and_a_part_of_its_peer_id(pair: Pair) -> None:
    job = pair.run(HELLO, "--json").json["job"]
    sides = ((pair.bob, f" ada {short_peer(pair.her)} "), (pair.ada.home, f" ← bob {short_peer(pair.his)} "))
    for home, named in sides:
        lines = orlop(home, "jobs", "list").out.decode().splitlines()
        (line,) = [line for line in lines if line.startswith(job[:12])]
        assert named in line
    (row,) = [row for row in orlop(pair.bob, "jobs", "list", "--json").json["items"] if row["job"] == job]
    assert (row["where"], row["where_name"], row["submitter_name"]) == (pair.her, "ada", "")
    assert f"given by     bob {pair.his}\n" in orlop(pair.ada.home, "jobs", "show", job).out.decode()


def test_each_step_of_the_way_is_told_on_both_sides_in_its_order(pair: Pair, tmp_path: Path) -> None:
    module = written(tmp_path, "writes_escapes")
    with_input = tmp_path / "input"
    with_input.write_bytes(b"seven b")
    job = pair.run(module, "--stdin", str(with_input), "--json").json["job"]
    bob = Running(pair.bob, "--no-ui", "--since", "0")
    try:
        bob.until("job.step", job=job, step="verified")
    finally:
        bob.close()
    ours = [line for line in bob.lines if line["type"] == "job.step" and line["job"] == job]
    steps = ["dialled", "offered", "accepted", "sent", "started", "result", "verified"]
    assert [line["step"] for line in ours] == steps
    said = {line["step"]: line["detail"] for line in ours}
    transport, address = said["dialled"].split()
    assert f"{address}/p2p/{pair.her}" in pair.ada.run("status")["listen"]
    assert transport == ("quic" if "quic" in address else "tcp")
    size = f"{Path(module).stat().st_size:,} bytes"
    assert said["offered"] == f"module {size}, input 7 bytes"
    assert said["accepted"].startswith("lease of ")
    assert said["sent"] in {f"module {size}, input 7 bytes", "module known there, input 7 bytes"}
    assert (said["result"], said["verified"]) == ("exit, a receipt", "valid")
    pair.ada.until("job.state", job=job, state="done")
    theirs = [line for line in pair.ada.lines if line["type"] == "job.step" and line["job"] == job]
    assert [line["step"] for line in theirs][:2] == ["offered", "leased"]
    assert theirs[0]["detail"] == f"by {pair.his}"
    known = said["sent"].startswith("module known")
    assert [line["step"] for line in theirs][2:] == ([] if known else ["received"])


@pytest.mark.parametrize(
    ("name", "options", "ending"),
    [
        ("unreachable", [], (134, "trap")),
        ("fuel_heavy", ["--fuel", "1000"], (134, "fuel")),
        ("spin", ["--timeout", "50ms", "--fuel", "9000000000000000"], (124, "deadline")),
        ("floods_stdout", ["--max-output", "1KiB"], (134, "output")),
        ("grows_and_traps", ["--memory", "1MiB"], (134, "memory")),
    ],
)
def test_limits_hold_there_and_are_told_here(
    pair: Pair, tmp_path: Path, name: str, options: list[str], ending: tuple[int, str]
) -> None:
    ran = pair.run(written(tmp_path, name), *options, "--json")
    assert (ran.code, ran.json["outcome"]) == ending, ran.talk
    assert ran.json["receipt"] is not None
    assert all(step["ok"] is not False for step in ran.json["verification"]["steps"])


def test_s5_a_stranger_is_refused_before_anything_is_looked_at(pair: Pair, tmp_path: Path) -> None:
    orlop(tmp_path, "init", "--yes")
    place = pair.ada.run("status")["listen"][0]
    before = len(pair.ada.run("jobs", "list")["items"])
    ran = orlop(tmp_path, "jobs", "run", HELLO, "--on", place, "--json")
    assert ran.code == 125
    assert "not authorised" in ran.talk
    assert (ran.json["outcome"], ran.json["receipt"]) == ("refused", None)
    assert len(pair.ada.run("jobs", "list")["items"]) == before


def test_directories_and_local_options_are_refused(pair: Pair, tmp_path: Path) -> None:
    ran = pair.run(HELLO, "--dir", f"{tmp_path}:/data")
    assert (ran.code, "directory" in ran.talk, ran.talk.count("\n")) == (125, True, 1)
    ran = pair.run(HELLO, "--priority", "5")
    assert (ran.code, "--priority" in ran.talk) == (125, True)


def test_a_peer_that_nobody_knows_or_reaches_runs_nothing(pair: Pair) -> None:
    for name in ("nobody-known", NOBODY, f"/ip4/127.0.0.1/tcp/1/p2p/{NOBODY}", "/ip4/127.0.0.1/tcp/1"):
        ran = orlop(pair.bob, "jobs", "run", HELLO, "--on", name)
        assert (ran.code, ran.out, ran.talk.count("\n")) == (125, b"", 1), ran.talk


def test_a_signal_cancels_it_there(pair: Pair, tmp_path: Path) -> None:
    words = ("jobs", "run", written(tmp_path, "spin"), "--on", "ada", "--timeout", "60s", "--fuel", "9000000000000000")
    process = subprocess.Popen(
        command(*words), env=environment(pair.bob), cwd=pair.bob, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    known = {row["job"] for row in pair.ada.run("jobs", "list")["items"]}

    def running() -> str | None:
        for line in pair.ada.lines:
            if line["type"] == "job.state" and line["state"] == "running" and line["job"] not in known:
                return str(line["job"])
        return None

    pair.ada.wait(lambda: running() is not None)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    job = running()
    assert job is not None
    pair.ada.until("job.state", job=job, state="cancelled")


def test_what_is_submitted_to_a_peer_goes_on_in_the_background(pair: Pair, tmp_path: Path) -> None:
    submit = ("jobs", "submit", HELLO, "--stdin", "-", "--on")
    alone = orlop(pair.bob, *submit, "ada")
    assert (alone.code, "needs a program that stays" in alone.talk) == (2, True)
    bob = Running(tmp_path / "bob", "--no-ui")
    try:
        bob.until("core.ready")
        pair.ada.run("peers", "trust", bob.run("status")["peer_id"], "--jobs")
        place = pair.ada.run("status")["listen"][0]
        ran = orlop(bob.home, *submit, place, "--json", stdin=b"later")
        assert ran.code == 0, ran.talk
        bob.until("job.state", job=ran.json["job"], state="done")
        assert orlop(bob.home, "jobs", "logs", ran.json["job"]).out == b"retal"
        refused = orlop(bob.home, *submit, place, "--retries", "2")
        assert (refused.code, "--retries" in refused.talk) == (2, True)
    finally:
        bob.close()


def test_a_ban_here_or_there_ends_it_all(pair: Pair) -> None:
    assert orlop(pair.bob, "peers", "ban", "ada", "--yes").code == 0
    ran = pair.run(HELLO)
    assert (ran.code, "is banned" in ran.talk) == (125, True)
    assert orlop(pair.bob, "peers", "ban", "ada", "--remove", "--yes").code == 0
    pair.ada.run("peers", "ban", pair.his, "--yes")
    assert pair.run(HELLO).code == 125
    pair.ada.run("peers", "ban", pair.his, "--remove", "--yes")
    pair.ada.run("peers", "trust", pair.his, "--jobs")
    assert pair.run(HELLO, "--stdin", "-", stdin=b"ok").out == b"ko"


@dataclass(frozen=True, slots=True)
class Busy:
    """A worker of its own, and Bob's program that waits for a job of his there, which never ends."""

    ada: Running
    bob: Path
    process: "subprocess.Popen[bytes]"

    def said(self, words: bytes) -> bytes:
        """The next line of Bob's program with these words."""
        assert self.process.stderr is not None
        return next(line for line in self.process.stderr if words in line)


@pytest.fixture(params=[False, True], ids=["alone", "through the owner"])
def busy(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Busy]:
    ada = Running(tmp_path / "ada", "--no-ui", "--p2p-listen", "/ip4/127.0.0.1/tcp/0")
    ada.until("core.ready")
    bob = tmp_path / "bob"
    bob.mkdir()
    orlop(bob, "init", "--yes")
    ada.run("peers", "trust", orlop(bob, "status", "--json").json["peer_id"], "--jobs")
    (place,) = ada.run("status")["listen"]
    owner = Running(bob, "--no-ui") if request.param else None
    if owner is not None:
        owner.until("core.ready")
    words = ("jobs", "run", written(tmp_path, "spin"), "--on", place, "--timeout", "5m", "--fuel", "9000000000000000")
    process = subprocess.Popen(
        command(*words), env=environment(bob), cwd=bob, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        ada.until("job.state", state="running")
        yield Busy(ada, bob, process)
    finally:
        process.kill()
        process.communicate()
        ada.close()
        if owner is not None:
            owner.close()


def test_of_a_worker_that_is_killed_is_said_that_it_is_looked_for(busy: Busy) -> None:
    busy.ada.kill()
    line = busy.said(b"cannot be reached (")
    assert line.startswith(b"orlop: jobs run: spin.wasm: the worker cannot be reached (")
    assert line.endswith(b"); looking for a way back for 60 s\n")
    busy.process.send_signal(signal.SIGTERM)
    _, talk = busy.process.communicate(timeout=60)
    assert busy.process.returncode == 143, talk
    assert b"may go on until its lease ends, 5 minutes at most\n" in talk
    (row,) = orlop(busy.bob, "jobs", "list", "--json").json["items"]
    assert row["state"] == "cancelled"


def test_a_worker_that_sleeps_does_not_hold_up_who_leaves(busy: Busy) -> None:
    os.kill(busy.ada.pid, signal.SIGSTOP)
    try:
        busy.process.send_signal(signal.SIGTERM)
        _, talk = busy.process.communicate(timeout=60)
    finally:
        os.kill(busy.ada.pid, signal.SIGCONT)
    assert busy.process.returncode == 143, talk
    why = "the worker does not answer, and may go on until its lease ends, 5 minutes at most"
    assert talk.decode() == f"orlop: jobs run: spin.wasm: cancelled; {why}\n"


def test_a_signal_ends_the_looking_for_one_that_nobody_has_reached(pair: Pair) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = f"/ip4/127.0.0.1/tcp/{silent.getsockname()[1]}/p2p/{NOBODY}"
        process = subprocess.Popen(
            command("jobs", "run", HELLO, "--on", place),
            env=environment(pair.bob),
            cwd=pair.bob,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        silent.settimeout(60)
        came, _ = silent.accept()
        process.send_signal(signal.SIGTERM)
        _, talk = process.communicate(timeout=60)
        came.close()
    assert (process.returncode, talk.count(b"\n")) == (143, 1)
    assert b"interrupted before it was reached; nothing was sent" in talk
