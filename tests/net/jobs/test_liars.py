"""Workers that lie: whatever they send, nothing false is believed, and the exit code says so: 125, after the output."""

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from net.jobs.frames import Kind, frame
from net.jobs.messages import Accepted, Alive, Offer, Result, write_message
from net.jobs.requester import JobRequester
from net.jobs.terms import PROTOCOL
from net.stream import Connection, Stream
from runtime.canonical import Json, decode, encode, timestamp
from runtime.clock import SystemClock
from runtime.identity import Identity
from runtime.jobs import JobEnd, JobLimits, Streams
from runtime.jobs.receipt_form import DOMAIN, message
from runtime.sandbox.compile import Compiler
from tests.net.jobs.job_peers import PATIENT, Peers, open_peers
from tests.net.jobs.liar import Liar, Sleeper, job_of, true_receipt, truth
from tests.runtime.jobs.jobs_node import HELLO

Change = Callable[[dict[str, Json]], object]


def lying(change: Change) -> Callable[[Offer, Liar], Result]:
    """The truth with one change, signed as if it were nothing else."""

    def result(offer: Offer, liar: Liar) -> Result:
        document = decode(encode(true_receipt(offer, liar)), limit=1 << 20)
        assert isinstance(document, dict)
        change(document)
        signed = liar.identity.sign(DOMAIN, message(document)).hex()
        return Result(job_of(offer), "exit", truncated=False, receipt={**document, "signature": signed})

    return result


def at(document: dict[str, Json], *path: str) -> dict[str, Json]:
    found: Json = document
    for name in path:
        assert isinstance(found, dict)
        found = found[name]
    assert isinstance(found, dict)
    return found


def sets(*path: str, to: Json) -> Change:
    return lambda document: at(document, *path[:-1]).__setitem__(path[-1], to)


def extra(name: str, to: str) -> Change:
    return sets("result", "metrics", "extra", name, to=to)


def without(name: str) -> Change:
    return lambda document: at(document, "result", "metrics", "extra").pop(name)


def limit(name: str, to: Json) -> Change:
    def change(document: dict[str, Json]) -> None:
        entries = at(document, "result", "metrics", "extra")
        limits = decode(str(entries["orlop.limits"]).encode(), limit=4096)
        assert isinstance(limits, dict)
        entries["orlop.limits"] = encode({**limits, name: to}).decode()

    return change


@pytest.fixture
def liar(peers: Peers) -> Liar:
    """In the place of the worker, under its key."""
    made = Liar(peers.worker_node.identity)
    peers.serves.serve(PROTOCOL, made.serve)
    return made


def unbelieved(end: JobEnd) -> bool:
    return (end.outcome, end.state, end.exit_code, end.receipt) == ("unverified", "failed", 125, "")


async def test_what_is_true_is_believed(peers: Peers, liar: Liar) -> None:
    end = await peers.run()
    assert (end.outcome, end.reason, end.exit_code) == ("exit", "", 0)
    assert liar.identity.public_hex == (end.receipt_document or {})["worker_pubkey"]


HOUR = 3_600_000
LIES: dict[str, Change] = {
    "schema_version": sets("schema_version", to=2),
    "job_id": sets("job_id", to="0" * 64),
    "job_spec_hash": sets("result", "job_spec_hash", to=[0] * 32),
    "output_commitment": sets("result", "output_commitment", to=[0] * 32),
    "output_chunk_count": sets("result", "output_chunk_count", to=2),
    "completion": sets("result", "completion", to="error"),
    "resumption": sets("result", "resumption", to="once more"),
    "total_duration_ms": sets("result", "metrics", "total_duration_ms", to=HOUR),
    "completed_at, too early": sets("completed_at", to="2001-01-01T00:00:00Z"),
    "completed_at, not yet": sets("completed_at", to=timestamp(SystemClock().wall_ms() + 10 * HOUR)),
    "worker_pubkey": sets("worker_pubkey", to=Identity(b"x" * 32).public_hex),
    "unknown field": sets("verified", to=True),
    "exit_code, none": extra("exit_code", "zero"),
    "exit_code, too large": extra("exit_code", "256"),
    "module_hash": extra("module_hash", "sha256:" + "0" * 64),
    "orlop.outcome": extra("orlop.outcome", "trap"),
    "orlop.seq": extra("orlop.seq", "7"),
    "orlop.prev": extra("orlop.prev", "1" * 64),
    "orlop.nonce": extra("orlop.nonce", "0" * 32),
    "orlop.fuel_used": extra("orlop.fuel_used", str(1 << 62)),
    "orlop.stdin_sha256": extra("orlop.stdin_sha256", "0" * 64),
    "orlop.argv_sha256": extra("orlop.argv_sha256", "0" * 64),
    "orlop.env_sha256": extra("orlop.env_sha256", "0" * 64),
    "orlop.dirs_sha256": extra("orlop.dirs_sha256", "0" * 64),
    "orlop.limits, no object": extra("orlop.limits", "[]"),
    "orlop.limits, memory": limit("memory_bytes", 1 << 32),
    "orlop.limits, fuel": limit("fuel", 1 << 62),
    "orlop.limits, time": limit("timeout_ms", HOUR),
    "orlop.limits, text": limit("open_files", "many"),
    "orlop.environment": extra("orlop.environment", '{"memory_peak_bytes":68719476736}'),
    **{
        f"without {name}": without(name)
        for name in (
            "exit_code", "module_hash", "orlop.outcome", "orlop.seq", "orlop.prev", "orlop.nonce", "orlop.limits",
            "orlop.stdin_sha256", "orlop.argv_sha256", "orlop.env_sha256", "orlop.dirs_sha256",
        )
    },
}  # fmt: skip


