"""Receipts: written, signed and chained inside the transaction that stores them, so that no place is given twice.

A receipt exists for others only after its commit. Its place in the chain of this key (number and predecessor) is read
in the same transaction, under SQLite's write lock, by whichever process stores it.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from runtime.booted import Claims
from runtime.canonical import CanonicalError, Json, decode
from runtime.errors import NotFoundError, RefusedError
from runtime.events import ChainBroken, ReceiptIssued, ReceiptVerified
from runtime.identity import Identity
from runtime.jobs import receipt_rows
from runtime.jobs.attestation import attest
from runtime.jobs.bundle import make_bundle
from runtime.jobs.chain import ChainReport, ChainWalk
from runtime.jobs.evidence import Evidence
from runtime.jobs.legacy import legacy_receipt
from runtime.jobs.manifest import new_nonce, sign_payload
from runtime.jobs.receipt_form import (
    FIRST_PREVIOUS,
    RESTORED,
    RESTORED_STEP,
    SIZE_MAX,
    Receipt,
)
from runtime.jobs.receipt_rows import ReceiptFilter, ReceiptRecord
from runtime.jobs.references import resolve
from runtime.jobs.statement import Statement, sign_receipt, sign_restored
from runtime.jobs.stored_evidence import StoredEvidence
from runtime.jobs.verify import Verification, verify
from runtime.keys import KeyStatement, statements
from runtime.sanitise import clean
from runtime.statedir import StateDir
from runtime.store import Store, Transaction

__all__ = ["Issued", "Proof", "Receipts"]

T = TypeVar("T")

_COPY: Final = "put the database back from a copy"
_BYTE_DIGITS: Final = 3


@dataclass(frozen=True, slots=True)
class Issued:
    """A receipt that was stored: its id and the document."""

    receipt: str
    document: dict[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A stored receipt with what else is here of its run.

    Attributes:
        document: the receipt.
        manifest: the signed manifest, when it is still here.
        statements: those of this node's keys.
        outputs: stdout and stderr, when all that was written is still here.
    """

    document: Mapping[str, Json]
    manifest: Mapping[str, Json] | None
    statements: tuple[KeyStatement, ...]
    outputs: tuple[bytes, bytes] | None = None

    def bundle(self) -> dict[str, Json]:
        """The proof bundle."""
        return make_bundle(self.document, manifest=self.manifest, statements=self.statements, outputs=self.outputs)


