"""Jobs as rows: what the store keeps of each, and every change of a job's state with its events. Pure SQL."""

import json
import os
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from runtime.canonical import Json, encode
from runtime.events import JobState, JobSubmitted, JobUsage
from runtime.jobs.ending import JobEnd
from runtime.jobs.processes import is_running, start_mark
from runtime.jobs.spec import JobRequest, Manifest
from runtime.sanitise import clean
from runtime.store import Transaction

__all__ = [
    "UNFINISHED",
    "JobRecord",
    "KeptOutput",
    "abandoned",
    "finish",
    "insert",
    "job_rows",
    "kept_output",
    "lose_unfinished",
    "move",
    "recover",
]

UNFINISHED: Final = ("queued", "admitted", "compiling", "running")
"""The states of a job that has not ended."""

_LOST: Final = "the program that ran it ended before the job did"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecord:
    """A job; the fields are those of the listing, without the manifest."""

    job: str
    name: str
    module: str
    where: str
    submitter: str
    state: str
    outcome: str
    reason: str
    created_ms: int
    started_ms: int | None
    ended_ms: int | None
    exit_code: int | None
    wall_ms: int | None
    fuel: int | None
    memory_peak_bytes: int | None
    output_bytes: int
    limit_memory_bytes: int
    limit_fuel: int
    limit_timeout_ms: int
    limit_output_bytes: int
    receipt: str


@dataclass(frozen=True, slots=True)
class KeptOutput:
    """What is on record about a job's output.

    Attributes:
        job: its id.
        size: bytes that were kept of both streams; 0 as long as it has not ended.
        truncated: something that the guest wrote is missing.
    """

    job: str
    size: int
    truncated: bool


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
        "UPDATE jobs SET state = ?, outcome = ?, reason = ?, ended_ms = ?, exit_code = ?, usage = ?, receipt = ?"
        " WHERE job = ?",
        (
            end.state,
            end.outcome,
            end.reason,
            tx.now_ms,
            end.exit_code,
            encode(usage).decode(),
            end.receipt,
            end.job,
        ),
    )
    tx.emit(JobState(job=end.job, state=end.state, previous=previous, reason=end.outcome))
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


def kept_output(db: sqlite3.Connection, job: str) -> KeptOutput:
    """What the record says about a job's output."""
    row = db.execute("SELECT usage FROM jobs WHERE job = ?", (job,)).fetchone()
    usage = _mapping(row[0]) if row is not None else {}
    size = (_count(usage.get("stdout_bytes")) or 0) + (_count(usage.get("stderr_bytes")) or 0)
    return KeptOutput(job, size, usage.get("truncated") is True)


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


_COLUMNS: Final = (
    "job, name, module, place, submitter, state, outcome, reason, created_ms, started_ms, ended_ms, exit_code, usage,"
    " limits, receipt"
)


def job_rows(db: sqlite3.Connection, *, job: str = "", state: str = "", limit: int = 1000) -> list[JobRecord]:
    """Jobs, newest first.

    Args:
        db: the store.
        job: only the one with this id.
        state: only those in this state.
        limit: at most so many.
    """
    wanted = {column: value for column, value in (("job", job), ("state", state)) if value}
    where = " AND ".join(f"{column} = ?" for column in wanted) or "1"
    sql = f"SELECT {_COLUMNS} FROM jobs WHERE {where} ORDER BY number DESC LIMIT ?"  # noqa: S608 - constant columns
    return [_record(row) for row in db.execute(sql, (*wanted.values(), limit))]


def _record(row: Sequence[object]) -> JobRecord:
    *plain, usage_text, limits_text, receipt = row
    usage, limits = _mapping(usage_text), _mapping(limits_text)
    names = JobRecord.__slots__[: len(plain)]
    return JobRecord(
        **dict(zip(names, plain, strict=True)),  # type: ignore[arg-type]
        wall_ms=_count(usage.get("wall_ms")),
        fuel=_count(usage.get("fuel")),
        memory_peak_bytes=_count(usage.get("memory_peak_bytes")),
        output_bytes=(_count(usage.get("stdout_bytes")) or 0) + (_count(usage.get("stderr_bytes")) or 0),
        limit_memory_bytes=_count(limits.get("memory_bytes")) or 0,
        limit_fuel=_count(limits.get("fuel")) or 0,
        limit_timeout_ms=_count(limits.get("timeout_ms")) or 0,
        limit_output_bytes=_count(limits.get("max_output_bytes")) or 0,
        receipt=str(receipt),
    )


def _mapping(text: object) -> Mapping[str, Json]:
    value = json.loads(str(text))
    return value if isinstance(value, dict) else {}


def _count(value: Json) -> int | None:
    return value if isinstance(value, int) else None
