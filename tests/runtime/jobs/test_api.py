"""The library: what a program that imports `runtime.jobs` gets, on real directories, workers and receipts."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

import runtime.jobs
from runtime import statedir
from runtime.canonical import decode
from runtime.errors import InUseError, NotFoundError, OrlopError, RefusedError, UsageError
from runtime.events import JobState, Record
from runtime.identity import load_or_create
from runtime.jobs import (
    AsyncNode,
    JobLimits,
    JobOptions,
    Node,
    run_job,
    run_job_async,
    verify_receipt,
)
from runtime.sandbox.modulecheck import JOB_CAPS
from tests.guests import guest
from tests.runtime.jobs.jobs_node import HELLO, opens, shows_argv, shows_env, writes
from tests.runtime.jobs.jobs_node import guest as small

FEW = replace(JobLimits(), fuel=100)


def seen(code: str) -> str:
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return run.stdout.strip()


def test_importing_the_package_loads_nothing_of_it() -> None:
    heavy = "{'asyncio', 'sqlite3', 'wasmtime', 'cryptography', 'nacl', 'vodozemac', 'textual'}"
    ours = "{name for name in sys.modules if 'runtime.' in name}"
    code = f"import sys, runtime.jobs; print(sorted({heavy} & set(sys.modules) | {ours}))"
    assert seen(code) == "['runtime.jobs']"


def test_every_public_name_is_there_and_no_other() -> None:
    assert all(hasattr(runtime.jobs, name) for name in runtime.jobs.__all__)
    assert set(runtime.jobs.__all__) <= set(dir(runtime.jobs))
    folder = Path(runtime.jobs.__file__).parent
    assert not set(runtime.jobs.__all__) & {
        path.stem for path in folder.glob("*.py")
    }  # a module would take its name's place
    assert set(runtime.jobs.LIBRARY) <= set(runtime.jobs.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'run_jobs'"):
        _ = runtime.jobs.run_jobs  # type: ignore[attr-defined]


def test_one_job_gives_its_output_its_end_and_a_receipt_that_verifies(tmp_path: Path) -> None:
    result = run_job(HELLO, stdin=b"Hello", state_dir=tmp_path / "state")
    assert (result.ok, result.outcome, result.exit_code, result.stdout, result.stderr) == (
        True, "exit", 0, b"olleH", b"",
    )  # fmt: skip
    assert result.verification is not None
    assert result.verification.verdict == "valid"
    assert (result.reason, result.tripped, result.truncated, result.usage.stdout_bytes) == ("", "", False, 5)
    key = load_or_create(statedir.prepare(tmp_path / "state")).public_hex
    found = verify_receipt(result.receipt_json, key=key, module=HELLO, stdout=b"olleH", stderr=b"")
    assert found.ok is True
    assert verify_receipt(result.receipt_json).verdict == "unchecked"
    assert verify_receipt(result.receipt_json, key="0" * 64).ok is False
    assert verify_receipt(result.receipt_json, key=key, stdout=b"olleX", stderr=b"").ok is False
    assert verify_receipt(b"{}", key=key).ok is False


def test_a_key_that_is_none_is_the_callers_mistake() -> None:
    with pytest.raises(UsageError, match=r"^key: neither 64 hexadecimal characters nor a PeerId$"):
        verify_receipt(b"{}", key="mine")


def test_an_open_node_runs_many_jobs_whose_receipts_are_one_chain(tmp_path: Path) -> None:
    with Node(tmp_path / "state") as node:
        results = [node.run_job(HELLO, stdin=b"a" * size) for size in range(3)]
        key = node.key
    first, *later = [result.receipt_json for result in results]
    for before, after in zip([first, *later], later, strict=False):
        found = verify_receipt(after, key=key, previous=before)
        assert (found.ok, found.steps[-1].ok) == (True, True)


async def test_jobs_of_one_node_run_side_by_side(tmp_path: Path) -> None:
    async with AsyncNode(tmp_path / "state", workers=2) as node:
        results = await asyncio.gather(*(node.run_job(HELLO, stdin=str(n).encode() * 3) for n in range(4)))
    assert [result.stdout for result in results] == [b"000", b"111", b"222", b"333"]


async def test_the_asynchronous_function_does_the_same(tmp_path: Path) -> None:
    result = await run_job_async(HELLO, stdin=b"ab", state_dir=tmp_path / "state")
    assert (result.stdout, result.ok) == (b"ba", True)


async def test_the_waiting_functions_say_what_to_use_inside_an_event_loop(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="an event loop runs in this thread; use AsyncNode or run_job_async"):
        run_job(HELLO, state_dir=tmp_path / "state")
    assert not (tmp_path / "state").exists()


def test_arguments_and_environment_are_exactly_those_that_were_given(tmp_path: Path) -> None:
    with Node(tmp_path / "state") as node:
        named = node.run_job(shows_argv(), args=["-n", "ü"], name="tool")
        assert named.stdout == "tool\0-n\0ü\0".encode()
        assert node.run_job(shows_argv()).stdout == b"job\0"
        assert node.run_job(shows_env(), env={"A": "1", "B": ""}).stdout == b"A=1\0B=\0"


def test_the_clock_of_a_deterministic_job_is_not_that_of_the_machine(tmp_path: Path) -> None:
    module = small(
        "(drop (call $clock_time_get (i32.const 0) (i64.const 0) (i32.const 8)))"
        "(call $proc_exit (i64.eq (i64.div_u (i64.load (i32.const 8)) (i64.const 1000000000)) (i64.const 1577836800)))",
        "clock_time_get",
        "proc_exit",
    )
    with Node(tmp_path / "state") as node:
        assert node.run_job(module, deterministic=True).exit_code == 1
        assert node.run_job(module).exit_code == 0


def test_module_and_input_may_be_files(tmp_path: Path) -> None:
    (tmp_path / "hello.wasm").write_bytes(HELLO)
    (tmp_path / "argv.wasm").write_bytes(shows_argv())
    (tmp_path / "in").write_bytes(b"abc" * 50_000)
    with Node(tmp_path / "state") as node:
        assert node.run_job(tmp_path / "hello.wasm", stdin=tmp_path / "in").stdout == b"cba" * 50_000
        assert node.run_job(tmp_path / "argv.wasm").stdout == b"argv.wasm\0"


def test_a_guest_reads_and_changes_only_the_directories_that_it_was_given(tmp_path: Path) -> None:
    readable, writable = tmp_path / "in", tmp_path / "out"
    for folder in (readable, writable):
        folder.mkdir()
    (readable / "note").write_bytes(b"to be read")
    with Node(tmp_path / "state") as node:
        assert node.run_job(opens("note", creates=False), dirs={"/data": readable}).stdout == b"to be read"
        assert node.run_job(opens("new", creates=True), dirs={"/data": readable}).exit_code != 0
        assert node.run_job(opens("new", creates=True), writable_dirs={"/data": writable}).ok
    assert [path.name for path in readable.iterdir()] == ["note"]
    assert (writable / "new").read_bytes() == b"made"


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"limits": FEW}, ("fuel", 134, "fuel", "fuel limit of 100 reached")),
        ({"limits": replace(JobLimits(), max_output_bytes=2)}, ("output", 134, "max_output_bytes", "")),
    ],
)
def test_a_limit_that_strikes_is_named_and_leaves_a_receipt(
    tmp_path: Path, options: JobOptions, line: tuple[str, int, str, str]
) -> None:
    result = run_job(HELLO, stdin=b"Hello", state_dir=tmp_path / "state", **options)
    outcome, code, tripped, reason = line
    assert (result.ok, result.outcome, result.exit_code, result.tripped) == (False, outcome, code, tripped)
    assert reason in result.reason
    assert result.verification is not None
    assert result.verification.ok


def test_the_guests_own_exit_code_is_given(tmp_path: Path) -> None:
    result = run_job(guest("leaves-its-input"), stdin=b"unread", state_dir=tmp_path / "state")
    assert (result.ok, result.outcome, result.exit_code) == (False, "exit", 3)


def test_what_is_no_module_is_refused_and_has_no_receipt(tmp_path: Path) -> None:
    result = run_job(b"MZ", state_dir=tmp_path / "state")
    assert (result.outcome, result.exit_code, result.receipt, result.verification) == ("refused", 125, None, None)
    assert result.reason
    with pytest.raises(NotFoundError, match="no receipt"):
        _ = result.receipt_json


def test_a_ceiling_of_the_node_holds_whatever_the_job_wishes(tmp_path: Path) -> None:
    with Node(tmp_path / "state", ceilings=replace(JobLimits(), timeout_ms=1000)) as node:
        result = node.run_job(HELLO, limits=JobLimits())
    assert (result.outcome, result.tripped) == ("refused", "timeout_ms")


def test_bytes_of_both_streams_are_given_as_they_are(tmp_path: Path) -> None:
    result = run_job(writes((1, b"\xff\x1b[2J"), (2, b"\0no")), state_dir=tmp_path / "state")
    assert (result.stdout, result.stderr) == (b"\xff\x1b[2J", b"\0no")


async def test_a_cancelled_task_cancels_its_job_and_the_end_is_stored(tmp_path: Path) -> None:
    async with AsyncNode(tmp_path / "state") as node:
        loop, started = asyncio.get_running_loop(), asyncio.Event()

        def heard(batch: Sequence[tuple[Record, str]]) -> None:
            if any(isinstance(record.event, JobState) and record.event.state == "running" for record, _ in batch):
                loop.call_soon_threadsafe(started.set)

        node._parts.store.publish_to(heard)
        running = asyncio.ensure_future(node.run_job(guest("spins-behind-a-table")))
        await asyncio.wait({running, asyncio.ensure_future(started.wait())}, return_when=asyncio.FIRST_COMPLETED)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    async with AsyncNode(tmp_path / "state") as node:
        (row,) = await node._parts.jobs.rows()
    assert (row.state, row.outcome, bool(row.receipt)) == ("cancelled", "cancelled", True)


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda _: None, NotFoundError, "thing: no such file or directory"),
        (Path.mkdir, UsageError, "thing: not a regular file"),
        (make_pipe, UsageError, "thing: not a regular file"),
        (lambda path: path.write_bytes(bytes(JOB_CAPS.size + 1)), RefusedError, "thing: larger than 16MiB"),
    ],
)
def test_a_bad_file_is_one_line_that_names_it(
    tmp_path: Path, make: Callable[[Path], object], error: type[OrlopError], words: str
) -> None:
    make(tmp_path / "thing")
    with Node(tmp_path / "state") as node:
        with pytest.raises(error, match=words):
            node.run_job(tmp_path / "thing")
        assert node.run_job(HELLO, stdin=b"ab").stdout == b"ba"


def test_a_bad_directory_is_one_line_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with Node(tmp_path / "state") as node:
        with pytest.raises(UsageError, match=r"file: not a directory$"):
            node.run_job(HELLO, dirs={"/data": tmp_path / "file"})
        with pytest.raises(NotFoundError, match=r"gone: no such file or directory$"):
            node.run_job(HELLO, writable_dirs={"/data": tmp_path / "gone"})
        with pytest.raises(UsageError, match="a guest path is absolute"):
            node.run_job(HELLO, dirs={"../data": tmp_path})


def test_a_directory_that_a_console_owns_is_not_opened(tmp_path: Path) -> None:
    state = statedir.prepare(tmp_path / "state")
    with statedir.acquire_owner(state), pytest.raises(InUseError, match="in use by process"):
        run_job(HELLO, state_dir=tmp_path / "state")
    assert run_job(HELLO, stdin=b"ab", state_dir=tmp_path / "state").ok


def test_without_a_name_the_directory_is_that_of_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORLOP_STATE_DIR", str(tmp_path / "there"))
    assert run_job(HELLO, stdin=b"ab").ok
    assert statedir.find(tmp_path / "there") is not None


def test_a_node_that_is_not_open_says_so(tmp_path: Path) -> None:
    node = Node(tmp_path / "state")
    with pytest.raises(UsageError, match="it is not open; use it in a `with` block"):
        node.run_job(HELLO)
    with pytest.raises(UsageError, match="it is not open; use it in a `with` block"):
        _ = node.key
    assert not (tmp_path / "state").exists()


def test_a_closed_node_leaves_no_process_and_opens_again(tmp_path: Path) -> None:
    node = Node(tmp_path / "state")
    keys = []
    for _ in range(2):
        with node:
            assert node.run_job(HELLO, stdin=b"ab").ok
            processes = node._node._parts.jobs.process_ids
            keys.append(node.key)
        assert processes
        assert not [pid for pid in processes if Path(f"/proc/{pid}").exists()]
    assert keys[0] == keys[1]


def test_fewer_than_one_worker_is_the_callers_mistake(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^workers: at least one is needed$"):
        Node(tmp_path / "state", workers=0)


def test_the_command_line_and_the_library_write_the_same_chain(tmp_path: Path) -> None:
    state = tmp_path / "state"
    first = run_job(HELLO, stdin=b"ab", state_dir=state)
    (tmp_path / "hello.wasm").write_bytes(HELLO)
    program = [sys.executable, "-m", "console", "--state-dir", str(state), "jobs", "run", str(tmp_path / "hello.wasm")]
    receipt = tmp_path / "receipt.json"
    root = Path(__file__).parents[3]
    run = subprocess.run([*program, "--receipt", str(receipt)], input=b"ab", cwd=root, capture_output=True, check=True)
    assert run.stdout == b""  # without `--stdin -` its input is empty
    third = run_job(HELLO, stdin=b"ab", state_dir=state)
    key = load_or_create(statedir.prepare(state)).public_hex
    for before, after in ((first.receipt_json, receipt.read_bytes()), (receipt.read_bytes(), third.receipt_json)):
        assert verify_receipt(after, key=key, previous=before).ok
    assert decode(receipt.read_bytes(), limit=1 << 20)
