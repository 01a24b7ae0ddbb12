"""A job as the store remembers it: enough to tell its submitter how it ended, also after the worker began anew."""

import asyncio
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from net.jobs.messages import OUTCOMES, REASON_MAX, Result
from runtime.canonical import CanonicalError, Json, decode
from runtime.sanitise import clean

__all__ = ["StoredJob", "stored_job"]

_RECEIPT_MAX: Final = 262_144


@dataclass(frozen=True, slots=True)
class StoredJob:
    """One job; `worker_session.Followed` when it has ended.

    Attributes:
        job: its id.
        submitter: whose it is, a public key or `local`.
        state: its state.
        end: how it ended; None of one that did not, as far as the store knows.
        have: of its bytes nothing is wanted any more.
        begun: it was handed over to be run.
        claimed: its requester has asked for it.
        wake: never set: nothing new comes.
    """

    job: str
    submitter: str
    state: str
    end: Result | None
    have: int = 0
    begun: bool = True
    claimed: bool = True
    wake: asyncio.Event = field(default_factory=asyncio.Event, compare=False)

    async def attach(self, session: object) -> None:
        """Any number of streams may read it."""

    def detach(self, session: object) -> None:
        """See `attach`."""


def stored_job(db: sqlite3.Connection, job: str) -> StoredJob | None:
    """Looks a job up.

    Args:
        db: the store.
        job: its whole id.

    Returns:
        The job; None when there is none.
    """
    sql = (
        "SELECT submitter, state, jobs.outcome, document, reason FROM jobs"
        " LEFT JOIN receipts ON receipts.receipt = jobs.receipt WHERE jobs.job = ?"
    )
    row = db.execute(sql, (job,)).fetchone()
    if row is None:
        return None
    submitter, state, outcome = (str(value) for value in row[:3])
    if outcome not in OUTCOMES:
        return StoredJob(job, submitter, state, None)
    receipt = _receipt(row[3])
    reason = clean(str(row[4]), REASON_MAX) if receipt is None else ""
    return StoredJob(job, submitter, state, Result(job, outcome, outcome == "output", receipt, reason))


def _receipt(text: object) -> Mapping[str, Json] | None:
    try:
        value = decode(str(text).encode(), limit=_RECEIPT_MAX) if text else None
    except CanonicalError:
        return None
    return value if isinstance(value, Mapping) else None
