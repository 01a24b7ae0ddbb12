"""What is kept of a job after its end, and while it runs: its record, its signed manifest and its output."""

import asyncio
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from runtime.canonical import CanonicalError, Json, decode
from runtime.errors import RefusedError
from runtime.jobs.output import read_stream
from runtime.jobs.references import resolve
from runtime.jobs.rows import JobRecord, job_rows, job_text, kept_output
from runtime.store import Store

__all__ = ["JobOutputs", "output_of", "record_of"]

_MANIFEST_MAX: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class JobOutputs:
    """What was kept of a job's output.

    Attributes:
        job: its id.
        stdout: bytes, up to the limit.
        stderr: bytes, up to the limit.
        truncated: something that the guest wrote is missing.
        lacking: bytes that are on record as kept and are not there: the file was deleted or cut, or the disk was full.
    """

    job: str
    stdout: bytes
    stderr: bytes
    truncated: bool
    lacking: int = 0


async def record_of(store: Store, ref: str) -> tuple[JobRecord, dict[str, Json]]:
    """A job, and its signed manifest.

    Args:
        store: holds it.
        ref: names it.

    Raises:
        NotFoundError: there is no such job.
        AmbiguousError: the name fits several.
        RefusedError: what is stored of it is damaged.
    """

    def query(db: sqlite3.Connection) -> tuple[JobRecord, bytes]:
        job = resolve(db, "jobs", ref)
        return job_rows(db, job=job)[0], job_text(db, "manifest", job).encode()

    record, raw = await asyncio.wrap_future(store.read(query))
    try:
        manifest = decode(raw, limit=_MANIFEST_MAX)
    except CanonicalError as error:
        why = f"its stored manifest is damaged: {error.why}"
        raise RefusedError(why, where=f"job {record.job[:16]}", hint="put the database back from a copy") from None
    return record, dict(manifest) if isinstance(manifest, Mapping) else {}


async def output_of(store: Store, folder: Path, ref: str) -> JobOutputs:
    """What was kept of a job's output, also while it runs.

    Args:
        store: holds the job.
        folder: holds the files of output.
        ref: names the job.

    Raises:
        NotFoundError: there is no such job.
        AmbiguousError: the name fits several.
        RefusedError: the file of its output is damaged.
        UnavailableError: it cannot be read.
    """
    kept = await asyncio.wrap_future(store.read(lambda db: kept_output(db, resolve(db, "jobs", ref))))
    path = folder / kept.job
    stdout = await asyncio.to_thread(read_stream, path, "stdout")
    stderr = await asyncio.to_thread(read_stream, path, "stderr")
    lacking = max(0, kept.size - len(stdout) - len(stderr))
    return JobOutputs(kept.job, stdout, stderr, kept.truncated or lacking > 0, lacking)
