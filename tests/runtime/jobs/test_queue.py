"""The queue: who goes first, what survives, what is refused, and that every job ends exactly once."""

import asyncio
import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from runtime.blob_references import references
from runtime.canonical import encode
from runtime.clock import SystemClock
from runtime.errors import FailedError, NotFoundError, UsageError
from runtime.events import CoreError, JobState, ReceiptIssued
from runtime.jobs.manifest import read_manifest
from runtime.jobs.queue import Queued, QueueLimits, Terms
from runtime.jobs.records import UNFINISHED
from runtime.jobs.spec import DirGrant, JobRequest
from runtime.jobs.streams import Streams
from runtime.sandbox.compile import Compiler
from tests.hostile import job as hostile
from tests.runtime.jobs.jobs_node import HELLO, LIMITS, Node, guest, open_node, opens

ROOT = Path(__file__).parents[3]
LONG = replace(LIMITS, fuel=1 << 60, timeout_ms=600_000)


def receipts_of(node: Node, job: str) -> int:
    rows = node.store.read_now(lambda db: db.execute("SELECT count(*) FROM receipts WHERE job = ?", (job,)).fetchone())
    return int(rows[0])


async def until_lost(node: Node, job: str) -> None:
    """Waits until a job is queued again because its worker was lost."""
    await node.until(lambda e: isinstance(e, JobState) and (e.job, e.state, e.reason) == (job, "queued", "lost"))


async def test_a_submitted_job_waits_until_the_queue_is_run(node: Node) -> None:
    job = await node.submit(HELLO, b"ab")
    assert (await node.jobs.show(job))[0].state == "queued"
    assert await node.jobs.queue.take_all() == 1
    record = await node.until_ended(job)
    assert (record.state, record.exit_code, record.attempt) == ("done", 0, 0)
    assert (await node.jobs.output(job)).stdout == b"ba"
    assert (await node.receipts.verify(record.receipt)).ok
    assert node.states(job) == ["queued", "admitted", "compiling", "running", "done"]


async def test_a_running_queue_takes_what_comes_at_once(node: Node) -> None:
    await node.jobs.queue.take_all()
    job = await node.submit(HELLO, b"ab")
    assert (await node.until_ended(job)).state == "done"


async def test_the_more_urgent_goes_first_and_then_who_came_first(node: Node) -> None:
    low = await node.submit(HELLO, priority=-5)
    first = await node.submit(HELLO)
    second = await node.submit(HELLO)
    high = await node.submit(HELLO, priority=10)
    await node.jobs.queue.take_all()
    for job in (low, first, second, high):
        await node.until_ended(job)
    order = [event.job for event in node.events if isinstance(event, JobState) and event.state == "running"]
    assert order == [high, first, second, low]


@pytest.mark.parametrize("terms", [{"priority": 11}, {"priority": -11}, {"retries": -1}, {"retries": 11}])
def test_terms_have_bounds(terms: dict[str, int]) -> None:
    with pytest.raises(UsageError):
        Terms(**terms)  # type: ignore[arg-type]


@pytest.mark.parametrize("step", ["queued", "admitted", "compiling", "running", "signing", "done"])
@pytest.mark.parametrize("retries", [0, 1])
async def test_a_kill_at_any_step_leaves_one_end_and_at_most_one_receipt(
    tmp_path: Path, compiler: Compiler, step: str, retries: int
) -> None:
    command = [sys.executable, "-m", "tests.runtime.jobs.queue_runner"]
    arguments = [str(tmp_path / "state"), str(tmp_path / "cache"), step, str(retries)]
    died = await asyncio.to_thread(subprocess.run, [*command, *arguments], cwd=ROOT, timeout=120, check=False)
    assert died.returncode == -signal.SIGKILL
    with sqlite3.connect(tmp_path / "state" / "orlop.db") as db:
        job, state = db.execute("SELECT job, state FROM jobs").fetchone()
    db.close()
    async with open_node(tmp_path / "state", compiler) as node:
        await node.jobs.recover()
        await node.jobs.queue.take_all()
        while (record := (await node.jobs.show(job))[0]).state in UNFINISHED:
            await asyncio.to_thread(os.sched_yield)
        again = state == "running" and retries == 1
        assert record.state == ("lost" if state == "running" and not again else "done")
        assert record.attempt == int(again)
        assert receipts_of(node, job) == int(record.state == "done")
        assert bool(record.receipt) == (record.state == "done")
        if record.receipt:
            assert (await node.receipts.verify(record.receipt)).ok
            assert (await node.jobs.output(job)).stdout == b"ba"


async def test_a_lost_worker_is_the_only_reason_for_another_try(node: Node) -> None:
    await node.jobs.queue.take_all()
    job = await node.submit(hostile("spin"), limits=LONG, retries=1)
    await node.until_state(job, "running")
    (busy,) = psutil.Process(node.jobs.process_ids[0]).children()
    busy.kill()
    await until_lost(node, job)
    await node.until(lambda _: node.states(job).count("running") == 2)
    await node.jobs.cancel(job, "command")
    record = (await node.jobs.show(job))[0]
    assert (record.state, record.attempt, receipts_of(node, job)) == ("cancelled", 1, 1)
    trap = await node.submit(guest("(unreachable)"), retries=5)
    assert (await node.until_ended(trap)).attempt == 0


