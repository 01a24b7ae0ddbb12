"""Receipts: written, signed and chained inside the transaction that stores them, so that no place is given twice.

A receipt exists for others only after its commit. Its place in the chain of this key (number and predecessor) is read
in the same transaction, under SQLite's write lock, by whichever process stores it.
"""

import asyncio
import hashlib
import json
import platform
import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from runtime.canonical import CanonicalError, Json, decode, encode, timestamp
from runtime.errors import NotFoundError, RefusedError, UnavailableError
from runtime.events import ChainBroken, ReceiptIssued, ReceiptVerified
from runtime.identity import Identity
from runtime.jobs.commitment import Commitment
from runtime.jobs.ending import COMPLETIONS, JobOutcome, Usage
from runtime.jobs.output import OutputRefusedError, read_stream
from runtime.jobs.receipt_form import DOMAIN, FIRST_PREVIOUS, message, read_receipt
from runtime.jobs.references import resolve
from runtime.jobs.spec import JobLimits
from runtime.jobs.verify import Evidence, Verification, verify
from runtime.sandbox.engine import ENGINE
from runtime.store import Store, Transaction

__all__ = ["Issued", "ReceiptRecord", "Receipts", "Statement", "sign_receipt"]

_PAGE: Final = 500
_SIZE_MAX: Final = 262_144


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What a receipt says of a run, before it has its place in the chain.

    Attributes:
        job: the job's id.
        module: the module's hash, `sha256:` and 64 hexadecimal characters.
        nonce: that of the manifest.
        argv: as in the manifest, and likewise `env` and `dirs`.
        env: see `argv`.
        dirs: see `argv`.
        stdin_sha256: of the bytes that were given; None when that is not known.
        limits: the bounds that were in force.
        outcome: how it ended.
        exit_code: what `jobs run` returns.
        guest_exit_code: the guest's own number, where it is another.
        usage: what it used.
        commitment: over its output.
        completed_ms: wall time of the end.
    """

    job: str
    module: str
    nonce: str
    argv: tuple[str, ...]
    env: tuple[str, ...]
    dirs: tuple[str, ...]
    stdin_sha256: str | None
    limits: JobLimits
    outcome: JobOutcome
    exit_code: int
    guest_exit_code: int | None
    usage: Usage
    commitment: Commitment
    completed_ms: int

    def entries(self, number: int, previous: str) -> dict[str, str]:
        """The entries of `metrics.extra`: text only; what is not known is left out."""
        known: dict[str, object | None] = {
            "exit_code": self.exit_code,
            "module_hash": self.module,
            "orlop.outcome": self.outcome,
            "orlop.seq": number,
            "orlop.prev": previous,
            "orlop.nonce": self.nonce,
            "orlop.fuel_used": self.usage.fuel,
            "orlop.engine": ENGINE,
            "orlop.limits": encode(self.limits.document()).decode(),
            "orlop.environment": self._environment(),
            "orlop.stdin_sha256": self.stdin_sha256,
            "orlop.argv_sha256": _list_hash(self.argv),
            "orlop.env_sha256": _list_hash(self.env),
            "orlop.dirs_sha256": _list_hash(self.dirs),
        }
        return {name: str(value) for name, value in known.items() if value is not None}

    def _environment(self) -> str:
        """Where it ran, and what has no entry of its own: the peak of memory, and the guest's number above 255."""
        known: dict[str, Json] = {
            "arch": platform.machine(),
            "os": platform.system().lower(),
            "memory_peak_bytes": self.usage.memory_peak_bytes,
            "guest_exit_code": self.guest_exit_code,
        }
        return encode({name: value for name, value in known.items() if value is not None}).decode()


def _list_hash(items: Sequence[str]) -> str:
    return hashlib.sha256(encode(list(items))).hexdigest()


def sign_receipt(identity: Identity, statement: Statement, number: int, previous: str) -> dict[str, Json]:
    """Writes and signs a receipt.

    Args:
        identity: the worker's.
        statement: what it says.
        number: its place in this key's chain, from 0.
        previous: the id of the receipt before it, 64 zeros for the first.

    Returns:
        The envelope.
    """
    signed: dict[str, Json] = {
        "schema_version": 1,
        "job_id": statement.job,
        "completed_at": timestamp(statement.completed_ms),
        "result": {
            "job_spec_hash": list(bytes.fromhex(statement.job)),
            "output_commitment": list(statement.commitment.digest),
            "output_chunk_count": statement.commitment.count,
            "completion": COMPLETIONS[statement.outcome],
            "resumption": None,
            "metrics": {
                "total_duration_ms": statement.usage.wall_ms,
                "prompt_tokens": 0,
                "completion_tokens": 0,
                "extra": statement.entries(number, previous),
            },
        },
    }
    signature = identity.sign(DOMAIN, message(signed)).hex()
    return signed | {"worker_pubkey": identity.public_hex, "signature": signature}


