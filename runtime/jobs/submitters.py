"""Who may give this node jobs: nobody but itself, unless an operator put a key on the list. Pure but for SQL."""

import re
from dataclasses import dataclass
from typing import Final

from runtime.columns import Columns
from runtime.errors import NotFoundError, RefusedError, UsageError
from runtime.sanitise import clean
from runtime.store import Transaction
from runtime.transaction import Queries

__all__ = ["SIZE_MAX", "NotAuthorisedError", "Submitter", "add", "allowed", "listed", "remove", "signer_of"]

_KEY: Final = 64
_NOTE: Final = 200
_SIGNER: Final = re.compile(rb'"signer_pubkey"\s*:\s*"([0-9a-f]{64})"')
SIZE_MAX: Final = 131_072
"""Bytes of a signed manifest."""

_COLUMNS: Final = Columns("submitters", {"key": str, "added_ms": int, "note": str})


class NotAuthorisedError(RefusedError):
    """A signer who may not give this node jobs; it learns nothing else."""

    def __init__(self) -> None:
        super().__init__("not authorised", where="job manifest")


@dataclass(frozen=True, slots=True)
class Submitter:
    """A key on the list.

    Attributes:
        key: Ed25519, 64 hexadecimal characters.
        added_ms: wall time.
        note: an operator's words.
    """

    key: str
    added_ms: int
    note: str


def add(tx: Transaction, key: str, note: str = "") -> None:
    """Puts a key on the list; one that is on it gets the new note.

    Raises:
        UsageError: it is no key.
    """
    checked = _checked(key)
    sql = "INSERT INTO submitters VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET note = excluded.note"
    tx.execute(sql, (checked, tx.now_ms, clean(note, _NOTE)))


def remove(tx: Transaction, key: str) -> None:
    """Takes a key off the list; its jobs that wait or run go on.

    Raises:
        UsageError: it is no key.
        NotFoundError: it is not on the list.
    """
    if not tx.execute("DELETE FROM submitters WHERE key = ?", (_checked(key),)).rowcount:
        raise NotFoundError("is not on the list", where=f"submitter {key[:16]}")


def listed(db: Queries) -> list[Submitter]:
    """All keys on the list.

    Raises:
        RowDamagedError: a row cannot be read.
    """
    rows = db.execute(f"SELECT {_COLUMNS.names} FROM submitters ORDER BY added_ms, key")  # noqa: S608 - constants
    return [Submitter(*_COLUMNS.checked(row)) for row in rows]


def allowed(db: Queries, key: str) -> bool:
    """Whether a key is on the list."""
    return db.execute("SELECT 1 FROM submitters WHERE key = ?", (key,)).fetchone() is not None


def signer_of(raw: bytes) -> str:
    """The key that a manifest names, found without reading or believing anything else in it.

    Args:
        raw: what was given.

    Raises:
        NotAuthorisedError: it is too large for a manifest, or names no key, or several; strangers learn no more.
    """
    found = _SIGNER.findall(raw) if len(raw) <= SIZE_MAX else []
    if len(found) != 1:
        raise NotAuthorisedError
    return str(found[0].decode())


def _checked(key: str) -> str:
    if len(key) != _KEY or key.strip("0123456789abcdef"):
        raise UsageError("not 64 lower-case hexadecimal characters", where="submitter")
    return key