@pytest.mark.parametrize("change", LIES.values(), ids=LIES.keys())
async def test_sec05_a_lie_in_any_field_is_unverified(peers: Peers, liar: Liar, change: Change) -> None:
    liar.result = lying(change)
    end = await peers.run()
    assert unbelieved(end), end
    assert end.reason.startswith("the receipt is not believed: ")
    assert (await peers.requester.jobs.output(end.job)).stdout == b"all done"
    assert peers.blamed() == [("false-receipt", 100)]
    assert await peers.requester.receipts.rows() == []
    assert end.verification is not None
    assert end.verification.ok is False


async def test_row_22_sec03_a_receipt_of_another_key_is_not_the_dialled_peers(peers: Peers, liar: Liar) -> None:
    other = Liar(Identity(b"x" * 32))
    liar.result = lambda offer, _: truth(offer, other)
    end = await peers.run()
    assert unbelieved(end)
    assert "key: signed by" in end.reason


async def test_a_signature_that_does_not_fit(peers: Peers, liar: Liar) -> None:
    def result(offer: Offer, own: Liar) -> Result:
        receipt = true_receipt(offer, own) | {"signature": "0" * 128}
        return Result(job_of(offer), "exit", truncated=False, receipt=receipt)

    liar.result = result
    assert unbelieved(await peers.run())


@pytest.mark.parametrize(
    ("outcome", "truncated", "words"),
    [
        ("trap", False, "the receipt says `exit`, the result `trap`"),
        ("lost", False, "the receipt says `exit`, the result `lost`"),
    ],
)
async def test_a_result_that_says_otherwise_than_its_receipt(
    peers: Peers, liar: Liar, outcome: str, truncated: bool, words: str
) -> None:
    liar.result = lambda offer, own: Result(job_of(offer), outcome, truncated, true_receipt(offer, own))
    end = await peers.run()
    assert unbelieved(end)
    assert words in end.reason


async def test_output_that_was_cut_and_is_said_to_be_whole(peers: Peers, liar: Liar) -> None:
    def result(offer: Offer, own: Liar) -> Result:
        receipt = true_receipt(offer, own, outcome="output", exit_code=134)
        return Result(job_of(offer), "output", truncated=False, receipt=receipt)

    liar.result = result
    end = await peers.run()
    assert unbelieved(end)
    assert "said to be whole" in end.reason


@pytest.mark.parametrize(("outcome", "code"), [("trap", 0), ("deadline", 0), ("cancelled", 1), ("fuel", 124)])
async def test_an_exit_code_that_does_not_fit_the_outcome(peers: Peers, liar: Liar, outcome: str, code: int) -> None:
    def result(offer: Offer, own: Liar) -> Result:
        receipt = true_receipt(offer, own, outcome=outcome, exit_code=code)
        return Result(job_of(offer), outcome, truncated=False, receipt=receipt)

    liar.result = result
    end = await peers.run()
    assert unbelieved(end)
    assert "does not fit" in end.reason


async def test_row_22_other_output_than_the_receipts(peers: Peers, liar: Liar) -> None:
    honest = Liar(liar.identity)
    liar.stdout = b"ALL DONE"
    liar.result = lambda offer, _: truth(offer, honest)
    end = await peers.run()
    assert unbelieved(end)
    assert "commitment" in end.reason


async def test_the_same_receipt_for_two_jobs(peers: Peers, liar: Liar) -> None:
    kept: list[Result] = []

    def result(offer: Offer, own: Liar) -> Result:
        kept.append(truth(offer, own))
        return replace(kept[-1], receipt=kept[0].receipt)

    liar.result = result
    assert (await peers.run()).outcome == "exit"
    assert unbelieved(await peers.run())


