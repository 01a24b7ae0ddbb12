"""How long jobs are remembered: by age with all that belongs to them, their output also by size. Receipts stay.

Only what has ended goes, a few jobs at a time, so that no writer waits long. Blocking.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from runtime.blob_references import collect, release
from runtime.blobs import Blobs
from runtime.events import JobPruned
from runtime.jobs.records import UNFINISHED
from runtime.store import Store, Transaction

__all__ = ["Pruned", "prune_jobs"]

_STEP: Final = 100
_DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class Pruned:
    """What went.

    Attributes:
        jobs: rows of jobs.
        outputs: files of output, also of jobs whose rows stay.
        size: bytes of those files, and of content that nobody needs any more.
    """

    jobs: int
    outputs: int
    size: int


def prune_jobs(store: Store, output: Path, blobs: Blobs, *, days: int, max_bytes: int) -> Pruned:
    """Removes jobs that ended long ago, the oldest output above a size, and content without a reference.

    Args:
        store: whose jobs they are.
        output: the folder of their output files.
        blobs: the content store.
        days: for which a job is kept once it has ended.
        max_bytes: of all output files together.

    Raises:
        UnavailableError: the database cannot be read or written; what was removed by then stays removed.
    """
    before_ms = store.clock.wall_ms() - days * _DAY_MS
    jobs = 0
    while gone := store.write(lambda tx: _forget(tx, before_ms), urgent=False).result():
        jobs += gone
    outputs, size = _outputs(store, output, max_bytes)
    collected = collect(store, blobs)
    pruned = Pruned(jobs, outputs, size + collected.size)
    if pruned.jobs or pruned.outputs:
        store.emit(JobPruned(jobs=pruned.jobs, outputs=pruned.outputs, bytes=pruned.size))
    return pruned


def _forget(tx: Transaction, before_ms: int) -> int:
    marks = ",".join("?" * len(UNFINISHED))
    sql = f"SELECT job FROM jobs WHERE ended_ms < ? AND state NOT IN ({marks}) LIMIT {_STEP}"  # noqa: S608 - marks
    rows = tx.rows(sql, (before_ms, *UNFINISHED))
    for (job,) in rows:
        release(tx, str(job))
        tx.execute("DELETE FROM jobs WHERE job = ?", (job,))
    return len(rows)


def _outputs(store: Store, output: Path, max_bytes: int) -> tuple[int, int]:
    """Removes files without a job, then those of the jobs that ended first, until the rest is small enough."""
    files = dict(_sizes(output))  # before the rows are read: a job's row is there before its file
    ended = {
        str(job): None if ended_ms is None else int(ended_ms)
        for job, ended_ms in store.read_now(lambda db: db.execute("SELECT job, ended_ms FROM jobs").fetchall())
    }
    excess = sum(files.values()) - max_bytes
    count = size = 0
    oldest = sorted((ended_ms, job) for job in files if (ended_ms := ended.get(job)) is not None)
    for job in [*(job for job in files if job not in ended), *(job for _, job in oldest)]:
        if job in ended and excess <= 0:
            break
        with contextlib.suppress(OSError):
            (output / job).unlink()
            count, size, excess = count + 1, size + files[job], excess - files[job]
    return count, size


def _sizes(output: Path) -> Iterator[tuple[str, int]]:
    with contextlib.suppress(OSError):
        for path in output.iterdir():
            with contextlib.suppress(OSError):
                yield path.name, path.lstat().st_size
