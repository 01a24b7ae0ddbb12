"""What components keep between runs: sealed values by namespace and key, within a quota.

A seal binds a value to its owner, namespace, key and the number of its write: no value can be moved, nor an older one
be put back under the number of a newer one. The quota is checked in the transaction that writes; keys count too. A
namespace that begins with `shared:` belongs to all components that may use it, any other to one.
"""

import hashlib
import json
import sqlite3
from dataclasses import dataclass
from typing import Final

from runtime.columns import Columns
from runtime.components.errors import CaseError
from runtime.store import Transaction
from runtime.vault import SealBrokenError, Vault

__all__ = [
    "KEY_MAX",
    "PAGE_MAX",
    "SHARED",
    "VALUE_MAX",
    "Page",
    "Place",
    "Sealing",
    "Usage",
    "delete",
    "exists",
    "forget",
    "list_keys",
    "usage",
]

KEY_MAX: Final = 512
VALUE_MAX: Final = 1 << 20
PAGE_MAX: Final = 1000
SHARED: Final = "shared"

_COLUMNS: Final = Columns(
    "component_storage",
    {"component": str, "namespace": str, "key": str, "writes": int, "sealed": bytes},
    key=3,
    hint="delete the key in the component, or uninstall it",
)


@dataclass(frozen=True, slots=True)
class Place:
    """One namespace, as a component names it.

    Attributes:
        component: `namespace/name` of the one that asks.
        namespace: such as `mirror:state`.
        quota: bytes that the owner may have in all its namespaces.
    """

    component: str
    namespace: str
    quota: int

    @property
    def owner(self) -> str:
        """Whose quota it counts against, and whose rows it has."""
        return SHARED if self.namespace.startswith(f"{SHARED}:") else self.component


