"""Jobs that wait in the store for their turn, whoever submitted them and whichever program runs them. Pure but for SQL.

A job of the queue survives the program that took it in: until its guest has started it is queued again by whoever finds
it; from then on it is lost, or queued again as often as its retries allow.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from runtime.canonical import Json, decode
from runtime.columns import Columns, RowDamagedError
from runtime.errors import RefusedError, UsageError
from runtime.jobs.limits import JobLimits
from runtime.jobs.manifest import Manifest
from runtime.jobs.spec import DirGrant, JobRequest
from runtime.sandbox.modulecheck import JOB_CAPS

__all__ = ["NOW", "PRIORITY_MAX", "RETRIES_MAX", "QueueLimits", "Queued", "Terms", "queued_jobs", "request_of"]

PRIORITY_MAX: Final = 10
RETRIES_MAX: Final = 10
_DOCUMENT_MAX: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLimits:
    """What an operator allows before a job starts.

    Attributes:
        length: jobs that wait.
        wait_ms: time that a job waits for its turn while a program that would run it runs.
        module_bytes: of a module.
        stdin_bytes: of a standard input whose size is known before the start.
    """

    length: int = 1000
    wait_ms: int = 3_600_000
    module_bytes: int = JOB_CAPS.size
    stdin_bytes: int = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """On what terms a job waits.

    Attributes:
        detached: it waits in the store, and nobody for its end.
        priority: -10 to 10, a greater one first.
        retries: how often it may be started again when its worker was lost.
        attempt: how often it was.
        expires_ms: wall time after which it is not started; None for never.
        keep_output: both streams are kept by hash.

    Raises:
        UsageError: a number out of its bounds.
    """

    detached: bool = False
    priority: int = 0
    retries: int = 0
    attempt: int = 0
    expires_ms: int | None = None
    keep_output: bool = False

    def __post_init__(self) -> None:
        """Checks the numbers."""
        if not -PRIORITY_MAX <= self.priority <= PRIORITY_MAX:
            raise UsageError(f"{self.priority} is outside -{PRIORITY_MAX} to {PRIORITY_MAX}", where="priority")
        if not 0 <= self.retries <= RETRIES_MAX:
            raise UsageError(f"{self.retries} is outside 0 to {RETRIES_MAX}", where="retries")


NOW: Final = Terms()
"""Those of a job whose end somebody waits for."""


@dataclass(frozen=True, slots=True)
class Queued:
    """A job of the queue, as it is stored.

    Attributes:
        manifest: signed; what is stored was checked when it was taken in.
        request: what is to be run.
        terms: how it waits.
    """

    manifest: Manifest
    request: JobRequest
    terms: Terms


_COLUMNS: Final = Columns(
    "jobs",
    {
        "job": str,
        "name": str,
        "submitter": str,
        "manifest": str,
        "limits": str,
        "priority": int,
        "retries": int,
        "attempt": int,
        "expires_ms": int,
        "keep_output": int,
    },
    optional=frozenset({"expires_ms"}),
)


def queued_jobs(db: sqlite3.Connection, job: str = "") -> tuple[list[Queued], list[RowDamagedError]]:
    """The jobs of the queue, the next to run first, and what is wrong with those that cannot be read.

    Args:
        db: the store.
        job: only the one with this id, in whatever state.
    """
    where = "job = ?" if job else "detached = 1 AND state = 'queued' AND ? = ''"
    sql = f"SELECT {_COLUMNS.names} FROM jobs WHERE {where} ORDER BY priority DESC, number"  # noqa: S608 - constants
    found, damaged = [], []
    for row in db.execute(sql, (job,)):
        try:
            found.append(_queued(_COLUMNS.checked(row)))
        except RowDamagedError as error:
            damaged.append(error)
        except (RefusedError, UsageError) as error:
            damaged.append(_COLUMNS.damaged(row, error.why))
    return found, damaged


def _queued(row: Sequence[str | int | None]) -> Queued:
    job, name, submitter, manifest, limits, priority, retries, attempt, expires_ms, keep = row
    document, bounds = (_object(text) for text in (manifest, limits))
    read = Manifest(document, str(job), str(document.get("signer_pubkey", "")), str(manifest).encode())
    request = request_of(read, name=str(name), submitter=str(submitter), limits=JobLimits.read(bounds))
    terms = Terms(
        detached=True,
        priority=int(priority or 0),
        retries=int(retries or 0),
        attempt=int(attempt or 0),
        expires_ms=expires_ms if isinstance(expires_ms, int) else None,
        keep_output=bool(keep),
    )
    return Queued(read, request, terms)


def _object(text: object) -> Mapping[str, Json]:
    value = decode(str(text).encode(), limit=_DOCUMENT_MAX)
    if not isinstance(value, dict):
        raise RefusedError("not a JSON object")
    return value


def request_of(manifest: Manifest, *, name: str, submitter: str, limits: JobLimits) -> JobRequest:
    """What a signed manifest asks for.

    Args:
        manifest: checked.
        name: what the job is called where the manifest does not say it.
        submitter: whose job it is.
        limits: in force.

    Raises:
        UsageError: texts that no guest can be given.
    """
    own = manifest.extension
    first, *args = _texts(own.get("argv")) or (name,)
    return JobRequest(
        name=first,
        args=tuple(args),
        env=_texts(own.get("env")),
        dirs=tuple(_grant(text) for text in _texts(own.get("dirs"))),
        limits=limits,
        submitter=submitter,
        deterministic=own.get("deterministic") is True,
    )


def _texts(value: Json) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, list) else ()


def _grant(text: str) -> DirGrant:
    guest, _, mode = text.rpartition(":")
    return DirGrant(guest, writable=mode == "rw")
