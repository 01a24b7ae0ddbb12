"""Naming jobs and receipts: by id, or by a prefix of it that is unique and at least four characters long."""

import sqlite3
from typing import Final, Literal

from runtime.errors import AmbiguousError, NotFoundError, UsageError
from runtime.sanitise import clean

__all__ = ["resolve"]

_SHORTEST: Final = 4
_CANDIDATES: Final = 5
_QUERIES: Final = {
    "jobs": "SELECT job FROM jobs WHERE job >= ? AND job < ? ORDER BY job LIMIT ?",
    "receipts": "SELECT receipt FROM receipts WHERE receipt >= ? AND receipt < ? ORDER BY receipt LIMIT ?",
}


def resolve(db: sqlite3.Connection, table: Literal["jobs", "receipts"], ref: str) -> str:
    """The full id that a text names.

    Args:
        db: the store.
        table: what is named.
        ref: hexadecimal characters, the id or the beginning of it.

    Raises:
        UsageError: shorter than four characters.
        NotFoundError: nothing begins so.
        AmbiguousError: several do; the message names some.
    """
    what = table.removesuffix("s")
    start = ref.lower()
    if len(start) < _SHORTEST:
        raise UsageError(f"`{clean(ref, 80)}` is shorter than {_SHORTEST} characters", where=what)
    found = []
    if not start.strip("0123456789abcdef"):
        rows = db.execute(_QUERIES[table], (start, start + "g", _CANDIDATES + 1))
        found = [str(row[0]) for row in rows]
    if not found:
        raise NotFoundError(f"there is no {what} `{clean(ref, 80)}`")
    if len(found) > 1:
        names = ", ".join(name[:16] for name in found[:_CANDIDATES])
        more = " and more" if len(found) > _CANDIDATES else ""
        raise AmbiguousError(f"`{clean(ref, 80)}` is the beginning of {names}{more}", where=what)
    return found[0]