@dataclass(frozen=True, slots=True)
class Issued:
    """A receipt that was stored: its id and the document."""

    receipt: str
    document: dict[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptRecord:
    """A stored receipt without its document; the fields are those of the listing."""

    receipt: str
    number: int
    job: str
    worker: str
    own: bool
    exit_code: int
    outcome: str
    previous: str
    issued_ms: int
    verdict: str


_COLUMNS: Final = "receipt, number, job, worker, own, exit_code, outcome, previous, issued_ms, verdict"


def _record(row: Sequence[object]) -> ReceiptRecord:
    names = ReceiptRecord.__slots__
    return ReceiptRecord(**dict(zip(names, row, strict=True)) | {"own": bool(row[4])})  # type: ignore[arg-type]


class Receipts:
    """The receipts that this node signed or holds.

    Args:
        store: where they lie.
        identity: signs, and knows which keys are this node's own.
        output: the folder of the jobs' output files; without it the commitment of a stored receipt is not checked.
    """

    def __init__(self, store: Store, identity: Identity, output: Path | None = None) -> None:
        self._store = store
        self._identity = identity
        self._output = output

    def issue(self, tx: Transaction, statement: Statement) -> Issued:
        """Signs and stores the next receipt of this key; part of the caller's transaction.

        Args:
            tx: holds the write lock, so that nobody else takes the same place.
            statement: what the receipt says.
        """
        worker = self._identity.public_hex
        last = tx.one("SELECT number, receipt FROM receipts WHERE worker = ? ORDER BY number DESC LIMIT 1", (worker,))
        number, previous = (int(last[0]) + 1, str(last[1])) if last else (0, FIRST_PREVIOUS)
        document = sign_receipt(self._identity, statement, number, previous)
        receipt = hashlib.sha256(DOMAIN + message(document)).hexdigest()
        tx.execute(
            f"INSERT INTO receipts ({_COLUMNS}, document) VALUES (?, ?, ?, ?, 1, ?, ?, ?, ?, '', ?)",  # noqa: S608 - constant columns
            (
                receipt,
                number,
                statement.job,
                worker,
                statement.exit_code,
                statement.outcome,
                previous,
                statement.completed_ms,
                encode(document).decode(),
            ),
        )
        tx.emit(
            ReceiptIssued(
                receipt=receipt,
                job=statement.job,
                worker=worker,
                number=number,
                exit_code=statement.exit_code,
                outcome=statement.outcome,
                previous=previous,
            )
        )
        return Issued(receipt, document)

    async def rows(self, limit: int = 1000) -> list[ReceiptRecord]:
        """Stored receipts, newest first."""

        def query(db: sqlite3.Connection) -> list[ReceiptRecord]:
            sql = f"SELECT {_COLUMNS} FROM receipts ORDER BY issued_ms DESC, number DESC LIMIT ?"  # noqa: S608 - constant columns
            return [_record(row) for row in db.execute(sql, (limit,))]

        return await asyncio.wrap_future(self._store.read(query))

    async def document(self, ref: str) -> dict[str, Json]:
        """The receipt itself.

        Args:
            ref: its id, or a unique prefix of at least four characters.

        Raises:
            NotFoundError: there is none, or only its place in the chain was kept.
            AmbiguousError: the prefix fits several.
            RefusedError: what is stored of it is damaged.
        """
        raw = await asyncio.wrap_future(self._store.read(lambda db: _stored(db, ref)))
        try:
            document = decode(raw, limit=_SIZE_MAX)
        except CanonicalError as error:
            why = f"its stored document is damaged: {error.why}"
            raise RefusedError(why, where=f"receipt {ref[:16]}", hint="put the database back from a copy") from None
        return dict(document) if isinstance(document, Mapping) else {}

    async def documents(self, refs: Sequence[str] = ()) -> AsyncIterator[bytes]:
        """Receipts as lines of canonical JSON, each with its line end.

        Args:
            refs: which; without any, all that are kept, in the order of their chains.

        Yields:
            One line each.

        Raises:
            NotFoundError: as `document`.
            AmbiguousError: as `document`.
        """
        for ref in refs:
            yield await asyncio.wrap_future(self._store.read(partial(_stored, ref=ref))) + b"\n"
        after: tuple[str, int] | None = None if refs else ("", -1)
        while after is not None:
            page = await asyncio.wrap_future(self._store.read(partial(_page, after=after)))
            for _, _, text in page:
                yield text.encode() + b"\n"
            after = page[-1][:2] if page else None

    async def verify(
        self, ref: str, evidence: Evidence | None = None, *, raw: bytes | None = None, keep: bool = True
    ) -> Verification:
        """Verifies a receipt against what was given and what is stored here.

        Args:
            ref: names a stored receipt; ignored with `raw`.
            evidence: what the operator gave; this node's keys, manifests, outputs and chain fill what is missing.
            raw: the receipt itself, when it is not a stored one.
            keep: remember and tell the verdict of a stored receipt.

        Raises:
            NotFoundError: as `document`.
            AmbiguousError: as `document`.
        """
        given = evidence or Evidence()

        def query(db: sqlite3.Connection) -> tuple[str, Verification]:
            receipt = resolve(db, "receipts", ref) if raw is None else ""
            text = _stored(db, receipt) if raw is None else raw
            return receipt, verify(text, self._filled(db, text, given))

        receipt, verification = await asyncio.wrap_future(self._store.read(query))
        if keep and receipt:
            await asyncio.wrap_future(self._store.write(lambda tx: _keep_verdict(tx, receipt, verification)))
        return verification

    def _filled(self, db: sqlite3.Connection, raw: bytes, given: Evidence) -> Evidence:
        """The evidence with what this node knows."""

        def chain(worker: str, number: int) -> str | None:
            sql = "SELECT receipt FROM receipts WHERE worker = ? AND number = ?"
            row = db.execute(sql, (worker, number)).fetchone()
            return None if row is None else str(row[0])

        filled = replace(
            given,
            accepts=lambda key: self._identity.is_own(key) or given.accepts(key),
            chain=lambda worker, number: given.chain(worker, number) or chain(worker, number),
        )
        try:
            job = read_receipt(raw).job
        except RefusedError:
            return filled
        if filled.manifest is None:
            row = db.execute("SELECT manifest FROM jobs WHERE job = ?", (job,)).fetchone()
            if row is not None and row[0]:
                filled = replace(filled, manifest=str(row[0]).encode())
        if filled.stdout is None and filled.stderr is None and self._output is not None:
            filled = _with_output(filled, self._output / job, db, job)
        return filled


def _with_output(evidence: Evidence, path: Path, db: sqlite3.Connection, job: str) -> Evidence:
    """The streams as they were kept; a job that wrote nothing has no file."""
    row = db.execute("SELECT usage FROM jobs WHERE job = ?", (job,)).fetchone()
    if row is None:
        return evidence
    try:
        stdout, stderr = read_stream(path, "stdout"), read_stream(path, "stderr")
    except (OutputRefusedError, UnavailableError):
        return evidence
    usage = json.loads(row[0] or "{}")
    complete = usage.get("stdout_bytes") == len(stdout) and usage.get("stderr_bytes") == len(stderr)
    return replace(evidence, stdout=stdout, stderr=stderr) if complete else evidence


def _stored(db: sqlite3.Connection, ref: str) -> bytes:
    receipt = resolve(db, "receipts", ref)
    row = db.execute("SELECT document FROM receipts WHERE receipt = ?", (receipt,)).fetchone()
    if row is None or row[0] is None:
        raise NotFoundError("only its place in the chain was kept", where=f"receipt {receipt[:16]}")
    return str(row[0]).encode()


def _page(db: sqlite3.Connection, after: tuple[str, int]) -> list[tuple[str, int, str]]:
    sql = (
        "SELECT worker, number, document FROM receipts WHERE document IS NOT NULL AND (worker, number) > (?, ?)"
        " ORDER BY worker, number LIMIT ?"
    )
    return db.execute(sql, (*after, _PAGE)).fetchall()


def _keep_verdict(tx: Transaction, receipt: str, verification: Verification) -> None:
    tx.execute("UPDATE receipts SET verdict = ? WHERE receipt = ?", (verification.verdict, receipt))
    tx.emit(ReceiptVerified(receipt=receipt, verdict=verification.verdict, steps=verification.steps))
    if any(step.name == "chain" and step.ok is False for step in verification.steps):
        row = tx.one("SELECT worker, number, previous FROM receipts WHERE receipt = ?", (receipt,))
        worker, number, previous = row or ("", 0, "")
        before = tx.one("SELECT receipt FROM receipts WHERE worker = ? AND number = ?", (worker, int(number) - 1))
        expected = str(before[0]) if before else FIRST_PREVIOUS
        tx.emit(ChainBroken(worker=str(worker), at=int(number), expected=expected, got=str(previous)))
