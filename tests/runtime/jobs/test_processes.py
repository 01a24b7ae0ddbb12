"""Workers and zygote as processes: killed, limited, confined, replaced; several programs on one directory."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import psutil
import pytest

from runtime.errors import FailedError, UnavailableError
from runtime.events import CoreError
from runtime.identity import load_or_create
from runtime.jobs import processes, zygote_process
from runtime.jobs.limits import JobLimits
from runtime.jobs.pool import Pool
from runtime.jobs.processes import is_running, start_mark, start_of
from runtime.jobs.receipt_form import FIRST_PREVIOUS, Place, read_receipt
from runtime.jobs.spec import DirGrant
from runtime.jobs.streams import Streams
from runtime.jobs.zygote_process import ZygoteProcess
from runtime.sandbox.compile import Compiler
from runtime.store import Store
from tests.hostile import job
from tests.open_twin import open_twin
from tests.runtime.jobs.jobs_node import HELLO, LIMITS, Node, open_node, pipe

ROOT = Path(__file__).parents[3]


def worker_of(node: Node) -> psutil.Process:
    """The one worker that runs a job now."""
    zygote = psutil.Process(node.jobs.process_ids[0])
    (busy,) = [child for child in zygote.children() if child.status() != psutil.STATUS_ZOMBIE]
    return busy


def gone(pid: int) -> bool:
    return start_of(pid) == ""


def status_of(process: psutil.Process) -> str:
    return Path(f"/proc/{process.pid}/status").read_text()


def descriptor_of(process: psutil.Process, number: int) -> str:
    return str(Path(f"/proc/{process.pid}/fd/{number}").readlink())


def folders(node: Node) -> list[str]:
    return sorted(path.name for pool in node.state.run.iterdir() for path in pool.iterdir())


async def settled(holds: Callable[[], bool]) -> None:
    """Lets the loop turn until something holds; the test's own time limit is that of the suite."""
    turned = asyncio.get_running_loop().time() + 30
    while not holds():
        assert asyncio.get_running_loop().time() < turned
        await asyncio.to_thread(os.sched_yield)


async def test_a_worker_that_is_killed_is_lost_and_replaced(node: Node) -> None:
    node.jobs.warm()
    task = asyncio.ensure_future(node.run(job("spin")))
    await node.until_running()
    victim = worker_of(node)
    victim.send_signal(signal.SIGKILL)
    end = await task
    assert (end.outcome, end.state, end.exit_code, end.receipt) == ("lost", "lost", 125, "")
    assert "was ended by SIGKILL, after" in end.reason
    assert gone(victim.pid)
    assert (await node.run(HELLO, b"on")).exit_code == 0
    assert victim.pid not in node.jobs.process_ids
    await settled(lambda: len(folders(node)) == 1)


async def test_a_zygote_that_is_killed_takes_its_jobs_along_and_is_replaced(node: Node) -> None:
    node.jobs.warm()
    task = asyncio.ensure_future(node.run(job("spin")))
    await node.until_running()
    victim, zygote = worker_of(node).pid, node.jobs.process_ids[0]
    os.kill(zygote, signal.SIGKILL)
    end = await task
    assert (end.outcome, end.exit_code) == ("lost", 125)
    assert (await node.run(HELLO, b"on")).exit_code == 0
    assert gone(zygote)
    await settled(lambda: gone(victim))
    assert node.jobs.process_ids[0] != zygote
    await node.until(lambda e: isinstance(e, CoreError) and "process for workers" in e.error)
    await settled(lambda: len(folders(node)) == 1)


async def test_nothing_is_left_when_the_node_stops(tmp_path: Path, compiler: Compiler) -> None:
    async with open_node(tmp_path / "state", compiler, workers=2) as node:
        node.jobs.warm()
        await node.run(HELLO, b"x")
        pids = node.jobs.process_ids
        assert len(pids) == 3
    assert all(gone(pid) for pid in pids)
    assert list(node.state.run.iterdir()) == []


async def test_workers_are_ready_before_a_job_and_refilled_after_one(tmp_path: Path, compiler: Compiler) -> None:
    async with open_node(tmp_path / "state", compiler, workers=2) as node:
        node.jobs.warm()
        await settled(lambda: len(node.jobs.process_ids) == 3)
        before = set(node.jobs.process_ids)
        assert (await node.run(job("unreachable"))).outcome == "trap"
        await settled(lambda: len(set(node.jobs.process_ids) - before) == 1 and len(node.jobs.process_ids) == 3)


