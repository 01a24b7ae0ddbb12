"""What can be proved of stored receipts: chains, listings that find them, places that outlive them, whole proofs."""

import asyncio
import re

import pytest

from runtime.canonical import encode
from runtime.errors import AmbiguousError, NotFoundError, UsageError
from runtime.jobs.evidence import Evidence
from runtime.jobs.receipt_form import RESTORED_STEP, read_receipt
from runtime.jobs.receipt_rows import ReceiptFilter
from runtime.jobs.receipts import Issued
from runtime.jobs.verify import verify
from runtime.store import Transaction
from tests.hostile import job
from tests.runtime.jobs.jobs_node import HELLO, Node
from tests.runtime.jobs.test_receipts import STEP, sql


async def test_listings_are_narrowed_by_outcome_job_and_key(node: Node) -> None:
    for _ in range(2):
        await node.run(HELLO, b"")
        await node.run(job("unreachable"))
    rows = await node.receipts.rows()

    async def listed(**only: str) -> list[int]:
        return [row.number for row in await node.receipts.rows(10, ReceiptFilter(**only))]

    assert await listed(outcome="trap") == [3, 1]
    assert await listed(outcome="fuel") == []
    assert await listed(job=rows[0].job[:12]) == [3]
    assert await listed(worker=rows[0].worker) == [3, 2, 1, 0]
    assert await listed(worker=rows[0].worker, outcome="exit") == [2, 0]
    assert await listed(worker="ab" * 32) == []
    for bad in ("0" * 64, "zzzz"):
        with pytest.raises(NotFoundError, match="no receipt is of a job"):
            await listed(job=bad)
    with pytest.raises(UsageError, match="--job"):
        await listed(job="abc")
    await sql(node, "UPDATE receipts SET job = 'abcd' || number")
    with pytest.raises(AmbiguousError):
        await listed(job="abcd")


@pytest.mark.parametrize(
    "only", [{}, {"outcome": "trap"}, {"worker": "ab" * 32}, {"worker": "ab" * 32, "outcome": "trap"}, {"job": "abcd"}]
)
async def test_no_listing_sorts_or_walks_the_whole_history(node: Node, only: dict[str, str]) -> None:
    columns = {"outcome": "outcome = 'x'", "worker": "worker = 'x'", "job": "job = 'x'"}
    where = " AND ".join(columns[name] for name in only) or "1"
    query = (
        f"EXPLAIN QUERY PLAN SELECT receipt FROM receipts WHERE {where} ORDER BY issued_ms DESC, number DESC LIMIT 9"
    )
    plan = " ".join(row[3] for row in await asyncio.wrap_future(node.store.read(lambda db: list(db.execute(query)))))
    assert "USING" in plan
    assert "INDEX receipts_by" in plan
    assert "TEMP B-TREE" not in plan or "job" in only


CHANGES = [
    ("DELETE FROM receipts WHERE number = 2", [("removed", "number 3", "number 2 is missing before number 3")]),
    ("DELETE FROM receipts WHERE number < 2", [("removed", "number 2", "0 to 1 are missing before number 2")]),
    (
        "UPDATE receipts SET document = replace(document, 'stop', 'error') WHERE number = 1",
        [("altered", "number 1", "its signature does not fit the message and the key")],
    ),
    (
        "UPDATE receipts SET number = 9 WHERE number = 4",
        [("reordered", "number 9", "what is stored here is receipt …, number 4 of its chain")],
    ),
    (
        "UPDATE receipts SET document = (SELECT document FROM receipts WHERE number = 0) WHERE number = 2",
        [("replaced", "number 2", "what is stored here is receipt …, number 0 of its chain")],
    ),
    ("UPDATE receipts SET document = 'junk' WHERE number = 3", [("altered", "number 3", "no receipt: not JSON: …")]),
]


@pytest.mark.parametrize(("change", "faults"), CHANGES)
async def test_a_stored_chain_names_the_place_of_every_change(
    node: Node, change: str, faults: list[tuple[str, str, str]]
) -> None:
    for number in range(5):
        await node.run(HELLO, str(number).encode())
    before = await node.receipts.verify_chain()
    assert (before.ok, before.receipts, before.faults) == (True, 5, ())
    await sql(node, "UPDATE jobs SET receipt = ''")  # their side of it has a test of its own
    await sql(node, change)
    report = await node.receipts.verify_chain()
    assert report.ok is False
    found = [(fault.kind, fault.at, fault.why) for fault in report.faults]
    assert [(kind, at) for kind, at, _ in found] == [(kind, at) for kind, at, _ in faults]
    for (_, _, why), (_, _, said) in zip(found, faults, strict=True):
        assert re.fullmatch(".*".join(map(re.escape, said.split("…"))), why.replace("…", "")), why


