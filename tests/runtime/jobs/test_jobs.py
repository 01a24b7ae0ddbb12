"""Jobs from request to stored end: every outcome, every stream, every way of ending early."""

import asyncio
import hashlib
import json
import os

import pytest

from runtime.canonical import encode
from runtime.errors import AmbiguousError, FailedError, NotFoundError, UnavailableError, UsageError
from runtime.events import JobOutput, JobState, JobSubmitted, JobUsage, ReceiptIssued
from runtime.jobs.ending import COMPLETIONS, JobOutcome
from runtime.jobs.evidence import Evidence
from runtime.jobs.limits import JobLimits
from runtime.jobs.manifest import read_manifest
from runtime.jobs.receipt_form import read_receipt
from runtime.jobs.spec import JobRequest
from runtime.jobs.streams import Streams
from runtime.jobs.verify import verify
from tests.hostile import binary, job, job_exits
from tests.runtime.jobs.jobs_node import HELLO, LIMITS, Node, writes

SHORT = JobLimits.of(memory_bytes=16 << 20, timeout_ms=200, max_output_bytes=1 << 20, fuel=1 << 60)


async def test_hello_runs_and_its_receipt_verifies_at_every_step(node: Node) -> None:
    end = await node.run(HELLO, b"Hello, World")
    assert (end.outcome, end.state, end.exit_code, end.reason) == ("exit", "done", 0, "")
    outputs = await node.jobs.output(end.job)
    assert (outputs.stdout, outputs.stderr, outputs.truncated) == (b"dlroW ,olleH", b"", False)
    assert end.usage.fuel == 1397
    verification = await node.receipts.verify(
        end.receipt, Evidence(module="sha256:" + hashlib.sha256(HELLO).hexdigest())
    )
    assert [step.ok for step in verification.steps] == [True] * 8
    assert end.receipt_document == await node.receipts.document(end.receipt)


OUTCOMES: list[tuple[str, JobLimits, JobOutcome, int, str]] = [
    ("unreachable", LIMITS, "trap", 134, "unreachable"),
    ("divides_by_zero", LIMITS, "trap", 134, "division by zero"),
    ("loads_outside", LIMITS, "trap", 134, "out of bounds memory access (memory peak 64KiB of 16MiB)"),
    ("c_stack_overflow", LIMITS, "trap", 134, "stack in linear memory"),
    ("recursion", LIMITS, "stack", 134, "stack may have run out"),
    ("null_call", LIMITS, "trap", 134, "indirect call to null"),
    ("data_outside", LIMITS, "trap", 134, "out of bounds"),
    (
        "spin",
        JobLimits.of(memory_bytes=1 << 20, timeout_ms=20_000, max_output_bytes=1, fuel=100_000),
        "fuel",
        134,
        "fuel",
    ),
    ("spin", SHORT, "deadline", 124, "time limit of 200ms reached"),
    ("spin_start", SHORT, "deadline", 124, "time limit"),
    ("sleeps_an_hour", SHORT, "deadline", 124, "time limit"),
    ("sleeps_in_a_loop", SHORT, "deadline", 124, "time limit"),
    ("fills_in_a_loop", SHORT, "deadline", 124, "time limit"),
    ("grows_and_traps", LIMITS, "memory", 134, "memory limit of 16MiB reached (peak 16MiB)"),
    ("grows_little_and_traps", LIMITS, "trap", 134, "memory peak 128KiB of 16MiB"),
    ("grows_and_returns", LIMITS, "exit", 0, ""),
    ("grows_and_exits", LIMITS, "exit", 7, ""),
    ("floods_stdout", LIMITS, "output", 134, "output limit of 1MiB"),
    ("floods_stderr", LIMITS, "output", 134, "output limit of 1MiB"),
    ("floods_both", LIMITS, "output", 134, "output limit of 1MiB"),
    ("pointer_outside", LIMITS, "trap", 134, "ointer out of bounds"),
    ("random_4gib", LIMITS, "trap", 134, ""),
]


