"""Limits that a worker holds by itself: tables, open files, stack; each exactly for the job that has it."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from runtime.jobs.limits import JobLimits
from runtime.jobs.spec import DirGrant
from runtime.jobs.streams import Streams
from tests.hostile import wat
from tests.runtime.jobs.jobs_node import LIMITS, Node


def ends_with(body: str, *, imports: str = "", more: str = "") -> bytes:
    """A guest that exits with what `body` leaves on the stack."""
    return wat(
        f"""(module {imports}
          (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
          (memory (export "memory") 1) {more}
          (func (export "_start") (local $n i32) {body} (call $exit)))"""
    )


TABLE = ends_with(
    """(loop $grow (br_if $grow (i32.ne (table.grow $t (ref.null func) (i32.const 10)) (i32.const -1))))
       (i32.div_u (table.size $t) (i32.const 10))""",
    more="(table $t 1 funcref)",
)
"""Ends with a tenth of the entries that its table can have."""

FILES = ends_with(
    """(loop $again
         (local.set $n (i32.add (local.get $n) (i32.const 1)))
         (br_if $again (i32.eqz (call $open (i32.const 3) (i32.const 0) (i32.const 1024) (i32.const 2)
           (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 0)))))
       (local.get $n)""",
    imports="""(import "wasi_snapshot_preview1" "path_open"
      (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))""",
    more='(data (i32.const 1024) "in")',
)
"""Ends with the number of the open that was refused."""

DEEP = ends_with(
    "(call $down (i32.const 20000)) (i32.const 7)",
    more="(func $down (param i32) (if (local.get 0) (then (call $down (i32.sub (local.get 0) (i32.const 1))))))",
)
"""Ends with 7 when 20,000 calls in one another fit on its stack."""


@pytest.mark.parametrize("elements", [21, 501, 2001])
async def test_a_table_grows_to_its_limit(node: Node, elements: int) -> None:
    end = await node.run(TABLE, limits=replace(LIMITS, table_elements=elements))
    assert (end.outcome, end.exit_code) == ("exit", elements // 10)


@pytest.mark.parametrize("files", [5, 60, 200])
async def test_so_many_files_are_open_at_a_time(node: Node, tmp_path: Path, files: int) -> None:
    (tmp_path / "in").write_bytes(b"x")
    folder = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    streams = Streams(dirs=[folder])
    grants = (DirGrant("/in"),)
    end = await node.run(FILES, streams=streams, dirs=grants, limits=replace(LIMITS, open_files=files))
    os.close(folder)
    assert end.outcome == "exit"
    assert files < end.exit_code <= files + 8  # some are left for what the engine opens by itself


async def test_a_smaller_stack_is_for_the_job_that_has_it(node: Node) -> None:
    small = replace(LIMITS, stack_bytes=64 << 10)
    assert (await node.run(DEEP)).exit_code == 7
    end = await node.run(DEEP, limits=small)
    assert (end.outcome, end.exit_code, end.tripped) == ("stack", 134, "stack_bytes")
    assert (await node.run(DEEP)).exit_code == 7
    assert (await node.run(DEEP, limits=replace(LIMITS, stack_bytes=JobLimits().stack_bytes))).exit_code == 7


async def test_a_worker_goes_on_with_other_limits(node: Node) -> None:
    for elements in (21, 2001, 21):
        end = await node.run(TABLE, limits=replace(LIMITS, table_elements=elements, stack_bytes=128 << 10))
        assert end.exit_code == elements // 10
