"""A job that another node runs: who carries it is made up here, everything else is real."""

import asyncio
import os
from dataclasses import replace

import pytest

from runtime.canonical import encode
from runtime.errors import FailedError, NetworkError, UsageError
from runtime.events import JobOutput, ReceiptIssued, ReceiptVerified
from runtime.identity import Identity
from runtime.jobs.commitment import commit
from runtime.jobs.elsewhere import Carried, Carrier, Errand
from runtime.jobs.ending import JobEnd, Usage
from runtime.jobs.evidence import Evidence
from runtime.jobs.receipt_form import Receipt, parse_receipt
from runtime.jobs.spec import DirGrant, JobRequest
from runtime.jobs.statement import Statement, sign_receipt
from runtime.jobs.streams import Streams
from runtime.jobs.verify import Verification, verify
from tests.runtime.jobs.jobs_node import HELLO, LIMITS, Node

PEER = Identity(b"p" * 32)


async def sent(node: Node, carry: Carrier, *, streams: Streams = Streams(), **fields: object) -> JobEnd:  # noqa: B008
    request = JobRequest(**({"name": "away.wasm", "limits": LIMITS} | fields))  # type: ignore[arg-type]
    return await node.jobs.run_elsewhere(request, module=HELLO, streams=streams, where=PEER.peer_id, carry=carry)


def receipt_of(errand: Errand, stdout: bytes, *, number: int = 0) -> Receipt:
    own = errand.manifest.extension
    statement = Statement(
        job=errand.job,
        module=str(errand.manifest.payload["module_cid"]),
        nonce=str(own["nonce"]),
        argv=errand.request.argv,
        env=(),
        dirs=(),
        stdin_sha256=str(own["stdin_sha256"]),
        limits=LIMITS,
        outcome="exit",
        exit_code=3,
        guest_exit_code=None,
        usage=Usage(wall_ms=5),
        commitment=commit(stdout, b""),
        completed_ms=1_700_000_000_000,
    )
    return parse_receipt(sign_receipt(PEER, statement, number, "0" * 64).document)


async def verified(errand: Errand, receipt: Receipt) -> Verification:
    evidence = Evidence(
        key=PEER.public_hex,
        manifest=encode(errand.manifest.document),
        commitment=await errand.commitment(),
    )
    return verify(encode(receipt.document), evidence)


async def honest(errand: Errand) -> Carried:
    errand.moved("admitted")
    errand.moved("running")
    errand.moved("running")
    await errand.write("stdout", b"from afar")
    receipt = receipt_of(errand, b"from afar")
    verification = await verified(errand, receipt)
    usage = Usage(wall_ms=5, fuel=7)
    return Carried(outcome="exit", exit_code=3, usage=usage, receipt=receipt, verification=verification)


async def test_it_is_kept_as_any_other_job(node: Node) -> None:
    end = await sent(node, honest)
    record, document = await node.jobs.show(end.job)
    assert (end.outcome, end.exit_code, end.where) == ("exit", 3, PEER.peer_id)
    assert (record.where, record.state, record.exit_code, record.fuel, record.output_bytes) == (
        PEER.peer_id, "done", 3, 7, 9,
    )  # fmt: skip
    assert document["signer_pubkey"] == node.identity.public_hex
    assert node.states(end.job) == ["queued", "admitted", "running", "done"]
    assert (await node.jobs.output(end.job)).stdout == b"from afar"
    assert node.jobs.state_of(end.job) is None


async def test_its_output_is_told_and_passed_on_as_it_comes(node: Node) -> None:
    reading, writing = os.pipe()
    told: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def carry(errand: Errand) -> Carried:
        await errand.write("stdout", b"live")
        await told
        return Carried(outcome="lost")

    running = asyncio.ensure_future(sent(node, carry, streams=Streams(stdout=writing)))
    assert await asyncio.to_thread(os.read, reading, 10) == b"live"
    await node.until(lambda event: isinstance(event, JobOutput) and event.length == 4)
    told.set_result(None)
    assert (await running).state == "lost"
    os.close(reading)
    os.close(writing)


async def test_a_slow_reader_holds_the_carrier_back(node: Node) -> None:
    reading, writing = os.pipe()
    piece, done = b"x" * 65_536, 0

    async def carry(errand: Errand) -> Carried:
        nonlocal done
        for _ in range(64):
            await errand.write("stdout", piece)
            done += 1
        return Carried(outcome="exit")

    limits = replace(LIMITS, max_output_bytes=8 << 20)
    running = asyncio.ensure_future(sent(node, carry, streams=Streams(stdout=writing), limits=limits))
    got = 0
    while got < 64 * 65_536:
        got += len(await asyncio.to_thread(os.read, reading, 65_536))
        assert done * 65_536 <= got + (1 << 20)
    assert (await running).outcome == "exit"
    os.close(reading)
    os.close(writing)


async def test_a_reader_who_leaves_changes_nothing_of_what_is_kept(node: Node) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    end = await sent(node, honest, streams=Streams(stdout=writing))
    os.close(writing)
    assert (end.outcome, end.truncated, end.undelivered) == ("exit", False, "")
    assert end.verification is not None
    assert end.verification.ok


