"""The limits that the console measures from outside, and that every limit that strikes is named everywhere."""

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from runtime.canonical import Json
from runtime.events import JobState, JobSubmitted, JobUsage
from runtime.jobs import meters
from runtime.jobs.ending import JobEnd
from runtime.jobs.limits import CEILINGS, JobLimits, LimitRefusedError
from runtime.jobs.limits import LIMITS as ALL
from runtime.jobs.spec import DirGrant
from runtime.jobs.streams import Streams
from runtime.sandbox.compile import Compiler
from tests.hostile import data
from tests.runtime.jobs.jobs_node import HELLO, LIMITS, Node, guest, open_node

MIB = 1 << 20
LONG = JobLimits.of(memory_bytes=16 * MIB, timeout_ms=60_000, max_output_bytes=MIB, fuel=1 << 60)

SPINS = guest("(loop $again (br $again))")
SLEEPS = guest(
    "(i32.store (i32.const 16) (i32.const 1)) (i64.store (i32.const 24) (i64.const 300000000))"
    "(drop (call $poll_oneoff (i32.const 0) (i32.const 256) (i32.const 1) (i32.const 512)))",
    "poll_oneoff",
)
"""Waits for 300 ms."""


def fills(mebibytes: int) -> bytes:
    """Writes so many mebibytes into a file of its first directory."""
    return guest(
        "(local $n i32)"
        "(drop (call $path_open (i32.const 3) (i32.const 0) (i32.const 1024) (i32.const 4)"
        "(i32.const 1) (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 0)))"
        "(i32.store (i32.const 16) (i32.const 65536)) (i32.store (i32.const 20) (i32.const 65536))"
        "(loop $again (drop (call $fd_write (i32.load (i32.const 0)) (i32.const 16) (i32.const 1) (i32.const 8)))"
        "(local.set $n (i32.add (local.get $n) (i32.const 1)))"
        f"(br_if $again (i32.lt_u (local.get $n) (i32.const {16 * mebibytes}))))",
        "path_open",
        "fd_write",
        decls=data(1024, b"much"),
        memory=3,
    )


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """A directory as a descriptor."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


async def run_in(node: Node, module: bytes, folder: Path, limits: JobLimits) -> JobEnd:
    with opened(folder) as descriptor:
        streams = Streams(dirs=[descriptor])
        return await node.run(module, streams=streams, limits=limits, dirs=(DirGrant("/d", writable=True),))


async def named_everywhere(node: Node, end: JobEnd) -> list[Json]:
    """Where the limit that struck is named: the end, the event, the row, the receipt."""
    await node.until(lambda e: isinstance(e, JobState) and e.job == end.job and e.state == end.state)
    event = next(e for e in node.events if isinstance(e, JobState) and e.job == end.job and e.state == end.state)
    row = (await node.jobs.rows())[0]
    found: list[Json] = [end.tripped, event.tripped, row.tripped]
    if end.receipt_document is not None:
        document = json.loads(json.dumps(end.receipt_document))
        found.append(json.loads(document["result"]["metrics"]["extra"]["orlop.limits"])["tripped"])
    return found


async def test_a_guest_that_computes_too_long_ends_at_its_cpu_time(node: Node) -> None:
    end = await node.run(SPINS, limits=replace(LONG, cpu_ms=50))
    assert (end.outcome, end.state, end.exit_code) == ("deadline", "failed", 124)
    assert end.reason == "CPU time limit (cpu_ms) of 50ms reached"
    assert await named_everywhere(node, end) == ["cpu_ms"] * 4
    assert (await node.receipts.verify(end.receipt)).ok


async def test_waiting_costs_no_cpu_time(node: Node) -> None:
    await node.run(SLEEPS, limits=LONG)
    end = await node.run(SLEEPS, limits=replace(LONG, cpu_ms=200))
    assert (end.outcome, end.tripped) == ("exit", "")
    assert end.usage.wall_ms >= 300
    assert end.usage.cpu_ms is not None
    assert end.usage.cpu_ms < 200


async def test_cpu_time_and_growth_are_told_and_recorded(node: Node, tmp_path: Path) -> None:
    end = await run_in(node, fills(1), tmp_path, LONG)
    assert end.usage.cpu_ms is not None
    assert end.usage.dir_bytes is not None
    assert MIB <= end.usage.dir_bytes < 2 * MIB
    used = await node.until(lambda e: isinstance(e, JobUsage))
    row = (await node.jobs.rows())[0]
    for known in (used, row):
        assert (known.cpu_ms, known.dir_bytes) == (end.usage.cpu_ms, end.usage.dir_bytes)


async def test_cpu_time_of_a_job_that_was_killed_is_known(node: Node) -> None:
    end = await node.run(SPINS, limits=replace(LONG, cpu_ms=200))
    assert (end.tripped, end.usage.fuel) == ("cpu_ms", None)
    assert end.usage.cpu_ms is not None
    assert end.usage.cpu_ms >= 200


async def test_without_a_writable_directory_nothing_can_grow(node: Node) -> None:
    assert (await node.run(HELLO, b"ab")).usage.dir_bytes is None


async def test_cpu_time_is_counted_for_each_job_of_a_worker_by_itself(node: Node) -> None:
    burns = guest("(local $n i32) (loop $a (br_if $a (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1)))"
                  "(i32.const 20000000))))")  # fmt: skip
    limits = replace(LONG, cpu_ms=20_000)
    pids = set()
    for _ in range(5):
        assert (await node.run(burns, limits=limits)).outcome == "exit"
        pids.add(node.jobs.process_ids[1:])
    assert len(pids) == 1


@pytest.mark.parametrize(
    ("limits", "module", "name"),
    [
        (replace(LONG, timeout_ms=100), SPINS, "timeout_ms"),
        (replace(LONG, fuel=1000), SPINS, "fuel"),
        (replace(LIMITS, max_output_bytes=1), HELLO, "max_output_bytes"),
    ],
)
async def test_each_limit_that_strikes_is_named(node: Node, limits: JobLimits, module: bytes, name: str) -> None:
    end = await node.run(module, b"ab", limits=limits)
    assert await named_everywhere(node, end) == [name] * 4


async def test_what_ends_by_itself_tripped_nothing(node: Node) -> None:
    end = await node.run(HELLO, b"ab")
    assert (end.tripped, (await node.jobs.rows())[0].tripped) == ("", "")
    assert end.limits_document() == LIMITS.document()


async def test_what_is_above_a_ceiling_is_refused_by_the_limits_name(tmp_path: Path, compiler: Compiler) -> None:
    async with open_node(tmp_path / "state", compiler, ceilings=replace(CEILINGS, open_files=8)) as node:
        end = await node.run(HELLO)
        assert (end.outcome, end.exit_code) == ("refused", 125)
        assert end.reason == "limit of open files 64 is above this node's 8 (open_files)"
        assert await named_everywhere(node, end) == ["open_files"] * 3


async def test_all_limits_are_told_and_recorded(node: Node) -> None:
    limits = replace(LIMITS, cpu_ms=1500, stack_bytes=1 << 17, table_elements=77, open_files=9, dir_bytes=12_345)
    end = await node.run(HELLO, limits=limits)
    submitted = await node.until(lambda e: isinstance(e, JobSubmitted))
    row = (await node.jobs.rows())[0]
    for limit in ALL:
        assert getattr(row, f"limit_{limit.name.removeprefix('max_')}") == getattr(limits, limit.name)
        assert getattr(submitted, limit.name) == getattr(limits, limit.name)
    assert end.limits_document() == limits.document()


async def test_a_directory_that_grows_too_much_ends_the_job(node: Node, tmp_path: Path) -> None:
    folder = tmp_path / "given"
    folder.mkdir()
    end = await run_in(node, fills(1000), folder, replace(LONG, dir_bytes=MIB))
    assert (end.outcome, end.state, end.exit_code) == ("output", "failed", 134)
    assert end.reason == "directory quota (dir_bytes) of 1MiB reached"
    assert await named_everywhere(node, end) == ["dir_bytes"] * 4


async def test_a_guest_that_is_faster_than_the_next_look_is_caught_at_its_end(
    node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meters, "_DIRS_S", 3600.0)
    end = await run_in(node, fills(2), tmp_path, replace(LONG, dir_bytes=MIB))
    assert (end.outcome, end.tripped) == ("output", "dir_bytes")


async def test_only_growth_counts_and_nothing_outside(node: Node, tmp_path: Path) -> None:
    folder = tmp_path / "given"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "old").write_bytes(bytes(4 * MIB))
    (tmp_path / "outside").write_bytes(bytes(4 * MIB))
    (folder / "link").symlink_to(tmp_path / "outside")
    end = await run_in(node, fills(1), folder, replace(LONG, dir_bytes=2 * MIB))
    assert (end.outcome, end.tripped) == ("exit", "")


async def test_what_cannot_be_watched_is_refused(node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meters, "NAMES_MAX", 3)
    for number in range(4):
        (tmp_path / f"file-{number}").touch()
    end = await run_in(node, HELLO, tmp_path, LONG)
    assert (end.outcome, end.tripped) == ("refused", "dir_bytes")
    assert "hold more than 3 names" in end.reason


def test_a_folder_is_measured_by_what_it_takes_on_the_disk(tmp_path: Path) -> None:
    with opened(tmp_path) as descriptor:
        empty = meters.measured([descriptor])
        (tmp_path / "holes").touch()
        os.truncate(tmp_path / "holes", 1 << 40)
        assert meters.measured([descriptor]) < empty + MIB
        (tmp_path / "full").write_bytes(os.urandom(2 * MIB))
        once = meters.measured([descriptor])
        assert once >= empty + 2 * MIB
        (tmp_path / "again").hardlink_to(tmp_path / "full")
        assert meters.measured([descriptor]) == once


def nested(folder: Path) -> None:
    for _ in range(200):
        folder /= "d"
        folder.mkdir()


def looped(folder: Path) -> None:
    (folder / "self").symlink_to(folder)


@pytest.mark.parametrize(("make", "refused"), [(nested, True), (looped, False)])
def test_strange_trees_end_the_walk(tmp_path: Path, make: Callable[[Path], None], refused: bool) -> None:
    make(tmp_path)
    with opened(tmp_path) as descriptor, pytest.raises(LimitRefusedError) if refused else contextlib.nullcontext():
        meters.measured([descriptor])
