"""Jobs as the store keeps them, read: a row that is damaged is named and hides no other. Pure SQL."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from runtime.canonical import Json
from runtime.columns import Columns, RowDamagedError
from runtime.jobs.limits import LIMITS
from runtime.sanitise import clean

__all__ = ["DAMAGED", "JobRecord", "KeptOutput", "job_rows", "job_text", "kept_output"]

DAMAGED: Final = "damaged"
"""The state of a job whose stored row cannot be read."""


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
    limit_cpu_ms: int = 0
    limit_stack_bytes: int = 0
    limit_table_elements: int = 0
    limit_open_files: int = 0
    limit_dir_bytes: int = 0
    tripped: str = ""
    priority: int = 0
    retries: int = 0
    attempt: int = 0
    expires_ms: int | None = None
    cpu_ms: int | None = None
    dir_bytes: int | None = None


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


_COLUMNS: Final = Columns(
    "jobs",
    {
        "job": str,
        "name": str,
        "module": str,
        "place": str,
        "submitter": str,
        "state": str,
        "outcome": str,
        "reason": str,
        "created_ms": int,
        "started_ms": int,
        "ended_ms": int,
        "exit_code": int,
        "usage": str,
        "limits": str,
        "receipt": str,
        "tripped": str,
        "priority": int,
        "retries": int,
        "attempt": int,
        "expires_ms": int,
    },
    optional=frozenset({"started_ms", "ended_ms", "exit_code", "expires_ms"}),
)
_USAGE: Final = Columns("jobs", {"job": str, "usage": str})


def job_rows(
    db: sqlite3.Connection, *, job: str = "", state: str = "", submitter: str = "", limit: int = 1000
) -> list[JobRecord]:
    """Jobs, newest first.

    Args:
        db: the store.
        job: only the one with this id.
        state: only those in this state.
        submitter: only those of this submitter.
        limit: at most so many.

    Returns:
        The jobs; one whose row cannot be read has the state `DAMAGED`, and its reason names table, row and column.
    """
    wanted = {name: value for name, value in (("job", job), ("state", state), ("submitter", submitter)) if value}
    where = " AND ".join(f"{column} = ?" for column in wanted) or "1"
    sql = f"SELECT {_COLUMNS.names} FROM jobs WHERE {where} ORDER BY number DESC LIMIT ?"  # noqa: S608 - constants
    return [_record(row) for row in db.execute(sql, (*wanted.values(), limit))]


def job_text(db: sqlite3.Connection, column: str, job: str) -> str:
    """One text of a job's row.

    Args:
        db: the store.
        column: its name, a constant.
        job: a job that exists.

    Raises:
        RowDamagedError: it is no text.
    """
    columns = Columns("jobs", {"job": str, column: str})
    row = db.execute(f"SELECT {columns.names} FROM jobs WHERE job = ?", (job,)).fetchone()  # noqa: S608 - constant
    return str(columns.checked(row)[1])


def kept_output(db: sqlite3.Connection, job: str) -> KeptOutput:
    """What the record says about a job's output.

    Raises:
        RowDamagedError: it cannot be read.
    """
    row = db.execute(f"SELECT {_USAGE.names} FROM jobs WHERE job = ?", (job,)).fetchone()  # noqa: S608 - constant
    usage = _mapping(_USAGE, _USAGE.checked(row), 1) if row is not None else {}
    size = (_count(usage.get("stdout_bytes")) or 0) + (_count(usage.get("stderr_bytes")) or 0)
    return KeptOutput(job, size, usage.get("truncated") is True)


def _record(row: Sequence[object]) -> JobRecord:
    try:
        return _sound(_COLUMNS.checked(row))
    except RowDamagedError as error:
        return _damaged(row, error)


def _sound(row: Sequence[object]) -> JobRecord:
    known = dict(zip(_COLUMNS.kinds, row, strict=True))
    names = list(_COLUMNS.kinds)
    usage = _mapping(_COLUMNS, row, names.index("usage"))
    limits = _mapping(_COLUMNS, row, names.index("limits"))
    plain = {name: value for name, value in known.items() if name not in {"place", "usage", "limits"}}
    figures = {f"limit_{limit.name.removeprefix('max_')}": _count(limits.get(limit.name)) or 0 for limit in LIMITS}
    return JobRecord(
        **plain,  # type: ignore[arg-type]
        **figures,  # type: ignore[arg-type]
        where=str(known["place"]),
        wall_ms=_count(usage.get("wall_ms")),
        fuel=_count(usage.get("fuel")),
        memory_peak_bytes=_count(usage.get("memory_peak_bytes")),
        cpu_ms=_count(usage.get("cpu_ms")),
        dir_bytes=_count(usage.get("dir_bytes")),
        output_bytes=(_count(usage.get("stdout_bytes")) or 0) + (_count(usage.get("stderr_bytes")) or 0),
    )


def _damaged(row: Sequence[object], error: RowDamagedError) -> JobRecord:
    """What is known of it all the same."""
    known = dict(zip(_COLUMNS.kinds, row, strict=True))
    texts = {name: clean(value, 100) if isinstance(value := known[name], str) else "" for name in ("job", "name")}
    created = known["created_ms"]
    return JobRecord(
        **texts,  # type: ignore[arg-type]
        module="",
        where="local",
        submitter="",
        state=DAMAGED,
        outcome="",
        reason=f"{error.why}; {error.hint}",
        created_ms=created if isinstance(created, int) else 0,
        started_ms=None,
        ended_ms=None,
        exit_code=None,
        wall_ms=None,
        fuel=None,
        memory_peak_bytes=None,
        output_bytes=0,
        limit_memory_bytes=0,
        limit_fuel=0,
        limit_timeout_ms=0,
        limit_output_bytes=0,
        receipt="",
    )


def _mapping(columns: Columns, row: Sequence[object], place: int) -> Mapping[str, Json]:
    name = list(columns.kinds)[place]
    try:
        value = json.loads(str(row[place]))
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise columns.damaged(row, f"`{name}` is no JSON object")
    return value


def _count(value: Json) -> int | None:
    return value if isinstance(value, int) else None