async def test_a_receipt_missing_from_the_end_is_missed_by_its_job(node: Node) -> None:
    ends = [await node.run(HELLO, b"") for _ in range(2)]
    await sql(node, "DELETE FROM receipts WHERE number = 1")
    (fault,) = (await node.receipts.verify_chain()).faults
    assert (fault.kind, fault.at) == ("removed", f"job {ends[1].job[:16]}")
    assert fault.why == f"its receipt {ends[1].receipt[:16]}… is gone"


async def test_pruning_keeps_places_and_the_chain_goes_on(node: Node) -> None:
    ends = [await node.run(HELLO, str(number).encode()) for number in range(4)]
    assert await node.receipts.prune(10) == 0
    assert await node.receipts.prune(1) == 3
    assert await node.receipts.prune(1) == 0
    rows = await node.receipts.rows()
    assert [row.receipt for row in rows] == [end.receipt for end in reversed(ends)]
    assert [row.previous for row in rows][:3] == [end.receipt for end in reversed(ends[:3])]
    report = await node.receipts.verify_chain()
    assert (report.ok, report.receipts, report.chains[0].pruned) == (True, 4, 3)
    assert (await node.receipts.verify(ends[3].receipt)).steps[STEP["chain"]].ok is True
    with pytest.raises(NotFoundError, match="only its place in the chain was kept"):
        await node.receipts.verify(ends[0].receipt)
    last = await node.run(HELLO, b"")
    assert (await node.receipts.verify(last.receipt)).ok is True
    await sql(node, "UPDATE receipts SET receipt = ? WHERE number = 1", "ab" * 32)
    assert [fault.kind for fault in (await node.receipts.verify_chain()).faults] == ["removed", "replaced"]


async def test_the_entry_after_a_restore_leaves_numbers_out_and_verifies(node: Node) -> None:
    def restore(tx: Transaction) -> Issued:
        return node.receipts.issue_restored(tx, backup_sha256="cd" * 32)

    before = await node.run(HELLO, b"")
    entry = await asyncio.wrap_future(node.store.write(restore))
    after = await node.run(HELLO, b"")
    rows = await node.receipts.rows()
    assert [row.outcome for row in rows] == ["exit", "restored", "exit"]
    assert (rows[0].number - rows[1].number, rows[2].number) == (1, 0)
    assert rows[1].number == rows[1].issued_ms > RESTORED_STEP
    read = read_receipt(encode(entry.document))
    assert read.place is not None
    assert (read.place.previous, read.completion, read.chunks) == (before.receipt, "stop", 0)
    assert "module_hash" not in read.extra
    verification = await node.receipts.verify(entry.receipt)
    oks = {step.name: step.ok for step in verification.steps}
    assert verification.ok is True
    assert (oks["job_id"], oks["module"], oks["chain"]) == (True, None, True)
    proof = await node.receipts.proof(entry.receipt)
    assert proof.manifest is not None
    assert proof.manifest["payload"] == {
        "kind": "orlop-restore", "backup_sha256": "cd" * 32, "orlop": {"nonce": read.extra["orlop.nonce"]},
    }  # fmt: skip
    assert (await node.receipts.verify(after.receipt)).ok is True
    assert (await node.receipts.verify_chain()).ok is True
    # A gap before any other receipt is a fault.
    await sql(node, "UPDATE receipts SET outcome = 'exit' WHERE outcome = 'restored'")
    assert (await node.receipts.verify_chain()).ok is False


async def test_a_proof_holds_what_is_here_and_says_what_is_not(node: Node) -> None:
    end = await node.run(HELLO, b"abc")
    proof = await node.receipts.proof(end.receipt, outputs=True)
    assert proof.outputs == (b"cba", b"")
    raw = encode(proof.bundle())
    assert all(step.ok for step in verify(raw, Evidence(key=node.identity.public_hex)).steps)
    assert (await node.receipts.verify("", raw=raw)).ok is True
    (node.state.output / end.job).unlink()
    with pytest.raises(NotFoundError, match="not here any more"):
        await node.receipts.proof(end.receipt, outputs=True)
    assert (await node.receipts.proof(end.receipt)).outputs is None
    await sql(node, "DELETE FROM jobs")
    assert (await node.receipts.proof(end.receipt)).manifest is None