class Receipts:
    """The receipts that this node signed or holds.

    Args:
        store: where they lie.
        identity: signs, and knows which keys are this node's own.
        state: where the output of jobs is kept; without it the commitment of a stored receipt is not checked.
        believed: whether the receipts of another's key are believed, such as a trusted peer's.
        claims: what receipts that are signed here say of the machine.
    """

    def __init__(
        self,
        store: Store,
        identity: Identity,
        state: StateDir | None = None,
        *,
        believed: Callable[[sqlite3.Connection, str], bool] = lambda _db, _key: False,
        claims: Claims = (),
    ) -> None:
        self._claims = claims
        self._believed = believed
        self._store = store
        self._identity = identity
        self._known = StoredEvidence(identity, state, believed)

    # --- writing ------------------------------------------------------------------------------------------------------

    def issue(self, tx: Transaction, statement: Statement) -> Issued:
        """Signs and stores the next receipt of this key; part of the caller's transaction.

        Args:
            tx: holds the write lock, so that nobody else takes the same place.
            statement: what the receipt says.
        """
        last, previous = receipt_rows.last_place(tx, self._identity.public_hex)
        signed = sign_receipt(self._identity, statement, last + 1, previous, self._claims)
        record = ReceiptRecord(
            receipt=signed.id,
            number=last + 1,
            job=statement.job,
            worker=self._identity.public_hex,
            own=True,
            exit_code=statement.exit_code,
            outcome=statement.outcome,
            previous=previous,
            issued_ms=statement.completed_ms,
            verdict="",
        )
        self._keep(tx, record, signed.canonical)
        return Issued(signed.id, signed.document)

    def issue_restored(self, tx: Transaction, *, backup_sha256: str) -> Issued:
        """Signs and stores the entry of the chain that says that this node was restored from a backup.

        Its number is that of the last receipt of the backup and 2^32, or the time in milliseconds if that is more: so
        no receipt that was signed after the backup was made shares a number with a later one, also when the same
        backup is restored again. Numbers are left out nowhere else.

        Args:
            tx: of the restored store; nothing was issued in it since.
            backup_sha256: of the backup's file, 64 hexadecimal characters.
        """
        last, previous = receipt_rows.last_place(tx, self._identity.public_hex)
        payload: dict[str, Json] = {
            "kind": "orlop-restore", "backup_sha256": backup_sha256, "orlop": {"nonce": new_nonce()},
        }  # fmt: skip
        manifest = sign_payload(self._identity, payload, created_ms=tx.now_ms)
        number = max(last + RESTORED_STEP, tx.now_ms)
        signed = sign_restored(self._identity, manifest, number, previous, tx.now_ms)
        record = ReceiptRecord(
            receipt=signed.id,
            number=number,
            job=manifest.job,
            worker=self._identity.public_hex,
            own=True,
            exit_code=0,
            outcome=RESTORED,
            previous=previous,
            issued_ms=tx.now_ms,
            verdict="",
        )
        self._keep(tx, record, signed.canonical, manifest.canonical)
        return Issued(signed.id, signed.document)

    def keep_foreign(self, tx: Transaction, receipt: Receipt, verification: Verification) -> str:
        """Stores a receipt of another node that was found valid; part of the caller's transaction.

        A receipt whose place in its chain another one has is not stored: the first that came stays.

        Args:
            tx: holds the write lock.
            receipt: it.
            verification: what was found.

        Returns:
            Its id; empty when it is not stored.
        """
        place = receipt.place
        if place is None or self._identity.is_own(receipt.worker):
            return ""
        known = tx.one("SELECT receipt FROM receipts WHERE worker = ? AND number = ?", (receipt.worker, place.number))
        if known is not None:
            return receipt.id if known[0] == receipt.id else ""
        record = ReceiptRecord(
            receipt=receipt.id,
            number=place.number,
            job=receipt.job,
            worker=receipt.worker,
            own=False,
            exit_code=_whole(receipt.extra.get("exit_code")),
            outcome=clean(receipt.extra.get("orlop.outcome", ""), 20),
            previous=place.previous,
            issued_ms=tx.now_ms,
            verdict=verification.verdict,
        )
        self._keep(tx, record, receipt.canonical)
        tx.emit(ReceiptVerified(receipt=receipt.id, verdict=verification.verdict, steps=verification.steps))
        return receipt.id

    def _keep(self, tx: Transaction, record: ReceiptRecord, canonical: bytes, manifest: bytes = b"") -> None:
        receipt_rows.insert(tx, record, canonical, manifest)
        tx.emit(
            ReceiptIssued(
                receipt=record.receipt,
                job=record.job,
                worker=record.worker,
                number=record.number,
                exit_code=record.exit_code,
                outcome=record.outcome,
                previous=record.previous,
                own=record.own,
            )
        )

    async def prune(self, keep: int) -> int:
        """Gives up the documents of all but the newest receipts; their places in the chains stay.

        Args:
            keep: of how many the document stays.

        Returns:
            How many documents went.
        """
        gone = 0
        while went := await asyncio.wrap_future(
            self._store.write(lambda tx: receipt_rows.prune(tx, keep), urgent=False)
        ):
            gone += went
        return gone

    # --- reading ------------------------------------------------------------------------------------------------------

    async def rows(self, limit: int = 1000, only: ReceiptFilter | None = None) -> list[ReceiptRecord]:
        """Stored receipts, newest first; see `receipt_rows.receipt_rows`."""
        return await self._read(lambda db: receipt_rows.receipt_rows(db, limit, only))

    async def document(self, ref: str) -> dict[str, Json]:
        """The receipt itself.

        Args:
            ref: its id, or a unique prefix of at least four characters.

        Raises:
            NotFoundError: there is none, or only its place in the chain was kept.
            AmbiguousError: the prefix fits several.
            RefusedError: what is stored of it is damaged.
        """
        return _decoded(await self._read(lambda db: _stored(db, ref)), f"receipt {ref[:16]}")

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
            yield await self._read(partial(_stored, ref=ref)) + b"\n"
        after: tuple[str, int] | None = None if refs else ("", -1)
        while after is not None:
            page = await self._read(partial(receipt_rows.page, after=after))
            for _, _, text in page:
                yield text.encode() + b"\n"
            after = page[-1][:2] if page else None

    # --- proving ------------------------------------------------------------------------------------------------------

    async def proof(self, ref: str, *, outputs: bool = False) -> Proof:
        """A receipt with all that is here to check it by.

        Args:
            ref: names it.
            outputs: with what the job wrote.

        Raises:
            NotFoundError: as `document`; or the output is wanted and is not whole any more.
            AmbiguousError: as `document`.
            RefusedError: what is stored of it is damaged.
        """

        def query(db: sqlite3.Connection) -> tuple[bytes, Evidence, tuple[KeyStatement, ...]]:
            raw = _stored(db, ref)
            return raw, self._known.filled(db, raw, Evidence()), statements(db)

        raw, found, links = await self._read(query)
        whole = (found.stdout, found.stderr) if found.stdout is not None and found.stderr is not None else None
        if outputs and whole is None:
            raise NotFoundError("what it wrote is not here any more, or was cut", where=f"receipt {ref[:16]}")
        return Proof(
            document=_decoded(raw, f"receipt {ref[:16]}"),
            manifest=None if found.manifest is None else _decoded(found.manifest, f"manifest of receipt {ref[:16]}"),
            statements=links,
            outputs=whole if outputs else None,
        )

    def attested(self, proof: Proof) -> dict[str, Json]:
        """An own receipt as in-toto statement in a DSSE envelope.

        Raises:
            RefusedError: it is another node's.
        """
        return attest(self._identity, proof.document, manifest=proof.manifest, statements=proof.statements)

    def in_older_form(self, document: Mapping[str, Json]) -> bytes:
        """An own receipt in the form 0.1; see `runtime.jobs.legacy.legacy_receipt`."""
        return legacy_receipt(document, self._identity)

    async def verify(
        self, ref: str, evidence: Evidence | None = None, *, raw: bytes | None = None, keep: bool = True
    ) -> Verification:
        """Verifies a receipt against what was given and what is stored here.

        Args:
            ref: names a stored receipt; ignored with `raw`.
            evidence: what the operator gave; this node's keys, manifests, outputs and chain fill what is missing.
            raw: the receipt itself, or a proof bundle, when it is not a stored one.
            keep: remember and tell the verdict of a stored receipt.

        Raises:
            NotFoundError: as `document`.
            AmbiguousError: as `document`.
        """
        given = evidence or Evidence()

        def query(db: sqlite3.Connection) -> tuple[str, Verification]:
            receipt = resolve(db, "receipts", ref) if raw is None else ""
            text = _stored(db, receipt) if raw is None else raw
            return receipt, verify(text, self._known.filled(db, text, given))

        receipt, verification = await self._read(query)
        if keep and receipt:
            await asyncio.wrap_future(self._store.write(lambda tx: _keep_verdict(tx, receipt, verification)))
        return verification

    async def verify_chain(self) -> ChainReport:
        """Verifies all stored chains, receipt by receipt; other readers get their turn between two pages.

        A chain of this node's keys must begin with its first receipt; a peer's may begin later.
        """
        walk = ChainWalk(
            lambda key: (
                True if self._identity.is_own(key) or self._store.read_now(lambda db: self._believed(db, key)) else None
            )
        )
        after: tuple[str, int] | None = ("", -1)
        while after is not None:
            page = await self._read(partial(receipt_rows.links, after=after))
            for _, found in page:
                walk.add(found)
            after = page[-1][0] if page else None
        for fault in await self._read(receipt_rows.vanished):
            walk.add(fault)
        return walk.report(whole=self._identity.is_own)

    async def _read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        return await asyncio.wrap_future(self._store.read(query))


