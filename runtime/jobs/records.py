"""Every change of a job's row, with its events. Pure SQL; `runtime.jobs.rows` reads."""

import os
import sqlite3
from collections.abc import Sequence
from typing import Final

from runtime.canonical import encode
from runtime.errors import FailedError
from runtime.events import JobState, JobSubmitted, JobUsage
from runtime.jobs.ending import JobEnd, limits_text
from runtime.jobs.manifest import Manifest
from runtime.jobs.processes import is_running, start_mark
from runtime.jobs.queue import NOW, Terms
from runtime.jobs.spec import JobRequest
from runtime.sanitise import clean
from runtime.store import Transaction

__all__ = [
    "UNFINISHED",
    "abandoned",
    "finish",
    "insert",
    "lose_unfinished",
    "move",
    "recover",
    "requeue",
    "state_of",
    "waiting",
]

UNFINISHED: Final = ("queued", "admitted", "compiling", "running")
"""The states of a job that has not ended."""

_HELD: Final = "state IN (?, ?, ?, ?) AND NOT (state = 'queued' AND detached = 1)"
"""Jobs that some program has taken on; what waits in the queue belongs to none."""

_LOST: Final = "the program that ran it ended before the job did"


def insert(tx: Transaction, request: JobRequest, manifest: Manifest, terms: Terms = NOW, where: str = "local") -> None:
    """A new job, queued.

    Args:
        tx: of the store.
        request: what is to be run.
        manifest: signed.
        terms: how it waits.
        where: `local`, or the PeerId of the node that is to run it.
    """
    limits, module = request.limits, str(manifest.payload["module_cid"])
    name = clean(request.name, 100)
    tx.execute(
        "INSERT INTO jobs (job, number, name, module, submitter, place, manifest, state, outcome, reason, created_ms,"
        " usage, limits, receipt, runner_pid, runner_start, priority, detached, attempt, retries, expires_ms,"
        " keep_output, tripped)"
        " VALUES (?, (SELECT coalesce(max(number), 0) + 1 FROM jobs), ?, ?, ?, ?, ?, 'queued', '', '', ?, '{}', ?, '',"
        " ?, ?, ?, ?, 0, ?, ?, ?, '')",
        (
            manifest.job,
            name,
            module,
            request.submitter,
            where,
            manifest.canonical.decode(),
            tx.now_ms,
            limits_text(limits),
            os.getpid(),
            start_mark(),
            terms.priority,
            int(terms.detached),
            terms.retries,
            terms.expires_ms,
            int(terms.keep_output),
        ),
    )
    tx.emit(
        JobSubmitted(
            job=manifest.job,
            kind="wasm",
            module=module,
            name=name,
            submitter=request.submitter,
            where=where,
            memory_bytes=limits.memory_bytes,
            fuel=limits.fuel,
            timeout_ms=limits.timeout_ms,
            max_output_bytes=limits.max_output_bytes,
            cpu_ms=limits.cpu_ms,
            stack_bytes=limits.stack_bytes,
            table_elements=limits.table_elements,
            open_files=limits.open_files,
            dir_bytes=limits.dir_bytes,
            priority=terms.priority,
            retries=terms.retries,
            expires_ms=terms.expires_ms,
        )
    )
    tx.emit(JobState(job=manifest.job, state="queued", previous=""))


def state_of(tx: Transaction, job: str) -> str | None:
    """A job's state; None when there is no such job."""
    row = tx.one("SELECT state FROM jobs WHERE job = ?", (job,))
    return None if row is None else str(row[0])


def waiting(db: sqlite3.Connection | Transaction) -> int:
    """How many jobs wait for their turn."""
    return int(db.execute("SELECT count(*) FROM jobs WHERE state = 'queued'").fetchone()[0])


def move(tx: Transaction, job: str, states: Sequence[str], previous: str) -> None:
    """A job goes on, in this program.

    Args:
        tx: of the store.
        job: its id.
        states: through which, at least one; the row gets the last of them, and each has its event.
        previous: where it was.
    """
    started_ms = tx.now_ms if "running" in states else None
    tx.execute(
        "UPDATE jobs SET state = ?, started_ms = ?, runner_pid = ?, runner_start = ? WHERE job = ?",
        (states[-1], started_ms, os.getpid(), start_mark(), job),
    )
    for state in states:
        tx.emit(JobState(job=job, state=state, previous=previous))
        previous = state