@pytest.mark.parametrize("row", OUTCOMES, ids=lambda row: f"{row[0]}-{row[2]}")
async def test_each_end_has_its_outcome_code_line_and_receipt(
    node: Node, row: tuple[str, JobLimits, JobOutcome, int, str]
) -> None:
    name, limits, outcome, code, words = row
    end = await node.run(job(name), limits=limits)
    assert (end.outcome, end.exit_code) == (outcome, code), end.reason
    assert words in end.reason
    assert "\n" not in end.reason
    assert end.receipt_document is not None
    receipt = read_receipt(encode(end.receipt_document))
    assert receipt.completion == COMPLETIONS[outcome]
    assert (receipt.extra["exit_code"], receipt.extra["orlop.outcome"]) == (str(code), outcome)
    assert (await node.receipts.verify(end.receipt)).ok is True
    # Whatever happened, the next job runs.
    assert (await node.run(HELLO, b"ab")).exit_code == 0


@pytest.mark.parametrize("code", [0, 1, 3, 124, 125, 126, 134, 255])
async def test_exit_codes_up_to_255_are_returned_as_they_are(node: Node, code: int) -> None:
    end = await node.run(job_exits(code))
    assert (end.outcome, end.state, end.exit_code, end.reason) == ("exit", "done", code, "")


@pytest.mark.parametrize("code", [256, 300, 4_294_967_295])
async def test_larger_exit_codes_are_255_and_stand_in_the_receipt(node: Node, code: int) -> None:
    end = await node.run(job_exits(code))
    assert (end.outcome, end.exit_code) == ("exit", 255)
    assert str(code) in end.reason
    assert end.receipt_document is not None
    environment = json.loads(read_receipt(encode(end.receipt_document)).extra["orlop.environment"])
    assert environment["guest_exit_code"] == code


REFUSED = [
    ("no_start", "no `_start`"),
    ("start_with_params", "(i32, i64) -> ()"),
    ("start_is_a_global", "global"),
    ("unknown_import", "env.nope"),
    ("unknown_wasi", "sock_connect"),
    ("wrong_wasi_type", "proc_exit"),
    ("imported_memory", "env.memory"),
    ("no_memory_export", "memory"),
    ("min_257_pages", "16.1MiB"),
]


@pytest.mark.parametrize(("name", "words"), REFUSED)
async def test_modules_that_cannot_run_are_refused_without_a_receipt(node: Node, name: str, words: str) -> None:
    end = await node.run(job(name))
    assert (end.outcome, end.state, end.exit_code, end.receipt) == ("refused", "refused", 125, "")
    assert words in end.reason
    assert node.states(end.job)[-1] == "refused"
    assert "running" not in node.states(end.job)


@pytest.mark.parametrize(
    "module", [b"", b"junk", b"(module)", HELLO[:100], b"\x7fELF" + bytes(99), HELLO + b"\xff" * 9]
)
async def test_what_is_no_module_is_refused(node: Node, module: bytes) -> None:
    end = await node.run(module)
    assert (end.outcome, end.exit_code) == ("refused", 125)


async def test_limits_above_the_operators_are_refused_with_both_figures(node: Node) -> None:
    end = await node.run(HELLO, limits=JobLimits.of(memory_bytes=1 << 20, timeout_ms=10**9, max_output_bytes=1))
    assert (end.outcome, end.exit_code) == ("refused", 125)
    assert "11d13h" in end.reason
    assert "1d" in end.reason


