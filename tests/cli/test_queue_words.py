"""`orlop jobs submit`, `rerun` and `logs -f`: with and without a program that runs the queue."""

import json
import subprocess
from pathlib import Path

import pytest

from tests import hostile
from tests.cli.program import ROOT, command, environment, orlop

HELLO = str(ROOT / "assets/jobs/hello/hello.wasm")


def until_ended(home: Path, job: str) -> dict[str, object]:
    """Asks until a job has ended; gives what `jobs show` says. The test's time limit is that of the suite."""
    while True:
        shown: dict[str, object] = orlop(home, "jobs", "show", job, "--json").json
        if shown["ended_ms"] is not None:
            return shown


def test_a_submitted_job_is_run_by_the_owner(owned: Path) -> None:
    ran = orlop(owned, "jobs", "submit", HELLO, "--stdin", "-", "--json", stdin=b"ab")
    assert (ran.code, ran.err) == (0, b"")
    assert set(ran.json) == {"v", "job", "state"}
    job = ran.json["job"]
    assert until_ended(owned, job)["state"] == "done"
    assert orlop(owned, "jobs", "logs", job).out == b"ba"
    again = orlop(owned, "jobs", "rerun", job, "--json").json["job"]
    assert again != job
    assert until_ended(owned, again)["state"] == "done"
    assert orlop(owned, "jobs", "logs", again, "-f").out == b"ba"


def test_without_an_owner_it_waits_and_says_so_in_one_line(alone: Path) -> None:
    ran = orlop(alone, "jobs", "submit", HELLO, "--priority", "5", "--expires", "1h", "--json")
    assert ran.code == 0
    assert ran.json["state"] == "queued"
    assert ran.talk.endswith("nothing runs the queue now; orlop, or orlop --no-ui, runs it\n")
    assert ran.talk.count("\n") == 1
    shown = orlop(alone, "jobs", "show", ran.json["job"], "--json").json
    assert (shown["state"], shown["priority"]) == ("queued", 5)
    assert orlop(alone, "jobs", "cancel", ran.json["job"], "--json").json["state"] == "cancelled"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--dir", "/tmp:/data"], 2, "cannot write into a directory"),
        (["--priority", "11"], 2, "--priority"),
        (["--retries", "11"], 2, "--retries"),
        (["--expires", "soon"], 2, "--expires"),
        (["--memory", "1KiB"], 2, "--memory"),
    ],
)
def test_what_cannot_be_submitted_is_refused_in_one_line(home: Path, words: list[str], code: int, said: str) -> None:
    ran = orlop(home, "jobs", "submit", HELLO, *words)
    assert (ran.code, ran.out) == (code, b"")
    assert said in ran.talk
    assert ran.talk.count("\n") == 1


def test_what_was_not_kept_is_not_rerun(home: Path) -> None:
    job = orlop(home, "jobs", "run", HELLO, "--json").json["job"]
    ran = orlop(home, "jobs", "rerun", job)
    assert (ran.code, ran.out) == (1, b"")
    assert "what it ran was not kept" in ran.talk
    kept = orlop(home, "jobs", "run", HELLO, "--keep-output", "--json").json["job"]
    assert orlop(home, "jobs", "rerun", kept).code == 0


def test_a_running_job_is_followed_to_its_end(owned: Path, tmp_path: Path) -> None:
    path = tmp_path / "writes.wasm"
    path.write_bytes(
        hostile.wat(
            '(module (import "wasi_snapshot_preview1" "fd_write"'
            " (func $write (param i32 i32 i32 i32) (result i32)))"
            ' (memory (export "memory") 1) (data (i32.const 64) "begun\\n")'
            ' (func (export "_start") (i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (i32.const 6))'
            " (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))) (loop $a (br $a))))"
        )
    )
    fuel = ["--timeout", "10m", "--fuel", "9000000000000000000"]
    job = orlop(owned, "jobs", "submit", str(path), *fuel, "--json").json["job"]
    following = subprocess.Popen(
        command("jobs", "logs", job, "-f"), stdout=subprocess.PIPE, env=environment(owned), cwd=owned
    )
    assert following.stdout is not None
    assert following.stdout.readline() == b"begun\n"
    assert orlop(owned, "jobs", "cancel", job).code == 0
    assert following.stdout.read() == b""
    assert following.wait() == 0
    following.stdout.close()


def test_limits_are_options_and_their_ceilings_settings(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "spin.wasm"
    path.write_bytes(hostile.job("spin"))
    out = tmp_path / "exit.json"
    fuel = ["--timeout", "10m", "--fuel", "9000000000000000000"]
    ran = orlop(home, "jobs", "run", str(path), "--cpu", "50ms", *fuel, "--exit-file", str(out))
    assert (ran.code, ran.talk) == (124, "orlop: jobs run: spin.wasm: CPU time limit (cpu_ms) of 50ms reached\n")
    assert json.loads(out.read_text())["outcome"] == "deadline"


def test_a_ceiling_refuses_by_the_limits_name(alone: Path) -> None:
    ran = orlop(alone, "jobs", "run", HELLO, "--open-files", "9", env={"ORLOP_JOBS_CEILING_OPEN_FILES": "8"})
    assert ran.code == 125
    assert "limit of open files 9 is above this node's 8 (open_files)" in ran.talk
    ran = orlop(alone, "jobs", "run", HELLO, env={"ORLOP_JOBS_CEILING_MODULE": "10B"})
    assert ran.code == 125
    assert "(module_bytes)" in ran.talk


def test_what_waits_is_not_told_as_lost_when_an_owner_starts(tmp_path: Path) -> None:
    job = orlop(tmp_path, "jobs", "submit", HELLO, "--json").json["job"]
    assert orlop(tmp_path, "status", "--json").json["jobs"] == {"queued": 1, "running": 0}
    ran = orlop(tmp_path, "--no-ui", "--until", "job.state,state=done", "--events", "core.started,job.state")
    lines = [json.loads(line) for line in ran.out.splitlines()]
    assert (ran.code, lines[0]["type"], lines[0]["recovered"]) == (0, "core.started", [])
    assert [line["job"] for line in lines[1:] if line.get("state") == "done"] == [job]