async def test_a_sound_worker_serves_again_and_an_unsound_one_never(node: Node) -> None:
    node.jobs.warm()
    await node.run(HELLO, b"1")
    first = set(node.jobs.process_ids)
    await node.run(HELLO, b"2")
    await node.run(job("grows_and_exits"))
    assert set(node.jobs.process_ids) == first
    for name in ("unreachable", "recursion", "floods_stdout"):
        before = worker_of(node).pid
        await node.run(job(name))
        await settled(lambda before=before: before not in node.jobs.process_ids and len(node.jobs.process_ids) == 2)


async def test_without_warming_a_worker_comes_with_its_job(node: Node) -> None:
    assert (await node.run(job("unreachable"))).outcome == "trap"
    await settled(lambda: len(node.jobs.process_ids) == 1)
    assert (await node.run(HELLO, b"x")).exit_code == 0
    assert len(node.jobs.process_ids) == 2


async def test_submitters_never_share_a_worker(node: Node) -> None:
    seen = []
    for submitter in ("local", "local", "12D3KooWOther", "local"):
        await node.run(HELLO, b"x", submitter=submitter)
        seen.append(worker_of(node).pid)
        await settled(lambda: len(node.jobs.process_ids) == 2)
    assert seen[0] == seen[1]
    assert len(set(seen)) == 3


async def test_a_worker_is_confined(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zygote_process, "_PROGRAM", open_twin(zygote_process._PROGRAM))
    reader, writer = pipe()
    task = asyncio.ensure_future(node.run(job("echo"), reader))
    await node.until_running()
    worker = worker_of(node)
    data = LIMITS.memory_bytes + (64 << 20)
    await settled(lambda: worker.rlimit(psutil.RLIMIT_DATA)[0] == data)  # it is told a moment after the job runs
    assert "NoNewPrivs:\t1\n" in status_of(worker)
    assert "Seccomp:\t2\n" in status_of(worker)
    assert set(worker.environ()) <= {"LC_ALL", "RUST_BACKTRACE", "TOKIO_WORKER_THREADS", "LC_CTYPE"}
    assert Path(worker.cwd()).is_relative_to(node.state.run)
    assert os.stat(worker.cwd()).st_mode & 0o777 == 0o700  # noqa: PTH116 - Path.stat is said to block
    assert worker.rlimit(psutil.RLIMIT_NOFILE)[0] < 64 + 32
    assert worker.rlimit(psutil.RLIMIT_FSIZE)[0] == 64 << 20
    assert (descriptor_of(worker, 0), descriptor_of(worker, 1)) == ("/dev/null", "/dev/null")
    assert os.getsid(worker.pid) != os.getsid(0)
    os.close(writer)
    assert (await task).exit_code == 0
    os.close(reader)


TAKEN_OVER = """
import os
from runtime.jobs import guest
real = guest.Guests.run
def run(self, message, descriptors):
    told = os.dup(descriptors[1])
    mine = ["/proc/self/fd/%d" % os.dup(number) for number in descriptors[3:]]
    reply = real(self, message, descriptors)
    reads, writes = lambda: os.listdir(mine[0]), lambda: open(mine[0] + "/new", "w")
    for act in (lambda: open("/etc/hostname"), os.fork, reads, writes):
        try:
            act()
            os.write(told, b"done ")
        except (OSError, IndexError) as error:
            os.write(told, type(error).__name__.encode() + b" ")
    os.close(told)
    return reply
guest.Guests.run = run
"""
"""What a guest could do that runs its own code in its worker."""


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (None, "PermissionError PermissionError IndexError IndexError "),
        ("ro", "PermissionError PermissionError done PermissionError "),
        ("rw", "PermissionError PermissionError done done "),
    ],
)
async def test_a_worker_that_was_taken_over_reaches_its_own_directories_only(
    node: Node, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mode: str | None, expected: str
) -> None:
    program = zygote_process._PROGRAM.replace(
        "from runtime.jobs.zygote", f"exec({TAKEN_OVER!r}); from runtime.jobs.zygote"
    )
    monkeypatch.setattr(zygote_process, "_PROGRAM", program)
    (tmp_path / "given").mkdir()
    given = os.open(tmp_path / "given", os.O_RDONLY | os.O_DIRECTORY)
    grants = (DirGrant("/given", writable=mode == "rw"),) if mode else ()
    streams = Streams(stdin=b"", dirs=[given] if mode else [])
    end = await node.run(job("echo"), dirs=grants, streams=streams)
    os.close(given)
    assert end.outcome == "exit"
    assert (await node.jobs.output(end.job)).stdout.decode() == expected
    assert (tmp_path / "given" / "new").exists() == (mode == "rw")