@dataclass(frozen=True, slots=True)
class Page:
    """Keys in order, and the one to go on after; None at the end."""

    keys: tuple[str, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class Usage:
    """Bytes of the owner and of this namespace's keys."""

    used: int
    quota: int
    count: int


class Sealing:
    """Reads and writes values.

    Args:
        vault: where their key comes from.
    """

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._key = vault.subkey("component-storage")

    def get(self, connection: sqlite3.Connection | Transaction, place: Place, key: str) -> bytes | None:
        """A value.

        Args:
            connection: of the store.
            place: the namespace.
            key: which.

        Returns:
            None where there is none.

        Raises:
            CaseError: `invalid-key`, or `io-error` where what is stored does not open.
            RowDamagedError: the row is not one that `set` wrote.
        """
        _check_key(key)
        names = _COLUMNS.names.replace("sealed", "CAST(sealed AS BLOB)")
        sql = f"SELECT {names} FROM component_storage WHERE component = ? AND namespace = ? AND key = ?"  # noqa: S608 - constants
        row = connection.execute(sql, (place.owner, place.namespace, key)).fetchone()
        if row is None:
            return None
        *_, writes, sealed = _COLUMNS.checked(row)
        try:
            return self._vault.open(sealed, _aad(place, key, writes), self._key)
        except SealBrokenError as error:
            raise CaseError("io-error", f"the stored value cannot be opened: {error.why}") from None

    def set(self, tx: Transaction, place: Place, key: str, value: bytes) -> None:
        """Replaces a value.

        Args:
            tx: the transaction.
            place: the namespace.
            key: which.
            value: at most 1 MiB.

        Raises:
            CaseError: `invalid-key`, `too-large`, `quota-exceeded`.
        """
        _check_key(key)
        if len(value) > VALUE_MAX:
            raise CaseError("too-large", f"a value has {VALUE_MAX} bytes at most")
        size = len(key.encode()) + len(value)
        row = tx.one(
            "SELECT writes, size FROM component_storage WHERE component = ? AND namespace = ? AND key = ?",
            (place.owner, place.namespace, key),
        )
        writes, before = (int(row[0]), int(row[1])) if row is not None else (0, 0)
        used = _used(tx, place.owner)
        if used - before + size > place.quota:
            raise CaseError(
                "quota-exceeded", f"{used} of {place.quota} bytes are used, {size - before} more are wanted"
            )
        sealed = self._vault.seal(value, _aad(place, key, writes + 1), self._key)
        tx.execute(
            "INSERT INTO component_storage (component, namespace, key, writes, size, sealed) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (component, namespace, key) DO UPDATE SET writes = excluded.writes, size = excluded.size,"
            " sealed = excluded.sealed",
            (place.owner, place.namespace, key, writes + 1, size, sealed),
        )

    def compare_and_set(self, tx: Transaction, place: Place, key: str, expected: str | None, value: bytes) -> bool:
        """As `set`, where the value is the expected one.

        Args:
            tx: the transaction.
            place: the namespace.
            key: which.
            expected: SHA-256 of the value before, lower-case hexadecimal; None: there is none.
            value: the new one.

        Returns:
            Whether it was written.

        Raises:
            CaseError: as `get` and `set`.
        """
        found = self.get(tx, place, key)
        if expected != (None if found is None else hashlib.sha256(found).hexdigest()):
            return False
        self.set(tx, place, key, value)
        return True


def delete(tx: Transaction, place: Place, key: str) -> bool:
    """Deletes a value.

    Args:
        tx: the transaction.
        place: the namespace.
        key: which.

    Returns:
        Whether there was one.

    Raises:
        CaseError: `invalid-key`.
    """
    _check_key(key)
    sql = "DELETE FROM component_storage WHERE component = ? AND namespace = ? AND key = ?"
    return tx.execute(sql, (place.owner, place.namespace, key)).rowcount > 0


def exists(connection: sqlite3.Connection, place: Place, key: str) -> bool:
    """Whether there is a value.

    Args:
        connection: of the store.
        place: the namespace.
        key: which.

    Raises:
        CaseError: `invalid-key`.
    """
    _check_key(key)
    sql = "SELECT 1 FROM component_storage WHERE component = ? AND namespace = ? AND key = ?"
    return connection.execute(sql, (place.owner, place.namespace, key)).fetchone() is not None


def list_keys(connection: sqlite3.Connection, place: Place, prefix: str, after: str) -> Page:
    """Keys in the order of their bytes, 1,000 at most.

    Args:
        connection: of the store.
        place: the namespace.
        prefix: they begin with it.
        after: they come after it.
    """
    sql = (
        "SELECT key FROM component_storage WHERE component = ? AND namespace = ? AND key > ?"
        " AND substr(key, 1, ?) = ? ORDER BY key LIMIT ?"
    )
    params = (place.owner, place.namespace, after, len(prefix), prefix, PAGE_MAX + 1)
    keys = [str(row[0]) for row in connection.execute(sql, params)]
    return Page(tuple(keys[:PAGE_MAX]), keys[PAGE_MAX - 1] if len(keys) > PAGE_MAX else None)


def usage(connection: sqlite3.Connection, place: Place) -> Usage:
    """How much there is.

    Args:
        connection: of the store.
        place: the namespace.
    """
    sql = "SELECT count(*) FROM component_storage WHERE component = ? AND namespace = ?"
    count = connection.execute(sql, (place.owner, place.namespace)).fetchone()[0]
    return Usage(_used(connection, place.owner), place.quota, int(count))


def forget(tx: Transaction, component: str) -> None:
    """Deletes all that one component stored of its own.

    Args:
        tx: the transaction.
        component: `namespace/name`.
    """
    tx.execute("DELETE FROM component_storage WHERE component = ?", (component,))


def _used(connection: sqlite3.Connection | Transaction, owner: str) -> int:
    sql = "SELECT coalesce(sum(size), 0) FROM component_storage WHERE component = ?"
    return int(connection.execute(sql, (owner,)).fetchone()[0])


def _check_key(key: str) -> None:
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        raise CaseError("invalid-key", "a key is UTF-8") from None
    if not 0 < size <= KEY_MAX or "\0" in key:
        raise CaseError("invalid-key", f"a key has 1 to {KEY_MAX} bytes and no NUL")


def _aad(place: Place, key: str, writes: int) -> bytes:
    return json.dumps(["orlop-component-storage", place.owner, place.namespace, key, writes]).encode()
