"""`--no-ui` as a process: lines, endings, signals, readers that are slow or gone."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import pytest

from console.config import set_value
from console.core import CoreOptions
from console.local import LocalCore
from console.remote import RemoteCore
from runtime.events import JobOutput, Record
from runtime.statedir import StateDir, prepare

ROOT = Path(__file__).parents[2]
SECONDS = 60


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@contextlib.contextmanager
def started(state: Path, **options: object) -> Iterator[subprocess.Popen[str]]:
    program = [sys.executable, str(ROOT / "tests/console/run_headless.py"), str(state), json.dumps(options)]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def finished(state: Path, **options: object) -> tuple[int, list[dict[str, object]], str]:
    with started(state, **options) as process:
        out, err = process.communicate(timeout=SECONDS)
        return process.returncode, [json.loads(line) for line in out.splitlines()], err


def read_until(stream: IO[str] | None, kind: str) -> dict[str, object]:
    assert stream is not None
    for line in stream:
        event: dict[str, object] = json.loads(line)
        if event["type"] == kind:
            return event
    pytest.fail(f"no {kind}")


def test_every_line_is_an_event_in_order_from_started_to_stopped(state: Path) -> None:
    code, lines, err = finished(state, for_ms=50)
    assert (code, err) == (0, "")
    assert lines[0]["type"] == "core.started"
    assert [line["type"] for line in lines[-2:]] == ["core.stopping", "core.stopped"]
    seqs = [line["seq"] for line in lines]
    assert seqs == sorted(set(seqs), key=int)
    assert all(line["v"] == 1 for line in lines)
    _, again, _ = finished(state, for_ms=50)
    assert int(str(again[0]["seq"])) > int(str(seqs[-1]))


def test_the_socket_and_the_lock_are_gone_afterwards(state: Path) -> None:
    finished(state, for_ms=0)
    assert not StateDir(state).control_socket.exists()
    assert finished(state, for_ms=0)[0] == 0


def test_until_ends_at_the_first_match(state: Path) -> None:
    code, lines, _ = finished(state, until="core.ready", for_ms=SECONDS * 1000)
    assert code == 0
    assert "core.ready" in [line["type"] for line in lines]
    assert lines[-1]["exit_code"] == 0


def test_until_that_never_comes_is_7(state: Path) -> None:
    code, lines, _ = finished(state, until="receipt.issued", for_ms=50)
    assert code == 7
    assert lines[-1]["exit_code"] == 7


def test_chosen_types_and_the_first_and_the_last(state: Path) -> None:
    _, lines, _ = finished(state, events=["tick.*"], until="core.ready")
    assert [line["type"] for line in lines] == ["core.started", "core.stopped"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_it_in_order(state: Path, number: signal.Signals, code: int) -> None:
    with started(state) as process:
        read_until(process.stdout, "core.ready")
        process.send_signal(number)
        out, err = process.communicate(timeout=SECONDS)
    last = [json.loads(line) for line in out.splitlines()][-2:]
    assert process.returncode == code
    assert [line["type"] for line in last] == ["core.stopping", "core.stopped"]
    assert last[0]["reason"] == number.name
    assert err == ""


def test_a_second_signal_waits_for_nothing_and_the_job_has_its_receipt(state: Path) -> None:
    """The first signal lets a job go on that waits for input; the second ends it as the signal says."""
    reads, writes = os.pipe()
    with started(state) as process, (ROOT / "assets/jobs/hello/hello.wasm").open("rb") as module:
        read_until(process.stdout, "core.ready")
        client = RemoteCore(StateDir(state).control_socket, client="test")
        with contextlib.closing(client):
            files = {"module": module.fileno(), "stdin": reads}
            running = client.execute("jobs run", {"module": "hello.wasm"}, files)
            while read_until(process.stdout, "job.state")["state"] != "running":
                pass
            process.send_signal(signal.SIGTERM)
            assert len(read_until(process.stdout, "core.stopping")["running"]) == 1  # type: ignore[arg-type]
            process.send_signal(signal.SIGTERM)
            value = running.result.result(SECONDS).value
        out, _ = process.communicate(timeout=SECONDS)
    for descriptor in (reads, writes):
        os.close(descriptor)
    assert isinstance(value, dict)
    assert (value["outcome"], value["exit_code"]) == ("cancelled", 143)
    assert process.returncode == 143
    kinds = [json.loads(line)["type"] for line in out.splitlines()]
    assert "receipt.issued" in kinds
    assert kinds[-1] == "core.stopped"


def test_what_a_killed_run_left_is_put_right_and_told(state: Path) -> None:
    """The socket is stale, the lock is free, and the job that ran is lost."""
    reads, writes = os.pipe()
    with started(state) as process, (ROOT / "assets/jobs/hello/hello.wasm").open("rb") as module:
        read_until(process.stdout, "core.ready")
        with contextlib.closing(RemoteCore(StateDir(state).control_socket, client="test")) as client:
            client.execute("jobs run", {"module": "hello.wasm"}, {"module": module.fileno(), "stdin": reads})
            while read_until(process.stdout, "job.state")["state"] != "running":
                pass
            process.kill()
            process.wait(SECONDS)
    for descriptor in (reads, writes):
        os.close(descriptor)
    assert StateDir(state).control_socket.exists()
    code, lines, err = finished(state, until="core.ready")
    assert (code, err) == (0, "")
    assert lines[0]["type"] == "core.started"
    lost = next(line for line in lines if line["type"] == "job.state")
    assert lost["state"] == "lost"
    assert lines[0]["recovered"] == [f"job {str(lost['job'])[:16]} lost"]


def test_a_client_that_goes_away_cancels_its_job(state: Path) -> None:
    reads, writes = os.pipe()
    with started(state) as process, (ROOT / "assets/jobs/hello/hello.wasm").open("rb") as module:
        read_until(process.stdout, "core.ready")
        client = RemoteCore(StateDir(state).control_socket, client="test")
        client.execute("jobs run", {"module": "hello.wasm"}, {"module": module.fileno(), "stdin": reads})
        while read_until(process.stdout, "job.state")["state"] != "running":
            pass
        client.close()
        issued = read_until(process.stdout, "receipt.issued")
        assert (issued["outcome"], issued["exit_code"]) == ("cancelled", 137)
    for descriptor in (reads, writes):
        os.close(descriptor)


def test_a_reader_that_goes_away_ends_it_quietly(state: Path) -> None:
    with started(state) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(SECONDS) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
        process.stdout = None


def test_a_hang_up_reads_the_configuration_again(state: Path) -> None:
    with started(state) as process:
        read_until(process.stdout, "core.ready")
        set_value(StateDir(state).config_d, "journal.days", "3")
        set_value(StateDir(state).config_d, "jobs.workers", "1")
        process.send_signal(signal.SIGHUP)
        event = read_until(process.stdout, "core.config")
        assert event["changed"] == ["jobs.workers", "journal.days"]
        assert event["restart"] == ["jobs.workers"]
        (StateDir(state).config_d / "60-mine.toml").write_text("[journal]\ndayz = 3\n")
        process.send_signal(signal.SIGHUP)
        error = read_until(process.stdout, "core.error")
        assert "did you mean `journal.days`?" in str(error["error"])


def test_a_second_one_is_refused_with_the_holders_pid(state: Path) -> None:
    with started(state) as process:
        read_until(process.stdout, "core.ready")
        code, lines, err = finished(state, for_ms=0)
    assert (code, lines) == (6, [])
    assert f"in use by process {process.pid}" in err
    assert err.count("\n") == 1


def test_history_goes_over_into_live_without_hole_or_double(state: Path) -> None:
    finished(state, emit=3000, until="job.output,offset=2999")
    code, lines, err = finished(state, since="0", emit=3000, for_ms=1500)
    assert (code, err) == (0, "")
    with contextlib.closing(sqlite3.connect(state / "orlop.db")) as database:
        kept = [seq for (seq,) in database.execute("SELECT seq FROM journal ORDER BY seq")]
    assert [line["seq"] for line in lines] == kept
    assert len(kept) > 6000


def test_a_time_ago_reads_back_too(state: Path) -> None:
    finished(state, for_ms=0)
    _, lines, _ = finished(state, since="1h", for_ms=0)
    assert [line["type"] for line in lines].count("core.started") == 2


@pytest.mark.parametrize(
    "options", [{"until": "no.such"}, {"events": ["x"]}, {"since": "soon"}, {"since": "-1"}], ids=str
)
def test_wrong_options_start_nothing(state: Path, options: dict[str, object]) -> None:
    code, lines, err = finished(state, **options)
    assert (code, lines) == (2, [])
    assert err.count("\n") == 1
    assert not state.exists()


def test_an_open_breaker_at_the_end_is_8(state: Path) -> None:
    set_value(prepare(state).config_d, "agents.tick_interval", "1s")
    code, lines, err = finished(state, demo=True, until="breaker.tripped", fail_on_trip=True, for_ms=SECONDS * 1000)
    assert (code, err) == (8, "")
    trip = next(line for line in lines if line["type"] == "breaker.tripped")
    assert (trip["agent"], trip["failures"]) == ("faulty", 3)
    assert lines[-1]["exit_code"] == 8
    assert finished(state, for_ms=0, fail_on_trip=True)[0] == 8


def test_only_a_new_directory_becomes_a_demo(state: Path) -> None:
    with contextlib.closing(LocalCore(CoreOptions(state_path=state, owner=False), face="test")) as core:
        assert core.execute("rooms create", {"name": "mine"}).result.result(SECONDS).ok
    code, lines, err = finished(state, demo=True, for_ms=0)
    assert (code, lines) == (2, [])
    assert "holds rooms of its own and is no demo" in err


def test_a_slow_reader_misses_events_and_is_told_which(state: Path) -> None:
    came = threading.Event()

    def sink(records: Sequence[Record]) -> None:
        if any(isinstance(record.event, JobOutput) and record.event.offset == 799 for record in records):
            came.set()

    with started(state, content=True, emit=800, size=40_000) as process:
        read_until(process.stdout, "core.started")
        # All has happened, and the core answers, although nobody reads the stream.
        with contextlib.closing(RemoteCore(StateDir(state).control_socket, client="test")) as client:
            client.subscribe(0, sink)
            assert came.wait(SECONDS)
            assert client.snapshot("node").result(SECONDS).topics
        process.send_signal(signal.SIGTERM)
        assert process.stdout is not None
        # Not communicate(): it would pass over what the line above has read ahead.
        out = process.stdout.read()
        process.wait(SECONDS)
    lines = [json.loads(line) for line in out.splitlines()]
    gaps = [line for line in lines if line["type"] == "stream.gap"]
    assert gaps
    assert all(gap["seq"] == gap["to"] and gap["first"] <= gap["to"] for gap in gaps)
    seqs = [line["seq"] for line in lines]
    assert seqs == sorted(set(seqs))
    missed = {seq for gap in gaps for seq in range(gap["first"], gap["to"])}
    assert missed.isdisjoint(seqs)
    assert lines[-1]["type"] == "core.stopped"
