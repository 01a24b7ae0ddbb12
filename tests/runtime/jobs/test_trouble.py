"""When the host has no room: descriptors, disk, store. The job's end is still right, and nothing is left behind."""

import asyncio
import errno
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path

import pytest

from runtime.errors import UnavailableError
from runtime.jobs import capture, feed, output, tee
from runtime.jobs.output import OutputFile, pieces
from runtime.jobs.shelf import JobOutputs
from runtime.jobs.streams import Streams
from runtime.store import Store
from tests.hostile import job, leb
from tests.runtime.jobs.jobs_node import HELLO, Node, pipe, writes


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd"))  # noqa: PTH208 - names of numbers


async def test_a_large_module_is_hashed_and_checked_off_the_loop(node: Node) -> None:
    name = b"\x04note" + bytes(200_000)
    padded = HELLO + b"\x00" + leb(len(name)) + name
    end = await node.run(padded, b"ab")
    assert (end.exit_code, (await node.jobs.output(end.job)).stdout) == (0, b"ba")


@pytest.mark.parametrize("nth", [1, 2, 3, 4, 5])
async def test_without_descriptors_a_job_is_lost_by_name(node: Node, monkeypatch: pytest.MonkeyPatch, nth: int) -> None:
    await node.run(HELLO, b"")
    before = descriptors()
    reader, writer = pipe()
    calls = 0

    def pipe2(flags: int) -> tuple[int, int]:
        nonlocal calls
        calls += 1
        if calls == nth:
            raise OSError(errno.EMFILE, "Too many open files")
        return real(flags)

    real = os.pipe2
    for module in (capture, tee, feed):
        monkeypatch.setattr(module.os, "pipe2", pipe2)
    end = await node.run(HELLO, streams=Streams(stdin=b"x" * 100_000, stdout=writer))
    monkeypatch.undo()
    assert (end.outcome, end.exit_code) == ("lost", 125)
    assert "Too many open files" in end.reason
    for number in (reader, writer):
        os.close(number)
    assert (await node.run(HELLO, b"ab")).exit_code == 0
    while tee_threads() or len(descriptors()) > len(before):  # those of a worker that ends go a moment later
        await asyncio.to_thread(os.sched_yield)


def tee_threads() -> list[str]:
    import threading

    return [thread.name for thread in threading.enumerate() if thread.name in {"orlop-tee", "orlop-feed"}]


async def test_a_full_disk_cuts_the_record_and_not_the_job(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output.os, "writev", full)
    end = await node.run(HELLO, b"abc")
    assert (end.outcome, end.exit_code, end.truncated) == ("exit", 0, True)
    assert "No space left on device" in end.reason
    monkeypatch.undo()
    kept = await node.jobs.output(end.job)
    assert (kept.stdout, kept.truncated, kept.lacking) == (b"", True, 3)
    verification = await node.receipts.verify(end.receipt)
    assert (verification.ok, verification.steps[6].ok) == (True, None)


async def test_output_that_is_gone_later_is_counted(node: Node) -> None:
    end = await node.run(writes((1, b"to stdout"), (2, b"to stderr")))
    path = node.state.output / end.job
    whole = path.read_bytes()
    assert await node.jobs.output(end.job) == JobOutputs(end.job, b"to stdout", b"to stderr", truncated=False)
    path.write_bytes(whole[:-3])
    assert await node.jobs.output(end.job) == JobOutputs(end.job, b"to stdout", b"to std", truncated=True, lacking=3)
    path.unlink()
    assert await node.jobs.output(end.job) == JobOutputs(end.job, b"", b"", truncated=True, lacking=18)


def test_a_piece_is_kept_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = OutputFile(tmp_path / "out")
    file.write("stdout", b"first")
    real = os.writev

    def half(descriptor: int, parts: Sequence[bytes]) -> int:
        return real(descriptor, [parts[0]])

    monkeypatch.setattr(output.os, "writev", half)
    file.write("stdout", b"second")
    monkeypatch.setattr(output.os, "write", full)
    with pytest.raises(OSError, match="No space"):
        file.write("stderr", b"third")
    monkeypatch.undo()
    file.write("stderr", b"fourth")
    file.close()
    assert list(pieces(tmp_path / "out")) == [("stdout", b"first"), ("stdout", b"second"), ("stderr", b"fourth")]


async def test_an_end_that_cannot_be_stored_is_an_error_and_gives_back_what_it_held(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Store.write

    def refuse(store: Store, work: Callable[..., object], *, urgent: bool = True) -> "Future[object]":
        if urgent:
            failed: Future[object] = Future()
            failed.set_exception(UnavailableError("the database: the disk is full"))
            return failed
        return real(store, work, urgent=urgent)

    task = asyncio.ensure_future(node.run(job("spin")))
    running = await node.until_running()
    monkeypatch.setattr(Store, "write", refuse)
    await node.jobs.cancel(running, "command")
    with pytest.raises(UnavailableError, match="disk is full"):
        await task
    monkeypatch.undo()
    assert node.jobs.counts == (0, 0)
    assert (await node.run(HELLO, b"ab")).exit_code == 0


async def test_a_job_that_comes_while_the_node_stops_is_not_run(node: Node) -> None:
    late: list[asyncio.Task[object]] = []

    def stop(_: str) -> None:
        late.append(asyncio.ensure_future(node.jobs.close(drain_s=0, by="signal:130")))

    end = await node.run(HELLO, b"x", on_started=stop)
    assert (end.outcome, end.exit_code) == ("cancelled", 130)
    await asyncio.gather(*late)