async def test_a_signal_to_the_workers_does_not_lose_jobs(node: Node) -> None:
    reader, writer = pipe()
    task = asyncio.ensure_future(node.run(job("echo"), reader))
    await node.until_running()
    for pid in node.jobs.process_ids:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(pid, number)
    os.write(writer, b"still here")
    os.close(writer)
    end = await task
    os.close(reader)
    assert (end.exit_code, end.usage.stdout_bytes) == (0, 10)


async def test_a_guest_at_its_memory_limit_does_not_break_its_worker(node: Node) -> None:
    limits = JobLimits.of(memory_bytes=300 << 20, timeout_ms=20_000, max_output_bytes=1 << 20)
    assert (await node.run(job("grows_and_exits"), limits=limits)).exit_code == 7
    assert (await node.run(job("grows_and_traps"), limits=limits)).outcome == "memory"


async def test_jobs_of_a_program_that_died_are_lost_at_the_next_start(tmp_path: Path, compiler: Compiler) -> None:
    async with open_node(tmp_path / "state", compiler) as node:
        ends = [await node.run(HELLO, b"x") for _ in range(3)]
        marks = [(os.getpid(), start_mark()), (os.getpid(), "another.1"), (2**22 + 1, start_mark())]

        def unfinish(tx: object) -> None:
            for end, (pid, mark), state in zip(ends, marks, ("running", "queued", "compiling"), strict=True):
                tx.execute(  # type: ignore[attr-defined]
                    "UPDATE jobs SET state = ?, runner_pid = ?, runner_start = ? WHERE job = ?",
                    (state, pid, mark, end.job),
                )

        await asyncio.wrap_future(node.store.write(unfinish))
        stale = node.state.run / "jobs-gone.1-99999999"
        stale.mkdir()
    async with open_node(tmp_path / "state", compiler) as node:
        await node.run(HELLO, b"the first run puts it right")
        assert not stale.exists()
        states = {record.job: record.state for record in await node.jobs.rows()}
        assert [states[end.job] for end in ends] == ["running", "lost", "lost"]
        assert await node.jobs.recover() == ()
        record, _ = await node.jobs.show(ends[1].job)
        assert (record.outcome, record.exit_code) == ("lost", 125)


async def test_whoever_looks_finds_the_jobs_of_a_dead_program_lost(tmp_path: Path, compiler: Compiler) -> None:
    async with open_node(tmp_path / "state", compiler) as node:
        ends = [await node.run(HELLO, b"x") for _ in range(2)]

        async def abandon() -> None:
            sql = "UPDATE jobs SET state = 'running', runner_start = 'another.1'"
            await asyncio.wrap_future(node.store.write(lambda tx: tx.execute(sql)))

        await abandon()
        assert [record.state for record in await node.jobs.rows()] == ["lost", "lost"]
        assert [node.states(end.job)[-1] for end in ends] == ["lost", "lost"]
        await abandon()
        assert (await node.jobs.show(ends[0].job))[0].state == "lost"
        await abandon()
        with pytest.raises(FailedError, match="it is lost already"):
            await node.jobs.cancel(ends[0].job, "command")


async def test_where_nothing_can_be_written_jobs_are_shown_as_they_are_stored(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    await node.run(HELLO, b"x")
    sql = "UPDATE jobs SET state = 'running', runner_start = 'another.1'"
    await asyncio.wrap_future(node.store.write(lambda tx: tx.execute(sql)))

    def refuse(_store: Store, _work: object) -> "Future[object]":
        refused: Future[object] = Future()
        refused.set_exception(UnavailableError("the database: the disk is full"))
        return refused

    monkeypatch.setattr(Store, "write", refuse)
    assert [record.state for record in await node.jobs.rows()] == ["running"]


def run_programs(state: Path, cache: Path, programs: int, each: int) -> list[list[str]]:
    command = [sys.executable, "-m", "tests.runtime.jobs.chain_runner", str(state), str(cache), str(each)]
    started = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(programs)]
    said = [process.communicate(timeout=120)[0].split() for process in started]
    assert [process.returncode for process in started] == [0] * programs
    return said


