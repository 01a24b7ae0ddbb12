"""Receipts on record: stored with their job, chained, listed, exported, verified again, and what happens when bent."""

import asyncio
import json
from pathlib import Path

import pytest

from runtime.canonical import encode
from runtime.errors import AmbiguousError, NotFoundError, UsageError
from runtime.events import ChainBroken, ReceiptIssued, ReceiptVerified
from runtime.jobs import landlock
from runtime.jobs.evidence import Evidence
from runtime.jobs.receipt_form import FIRST_PREVIOUS, read_receipt, receipt_id
from runtime.jobs.verify import exit_status
from runtime.sandbox.compile import Compiler
from tests.hostile import job
from tests.runtime.jobs.jobs_node import HELLO, Node, open_node, writes

STEP = {
    name: place
    for place, name in enumerate(["schema", "canonical", "key", "signature", "job_id", "module", "commitment", "chain"])
}


async def sql(node: Node, statement: str, *params: str) -> None:
    await asyncio.wrap_future(node.store.write(lambda tx: tx.execute(statement, params)))


async def test_receipts_are_chained_listed_and_exported(node: Node) -> None:
    ends = [await node.run(HELLO, str(n).encode()) for n in range(3)]
    assert (await node.run(job("no_start"))).receipt == ""
    rows = await node.receipts.rows()
    assert [row.receipt for row in rows] == [end.receipt for end in reversed(ends)]
    assert [row.number for row in rows] == [2, 1, 0]
    assert [row.previous for row in rows] == [ends[1].receipt, ends[0].receipt, FIRST_PREVIOUS]
    assert {(row.own, row.worker, row.verdict, row.outcome) for row in rows} == {
        (True, node.identity.public_hex, "", "exit")
    }
    assert len(await node.receipts.rows(2)) == 2
    exported = [line async for line in node.receipts.documents()]
    assert [receipt_id(json.loads(line)) for line in exported] == [end.receipt for end in ends]
    assert all(line.endswith(b"}\n") for line in exported)
    some = [line async for line in node.receipts.documents((ends[2].receipt[:20], ends[0].receipt))]
    assert some == [exported[2], exported[0]]
    issued = [e for e in node.events if isinstance(e, ReceiptIssued)]
    assert [(e.receipt, e.number, e.previous) for e in issued] == [
        (end.receipt, n, ends[n - 1].receipt if n else FIRST_PREVIOUS) for n, end in enumerate(ends)
    ]


async def test_what_is_signed_is_what_happened(node: Node) -> None:
    end = await node.run(HELLO, b"abc", args=("x",), env=("A=1",))
    assert end.receipt_document is not None
    extra = read_receipt(encode(end.receipt_document)).extra
    assert json.loads(extra["orlop.limits"]) == end.limits.document()
    assert extra["orlop.engine"] == "wasmtime 50.0.1"
    environment = json.loads(extra["orlop.environment"])
    assert set(environment) == {"arch", "os", "memory_peak_bytes", "confinement"}
    assert environment["confinement"] == {"landlock": landlock.abi(), "no_new_privs": True, "seccomp": True}
    assert environment["memory_peak_bytes"] == end.usage.memory_peak_bytes
    assert set(extra) == {
        "exit_code", "module_hash", "orlop.outcome", "orlop.seq", "orlop.prev", "orlop.nonce", "orlop.fuel_used",
        "orlop.engine", "orlop.limits", "orlop.environment", "orlop.stdin_sha256", "orlop.argv_sha256",
        "orlop.env_sha256", "orlop.dirs_sha256",
    }  # fmt: skip
    assert int(extra["orlop.fuel_used"]) == end.usage.fuel
    _, manifest = await node.jobs.show(end.job)
    payload = manifest["payload"]
    assert isinstance(payload, dict)
    assert isinstance(payload["orlop"], dict)
    assert extra["orlop.nonce"] == payload["orlop"]["nonce"]
    assert all(isinstance(value, str) for value in extra.values())