def requeue(tx: Transaction, job: str, previous: str, *, attempt: int, reason: str = "") -> None:
    """A job of the queue waits once more.

    Args:
        tx: of the store.
        job: its id.
        previous: its state.
        attempt: how often it was started and lost.
        reason: `lost` after that, else empty.
    """
    sql = "UPDATE jobs SET state = 'queued', started_ms = NULL, attempt = ? WHERE job = ?"
    tx.execute(sql, (attempt, job))
    tx.emit(JobState(job=job, state="queued", previous=previous, reason=reason))


def finish(tx: Transaction, end: JobEnd, previous: str) -> None:
    """A job ended. The receipt, if there is one, was stored in the same transaction before.

    Raises:
        FailedError: it has ended already, as another program found; the whole transaction is undone.
    """
    usage = end.usage.document() | {"truncated": end.truncated}
    changed = tx.execute(
        "UPDATE jobs SET state = ?, outcome = ?, reason = ?, ended_ms = ?, exit_code = ?, usage = ?, receipt = ?,"
        " tripped = ? WHERE job = ? AND state IN (?, ?, ?, ?)",
        (
            end.state,
            end.outcome,
            end.reason,
            tx.now_ms,
            end.exit_code,
            encode(usage).decode(),
            end.receipt,
            end.tripped,
            end.job,
            *UNFINISHED,
        ),
    )
    if changed.rowcount != 1:
        raise FailedError(f"it is {state_of(tx, end.job) or 'gone'} already", where=f"job {end.job[:16]}")
    tx.emit(JobState(job=end.job, state=end.state, previous=previous, reason=end.outcome, tripped=end.tripped))
    tx.emit(
        JobUsage(
            job=end.job,
            wall_ms=end.usage.wall_ms,
            fuel=end.usage.fuel,
            memory_peak_bytes=end.usage.memory_peak_bytes,
            cpu_ms=end.usage.cpu_ms,
            dir_bytes=end.usage.dir_bytes,
            output_bytes=end.usage.output_bytes,
            exit_code=end.exit_code,
        )
    )


def abandoned(db: sqlite3.Connection) -> bool:
    """Whether a job has not ended although its program is gone, so that there is something to `recover`."""
    runners = db.execute(
        f"SELECT DISTINCT runner_pid, runner_start FROM jobs WHERE {_HELD}",  # noqa: S608 - a constant
        UNFINISHED,
    ).fetchall()
    return any(not _alive(pid, mark) for pid, mark in runners)


def _alive(pid: object, mark: object) -> bool:
    """Whether the program that took a job on still runs; one that is not named properly does not."""
    return isinstance(pid, int) and is_running(pid, str(mark))


def recover(tx: Transaction) -> tuple[str, ...]:
    """Jobs whose program is gone are lost; those of the queue wait again, unless their guest had started for good.

    Returns:
        The ids of those that are lost.
    """
    columns = "job, state, runner_pid, runner_start, detached, attempt, retries"
    rows = tx.rows(f"SELECT {columns} FROM jobs WHERE {_HELD} ORDER BY number", UNFINISHED)  # noqa: S608 - constants
    lost = []
    for job, state, pid, mark, detached, attempt, retries in rows:
        if _alive(pid, mark):
            continue
        if detached and state != "running":
            requeue(tx, str(job), str(state), attempt=int(attempt))
        elif detached and int(attempt) < int(retries):
            requeue(tx, str(job), str(state), attempt=int(attempt) + 1, reason="lost")
        else:
            _lose(tx, str(job), str(state), _LOST)
            lost.append(str(job))
    return tuple(lost)


def lose_unfinished(tx: Transaction, reason: str) -> int:
    """Every job that has not ended is lost, whoever runs it: the store was put back to an earlier moment.

    Args:
        tx: of the store.
        reason: why, for people.

    Returns:
        How many.
    """
    rows = tx.rows("SELECT job, state FROM jobs WHERE state IN (?, ?, ?, ?) ORDER BY number", UNFINISHED)
    for job, state in rows:
        _lose(tx, str(job), str(state), reason)
    return len(rows)


def _lose(tx: Transaction, job: str, state: str, reason: str) -> None:
    tx.execute(
        "UPDATE jobs SET state = 'lost', outcome = 'lost', reason = ?, ended_ms = ?, exit_code = 125 WHERE job = ?",
        (reason, tx.now_ms, job),
    )
    tx.emit(JobState(job=job, state="lost", previous=state, reason="lost"))
