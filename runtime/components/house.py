"""What of the disk and of the journal belongs to components: code, folders, log, audit.

The bytes of a component are hashed again at every start. Its private folders lie below `components/` of the state
directory, named by a hash of the guest's path, so that no name of a component or mount becomes a path here.
"""

import asyncio
import hashlib
import json
import shutil
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from runtime.blobs import Blobs
from runtime.canonical import Json
from runtime.component_events import ComponentCalled, ComponentDenied, ComponentLogged
from runtime.components.audit_record import AuditRecord
from runtime.components.folder import WASM_MAX
from runtime.components.host.context import ComponentId
from runtime.components.installed import Installed
from runtime.components.worker.wire import MountPoint
from runtime.components.workers import HostMount
from runtime.errors import UnavailableError, UsageError
from runtime.events import CoreError, Event
from runtime.sandbox.compile import Compiler
from runtime.sandbox.componentcheck import check_component
from runtime.sanitise import clean
from runtime.shapes import ShapeError, from_wire
from runtime.store import Store, Transaction
from runtime.vault import SealBrokenError, Vault

__all__ = ["LOG_LINES", "Code", "Compiled", "Folders", "Journal"]

LOG_LINES: Final = 1000
"""Lines that are kept of each component's log."""
_LOG_TEXT: Final = 4096


@dataclass(frozen=True, slots=True)
class Compiled:
    """Native code, and how many memories it makes."""

    code: bytes
    memories: int


class Code:
    """Native code of components.

    Args:
        blobs: where their bytes are.
        compiler: turns them into code, or has it already.
    """

    def __init__(self, blobs: Blobs, compiler: Callable[[], Compiler]) -> None:
        self._blobs = blobs
        self._compiler = compiler

    async def __call__(self, installed: Installed) -> Compiled:
        """The code of an installed component.

        Args:
            installed: which.

        Raises:
            BlobChangedError: its bytes are no longer those that were installed.
            ModuleRefusedError: they do not compile.
        """
        return await asyncio.to_thread(self._compiled, installed)

    def _compiled(self, installed: Installed) -> Compiled:
        wasm = self._blobs.read(installed.hash, limit=WASM_MAX)
        return Compiled(self._compiler().compile("component", wasm), check_component(wasm).memories)