async def test_verification_is_remembered_and_told(node: Node) -> None:
    end = await node.run(HELLO, b"")
    assert (await node.receipts.verify(end.receipt, keep=False)).ok is True
    assert (await node.receipts.rows())[0].verdict == ""
    assert (await node.receipts.verify(end.receipt[:8])).ok is True
    assert (await node.receipts.rows())[0].verdict == "valid"
    told = await node.until(lambda e: isinstance(e, ReceiptVerified))
    assert isinstance(told, ReceiptVerified)
    assert (told.receipt, told.verdict, len(told.steps)) == (end.receipt, "valid", 8)


async def test_a_bent_record_is_found_out(node: Node) -> None:
    module = writes((1, b"output"))
    first, second = await node.run(module), await node.run(module)

    async def failed(receipt: str) -> list[str]:
        return [step.name for step in (await node.receipts.verify(receipt)).steps if step.ok is False]

    # The output on disk, the manifest on record, the predecessor, the document itself.
    path = node.state.output / second.job
    raw = path.read_bytes()
    path.write_bytes(raw.replace(b"output", b"0utput"))
    assert await failed(second.receipt) == ["commitment"]
    path.unlink()
    assert (await node.receipts.verify(second.receipt)).steps[STEP["commitment"]].ok is None
    path.write_bytes(b"no file of output")
    assert (await node.receipts.verify(second.receipt)).steps[STEP["commitment"]].ok is None
    path.write_bytes(raw)
    await sql(node, "UPDATE jobs SET manifest = (SELECT manifest FROM jobs WHERE job = ?)", first.job)
    assert await failed(second.receipt) == ["job_id"]
    await sql(node, "UPDATE jobs SET manifest = ''")
    await sql(node, "UPDATE receipts SET receipt = ? WHERE number = 0", "ab" * 32)
    assert await failed(second.receipt) == ["chain"]
    broken = await node.until(lambda e: isinstance(e, ChainBroken))
    assert broken == ChainBroken(worker=node.identity.public_hex, at=1, expected="ab" * 32, got=first.receipt)
    await sql(node, "DELETE FROM receipts WHERE number = 0")
    assert (await node.receipts.verify(second.receipt)).steps[STEP["chain"]].ok is None
    await sql(node, "UPDATE receipts SET document = replace(document, 'stop', 'error')")
    assert await failed(second.receipt) == ["signature", "chain"]


async def test_a_receipt_from_elsewhere_is_held_against_what_is_here(
    node: Node, tmp_path: Path, compiler: Compiler
) -> None:
    async with open_node(tmp_path / "other", compiler) as other:
        end = await other.run(HELLO, b"x")
        (raw,) = [line async for line in other.receipts.documents()]
    stranger = await node.receipts.verify("", raw=raw)
    assert (stranger.ok, exit_status(stranger)) == (None, 1)
    assert end.receipt_document is not None
    key = str(end.receipt_document["worker_pubkey"])
    assert (await node.receipts.verify("", Evidence(key=key), raw=raw)).ok is True
    assert (await node.receipts.verify("", Evidence(key=node.identity.public_hex), raw=raw)).ok is False
    assert exit_status(await node.receipts.verify("", raw=b"junk")) == 4
    assert await node.receipts.rows() == []


async def test_receipts_are_named_by_unique_prefixes(node: Node) -> None:
    for _ in range(2):
        await node.run(HELLO, b"")
    with pytest.raises(UsageError):
        await node.receipts.document("abc")
    with pytest.raises(NotFoundError):
        await node.receipts.document("nothex")
    await sql(node, "UPDATE receipts SET receipt = 'abcd' || substr(receipt, 5)")
    with pytest.raises(AmbiguousError):
        await node.receipts.verify("abcd")
    await sql(node, "UPDATE receipts SET document = NULL")
    row = (await node.receipts.rows())[0]
    with pytest.raises(NotFoundError, match="place in the chain"):
        await node.receipts.document(row.receipt)
    assert [line async for line in node.receipts.documents()] == []
