"""Receipts as rows: what the store keeps of each, in which order, and what of it is given up. Pure SQL."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from runtime.errors import AmbiguousError, NotFoundError, UsageError
from runtime.jobs.chain import ChainFault, ChainLink, FaultKind, read_link
from runtime.jobs.receipt_form import FIRST_PREVIOUS, RESTORED, Place
from runtime.sanitise import clean
from runtime.store import Row, Transaction

__all__ = [
    "ReceiptFilter",
    "ReceiptRecord",
    "insert",
    "last_place",
    "links",
    "manifest_of",
    "page",
    "prune",
    "receipt_rows",
    "vanished",
]

_PAGE: Final = 500
_PRUNED_AT_ONCE: Final = 1000
_SHORTEST: Final = 4
_COLUMNS: Final = "receipt, number, job, worker, own, exit_code, outcome, previous, issued_ms, verdict"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptFilter:
    """Which receipts are listed; an empty text does not narrow.

    Attributes:
        outcome: how the run ended.
        job: the job's id, or a unique beginning of it.
        worker: the key, 64 hexadecimal characters.
    """

    outcome: str = ""
    job: str = ""
    worker: str = ""


def receipt_rows(db: sqlite3.Connection, limit: int, only: ReceiptFilter | None = None) -> list[ReceiptRecord]:
    """Receipts, newest first.

    Args:
        db: the store.
        limit: at most so many.
        only: which.

    Raises:
        UsageError: the job's name is too short.
        AmbiguousError: it fits several jobs.
        NotFoundError: it fits none that has a receipt.
    """
    wanted = only or ReceiptFilter()
    values = {"outcome": wanted.outcome, "job": _job(db, wanted.job) if wanted.job else "", "worker": wanted.worker}
    given = {column: value for column, value in values.items() if value}
    where = " AND ".join(f"{column} = ?" for column in given) or "1"
    sql = f"SELECT {_COLUMNS} FROM receipts WHERE {where} ORDER BY issued_ms DESC, number DESC LIMIT ?"  # noqa: S608 - constant columns
    return [_record(row) for row in db.execute(sql, (*given.values(), limit))]


def _job(db: sqlite3.Connection, ref: str) -> str:
    """The job of receipts that a text names; it may have gone from the jobs by now."""
    start = ref.lower()
    if len(start) < _SHORTEST:
        raise UsageError(f"`{clean(ref, 80)}` is shorter than {_SHORTEST} characters", where="--job")
    sql = "SELECT DISTINCT job FROM receipts WHERE job >= ? AND job < ? ORDER BY job LIMIT 3"
    found = [str(row[0]) for row in db.execute(sql, (start, start + "g"))]
    if not found or start.strip("0123456789abcdef"):
        raise NotFoundError(f"no receipt is of a job `{clean(ref, 80)}`")
    if len(found) > 1:
        names = ", ".join(name[:16] for name in found)
        raise AmbiguousError(f"`{clean(ref, 80)}` is the beginning of {names}", where="--job")
    return found[0]


def _record(row: Sequence[object]) -> ReceiptRecord:
    names = ReceiptRecord.__slots__
    return ReceiptRecord(**dict(zip(names, row, strict=True)) | {"own": bool(row[4])})  # type: ignore[arg-type]


def last_place(tx: Transaction, worker: str) -> tuple[int, str]:
    """Number and id of a key's last receipt; -1 and 64 zeros when it has none."""
    last = tx.one("SELECT number, receipt FROM receipts WHERE worker = ? ORDER BY number DESC LIMIT 1", (worker,))
    return (int(last[0]), str(last[1])) if last else (-1, FIRST_PREVIOUS)


def insert(tx: Transaction, record: ReceiptRecord, document: bytes, manifest: bytes = b"") -> None:
    """Stores a receipt.

    Args:
        tx: holds the write lock.
        record: its row.
        document: the envelope in canonical JSON.
        manifest: likewise of its manifest, where no job keeps that.
    """
    values = tuple(getattr(record, name) for name in ReceiptRecord.__slots__)
    tx.execute(
        f"INSERT INTO receipts ({_COLUMNS}, document, manifest) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - constant columns
        (*values, document.decode(), manifest.decode()),
    )


