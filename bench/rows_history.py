"""A history of 100,000 jobs and as many receipts: what listing and filtering it takes, answer by answer.

One real job is run; the other rows are its copies under ids, states and times of their own.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from bench.guests import HELLO
from bench.measure import Figure, figure
from bench.node import BenchNode, open_node
from runtime.jobs.receipt_rows import ReceiptFilter
from runtime.jobs.spec import JobRequest
from runtime.jobs.streams import Streams
from runtime.store import Transaction

__all__ = ["measure"]

_BOUND_MS: Final = 100.0
_ID: Final = "printf('%08x', i * 40000) || lower(hex(randomblob(28)))"
"""In ascending order: made at random, as real ones are, they would take minutes to insert."""

_RARE: Final = "CASE WHEN i % 1000 THEN '{}' ELSE '{}' END"
_JOBS: Final = {
    "job": _ID,
    "number": "i",
    "created_ms": "created_ms + i",
    "state": _RARE.format("done", "failed"),
    "outcome": _RARE.format("exit", "fuel"),
    "submitter": _RARE.format("local", "somebody"),
}
_RECEIPTS: Final = {
    "receipt": _ID,
    "number": "i",
    "job": _ID,
    "issued_ms": "issued_ms + i",
    "outcome": _RARE.format("exit", "fuel"),
}


def measure(*, quick: bool) -> list[Figure]:
    """Measures it."""
    return asyncio.run(_measure(2_000 if quick else 100_000, 2 if quick else 20))


async def _measure(many: int, rounds: int) -> list[Figure]:
    async with open_node(workers=1) as node:
        first = await node.jobs.run(JobRequest(name="hello"), module=HELLO.read_bytes(), streams=Streams())
        await asyncio.wrap_future(node.parts.store.write(lambda tx: _copy(tx, many)))
        return [
            figure(f"{what}, of {many:,}", "ms", [await _ms(ask) for _ in range(rounds)], bound=_BOUND_MS)
            for what, ask in _questions(node, first.job, first.receipt).items()
        ]


def _questions(node: BenchNode, job: str, receipt: str) -> dict[str, Callable[[], Awaitable[object]]]:
    jobs, receipts = node.jobs, node.parts.receipts
    return {
        "the newest 1,000 jobs": lambda: jobs.rows(limit=1000),
        "100 failed jobs": lambda: jobs.rows(state="failed", limit=100),
        "1,000 jobs that are done": lambda: jobs.rows(state="done", limit=1000),
        "100 jobs of a submitter": lambda: jobs.rows(submitter="somebody", limit=100),
        "a job by the beginning of its id": lambda: jobs.show(job[:16]),
        "the newest 1,000 receipts": lambda: receipts.rows(limit=1000),
        "100 receipts by outcome": lambda: receipts.rows(100, ReceiptFilter(outcome="fuel")),
        "a receipt by its job": lambda: receipts.rows(100, ReceiptFilter(job=job[:16])),
        "a receipt by the beginning of its id": lambda: receipts.document(receipt[:16]),
    }


def _copy(tx: Transaction, many: int) -> None:
    for table, changed in (("jobs", _JOBS), ("receipts", _RECEIPTS)):
        columns = [str(row[1]) for row in tx.rows(f"PRAGMA table_info({table})")]
        values = ", ".join(changed.get(name, name) for name in columns)
        tx.execute(
            f"WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < {many}) "  # noqa: S608 - ours
            f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM {table}, n",
        )


async def _ms(ask: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    if not await ask():
        raise RuntimeError("nothing was found")
    return (time.perf_counter() - began) * 1000