async def test_events_tell_the_whole_course_in_order(node: Node) -> None:
    end = await node.run(writes((1, b"out"), (2, b"error")))
    assert end.reason == ""
    await node.until(lambda e: isinstance(e, ReceiptIssued))
    assert node.states(end.job) == ["queued", "admitted", "compiling", "running", "done"]
    again = await node.run(writes((1, b"out"), (2, b"error")))
    await node.until(lambda e: isinstance(e, ReceiptIssued) and e.job == again.job)
    assert node.states(again.job) == ["queued", "admitted", "running", "done"]
    mine = [e for e in node.events if getattr(e, "job", "") == end.job]
    assert type(mine[0]) is JobSubmitted
    last = [e for e in mine if isinstance(e, JobState)][-1]
    assert (last.previous, last.reason) == ("running", "exit")
    outputs = [e for e in mine if isinstance(e, JobOutput)]
    assert {(e.stream, e.offset, e.length, e.data_b64) for e in outputs} == {
        ("stdout", 0, 3, "b3V0"),
        ("stderr", 0, 5, "ZXJyb3I="),
    }
    usage = next(e for e in mine if isinstance(e, JobUsage))
    assert (usage.output_bytes, usage.exit_code) == (8, 0)


async def test_the_manifest_on_record_is_signed_and_names_everything(node: Node) -> None:
    end = await node.run(HELLO, b"abc", args=("one", "ü"), env=("A=1", "B="))
    record, document = await node.jobs.show(end.job[:12])
    manifest = read_manifest(encode(document))
    assert manifest.job == end.job == record.job
    assert manifest.signer == node.identity.public_hex
    own = manifest.extension
    assert own["argv"] == ["test.wasm", "one", "ü"]
    assert own["env"] == ["A=1", "B="]
    assert own["stdin_sha256"] == hashlib.sha256(b"abc").hexdigest()
    assert manifest.payload["input"] == []
    assert (record.state, record.outcome, record.where, record.receipt) == ("done", "exit", "local", end.receipt)


async def test_a_cancelled_job_ends_soon_with_a_signed_receipt(node: Node) -> None:
    for by, code in (("command", 137), ("signal:130", 130), ("signal:143", 143)):
        node.events.clear()
        task = asyncio.ensure_future(node.run(job("spin")))
        assert await node.jobs.cancel(await node.until_running(), by) == "cancelled"
        end = await task
        assert (end.outcome, end.state, end.exit_code) == ("cancelled", "cancelled", code)
        assert (end.usage.fuel, end.usage.memory_peak_bytes) == (None, None)
        assert end.receipt_document is not None
        receipt = read_receipt(encode(end.receipt_document))
        assert receipt.completion == "cancelled"
        assert "orlop.fuel_used" not in receipt.extra
        assert (await node.receipts.verify(end.receipt)).ok is True


async def test_a_job_that_waits_for_input_is_cancelled_too(node: Node) -> None:
    reader, writer = os.pipe()
    task = asyncio.ensure_future(node.run(job("echo"), reader))
    try:
        await node.jobs.cancel(await node.until_running(), "command")
        assert (await task).exit_code == 137
    finally:
        os.close(reader)
        os.close(writer)


async def test_a_queued_job_is_cancelled_without_a_receipt(node: Node) -> None:
    first = asyncio.ensure_future(node.run(job("spin")))
    running = await node.until_running()
    started: list[asyncio.Future[str]] = [asyncio.get_running_loop().create_future() for _ in range(2)]
    second = asyncio.ensure_future(node.run(HELLO, b"x", on_started=started[0].set_result))
    third = asyncio.ensure_future(node.run(HELLO, b"y", on_started=started[1].set_result))
    waiting = await asyncio.gather(*started)
    assert node.jobs.counts == (2, 1)
    assert await node.jobs.cancel(waiting[0], "command") == "cancelled"
    end = await second
    assert (end.outcome, end.exit_code, end.receipt) == ("cancelled", 137, "")
    await node.jobs.cancel(running, "command")
    assert (await first).exit_code == 137
    assert (await third).exit_code == 0


