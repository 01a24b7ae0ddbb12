"""Jobs that somebody else signed and that somebody here waits for; and following output that still grows."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from runtime.canonical import encode
from runtime.identity import Identity
from runtime.jobs import Evidence, Queued, Streams, admitted, known_module, verify_evidence
from runtime.jobs.commitment import commit
from runtime.jobs.limits import CEILINGS
from runtime.jobs.manifest import module_name, new_nonce, sign_manifest
from runtime.jobs.output import OutputFile, OutputFollower, OutputRefusedError
from runtime.jobs.spec import JobRequest
from tests.runtime.jobs.jobs_node import HELLO, LIMITS, Node

PEER = Identity(b"p" * 32)


def theirs(name: str = "theirs.wasm") -> Queued:
    request = JobRequest(name=name, limits=LIMITS)
    manifest = sign_manifest(PEER, request, module_name(HELLO), nonce=new_nonce(), created_ms=1_700_000_000_000)
    return admitted(manifest, CEILINGS)


async def test_it_runs_in_the_same_order_and_records_as_any_other_job(node: Node) -> None:
    queued, progress = theirs(), 0

    def counted() -> None:
        nonlocal progress
        progress += 1

    blob = await asyncio.to_thread(node.jobs.blobs.put, HELLO, limit=1 << 20)
    end = await node.jobs.run_signed(
        queued, kept={"module": blob}, module=HELLO, streams=Streams(stdin=b"abc", on_progress=counted)
    )
    record, document = await node.jobs.show(queued.manifest.job)
    assert (end.outcome, record.submitter, record.state) == ("exit", PEER.public_hex, "done")
    assert document == queued.manifest.document
    assert node.states(end.job) == ["queued", "admitted", "compiling", "running", "done"]
    assert (await node.jobs.output(end.job)).stdout == b"cba"
    assert (await node.receipts.verify(end.receipt)).ok
    assert progress >= 2  # it started, and it wrote


async def test_its_module_is_known_of_its_submitter_and_of_nobody_else(node: Node) -> None:
    blob = await asyncio.to_thread(node.jobs.blobs.put, HELLO, limit=1 << 20)
    await node.jobs.run_signed(theirs(), kept={"module": blob}, module=HELLO, streams=Streams())
    read = node.store.read_now
    assert read(lambda db: known_module(db, PEER.public_hex, module_name(HELLO))) == blob
    assert read(lambda db: known_module(db, "local", module_name(HELLO))) is None
    assert read(lambda db: known_module(db, PEER.public_hex, module_name(b"another"))) is None


async def test_a_known_module_is_found_by_an_index_however_many_jobs_there_were(node: Node) -> None:
    asked: list[str] = []

    def plan(db: sqlite3.Connection) -> list[str]:
        db.set_trace_callback(asked.append)
        known_module(db, PEER.public_hex, module_name(HELLO))
        db.set_trace_callback(None)
        return [str(row[3]) for row in db.execute(f"EXPLAIN QUERY PLAN {asked[0]}")]

    steps = node.store.read_now(plan)
    assert "SEARCH jobs USING COVERING INDEX jobs_by_module (submitter=? AND module=?)" in steps
    assert not [step for step in steps if step.startswith("SCAN")]


async def test_a_commitment_that_was_computed_as_it_came_takes_the_place_of_the_streams(node: Node) -> None:
    end = await node.run(HELLO, b"abc")
    assert end.receipt_document is not None
    raw = encode(end.receipt_document)

    def finding(output: bytes) -> bool | None:
        found = verify_evidence(raw, Evidence(commitment=commit(output, b"")))
        return next(step.ok for step in found.steps if step.name == "commitment")

    assert finding(b"cba") is True
    assert finding(b"cb") is False
    assert finding(b"") is False


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "output"


def drained(follower: OutputFollower, most: int = 100) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    while (piece := follower.read(most)) is not None:
        found.append(piece)
    return found


def test_a_file_that_grows_is_followed(path: Path) -> None:
    follower = OutputFollower(path)
    assert drained(follower) == []
    file = OutputFile(path)
    file.write("stdout", b"one")
    assert drained(follower) == [("stdout", b"one")]
    assert drained(follower) == []
    file.write("stderr", b"two")
    file.write("stdout", b"three")
    assert drained(follower, 2) == [
        ("stderr", b"tw"),
        ("stderr", b"o"),
        ("stdout", b"th"),
        ("stdout", b"re"),
        ("stdout", b"e"),
    ]
    follower.close()
    follower.close()
    file.close()


@pytest.mark.parametrize(
    ("stdout_at", "stderr_at", "expected"),
    [
        (0, 0, [("stdout", b"one"), ("stderr", b"two"), ("stdout", b"three")]),
        (2, 3, [("stdout", b"e"), ("stdout", b"three")]),
        (4, 1, [("stderr", b"wo"), ("stdout", b"hree")]),
        (99, 99, []),
    ],
)
def test_each_stream_can_be_followed_from_any_place(
    path: Path, stdout_at: int, stderr_at: int, expected: list[tuple[str, bytes]]
) -> None:
    file = OutputFile(path)
    file.write("stdout", b"one")
    file.write("stderr", b"two")
    file.write("stdout", b"three")
    file.close()
    follower = OutputFollower(path, stdout_at=stdout_at, stderr_at=stderr_at)
    assert drained(follower) == expected
    follower.close()


def test_a_piece_that_is_half_written_is_read_as_far_as_it_goes(path: Path) -> None:
    file = OutputFile(path)
    file.write("stdout", b"whole")
    file.close()
    whole = path.read_bytes()
    for size in range(len(whole) + 1):
        path.write_bytes(whole[:size])
        follower = OutputFollower(path)
        head = len(whole) - 5
        assert b"".join(data for _, data in drained(follower)) == whole[head : max(head, size)]
        follower.close()


def test_a_file_that_is_no_output(path: Path) -> None:
    path.write_bytes(b"orlop-o1\x09\0\0\0\1x")
    follower = OutputFollower(path)
    with pytest.raises(OutputRefusedError):
        follower.read(10)
    follower.close()
