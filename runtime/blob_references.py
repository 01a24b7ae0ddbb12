"""Who needs which content: rows of `job_blobs`, and the collection of what no row leads to.

A reference is made in the transaction that makes it true. What was put or claimed stays for an hour without one.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

from runtime.blob_trees import read_tree
from runtime.blobs import GRACE_MS, Blob, Blobs
from runtime.errors import OrlopError
from runtime.store import Store, Transaction

__all__ = ["TREE", "Collected", "collect", "refer", "references", "release"]

TREE: Final = "dir:"
"""What the role of a directory begins with; the guest's path follows, and the hash is that of a tree's listing."""

_STEP: Final = 64


class _Connection(Protocol):
    """A transaction of the store, or a connection of its readers."""

    def execute(self, sql: str, params: Sequence[str | int | float | bytes | None] = ..., /) -> sqlite3.Cursor: ...


@dataclass(frozen=True, slots=True)
class Collected:
    """What a collection removed.

    Attributes:
        blobs: how many.
        size: their bytes together.
    """

    blobs: int
    size: int


def refer(transaction: Transaction, job: str, role: str, blob: Blob) -> None:
    """Says that a job needs content, from the transaction's commit on.

    Args:
        transaction: the one that stores the job.
        job: its id.
        role: `module`, `stdin`, `stdout`, `stderr`, or `dir:` and a guest path, with a tree's listing.
        blob: put or claimed less than an hour ago.
    """
    sql = "INSERT INTO blobs VALUES (?, ?, ?) ON CONFLICT (hash) DO UPDATE SET created_ms = excluded.created_ms"
    transaction.execute(sql, (blob.hash, blob.size, transaction.now_ms))
    sql = "INSERT INTO job_blobs VALUES (?, ?, ?) ON CONFLICT (job, role) DO UPDATE SET hash = excluded.hash"
    transaction.execute(sql, (job, role, blob.hash))


def release(transaction: Transaction, job: str) -> None:
    """Forgets what a job needed; the next collection takes it away unless another job needs it."""
    transaction.execute("DELETE FROM job_blobs WHERE job = ?", (job,))


def references(connection: _Connection, job: str) -> dict[str, Blob]:
    """What a job needs, by role.

    Args:
        connection: a transaction or a reader.
        job: its id.
    """
    sql = "SELECT role, hash, size FROM job_blobs JOIN blobs USING (hash) WHERE job = ? ORDER BY role"
    return {str(role): Blob(str(digest), int(size)) for role, digest, size in connection.execute(sql, (job,))}


def collect(store: Store, blobs: Blobs) -> Collected:
    """Removes content that no job needs any more, a few at a time, so that no writer waits long. Blocks.

    Args:
        store: its jobs decide.
        blobs: what is collected.

    Returns:
        What was removed.

    Raises:
        UnavailableError: the database could not be read or written; what was removed by then stays removed.
    """
    before_ms = store.clock.wall_ms() - GRACE_MS
    old = blobs.older_than(before_ms)
    inside = _inside_trees(blobs, store.read_now(_trees))
    old = [digest for digest in old if digest not in inside]
    count = size = 0
    for start in range(0, len(old), _STEP):
        step = old[start : start + _STEP]
        condemn = partial(_condemn, blobs=blobs, digests=step, before_ms=before_ms)
        sizes = store.write(condemn, urgent=False).result()
        count += len(sizes)
        size += sum(sizes)
        blobs.sweep(before_ms)
    blobs.sweep(before_ms)
    store.write(lambda work: _forget(work, before_ms), urgent=False).result()
    return Collected(count, size)


def _trees(connection: sqlite3.Connection) -> list[str]:
    sql = f"SELECT DISTINCT hash FROM job_blobs WHERE role GLOB '{TREE}*'"  # noqa: S608 - a constant
    return [str(row[0]) for row in connection.execute(sql)]


def _inside_trees(blobs: Blobs, trees: list[str]) -> set[str]:
    """The files of trees; of one that cannot be read nothing can be of use any more."""
    found: set[str] = set()
    for tree in trees:
        try:
            found.update(entry.blob.hash for entry in read_tree(blobs, tree) if entry.blob is not None)
        except OrlopError:
            continue
    return found


def _condemn(transaction: Transaction, blobs: Blobs, digests: list[str], before_ms: int) -> list[int]:
    """Takes what nobody refers to out of the store, while nobody can begin to: the transaction holds the write lock."""
    marks = ",".join("?" * len(digests))
    rows = transaction.rows(f"SELECT DISTINCT hash FROM job_blobs WHERE hash IN ({marks})", digests)  # noqa: S608 - marks
    needed = {str(row[0]) for row in rows}
    sizes = [blobs.condemn(digest, before_ms) for digest in digests if digest not in needed]
    return [size for size in sizes if size is not None]


def _forget(transaction: Transaction, before_ms: int) -> None:
    sql = "DELETE FROM blobs WHERE created_ms < ? AND NOT EXISTS (SELECT 1 FROM job_blobs j WHERE j.hash = blobs.hash)"
    transaction.execute(sql, (before_ms,))