class Folders:
    """The folders that components see.

    Args:
        root: `components/` of the state directory.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    async def __call__(self, installed: Installed, number: int) -> tuple[HostMount, ...]:
        """The mounts of an instance; makes its component's own where they are missing, and its temporary ones empty.

        Args:
            installed: which component.
            number: of the instance: two versions at a time have nothing temporary in common.

        Raises:
            UnavailableError: a folder cannot be made.
        """
        await self.tidy(installed, number)
        return await asyncio.to_thread(self._mounts, installed, number)

    async def tidy(self, installed: Installed, number: int) -> None:
        """Empties what is temporary.

        Args:
            installed: whose.
            number: of the instance.
        """
        folder = self._temporary(installed, number)
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def remove(self, name: str) -> None:
        """Removes all folders of a component.

        Args:
            name: `namespace/name`.
        """
        await asyncio.to_thread(shutil.rmtree, self._own(name), ignore_errors=True)

    async def keep(self, names: Collection[str]) -> None:
        """Removes what belongs to nobody: its component was taken away by somebody who died before he was done.

        Args:
            names: of all components that there are; nobody installs one meanwhile.
        """
        await asyncio.to_thread(self._keep, {_short(name) for name in names})

    def _keep(self, known: Collection[str]) -> None:
        if self._root.is_dir():
            for folder in self._root.iterdir():
                if folder.name not in known:
                    shutil.rmtree(folder, ignore_errors=True)

    def _mounts(self, installed: Installed, number: int) -> tuple[HostMount, ...]:
        found: list[HostMount] = []
        for mount in installed.manifest.mounts:
            if mount.source == "operator":
                folder = _lent(installed, mount.guest)
            else:
                temporary = mount.source == "temp"
                of_all = self._own(installed.name) / mount.source
                folder = (self._temporary(installed, number) if temporary else of_all) / _short(mount.guest)
                _made(self._root, folder)
            found.append(HostMount(MountPoint(mount.guest, mount.source, mount.read_only), folder))
        return tuple(found)

    def _temporary(self, installed: Installed, number: int) -> Path:
        return self._own(installed.name) / "temp" / str(number)

    def _own(self, name: str) -> Path:
        return self._root / _short(name)


class Journal:
    """Takes what components log and what their host operations did.

    Args:
        store: keeps both.
        vault: seals the log.
    """

    def __init__(self, store: Store, vault: Vault) -> None:
        self._store = store
        self._vault = vault

    def log(self, component: ComponentId, fields: Mapping[str, Json]) -> None:
        """Keeps a line of a component's log.

        Args:
            component: whose.
            fields: level, message and fields, as the worker sends them.
        """
        level, text = clean(str(fields.get("level")), 10), clean(str(fields.get("message")), _LOG_TEXT)
        pairs = fields.get("fields")
        if isinstance(pairs, list):
            text += "".join(f" {clean(str(pair[0]), 100)}={clean(str(pair[1]), 300)}" for pair in pairs if _pair(pair))
        name = f"{component.namespace}/{component.name}"
        self._store.emit(ComponentLogged(component=name, level=level, text=text))
        self._store.write(lambda tx: self._keep(tx, name, level, text), urgent=False)

    def lines(self, name: str, limit: int) -> list[dict[str, Json]]:
        """The newest lines of a component's log, oldest first; of one that was changed or moved only that it was.

        Args:
            name: `namespace/name`.
            limit: how many at most.
        """
        sql = (
            "SELECT CAST(ts_ms AS INTEGER), CAST(level AS TEXT), CAST(sealed AS BLOB) FROM component_log"
            " WHERE component = ? ORDER BY id DESC LIMIT ?"
        )
        rows = self._store.read_now(lambda db: db.execute(sql, (name, limit)).fetchall())
        return [self._line(name, ts_ms, level, sealed) for ts_ms, level, sealed in reversed(rows)]

    def audit(self, component: ComponentId, fields: Mapping[str, Json]) -> int:
        """Keeps records of host operations.

        Args:
            component: whose.
            fields: `records`, as the worker sends them.

        Returns:
            How many requests were denied.
        """
        records = fields.get("records")
        name, denied = f"{component.namespace}/{component.name}", 0
        for one in records if isinstance(records, list) else ():
            try:
                record = from_wire(AuditRecord, one)
            except ShapeError as error:
                self.fault(component, {"op": "audit", "trace": str(error)})
                continue
            denied += record.calls if record.decision == "denied" else 0
            if record.worth_telling:
                self._store.emit(_event(name, record))
        return denied

    def fault(self, component: ComponentId, fields: Mapping[str, Json]) -> None:
        """Tells of a fault of the host.

        Args:
            component: in whose call.
            fields: as the worker sends them.
        """
        words = clean(str(fields.get("trace") or fields.get("traceback") or ""), 300)
        what = clean(str(fields.get("op")), 100)
        self._store.emit(CoreError(where=f"component {component}", error=f"{what}: {words}"))

    def _line(self, name: str, ts_ms: int, level: str, sealed: bytes) -> dict[str, Json]:
        try:
            text = self._vault.open(sealed, _log_aad(name, ts_ms)).decode()
        except (SealBrokenError, UnicodeDecodeError):
            level, text = "error", "(this line was changed in the database and cannot be read)"
        return {"ts_ms": ts_ms, "level": clean(level, 10), "text": text}

    def _keep(self, tx: Transaction, name: str, level: str, text: str) -> None:
        sealed = self._vault.seal(text.encode(), _log_aad(name, tx.now_ms))
        sql = "INSERT INTO component_log (component, ts_ms, level, sealed) VALUES (?, ?, ?, ?)"
        tx.execute(sql, (name, tx.now_ms, level, sealed))
        tx.execute(
            "DELETE FROM component_log WHERE component = ? AND id <= (SELECT id FROM component_log WHERE component = ?"
            " ORDER BY id DESC LIMIT 1 OFFSET ?)",
            (name, name, LOG_LINES),
        )


def _event(name: str, record: AuditRecord) -> Event:
    if record.decision == "denied":
        return ComponentDenied(
            component=name,
            op=record.op,
            target=record.target,
            rule=record.rule or "",
            line=record.line,
            remedy=record.remedy,
            calls=record.calls,
            rules_version=record.rules_version,
        )
    return ComponentCalled(
        component=name,
        op=record.op,
        target=record.target,
        rule=record.rule or "",
        outcome=record.outcome,
        calls=record.calls,
        bytes=record.bytes,
        duration_us=record.duration_us,
        rules_version=record.rules_version,
    )


def _lent(installed: Installed, guest: str) -> Path:
    """The operator's folder for a mount."""
    host = installed.mounts.get(guest)
    if not host:
        raise UsageError(f"no folder of yours is known for {clean(guest, 100)}", where=installed.name)
    return Path(host)


def _made(root: Path, folder: Path) -> None:
    """A folder below the root, with all between them; none for others to look into."""
    between = reversed([one for one in folder.parents if one.is_relative_to(root)])
    try:
        for one in (*between, folder):
            one.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        why = error.strerror.lower() if error.strerror else "cannot be made"
        raise UnavailableError(why, where=clean(str(folder), 300)) from None


def _short(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:32]


def _pair(value: Json) -> bool:
    return isinstance(value, list) and len(value) == 2  # noqa: PLR2004 - name and value


def _log_aad(name: str, ts_ms: int) -> bytes:
    return json.dumps(["orlop-component-log", name, ts_ms]).encode()
