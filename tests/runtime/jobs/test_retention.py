"""What becomes of old jobs: rows and output go by age, output by size, receipts stay, and what runs is left alone."""

import os
from pathlib import Path

from runtime.blob_references import references
from runtime.blobs import GRACE_MS
from runtime.events import JobPruned
from runtime.jobs.retention import Pruned
from tests.runtime.jobs.jobs_node import HELLO, LIMITS, Node

DAY_MS = 86_400_000
ALL = 1 << 40


def age(node: Node, job: str, days: int) -> None:
    """Lets a job have ended so many days ago."""
    sql = "UPDATE jobs SET ended_ms = ended_ms - ? WHERE job = ?"
    node.store.write(lambda tx: tx.execute(sql, (days * DAY_MS, job))).result()


def outputs(node: Node) -> set[str]:
    return {path.name for path in node.state.output.iterdir()}


def make_old(folder: Path) -> None:
    """Lets all content have been put before the time in which it stays without a reference."""
    for path in folder.glob("sha256/*/*"):
        before_s = path.stat().st_mtime - GRACE_MS / 1000 - 1
        os.utime(path, (before_s, before_s))


async def test_a_job_goes_with_its_output_when_it_ended_long_ago_and_its_receipt_stays(node: Node) -> None:
    old, new = await node.run(HELLO, b"ab"), await node.run(HELLO, b"ab")
    age(node, old.job, 31)
    pruned = await node.jobs.prune(days=30, max_bytes=ALL)
    assert (pruned.jobs, pruned.outputs) == (1, 1)
    assert [row.job for row in await node.jobs.rows()] == [new.job]
    assert outputs(node) == {new.job}
    assert {row.receipt for row in await node.receipts.rows()} == {old.receipt, new.receipt}
    assert (await node.receipts.verify(old.receipt)).document()["ok"] is not False
    told = await node.until(lambda e: isinstance(e, JobPruned))
    assert isinstance(told, JobPruned)
    assert (told.jobs, told.outputs) == (1, 1)


async def test_output_goes_by_size_the_oldest_first_and_its_job_stays(node: Node) -> None:
    first, second = await node.run(HELLO, b"ab"), await node.run(HELLO, b"abc")
    age(node, first.job, 1)
    size = (node.state.output / second.job).stat().st_size
    assert (await node.jobs.prune(days=30, max_bytes=size)).outputs == 1
    assert outputs(node) == {second.job}
    assert len(await node.jobs.rows()) == 2
    assert (await node.jobs.output(first.job)).lacking == 2


async def test_what_has_not_ended_is_left_alone(node: Node) -> None:
    job = await node.submit(HELLO, b"ab")
    assert await node.jobs.prune(days=1, max_bytes=0) == Pruned(0, 0, 0)
    make_old(node.state.blobs)
    assert await node.jobs.prune(days=1, max_bytes=0) == Pruned(0, 0, 0)
    await node.jobs.queue.take_all()
    assert (await node.until_ended(job)).state == "done"


async def test_content_goes_with_the_last_job_that_needs_it(node: Node) -> None:
    old, new = await node.submit(HELLO, b"ab"), await node.submit(HELLO, b"xy")
    await node.jobs.queue.take_all()
    for job in (old, new):
        await node.until_ended(job)
    age(node, old, 31)
    make_old(node.state.blobs)
    await node.jobs.prune(days=30, max_bytes=ALL)
    assert node.store.read_now(lambda db: references(db, old)) == {}
    kept = node.store.read_now(lambda db: references(db, new))
    assert {path.name for path in node.state.blobs.glob("sha256/*/*")} == {blob.hash for blob in kept.values()}
    again, _ = await node.jobs.queue.rerun(new)
    assert (await node.until_ended(again)).state == "done"


async def test_a_file_without_a_job_goes(node: Node) -> None:
    end = await node.run(HELLO, b"ab", limits=LIMITS)
    (node.state.output / ("0" * 64)).write_bytes(b"orlop-o1")
    assert (await node.jobs.prune(days=30, max_bytes=ALL)).outputs == 1
    assert outputs(node) == {end.job}
