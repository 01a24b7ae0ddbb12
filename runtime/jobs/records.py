"""Every change of a job's row, with its events. Pure SQL; `runtime.jobs.rows` reads."""

import os
import sqlite3
from typing import Final

from runtime.canonical import encode
from runtime.events import JobState, JobSubmitted, JobUsage
from runtime.jobs.ending import JobEnd
from runtime.jobs.processes import is_running, start_mark
from runtime.jobs.spec import JobRequest, Manifest
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
]

UNFINISHED: Final = ("queued", "admitted", "compiling", "running")
"""The states of a job that has not ended."""

_LOST: Final = "the program that ran it ended before the job did"


def insert(tx: Transaction, request: JobRequest, manifest: Manifest, module: str) -> None:
    """A new job, queued."""
    limits = request.limits
    number = tx.one("SELECT coalesce(max(number), 0) + 1 FROM jobs")
    tx.execute(
        "INSERT INTO jobs (job, number, name, module, submitter, place, manifest, state, outcome, reason, created_ms,"
        " usage, limits, receipt, runner_pid, runner_start)"
        " VALUES (?, ?, ?, ?, ?, 'local', ?, 'queued', '', '', ?, '{}', ?, '', ?, ?)",
        (
            manifest.job,
            number[0] if number else 1,
            clean(request.name, 100),
            module,
            request.submitter,
            encode(manifest.document).decode(),
            tx.now_ms,
            encode(limits.document()).decode(),
            os.getpid(),
            start_mark(),
        ),
    )
    tx.emit(
        JobSubmitted(
            job=manifest.job,
            kind="wasm",
            module=module,
            name=clean(request.name, 100),
            submitter=request.submitter,
            where="local",
            memory_bytes=limits.memory_bytes,
            fuel=limits.fuel,
            timeout_ms=limits.timeout_ms,
            max_output_bytes=limits.max_output_bytes,
            cpu_ms=limits.cpu_ms,
            stack_bytes=limits.stack_bytes,
            table_elements=limits.table_elements,
            open_files=limits.open_files,
            dir_bytes=limits.dir_bytes,
        )
    )
    tx.emit(JobState(job=manifest.job, state="queued", previous=""))


def move(tx: Transaction, job: str, state: str, previous: str) -> None:
    """A job goes on to its next state."""
    if state == "running":
        tx.execute("UPDATE jobs SET state = ?, started_ms = ? WHERE job = ?", (state, tx.now_ms, job))
    else:
        tx.execute("UPDATE jobs SET state = ? WHERE job = ?", (state, job))
    tx.emit(JobState(job=job, state=state, previous=previous))


def finish(tx: Transaction, end: JobEnd, previous: str) -> None:
    """A job ended. The receipt, if there is one, was stored in the same transaction before."""
    usage = end.usage.document() | {"truncated": end.truncated}
    tx.execute(
        "UPDATE jobs SET state = ?, outcome = ?, reason = ?, ended_ms = ?, exit_code = ?, usage = ?, receipt = ?,"
        " tripped = ? WHERE job = ?",
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
        ),
    )
    tx.emit(JobState(job=end.job, state=end.state, previous=previous, reason=end.outcome, tripped=end.tripped))
    tx.emit(
        JobUsage(
            job=end.job,
            wall_ms=end.usage.wall_ms,
            fuel=end.usage.fuel,
            memory_peak_bytes=end.usage.memory_peak_bytes,
            output_bytes=end.usage.output_bytes,
            exit_code=end.exit_code,
        )
    )


def abandoned(db: sqlite3.Connection) -> bool:
    """Whether a job has not ended although its program is gone, so that there is something to `recover`."""
    runners = db.execute(
        "SELECT DISTINCT runner_pid, runner_start FROM jobs WHERE state IN (?, ?, ?, ?)", UNFINISHED
    ).fetchall()
    return any(not is_running(int(pid), str(mark)) for pid, mark in runners)


def recover(tx: Transaction) -> tuple[str, ...]:
    """Jobs whose program is gone are lost.

    Returns:
        Their ids.
    """
    rows = tx.rows(
        "SELECT job, state, runner_pid, runner_start FROM jobs WHERE state IN (?, ?, ?, ?) ORDER BY number", UNFINISHED
    )
    lost = [(str(job), str(state)) for job, state, pid, mark in rows if not is_running(int(pid), str(mark))]
    for job, state in lost:
        _lose(tx, job, state, _LOST)
    return tuple(job for job, _ in lost)


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
