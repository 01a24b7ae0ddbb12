"""What is stored of installed components: one row each, in one transaction, and the component's bytes as a blob.

There is nothing half installed: before the row there is no component, and a blob that no row names goes by itself.
"""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from runtime.blob_references import refer, release
from runtime.blobs import Blob
from runtime.canonical import Json
from runtime.columns import Columns, RowDamagedError
from runtime.components.manifest.model import Manifest
from runtime.components.manifest.read import read_manifest
from runtime.components.permissions.errors import PatternError
from runtime.components.permissions.grants import Grants
from runtime.errors import OrlopError
from runtime.sanitise import clean
from runtime.shapes import ShapeError
from runtime.store import Transaction

__all__ = ["Installed", "is_wanted", "read_all", "remember_aim", "remember_grants", "remove", "save"]

_COLUMNS: Final = Columns(
    "components",
    {
        "component": str,
        "hash": str,
        "size": int,
        "manifest": str,
        "grants": str,
        "mounts": str,
        "mark": str,
        "installed_ms": int,
        "wanted": int,
        "given_up": str,
    },
    hint="uninstall the component, or put the database back from a backup",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A component that is installed.

    Attributes:
        manifest: as it was installed.
        hash: SHA-256 of the component's bytes.
        size: of them.
        grants: what of the permissions is in force.
        mounts: folders of the host by guest path, for the mounts whose source is the operator.
        mark: `unsigned`, or who signed.
        installed_ms: wall time.
        wanted: it is to run whenever orlop runs.
        given_up: the reasons why it is no longer restarted; empty unless that is so.
    """

    manifest: Manifest
    hash: str
    size: int
    grants: Grants
    mounts: Mapping[str, str]
    mark: str
    installed_ms: int
    wanted: bool = False
    given_up: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """`namespace/name`."""
        return self.manifest.package.full_name


def save(tx: Transaction, installed: Installed) -> None:
    """Installs a component, or puts another version or other settings in its place.

    Args:
        tx: the transaction.
        installed: what is true from its commit on; its blob was claimed less than an hour ago, or is referred to.
    """
    refer(tx, _job(installed.name), "module", Blob(installed.hash, installed.size))
    tx.execute(
        "INSERT OR REPLACE INTO components (component, version, hash, size, manifest, grants, mounts, mark,"
        " installed_ms, wanted, given_up) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            installed.name,
            installed.manifest.package.version,
            installed.hash,
            installed.size,
            installed.manifest.source,
            json.dumps(installed.grants.to_json()),
            json.dumps(dict(installed.mounts)),
            installed.mark,
            installed.installed_ms,
            int(installed.wanted),
            json.dumps(installed.given_up),
        ),
    )


def remove(tx: Transaction, name: str) -> None:
    """Uninstalls a component; what it stored and logged goes too.

    Args:
        tx: the transaction.
        name: `namespace/name`.
    """
    release(tx, _job(name))
    for table in ("components", "component_storage", "component_log"):
        tx.execute(f"DELETE FROM {table} WHERE component = ?", (name,))  # noqa: S608 - constants


def remember_aim(tx: Transaction, name: str, *, wanted: bool, given_up: tuple[str, ...] = ()) -> None:
    """Keeps whether a component is to run at the next start, and why it was given up.

    Args:
        tx: the transaction.
        name: `namespace/name`.
        wanted: whether it is to run.
        given_up: the reasons.
    """
    sql = "UPDATE components SET wanted = ?, given_up = ? WHERE component = ?"
    tx.execute(sql, (int(wanted), json.dumps(given_up), name))


def remember_grants(tx: Transaction, name: str, grants: Grants) -> None:
    """Keeps what a component may do.

    Args:
        tx: the transaction.
        name: `namespace/name`.
        grants: the new ones.
    """
    tx.execute("UPDATE components SET grants = ? WHERE component = ?", (json.dumps(grants.to_json()), name))


def is_wanted(tx: Transaction, name: str) -> bool:
    """Whether a component is to run at the next start.

    Args:
        tx: the transaction.
        name: `namespace/name`.
    """
    row = tx.one("SELECT wanted FROM components WHERE component = ?", (name,))
    return row is not None and bool(row[0])


def read_all(connection: sqlite3.Connection) -> tuple[list[Installed], dict[str, RowDamagedError]]:
    """All components; one that is damaged hides no other.

    Args:
        connection: of the store.

    Returns:
        Those that can be read, and what is wrong with the others, by name.
    """
    found: list[Installed] = []
    damaged: dict[str, RowDamagedError] = {}
    for row in connection.execute(f"SELECT {_COLUMNS.names} FROM components ORDER BY component"):  # noqa: S608 - constants
        try:
            found.append(_installed(row))
        except RowDamagedError as error:
            damaged[str(row[0])] = error
    return found, damaged


def _installed(row: tuple[Any, ...]) -> Installed:
    name, digest, size, text, grants, mounts, mark, installed_ms, wanted, given_up = _COLUMNS.checked(row)
    try:
        manifest = read_manifest(text.encode())
        if manifest.package.full_name != name:
            raise _damaged(name, "its manifest is another component's")
    except RowDamagedError:
        raise
    except OrlopError as error:
        raise _damaged(name, f"its manifest: {error.why}") from None
    return Installed(
        manifest=manifest,
        hash=digest,
        size=size,
        grants=_grants(name, grants),
        mounts={guest: str(host) for guest, host in _object(name, "mounts", mounts).items()},
        mark=mark,
        installed_ms=installed_ms,
        wanted=bool(wanted),
        given_up=_texts(name, given_up),
    )


def _object(name: str, column: str, text: str) -> dict[str, Json]:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise _damaged(name, f"`{column}` is no JSON object")
    return value


def _grants(name: str, text: str) -> Grants:
    try:
        return Grants.from_json(_object(name, "grants", text))
    except (ShapeError, PatternError) as error:
        raise _damaged(name, f"`grants`: {error.why}") from None


def _texts(name: str, text: str) -> tuple[str, ...]:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, list):
        raise _damaged(name, "`given_up` is no JSON list")
    return tuple(clean(str(one), 300) for one in value)


def _damaged(name: str, why: str) -> RowDamagedError:
    return RowDamagedError("components", name, why, hint=_COLUMNS.hint)


def _job(name: str) -> str:
    """Under which a component's blob is referred to."""
    return f"component:{name}"