def kill_program(state: Path, cache: Path) -> list[psutil.Process]:
    """Kills a program after its fourth job; gives the processes that it had started."""
    command = [sys.executable, "-m", "tests.runtime.jobs.chain_runner", str(state), str(cache), "1000"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        seen = [process.stdout.readline() for _ in range(4)]
        children = psutil.Process(process.pid).children(recursive=True)
        process.kill()
    assert all(len(line) == 65 for line in seen)
    return children


async def test_four_programs_at_once_make_one_unbroken_chain(tmp_path: Path, compiler: Compiler) -> None:
    state, cache = tmp_path / "state", tmp_path / "cache"
    cache.mkdir(mode=0o700)
    said = await asyncio.to_thread(run_programs, state, cache, 4, 3)
    async with open_node(state, compiler) as node:
        own = load_or_create(node.state).public_hex
        lines = [line async for line in node.receipts.documents()]
        receipts = [read_receipt(line) for line in lines]
        assert {receipt.id for receipt in receipts} == {line for lines in said for line in lines}
        assert [receipt.place for receipt in receipts] == [
            Place(number, receipts[number - 1].id if number else FIRST_PREVIOUS) for number in range(12)
        ]
        assert {receipt.worker for receipt in receipts} == {own}
        for receipt in receipts:
            verification = await node.receipts.verify(receipt.id)
            assert verification.ok is True
            assert verification.steps[7].ok is True


async def test_a_program_killed_in_the_middle_leaves_a_chain_and_a_lost_job(tmp_path: Path, compiler: Compiler) -> None:
    state, cache = tmp_path / "state", tmp_path / "cache"
    cache.mkdir(mode=0o700)
    children = await asyncio.to_thread(kill_program, state, cache)
    await settled(lambda: all(gone(child.pid) for child in children))
    async with open_node(state, compiler) as node:
        await node.jobs.recover()
        records = await node.jobs.rows()
        assert {record.state for record in records} <= {"done", "lost"}
        places = [read_receipt(line).place async for line in node.receipts.documents()]
        assert [place.number for place in places if place] == list(range(len(places)))
        assert len(places) == sum(record.state == "done" for record in records)
        assert list(node.state.run.iterdir()) == []
        assert (await node.run(HELLO, b"next")).exit_code == 0


async def test_a_zygote_that_cannot_live_is_named_and_not_tried_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runtime.jobs.zygote_process._PROGRAM", "raise SystemExit('no engine here')")
    heard: list[str] = []
    pool = Pool(tmp_path, 1, 1 << 20, heard.append)
    with pytest.raises(UnavailableError, match="no engine here"):
        await pool.acquire("local", alone=False)
    with pytest.raises(UnavailableError):
        await pool.acquire("local", alone=False)
    assert any("no engine here" in words for words in heard)
    await pool.close()
    with pytest.raises(UnavailableError):
        await pool.acquire("local", alone=False)


async def test_a_zygote_that_cannot_be_started_loses_the_job_by_name(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    end = await node.run(HELLO, b"x")
    assert (end.outcome, end.exit_code) == ("lost", 125)
    assert "No such file" in end.reason
    monkeypatch.undo()
    assert (await node.run(HELLO, b"x")).exit_code == 0


def test_a_zygote_ends_with_its_socket() -> None:
    zygote = ZygoteProcess.start()
    zygote.close()
    assert zygote.process.returncode == 0


def test_processes_are_told_apart() -> None:
    assert is_running(os.getpid(), start_mark())
    assert start_of(os.getpid()) == start_mark()
    assert not is_running(os.getpid(), "")
    assert not is_running(os.getpid(), "x.1")
    assert start_of(2**22 + 1) == ""


def test_a_process_that_is_hidden_counts_as_running(monkeypatch: pytest.MonkeyPatch) -> None:
    mark = start_mark()
    monkeypatch.setattr(processes, "_fields", lambda _: None)  # as under hidepid
    assert is_running(os.getpid(), mark)
    assert not is_running(os.getpid(), "")
    assert not is_running(2**22 + 1, mark)


async def test_tee_and_job_end_in_any_order(node: Node) -> None:
    # The reader leaves while the guest still runs, and again when it has ended.
    for _ in range(5):
        reader, writer = pipe()
        end = await node.run(
            job("writes_one_byte_at_a_time"),
            streams=Streams(stdout=writer),
            on_started=lambda _, reader=reader: os.close(reader),  # type: ignore[misc]
        )
        os.close(writer)
        assert end.exit_code == 0
