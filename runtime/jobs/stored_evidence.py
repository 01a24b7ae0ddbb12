"""What this node itself knows to check a receipt by: its keys, chains, manifests, and what jobs wrote."""

import contextlib
import json
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from runtime.blob_references import references
from runtime.blobs import Blobs
from runtime.errors import OrlopError, RefusedError
from runtime.identity import Identity
from runtime.jobs import receipt_rows
from runtime.jobs.evidence import Evidence
from runtime.jobs.output import read_stream
from runtime.jobs.receipt_form import read_receipt
from runtime.statedir import StateDir

__all__ = ["StoredEvidence"]


class StoredEvidence:
    """Fills what is missing.

    Args:
        identity: knows which keys are this node's own.
        state: where the output of jobs is kept; None for nowhere.
        believed: whether the receipts of another's key are believed, such as a trusted peer's.
    """

    def __init__(
        self, identity: Identity, state: StateDir | None, believed: Callable[[sqlite3.Connection, str], bool]
    ) -> None:
        self._identity = identity
        self._state = state
        self._believed = believed

    def filled(self, db: sqlite3.Connection, raw: bytes, given: Evidence) -> Evidence:
        """The evidence with what this node knows.

        Args:
            db: of the store.
            raw: the receipt that is checked, or what is taken for one.
            given: what somebody gave; it goes before what is stored.
        """

        def chain(worker: str, number: int) -> str | None:
            sql = "SELECT receipt FROM receipts WHERE worker = ? AND number = ?"
            row = db.execute(sql, (worker, number)).fetchone()
            return None if row is None else str(row[0])

        def number(worker: str, receipt: str) -> int | None:
            sql = "SELECT number FROM receipts WHERE worker = ? AND receipt = ?"
            row = db.execute(sql, (worker, receipt)).fetchone()
            return None if row is None else int(row[0])

        filled = replace(
            given,
            accepts=lambda key: self._identity.is_own(key) or given.accepts(key) or self._believed(db, key),
            chain=lambda worker, place: given.chain(worker, place) or chain(worker, place),
            number=number,
        )
        job = _job_of(raw)
        if job is None:
            return filled
        if filled.manifest is None:
            filled = replace(filled, manifest=receipt_rows.manifest_of(db, job))
        if filled.stdout is None and filled.stderr is None and self._state is not None:
            filled = _with_output(filled, self._state, db, job)
        return filled


def _job_of(raw: bytes) -> str | None:
    with contextlib.suppress(RefusedError):
        return read_receipt(raw).job
    return None


def _with_output(evidence: Evidence, state: StateDir, db: sqlite3.Connection, job: str) -> Evidence:
    """The streams as they were kept, in the job's file or by hash; a job that wrote nothing has no file."""
    row = db.execute("SELECT usage FROM jobs WHERE job = ?", (job,)).fetchone()
    if row is None:
        return evidence
    usage = json.loads(row[0] or "{}")
    for kept in (partial(_in_file, state.output / job), partial(_by_hash, Blobs(state.blobs), db, job)):
        with contextlib.suppress(OrlopError):
            stdout, stderr = kept()
            if usage.get("stdout_bytes") == len(stdout) and usage.get("stderr_bytes") == len(stderr):
                return replace(evidence, stdout=stdout, stderr=stderr)
    return evidence


def _in_file(path: Path) -> tuple[bytes, bytes]:
    return read_stream(path, "stdout"), read_stream(path, "stderr")


def _by_hash(blobs: Blobs, db: sqlite3.Connection, job: str) -> tuple[bytes, bytes]:
    roles = references(db, job)
    stdout, stderr = (
        blobs.read(roles[name].hash, limit=roles[name].size) if name in roles else b"" for name in ("stdout", "stderr")
    )
    return stdout, stderr
