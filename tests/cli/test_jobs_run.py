"""`orlop jobs run` as docker's `run`: streams unchanged, the guest's exit code, orlop's own where it ended badly."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests import hostile
from tests.cli.program import ROOT, Ran, command, environment, inside, orlop

HELLO = str(ROOT / "assets/jobs/hello/hello.wasm")


def module(folder: Path, name: str) -> str:
    path = folder / f"{name}.wasm"
    path.write_bytes(hostile.job(name) if name in hostile.JOBS else hostile.binary(name))
    return str(path)


def test_streams_pass_through(home: Path) -> None:
    ran = orlop(home, "jobs", "run", HELLO, "--stdin", "-", stdin="Grüße, Hafen".encode())
    assert ran == Ran(0, "nefaH ,eßürG".encode(), b"")


def test_stdin_is_empty_unless_it_is_asked_for(home: Path) -> None:
    assert orlop(home, "jobs", "run", HELLO, stdin=b"not for the guest") == Ran(0, b"", b"")


def test_output_is_passed_on_byte_by_byte(home: Path, tmp_path: Path) -> None:
    ran = orlop(home, "jobs", "run", module(tmp_path, "writes_escapes"))
    assert ran == Ran(0, b"\x1b[2J\x1b]0;pwn\x07\xff\xfe\r\n", b"")


@pytest.mark.parametrize(("given", "got"), [(0, 0), (3, 3), (124, 124), (255, 255), (256, 255), (4_294_967_295, 255)])
def test_the_exit_code_is_the_guests(owned: Path, tmp_path: Path, given: int, got: int) -> None:
    path = tmp_path / "exits.wasm"
    path.write_bytes(hostile.job_exits(given))
    assert orlop(owned, "jobs", "run", str(path)).code == got


@pytest.mark.parametrize(
    ("name", "options", "ending"),
    [
        ("unreachable", [], (134, "trap", "unreachable instruction executed")),
        ("fuel_heavy", ["--fuel", "1000"], (134, "fuel", "fuel limit of 1000 reached")),
        (
            "spin",
            ["--timeout", "50ms", "--fuel", "9000000000000000000"],
            (124, "deadline", "time limit of 50ms reached"),
        ),
        ("floods_stdout", ["--max-output", "1KiB"], (134, "output", "output limit of 1KiB for one stream reached")),
        ("grows_and_traps", ["--memory", "1MiB"], (134, "memory", "memory limit of 1MiB reached")),
        ("recursion", [], (134, "stack", "stack")),
    ],
)
def test_a_run_that_ends_badly_says_so_in_one_line(
    owned: Path, tmp_path: Path, name: str, options: list[str], ending: tuple[int, str, str]
) -> None:
    code, outcome, said = ending
    out, receipt = tmp_path / "exit.json", tmp_path / "receipt.json"
    run = ("jobs", "run", module(tmp_path, name), *options, "--exit-file", str(out), "--receipt", str(receipt))
    ran = orlop(owned, *run)
    assert ran.code == code
    assert ran.talk.startswith(f"orlop: jobs run: {name}.wasm: ")
    assert said in ran.talk
    assert ran.talk.count("\n") == 1
    left = json.loads(out.read_text())
    assert (left["outcome"], left["exit_code"]) == (outcome, code)
    extra = json.loads(receipt.read_text())["result"]["metrics"]["extra"]
    assert (extra["orlop.outcome"], extra["exit_code"]) == (outcome, str(code))
    assert orlop(owned, "receipts", "verify", str(receipt)).code == 0


def test_one_document_with_everything(home: Path) -> None:
    ran = orlop(home, "jobs", "run", HELLO, "--stdin", "-", "--json", stdin=b"abc")
    document = ran.json
    assert list(document) == [
        "v", "job", "where", "outcome", "exit_code", "stdout", "stderr", "truncated", "limits", "usage", "receipt",
        "verification",
    ]  # fmt: skip
    assert (document["v"], document["where"], document["outcome"], document["exit_code"]) == (1, "local", "exit", 0)
    assert (document["stdout"], document["stderr"], document["truncated"]) == ("cba", "", False)
    assert document["receipt"]["job_id"] == document["job"]
    assert document["verification"]["ok"] is True
    assert [step["name"] for step in document["verification"]["steps"]] == [
        "schema", "canonical", "key", "signature", "job_id", "module", "commitment", "chain",
    ]  # fmt: skip
    assert ran.err == b""


def test_output_that_is_no_text_is_coded(home: Path, tmp_path: Path) -> None:
    document = orlop(home, "jobs", "run", module(tmp_path, "writes_escapes"), "--json").json
    assert "stdout" not in document
    assert document["stdout_b64"] == "G1syShtdMDtwd24H//4NCg=="


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--memory", "0"], "--memory: `0` is too small"),
        (["--memory", "-1"], "--memory: `-1` is not a size"),
        (["--memory", "99TiB"], "--memory: `99TiB` is too large"),
        (["--memory", "abc"], "--memory: `abc` is not a size"),
        (["--timeout", "0"], "--timeout: `0` is not a duration"),
        (["--timeout", "0s"], "--timeout: `0s` is too small"),
        (["--timeout", "abc"], "--timeout: `abc` is not a duration"),
        (["--fuel", "0"], "--fuel: `0` is too small"),
        (["--fuel", "1e9"], "--fuel: `1e9` is not a whole number"),
        (["--max-output", "0"], "--max-output: `0` is too small"),
        (["--env", "X"], "--env: `'X'` is not K=V"),
        (["--dir", "nowhere:/x"], "--dir nowhere: no such file or directory"),
        (["--dir", "."], "--dir .: not HOST:GUEST[:ro]"),
        ([f"--dir=.:/{n}" for n in range(17)], "--dir: given 17 times; 16 times at most"),
        (["--stdin", "nowhere"], "nowhere: no such file or directory"),
        (["--stdin", "."], ".: is a directory, not a file"),
        (["--receipt", "nowhere/r.json"], "nowhere/r.json: no such directory"),
        (["--exit-file", "."], ".: is a directory, not a file"),
        (["--unknown"], "--unknown: unknown option"),
        (["extra"], "extra: one argument too many"),
    ],
)  # fmt: skip
def test_own_usage_errors_are_125_and_one_line(tmp_path: Path, words: list[str], said: str) -> None:
    ran = inside(tmp_path, ["jobs", "run", HELLO, *words], cwd=tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert (ran.code, ran.out) == (125, b"")
    assert said in ran.talk
    assert ran.talk.startswith("orlop: jobs run: ")
    assert ran.talk.count("\n") == 1


@pytest.mark.parametrize(
    "name",
    ["junk", "empty", "text_format", "truncated", "component", "huge_table", "many_functions", "shared_memory",
     "memory_4gib", "unknown_import", "unknown_wasi", "imported_memory", "no_start"],
)  # fmt: skip
def test_a_bad_module_is_refused_with_125_and_one_line(owned: Path, tmp_path: Path, name: str) -> None:
    out = tmp_path / "exit.json"
    ran = inside(owned, ["jobs", "run", module(tmp_path, name), "--exit-file", str(out)], cwd=tmp_path)
    assert (ran.code, ran.out) == (125, b"")
    assert ran.talk.startswith(f"orlop: jobs run: {name}.wasm: ")
    assert ran.talk.count("\n") == 1
    assert json.loads(out.read_text()) | {"job": None} == {"v": 1, "job": None, "outcome": "refused", "exit_code": 125}


def test_a_relative_guest_path_is_125(home: Path) -> None:
    ran = orlop(home, "jobs", "run", HELLO, "--dir", ".:relative")
    assert (ran.code, ran.talk) == (125, "orlop: jobs run: relative: a guest path is absolute, without `..` and `:`\n")


def test_an_absent_module_is_125_also_in_json(home: Path) -> None:
    ran = orlop(home, "jobs", "run", "nowhere.wasm", "--json")
    assert ran.code == 125
    assert ran.json == {"v": 1, "error": {"code": "usage", "text": "no such file or directory", "hint": ""}}


def test_arguments_environment_and_directories_reach_the_manifest(home: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    document = orlop(
        home,
        "jobs",
        "run",
        HELLO,
        "--json",
        "--env",
        "A=1=2",
        "--dir",
        f"{tmp_path}/data:/data:ro",
        "--",
        "-x",
        "--json",
    ).json
    shown = orlop(home, "jobs", "show", document["job"], "--json").json
    own = shown["manifest"]["payload"]["orlop"]
    assert own["argv"] == ["hello.wasm", "-x", "--json"]
    assert (own["env"], own["dirs"]) == (["A=1=2"], ["/data:ro"])
    assert str(tmp_path) not in json.dumps(shown)


def test_sixteen_directories_and_every_stream_reach_the_guest(home: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    grants = [f"--dir={tmp_path}/data:/data{number}:ro" for number in range(16)]
    ran = orlop(home, "jobs", "run", HELLO, "--stdin", "-", *grants, stdin=b"ahoy")
    assert (ran.code, ran.text, ran.talk) == (0, "yoha", "")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)])
def test_a_signal_cancels_and_leaves_a_receipt(home: Path, tmp_path: Path, number: int, code: int) -> None:
    receipt = tmp_path / "receipt.json"
    ready, tell = os.pipe()
    module_path = module(tmp_path, "echo")
    words = ["jobs", "run", module_path, "--stdin", "-", "--receipt", str(receipt)]
    process = subprocess.Popen(
        command(*words),
        stdin=subprocess.PIPE,
        stdout=tell,
        stderr=subprocess.PIPE,
        env=environment(home),
        cwd=home,
        start_new_session=True,
    )
    os.close(tell)
    assert process.stdin is not None
    process.stdin.write(b"running\n")
    process.stdin.flush()
    assert os.read(ready, 100) == b"running\n"
    os.killpg(process.pid, number)  # as a terminal does: the job's own processes must not act on it
    assert process.wait(30) == code  # its standard input is open to the end: only the signal can have ended it
    _, said = process.communicate()
    os.close(ready)
    assert said.decode() == "orlop: jobs run: echo.wasm: cancelled\n"
    extra = json.loads(receipt.read_text())["result"]["metrics"]["extra"]
    assert (extra["orlop.outcome"], extra["exit_code"]) == ("cancelled", str(code))


@pytest.mark.parametrize("numbers", [[signal.SIGKILL], [signal.SIGINT, signal.SIGTERM]], ids=["killed", "told twice"])
def test_a_command_that_ends_at_once_leaves_no_job_that_seems_to_run(
    alone: Path, tmp_path: Path, numbers: list[int]
) -> None:
    ready, tell = os.pipe()
    words = ["jobs", "run", module(tmp_path, "echo"), "--stdin", "-"]
    with subprocess.Popen(
        command(*words), stdin=subprocess.PIPE, stdout=tell, stderr=subprocess.PIPE, env=environment(alone), cwd=alone
    ) as process:
        os.close(tell)
        assert process.stdin is not None
        process.stdin.write(b"running\n")
        process.stdin.flush()
        assert os.read(ready, 100) == b"running\n"
        for number in numbers:
            process.send_signal(number)
        process.wait(30)  # before its input ends, or the guest might be done first
    os.close(ready)
    assert process.returncode in {-signal.SIGKILL, 130, 143}
    counted = orlop(alone, "status", "--json").json["jobs"]
    newest = orlop(alone, "jobs", "list", "--json").json["items"][0]
    assert newest["name"] == "echo.wasm"
    assert newest["state"] == "lost" or (newest["state"] == "cancelled" and len(numbers) > 1)
    assert counted == {"queued": 0, "running": 0}


def test_output_that_was_deleted_is_said_to_be_gone(home: Path, tmp_path: Path) -> None:
    job = orlop(home, "jobs", "run", HELLO, "--stdin", "-", "--json", stdin=b"ahoy").json["job"]
    file = home / ".local/state/orlop/output" / job
    told = f"orlop: jobs logs: job {job[:16]}: {{}}; its file was deleted or cut, or could not be written\n"
    file.write_bytes(file.read_bytes()[:-1])
    cut = orlop(home, "jobs", "logs", job, "--json")
    assert (cut.code, cut.json["stdout"], cut.json["truncated"]) == (1, "yoh", True)
    assert cut.talk == told.format("1B of 4B of its output are gone")
    assert orlop(home, "jobs", "logs", job) == Ran(1, b"yoh", cut.err)
    file.unlink()
    gone = orlop(home, "jobs", "logs", job)
    assert gone == Ran(1, b"", told.format("its output of 4B is gone").encode())
    assert orlop(home, "jobs", "logs", job, "--json").json["error"]["code"] == "failed"


def test_a_job_that_wrote_nothing_has_empty_logs(home: Path) -> None:
    job = orlop(home, "jobs", "run", HELLO, "--json").json["job"]
    assert orlop(home, "jobs", "logs", job) == Ran(0, b"", b"")


def test_a_reader_who_leaves_ends_nothing_badly(home: Path, tmp_path: Path) -> None:
    ran = subprocess.run(
        ["bash", "-c", '"$@" | head -c 5', "_", *map(str, command("jobs", "run", module(tmp_path, "writes_100k")))],
        capture_output=True,
        env=environment(home),
        cwd=home,
        timeout=60,
        check=False,
    )
    assert ran.stdout == b"xxxxx"
    assert b"Traceback" not in ran.stderr


def test_four_at_a_time_leave_one_chain(home: Path) -> None:
    before = orlop(home, "receipts", "list", "--json").json["items"]
    line = " ".join(str(word) for word in command("jobs", "run", HELLO))
    done = subprocess.run(
        ["xargs", "-P4", "-I{}", "bash", "-c", line],
        input=b"\n".join(b"%d" % number for number in range(8)),
        capture_output=True,
        env=environment(home),
        cwd=home,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    items = orlop(home, "receipts", "list", "--json").json["items"]
    assert len(items) == len(before) + 8
    items.sort(key=lambda item: item["number"])
    assert [item["number"] for item in items] == list(range(len(items)))
    assert items[0]["previous"] == "0" * 64
    assert [item["previous"] for item in items[1:]] == [item["receipt"] for item in items[:-1]]