def _whole(text: str | None) -> int:
    return int(text) if text is not None and text.isdecimal() and len(text) <= _BYTE_DIGITS else 0


def _decoded(raw: bytes, where: str) -> dict[str, Json]:
    try:
        document = decode(raw, limit=SIZE_MAX)
    except CanonicalError as error:
        raise RefusedError(f"its stored document is damaged: {error.why}", where=where, hint=_COPY) from None
    return dict(document) if isinstance(document, Mapping) else {}


def _stored(db: sqlite3.Connection, ref: str) -> bytes:
    receipt = resolve(db, "receipts", ref)
    row = db.execute("SELECT document FROM receipts WHERE receipt = ?", (receipt,)).fetchone()
    if row is None or row[0] is None:
        raise NotFoundError("only its place in the chain was kept", where=f"receipt {receipt[:16]}")
    return str(row[0]).encode()


def _keep_verdict(tx: Transaction, receipt: str, verification: Verification) -> None:
    tx.execute("UPDATE receipts SET verdict = ? WHERE receipt = ?", (verification.verdict, receipt))
    tx.emit(ReceiptVerified(receipt=receipt, verdict=verification.verdict, steps=verification.steps))
    if any(step.name == "chain" and step.ok is False for step in verification.steps):
        row = tx.one("SELECT worker, number, previous FROM receipts WHERE receipt = ?", (receipt,))
        worker, number, previous = row or ("", 0, "")
        before = tx.one("SELECT receipt FROM receipts WHERE worker = ? AND number = ?", (worker, int(number) - 1))
        expected = str(before[0]) if before else FIRST_PREVIOUS
        tx.emit(ChainBroken(worker=str(worker), at=int(number), expected=expected, got=str(previous)))