async def test_a_valid_receipt_is_stored_as_the_other_nodes(node: Node) -> None:
    end = await sent(node, honest)
    (record,) = await node.receipts.rows()
    assert (record.receipt, record.own, record.worker, record.verdict) == (end.receipt, False, PEER.public_hex, "valid")
    issued = await node.until(lambda event: isinstance(event, ReceiptIssued))
    assert isinstance(issued, ReceiptIssued)
    assert (issued.own, issued.worker) == (False, PEER.public_hex)
    await node.until(lambda event: isinstance(event, ReceiptVerified) and event.receipt == end.receipt)
    assert (await node.receipts.verify_chain()).faults == ()


async def test_one_that_is_not_believed_takes_no_place_in_a_chain(node: Node) -> None:
    async def lying(errand: Errand) -> Carried:
        await errand.write("stdout", b"something else")
        receipt = receipt_of(errand, b"from afar")
        return Carried(outcome="unverified", receipt=receipt, verification=await verified(errand, receipt))

    end = await sent(node, lying)
    assert (end.outcome, end.state, end.exit_code, end.receipt) == ("unverified", "failed", 125, "")
    assert end.receipt_document is not None
    assert end.verification is not None
    assert [step.name for step in end.verification.steps if step.ok is False] == ["commitment"]
    assert await node.receipts.rows() == []


async def test_a_place_that_is_taken_stays_whose_it_is(node: Node) -> None:
    first = await sent(node, honest)
    second = await sent(node, honest)  # number 0 once more; this carrier did not look at what is stored
    assert (bool(first.receipt), second.receipt) == (True, "")
    assert len(await node.receipts.rows()) == 1


async def test_a_receipt_under_a_key_of_ours_is_not_taken_from_outside(node: Node) -> None:
    async def ours(errand: Errand) -> Carried:
        receipt = replace(receipt_of(errand, b""), worker=node.identity.public_hex)
        return Carried(outcome="exit", receipt=receipt, verification=Verification(()))

    assert (await sent(node, ours)).receipt == ""


async def test_an_error_on_the_way_is_a_lost_job(node: Node) -> None:
    async def fails(_: Errand) -> Carried:
        raise NetworkError("no route", where="peer")

    end = await sent(node, fails)
    assert (end.outcome, end.exit_code, end.reason) == ("lost", 125, "peer: no route")


async def test_it_is_cancelled_like_any_other(node: Node) -> None:
    async def waits(errand: Errand) -> Carried:
        errand.moved("running")
        assert await errand.cancelled == "signal:130"
        return Carried(outcome="cancelled")

    running = asyncio.ensure_future(sent(node, waits))
    job = await node.until_running()
    assert node.jobs.counts == (0, 1)
    assert await node.jobs.cancel(job, "signal:130") == "cancelled"
    assert (await running).exit_code == 130
    with pytest.raises(FailedError):
        await node.jobs.cancel(job, "command")


async def test_when_the_program_ends_it_is_cancelled(node: Node) -> None:
    async def waits(errand: Errand) -> Carried:
        await errand.cancelled
        return Carried(outcome="cancelled")

    running = asyncio.ensure_future(sent(node, waits))
    await node.until(lambda event: event.TYPE == "job.submitted")
    await node.jobs.close(drain_s=0)
    assert (await running).exit_code == 143


async def test_a_directory_goes_nowhere(node: Node) -> None:
    with pytest.raises(UsageError, match="/data: a directory cannot be given to another node"):
        await sent(node, honest, dirs=(DirGrant("/data"),), streams=Streams(dirs=[0]))


async def test_a_module_that_is_none_is_refused_here(node: Node) -> None:
    async def never(_: Errand) -> Carried:
        raise AssertionError("it was carried")

    request = JobRequest(name="none.wasm", limits=LIMITS)
    end = await node.jobs.run_elsewhere(request, module=b"\0asm", streams=Streams(), where=PEER.peer_id, carry=never)
    assert (end.outcome, end.exit_code) == ("refused", 125)


async def test_what_is_written_with_its_end_is_there_when_the_end_is(node: Node) -> None:
    written: list[JobEnd] = []
    request = JobRequest(name="away.wasm", limits=LIMITS)
    end = await node.jobs.run_elsewhere(
        request,
        module=HELLO,
        streams=Streams(),
        where=PEER.peer_id,
        carry=honest,
        write_too=lambda _, end: written.append(end),
    )
    assert [(one.job, one.outcome) for one in written] == [(end.job, "exit")]


async def test_an_end_is_not_stored_without_what_belongs_to_it(node: Node) -> None:
    def fails(*_: object) -> None:
        raise FailedError("no")

    request = JobRequest(name="away.wasm", limits=LIMITS)
    with pytest.raises(FailedError, match="no"):
        await node.jobs.run_elsewhere(
            request,
            module=HELLO,
            streams=Streams(),
            where=PEER.peer_id,
            carry=honest,
            write_too=fails,
        )
    assert node.store.read_now(lambda db: db.execute("SELECT outcome FROM jobs").fetchall()) == [("",)]