async def test_two_receipts_for_one_place_of_its_chain(peers: Peers, liar: Liar) -> None:
    first, second = await peers.run(), await peers.run()  # both number 0
    assert liar.stdout
    assert first.outcome == "exit"
    assert unbelieved(second)
    assert "another receipt of this key has number 0" in second.reason
    assert [record.receipt for record in await peers.requester.receipts.rows()] == [first.receipt]


@pytest.mark.parametrize("outcome", ["exit", "trap", "cancelled", "refused"])
async def test_a_run_without_a_receipt(peers: Peers, liar: Liar, outcome: str) -> None:
    liar.result = lambda offer, _: Result(job_of(offer), outcome, truncated=False, receipt=None)
    end = await peers.run()
    assert unbelieved(end)
    assert "brings no receipt" in end.reason
    assert peers.blamed() == [("no-receipt", 100)]


async def test_what_is_no_receipt(peers: Peers, liar: Liar) -> None:
    liar.result = lambda offer, _: Result(job_of(offer), "exit", truncated=False, receipt={"verified": True})
    assert unbelieved(await peers.run())


async def test_row_22_the_result_of_another_job(peers: Peers, liar: Liar) -> None:
    liar.result = lambda offer, own: replace(truth(offer, own), job_id="0" * 64)
    end = await peers.run()
    assert unbelieved(end)
    assert peers.blamed() == [("wrong-job", 100)]


async def test_row_23_sec06_output_above_the_cap_is_cut_there(peers: Peers, liar: Liar) -> None:
    liar.stdout = b"x" * 101
    limits = JobLimits.of(memory_bytes=16 << 20, timeout_ms=20_000, max_output_bytes=100)
    end = await peers.run(limits=limits)
    assert unbelieved(end)
    assert len((await peers.requester.jobs.output(end.job)).stdout) <= 100
    assert peers.blamed() == [("oversized-output", 20)]


@pytest.mark.parametrize(
    ("raw", "rule"),
    [
        (b"\0\x81\x80\x10", "oversized-frame"),
        (b"\3\x81\x80\4", "oversized-frame"),
        (b"\1\0", "bad-frame"),
        (frame(Kind.MESSAGE, b"{}"), "bad-message"),
        (frame(Kind.MESSAGE, b'{"type":"started" }'), "bad-message"),
        (frame(Kind.MESSAGE, write_message(Accepted("0" * 64, "a" * 32, 1, {}, 0))), "out-of-order"),
        (frame(Kind.STDOUT, b"") + frame(Kind.STDOUT, b"more"), "out-of-order"),
    ],
)
async def test_words_that_are_none(peers: Peers, liar: Liar, raw: bytes, rule: str) -> None:
    liar.result, liar.raw = (lambda _offer, _liar: None), raw
    end = await peers.run()
    assert unbelieved(end)
    assert peers.blamed() == [(rule, 20)]


async def test_limits_above_the_manifests(peers: Peers, liar: Liar) -> None:
    liar.accepted = lambda offer: Accepted(  # type: ignore[method-assign]
        job_of(offer), "a" * 32, 1, {"memory_bytes": 1 << 40}, 0
    )
    assert unbelieved(await peers.run())
    assert peers.blamed() == [("limits", 20)]


async def test_more_of_the_module_than_there_is(peers: Peers, liar: Liar) -> None:
    liar.accepted = lambda offer: Accepted(  # type: ignore[method-assign]
        job_of(offer), "a" * 32, 1, {}, len(HELLO) + 1
    )
    assert unbelieved(await peers.run())


async def test_a_lease_bounds_the_request_and_not_the_run(peers: Peers, liar: Liar) -> None:
    lease_ms, accepted = 2, [0.0]

    def accept(offer: Offer) -> Accepted:
        accepted[0] = time.monotonic()
        return Accepted(job_of(offer), "a" * 32, lease_ms, {}, 0)

    def late(offer: Offer, own: Liar) -> Result:
        while time.monotonic() <= accepted[0] + lease_ms / 1000:
            pass
        return truth(offer, own)

    liar.accepted = accept  # type: ignore[method-assign]
    liar.result = late
    end = await peers.run()
    assert (end.outcome, end.exit_code) == ("exit", 0)
    assert end.verification is not None
    assert end.verification.ok is not False
    assert (await peers.requester.jobs.output(end.job)).stdout == b"all done"
    assert peers.blamed() == []