def manifest_of(db: sqlite3.Connection, job: str) -> bytes | None:
    """The signed manifest of a job or of a receipt that tells of no job; None when it is not here any more."""
    for sql in (
        "SELECT manifest FROM jobs WHERE job = ?",
        "SELECT manifest FROM receipts WHERE job = ? AND manifest != ''",
    ):
        row = db.execute(sql, (job,)).fetchone()
        if row is not None and row[0]:
            return str(row[0]).encode()
    return None


def page(db: sqlite3.Connection, after: tuple[str, int]) -> list[tuple[str, int, str]]:
    """The next documents in the order of their chains: key, number and text, behind a place."""
    sql = (
        "SELECT worker, number, document FROM receipts WHERE document IS NOT NULL AND (worker, number) > (?, ?)"
        " ORDER BY worker, number LIMIT ?"
    )
    return db.execute(sql, (*after, _PAGE)).fetchall()


def links(db: sqlite3.Connection, after: tuple[str, int]) -> list[tuple[tuple[str, int], ChainLink | ChainFault]]:
    """The next receipts of all chains, verified, each with its place; those that were pruned come as place alone."""
    sql = (
        "SELECT worker, number, previous, receipt, outcome, document FROM receipts WHERE (worker, number) > (?, ?)"
        " ORDER BY worker, number LIMIT ?"
    )
    return [((str(row[0]), int(row[1])), _link(row)) for row in db.execute(sql, (*after, _PAGE))]


def _link(row: Row) -> ChainLink | ChainFault:
    worker, number, previous, receipt, outcome, document = row
    at = f"number {number}"
    place = Place(int(number), str(previous), restored=outcome == RESTORED)
    if document is None:
        return ChainLink(at=at, worker=worker, receipt=receipt, place=place, pruned=True)
    found = read_link(str(document).encode(), at)
    if isinstance(found, ChainFault):
        return ChainFault(kind=found.kind, worker=worker, number=number, at=at, why=found.why)
    if (found.worker, found.receipt, found.place) == (worker, receipt, place):
        return found
    kind: FaultKind = "reordered" if found.receipt == receipt else "replaced"
    why = f"what is stored here is receipt {found.receipt[:16]}…, number {found.place.number} of its chain"
    return ChainFault(kind=kind, worker=worker, number=number, at=at, why=why)


def vanished(db: sqlite3.Connection) -> list[ChainFault]:
    """Receipts that a job names and that are gone: the end of a chain, which nothing in the chain itself would miss."""
    sql = (
        "SELECT job, receipt FROM jobs WHERE receipt != ''"
        " AND NOT EXISTS (SELECT 1 FROM receipts WHERE receipts.receipt = jobs.receipt) ORDER BY number"
    )
    return [
        ChainFault(
            kind="removed", worker="", number=None, at=f"job {job[:16]}", why=f"its receipt {receipt[:16]}… is gone"
        )
        for job, receipt in db.execute(sql)
    ]


def prune(tx: Transaction, keep: int) -> int:
    """Gives up the documents of all but the newest receipts; id, number and predecessor stay, so chains stay whole.

    Args:
        tx: holds the write lock.
        keep: of how many the document stays, at least 1.

    Returns:
        How many documents went: when it is the most that go at once, there may be more.
    """
    # What was given up before is older than the border, so counting it too moves the border nowhere.
    border = tx.one(
        "SELECT issued_ms, number FROM receipts ORDER BY issued_ms DESC, number DESC LIMIT 1 OFFSET ?", (keep - 1,)
    )
    if border is None:
        return 0
    sql = (
        "UPDATE receipts SET document = NULL, manifest = '' WHERE receipt IN (SELECT receipt FROM receipts"
        " WHERE document IS NOT NULL AND (issued_ms, number) < (?, ?) LIMIT ?)"
    )
    return int(tx.execute(sql, (*border, _PRUNED_AT_ONCE)).rowcount)