async def test_without_retries_left_a_lost_job_is_lost(node: Node) -> None:
    await node.jobs.queue.take_all()
    job = await node.submit(hostile("spin"), limits=LONG)
    await node.until_state(job, "running")
    for child in psutil.Process(node.jobs.process_ids[0]).children():
        child.kill()
    record = await node.until_ended(job)
    assert (record.state, record.outcome, record.receipt) == ("lost", "lost", "")


async def test_a_job_is_cancelled_wherever_it_is(node: Node) -> None:
    early = await node.submit(HELLO)
    assert await node.jobs.cancel(early, "command") == "cancelled"
    await node.jobs.queue.take_all()
    running = await node.submit(hostile("spin"), limits=LONG)
    waiting = await node.submit(HELLO)
    await node.until_state(running, "running")
    assert await node.jobs.cancel(waiting, "command") == "cancelled"
    assert await node.jobs.cancel(running, "command") == "cancelled"
    for job, receipts in ((early, 0), (waiting, 0), (running, 1)):
        record = (await node.jobs.show(job))[0]
        assert (record.state, receipts_of(node, job)) == ("cancelled", receipts)
        with pytest.raises(FailedError, match="cancelled already"):
            await node.jobs.cancel(job, "command")


async def test_what_waits_when_a_program_ends_is_run_by_the_next(tmp_path: Path, compiler: Compiler) -> None:
    async with open_node(tmp_path, compiler) as node:
        await node.jobs.queue.take_all()
        running = await node.submit(hostile("spin"), limits=LONG)
        await node.until_state(running, "running")
        waiting = await node.submit(HELLO, b"ab")
    async with open_node(tmp_path, compiler) as node:
        assert (await node.jobs.show(running))[0].state == "cancelled"
        assert (await node.jobs.show(waiting))[0].state == "queued"
        await node.jobs.queue.take_all()
        assert (await node.until_ended(waiting)).state == "done"


async def test_a_job_that_expired_is_not_started(node: Node) -> None:
    now = SystemClock().wall_ms()
    job = await node.submit(HELLO, expires_ms=now - 1)
    await node.jobs.queue.take_all()
    record = await node.until_ended(job)
    assert (record.state, record.tripped, record.receipt) == ("refused", "expires", "")
    assert "its turn did not come before it expired" in record.reason
    assert node.states(job) == ["queued", "refused"]


async def test_a_job_that_waits_too_long_is_refused(tmp_path: Path, compiler: Compiler) -> None:
    async with open_node(tmp_path, compiler, queue=QueueLimits(wait_ms=20)) as node:
        await node.jobs.queue.take_all()
        running = asyncio.ensure_future(node.run(hostile("spin"), limits=LONG))
        busy = await node.until_running()
        job = await node.submit(HELLO)
        record = await node.until_ended(job)
        assert (record.state, record.tripped) == ("refused", "queue_ms")
        assert "did not come within 20ms (queue_ms)" in record.reason
        await node.jobs.cancel(busy, "command")
        await running


async def test_a_full_queue_refuses_by_name_and_on_record(tmp_path: Path, compiler: Compiler) -> None:
    async with open_node(tmp_path, compiler, queue=QueueLimits(length=1)) as node:
        await node.submit(HELLO)
        job = await node.submit(HELLO)
        record = await node.until_ended(job)
        assert (record.state, record.tripped, record.reason) == ("refused", "queue", "1 jobs wait already (queue)")
        event = await node.until(lambda e: isinstance(e, JobState) and e.job == job and e.state == "refused")
        assert isinstance(event, JobState)
        assert event.tripped == "queue"


@pytest.mark.parametrize(
    ("limits", "name"),
    [(QueueLimits(module_bytes=10), "module_bytes"), (QueueLimits(stdin_bytes=1), "stdin_bytes")],
)
async def test_what_is_too_large_is_refused_by_name(
    tmp_path: Path, compiler: Compiler, limits: QueueLimits, name: str
) -> None:
    async with open_node(tmp_path, compiler, queue=limits) as node:
        end = await node.run(HELLO, b"ab")
        assert (end.outcome, end.exit_code, end.tripped) == ("refused", 125, name)
        assert f"({name})" in end.reason
        assert (await node.jobs.rows())[0].tripped == name