async def test_row_24_a_result_after_its_lease_is_verified_and_shown_and_does_not_count(
    tmp_path: Path, compiler: Compiler
) -> None:
    steps: list[tuple[str, str]] = []
    async with open_peers(tmp_path, compiler) as peers:
        peers.client = JobRequester(
            peers.requester.receipts,
            SystemClock(),
            terms=replace(PATIENT, start_s=0.05),
            on_fault=lambda _, fault: peers.faults.append(fault),
            on_step=lambda _, step, detail: steps.append((step, detail)),
        )
        sleeper = Sleeper(peers.worker_node.identity)
        peers.serves.serve(PROTOCOL, sleeper.serve)
        end = await peers.run()
        assert (end.outcome, end.state, end.exit_code) == ("lost", "lost", 125)
        why = "the worker took a lease and did not start in time; its result, exit, came late and does not count"
        assert end.reason == why
        assert end.verification is not None
        assert end.verification.ok is not False
        assert end.receipt_document is not None
        assert (await peers.requester.jobs.output(end.job)).stdout == b"all done"
        assert [row.outcome for row in await peers.requester.receipts.rows()] == ["exit"]
        assert peers.blamed() == [("never-started", 15)]
        assert ("verified", "late: exit") in steps


async def test_row_24_a_late_lie_is_a_lie(tmp_path: Path, compiler: Compiler) -> None:
    async with open_peers(tmp_path, compiler, requester_terms=replace(PATIENT, start_s=0.05)) as peers:
        sleeper = Sleeper(peers.worker_node.identity, result=lying(extra("orlop.nonce", "0" * 32)))
        peers.serves.serve(PROTOCOL, sleeper.serve)
        assert unbelieved(await peers.run())
        assert peers.blamed() == [("never-started", 15), ("false-receipt", 100)]


async def test_row_25_one_that_takes_leases_and_never_starts(tmp_path: Path, compiler: Compiler) -> None:
    async with open_peers(tmp_path, compiler, requester_terms=replace(PATIENT, start_s=0.1)) as peers:
        liar = Liar(peers.worker_node.identity, words=[], stdout=b"", result=lambda _offer, _liar: None)
        peers.serves.serve(PROTOCOL, liar.serve)
        end = await peers.run()
        assert (end.outcome, end.exit_code) == ("lost", 125)
        assert end.reason == "the worker took the job and did not start it"
        assert peers.blamed() == [("never-started", 15)]


async def test_one_that_never_answers(tmp_path: Path, compiler: Compiler) -> None:
    async def mute(_: Connection, stream: Stream) -> None:
        while await stream.read():
            pass

    async with open_peers(tmp_path, compiler, requester_terms=replace(PATIENT, answer_s=0.1)) as peers:
        peers.serves.serve(PROTOCOL, mute)
        end = await peers.run()
        assert (end.outcome, end.reason) == ("lost", "the worker did not answer the offer")


async def test_one_that_falls_silent_is_lost_in_the_end(tmp_path: Path, compiler: Compiler) -> None:
    terms = replace(PATIENT, silence_s=0.1, resume_s=0.1)
    async with open_peers(tmp_path, compiler, requester_terms=terms) as peers:
        liar = Liar(peers.worker_node.identity, words=[Alive()], stdout=b"")
        liar.result = lambda _offer, _liar: None
        peers.serves.serve(PROTOCOL, liar.serve)
        end = await peers.run()
        assert (end.outcome, end.exit_code) == ("lost", 125)


async def test_one_that_does_not_let_go_of_a_cancelled_job(tmp_path: Path, compiler: Compiler) -> None:
    async with open_peers(tmp_path, compiler, requester_terms=replace(PATIENT, cancel_s=0.1)) as peers:
        liar = Liar(peers.worker_node.identity, stdout=b"")
        liar.result = lambda _offer, _liar: None
        peers.serves.serve(PROTOCOL, liar.serve)
        task = asyncio.ensure_future(peers.run())
        job = await peers.requester.until_running()
        await peers.requester.jobs.cancel(job, "signal:130")
        end = await task
        assert (end.outcome, end.exit_code) == ("cancelled", 130)
        assert end.reason == "cancelled; the worker did not say how it ended"


async def test_row_22_output_that_passed_is_followed_by_125(peers: Peers, liar: Liar) -> None:
    liar.result = lying(extra("orlop.nonce", "0" * 32))
    reading, writing = os.pipe()
    end = await peers.run(streams=Streams(stdout=writing))
    os.close(writing)
    assert os.read(reading, 100) == b"all done"
    os.close(reading)
    assert unbelieved(end)


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        ("refused", "the worker refused it when its turn came: no engine\\x1b[2J"),
        ("lost", "the worker lost it: no engine\\x1b[2J; the job can be run again"),
    ],
)
async def test_a_reason_without_a_receipt_is_told_and_made_harmless(
    peers: Peers, liar: Liar, outcome: str, said: str
) -> None:
    liar.words, liar.stdout = [Alive()], b""
    liar.result = lambda offer, _: Result(job_of(offer), outcome, False, None, "no engine\x1b[2J")
    end = await peers.run()
    assert (end.outcome, end.exit_code, end.reason) == (outcome, 125, said)