async def test_jobs_run_in_the_order_of_their_submission(node: Node) -> None:
    ends = await asyncio.gather(*(node.run(HELLO, str(n).encode()) for n in range(8)))
    assert {end.exit_code for end in ends} == {0}
    submitted = [e.job for e in node.events if isinstance(e, JobSubmitted)]
    running = [e.job for e in node.events if isinstance(e, JobState) and e.state == "running"]
    assert running == submitted


async def test_who_stops_waiting_cancels_the_job_and_it_is_written_down(node: Node) -> None:
    task = asyncio.ensure_future(node.run(job("spin")))
    running = await node.until_running()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
    await node.until(lambda e: isinstance(e, ReceiptIssued) and e.job == running)
    record, _ = await node.jobs.show(running)
    assert (record.state, record.exit_code) == ("cancelled", 137)


async def test_only_what_runs_can_be_cancelled(node: Node) -> None:
    end = await node.run(HELLO, b"")
    with pytest.raises(FailedError, match="done already"):
        await node.jobs.cancel(end.job, "command")
    with pytest.raises(NotFoundError):
        await node.jobs.cancel("f" * 64, "command")
    with pytest.raises(UsageError):
        await node.jobs.cancel(end.job, "signal:9")


async def test_jobs_are_named_by_unique_prefixes(node: Node) -> None:
    ends = [await node.run(HELLO, b"") for _ in range(3)]
    assert (await node.jobs.show(ends[0].job[:10].upper()))[0].job == ends[0].job
    for bad in ("abc", "zzzz"):
        with pytest.raises((UsageError, NotFoundError)):
            await node.jobs.show(bad)
    await asyncio.wrap_future(
        node.store.write(lambda tx: tx.execute("UPDATE jobs SET job = 'abcd' || substr(job, 5) WHERE number < 3"))
    )
    with pytest.raises(AmbiguousError, match="abcd"):
        await node.jobs.show("abcd")
    assert [record.state for record in await node.jobs.rows(limit=2)] == ["done", "done"]
    assert await node.jobs.rows(state="running") == []


async def test_after_closing_nothing_runs_and_running_jobs_are_cancelled(node: Node) -> None:
    task = asyncio.ensure_future(node.run(job("spin")))
    queued = asyncio.ensure_future(node.run(HELLO, b""))
    await node.until_running()
    await node.jobs.close(drain_s=0, by="signal:143")
    assert (await task).exit_code == 143
    assert (await queued).outcome == "cancelled"
    assert node.jobs.process_ids == ()
    with pytest.raises(UnavailableError):
        await node.run(HELLO, b"")


async def test_a_directory_without_descriptor_is_a_mistake(node: Node) -> None:
    with pytest.raises(UsageError):
        await node.jobs.run(JobRequest(name="x"), module=HELLO, streams=Streams(dirs=(0,)))


async def test_a_stranger_cannot_take_the_receipt_for_valid(node: Node) -> None:
    end = await node.run(HELLO, b"")
    assert end.receipt_document is not None
    raw = encode(end.receipt_document)
    assert verify(raw, Evidence()).ok is None
    assert verify(raw, Evidence(key=node.identity.public_hex)).ok is True


async def test_binaries_that_the_engine_refuses_are_refused(node: Node) -> None:
    end = await node.run(binary("memory64"))
    assert (end.outcome, end.exit_code) == ("refused", 125)


@pytest.mark.parametrize("where", ["1", "state = 'done'", "submitter = 'local'"])
async def test_no_listing_of_jobs_sorts_or_walks_the_whole_history(node: Node, where: str) -> None:
    query = f"EXPLAIN QUERY PLAN SELECT job, name FROM jobs WHERE {where} ORDER BY number DESC LIMIT 9"
    plan = " ".join(row[3] for row in await asyncio.wrap_future(node.store.read(lambda db: list(db.execute(query)))))
    assert "USING INDEX" in plan or "USING COVERING INDEX" in plan
    assert "TEMP B-TREE" not in plan