async def test_a_directory_is_kept_as_it_was_and_cannot_be_written(node: Node, tmp_path: Path) -> None:
    folder = tmp_path / "given"
    folder.mkdir()
    (folder / "note").write_bytes(b"then")
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    job = await node.submit(opens("note", creates=False), dirs=(DirGrant("/d"),), directories=[descriptor])
    (folder / "note").write_bytes(b"now!")
    with pytest.raises(UsageError, match="cannot write into a directory"):
        await node.submit(HELLO, dirs=(DirGrant("/d", writable=True),), directories=[descriptor])
    os.close(descriptor)
    await node.jobs.queue.take_all()
    assert (await node.until_ended(job)).state == "done"
    assert (await node.jobs.output(job)).stdout == b"then"
    while list(node.state.run.glob("*/inputs-*")):  # gone a moment after the end is told
        await asyncio.to_thread(os.sched_yield)


@pytest.mark.parametrize("damage", ["changed", "gone"])
async def test_what_was_kept_is_checked_when_it_is_used(node: Node, damage: str) -> None:
    job = await node.submit(HELLO)
    digest = hashlib.sha256(HELLO).hexdigest()
    path = node.state.blobs / "sha256" / digest[:2] / digest
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(HELLO[:-1] + b"!")
    await node.jobs.queue.take_all()
    record = await node.until_ended(job)
    assert (record.state, record.receipt) == ("refused", "")
    assert "sha256:" in record.reason


async def test_a_job_id_has_one_life(node: Node) -> None:
    job = await node.submit(HELLO)
    _, document = await node.jobs.show(job)
    queued = Queued(read_manifest(encode(document)), JobRequest(name="test.wasm", limits=LIMITS), Terms(detached=True))
    assert await node.jobs.queue.enqueue(queued, {}) == (job, "queued")
    await node.jobs.queue.take_all()
    await node.until_ended(job)
    assert await node.jobs.queue.enqueue(queued, {}) == (job, "done")
    assert len(await node.jobs.rows()) == 1
    assert node.states(job).count("done") == 1


async def test_a_rerun_has_the_same_inputs_and_another_id(node: Node) -> None:
    job = await node.submit(HELLO, b"ab")
    await node.jobs.queue.take_all()
    await node.until_ended(job)
    again, state = await node.jobs.queue.rerun(job)
    assert (again != job, state) == (True, "queued")
    await node.until_ended(again)
    assert (await node.jobs.output(again)).stdout == b"ba"
    assert (await node.receipts.verify((await node.jobs.show(again))[0].receipt)).ok


async def test_what_was_not_kept_cannot_be_rerun(node: Node) -> None:
    end = await node.run(HELLO, b"ab")
    with pytest.raises(NotFoundError, match="was not kept"):
        await node.jobs.queue.rerun(end.job)
    job = await node.submit(HELLO)
    for path in (node.state.blobs / "sha256").glob("*/*"):
        path.unlink()
    with pytest.raises(NotFoundError, match="is gone"):
        await node.jobs.queue.rerun(job)


async def test_what_came_through_a_pipe_is_not_taken_for_an_empty_input(node: Node) -> None:
    reader, writer = os.pipe()
    os.write(writer, b"ab")
    os.close(writer)
    request = JobRequest(name="hello.wasm", limits=LIMITS)
    end = await node.jobs.run(request, module=HELLO, streams=Streams(stdin=reader), terms=Terms(keep_output=True))
    os.close(reader)
    with pytest.raises(NotFoundError, match="was not kept"):
        await node.jobs.queue.rerun(end.job)


async def test_outputs_are_kept_by_hash_on_request(node: Node) -> None:
    job = await node.submit(HELLO, b"ab", keep_output=True)
    await node.jobs.queue.take_all()
    await node.until_ended(job)
    kept = node.store.read_now(lambda db: references(db, job))
    assert kept["stdout"].hash == hashlib.sha256(b"ba").hexdigest()
    assert kept["stderr"].hash == hashlib.sha256(b"").hexdigest()
    (node.state.output / job).unlink()
    receipt = (await node.jobs.show(job))[0].receipt
    steps = {step.name: step.ok for step in (await node.receipts.verify(receipt)).steps}
    assert steps["commitment"] is True  # recomputed from what is kept by hash


async def test_a_damaged_row_is_named_and_hides_no_other(node: Node) -> None:
    bad = await node.submit(HELLO)
    good = await node.submit(HELLO)
    node.store.write(lambda tx: tx.execute("UPDATE jobs SET priority = 'high' WHERE job = ?", (bad,))).result()
    await node.jobs.queue.take_all()
    assert (await node.until_ended(good)).state == "done"
    told = await node.until(lambda e: isinstance(e, CoreError))
    assert isinstance(told, CoreError)
    assert f"table `jobs`, row {bad}: `priority` holds a text" in told.error
    rows = {row.job: row for row in await node.jobs.rows()}
    assert (rows[good].state, rows[bad].state) == ("done", "damaged")
    assert "`priority` holds a text" in rows[bad].reason


async def test_each_job_has_at_most_one_receipt(node: Node) -> None:
    await node.jobs.queue.take_all()
    jobs = [await node.submit(HELLO, str(number).encode()) for number in range(5)]
    for job in jobs:
        await node.until_ended(job)
    issued = [event.job for event in node.events if isinstance(event, ReceiptIssued)]
    assert sorted(issued) == sorted(jobs)
