"""What the table `agents` holds: records, and rows that cannot be read but must not hide the others. Pure."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from runtime.agents.keys import AgentKey
from runtime.agents.manifest import AgentManifest, ManifestRefusedError, Permission, parse_manifest
from runtime.canonical import Json
from runtime.columns import Columns, RowDamagedError

__all__ = ["AGENT", "AgentRecord", "DamagedAgent", "StoredAgent", "stored_agent"]

_HASH: Final = re.compile(r"[0-9a-f]{64}")

AGENT: Final = Columns(
    "agents",
    {
        "room": str,
        "agent": str,
        "builtin": int,
        "manifest": str,
        "hash": str,
        "size_bytes": int,
        "uploaded_ms": int,
        "mark": str,
        "granted": str,
        "active": int,
        "upload_no": int,
    },
    key=2,
    hint="delete the agent, or upload it again",
)
"""The columns of the table `agents`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAgent:
    """A row of an agent, whatever state it is in.

    Attributes:
        key: room and name.
        builtin: shipped with orlop: cannot be deleted.
        hash: SHA-256 of the module's file; empty when the row is damaged and holds none.
        active: whether it is started with the program.
    """

    key: AgentKey
    builtin: bool
    hash: str
    active: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DamagedAgent(StoredAgent):
    """An agent whose row cannot be read: it can be deleted, or uploaded again."""

    error: RowDamagedError


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRecord(StoredAgent):
    """An uploaded agent.

    Attributes:
        manifest: as uploaded.
        size_bytes: of the module's file.
        uploaded_ms: wall time of the upload.
        mark: `unsigned`, or who signed.
        granted: what the operator granted, a subset of the manifest's permissions.
        upload_no: counts the uploads of this name, from 1.
    """

    manifest: AgentManifest
    size_bytes: int
    uploaded_ms: int
    mark: str
    granted: tuple[Permission, ...]
    upload_no: int


def stored_agent(row: Sequence[Any]) -> AgentRecord | DamagedAgent:
    """Reads a row of `AGENT`.

    Args:
        row: as SQLite gives it.

    Returns:
        The record, or what can be said of a row that is damaged.
    """
    try:
        return _record(row)
    except RowDamagedError as error:
        room, agent, builtin, _, module_hash, *_, active, _ = row
        return DamagedAgent(
            key=AgentKey(_word(room), _word(agent)),
            builtin=builtin == 1,
            hash=module_hash if isinstance(module_hash, str) and _HASH.fullmatch(module_hash) else "",
            active=active == 1,
            error=error,
        )


def _record(row: Sequence[Any]) -> AgentRecord:
    room, agent, builtin, manifest, module_hash, size, uploaded, mark, granted, active, number = AGENT.checked(row)
    if not _HASH.fullmatch(module_hash):
        raise AGENT.damaged(row, "`hash` is none")
    document, permissions = _json(row, "manifest", manifest), _json(row, "granted", granted)
    if not isinstance(permissions, list):
        raise AGENT.damaged(row, "`granted` is no list")
    try:
        parsed = parse_manifest(document)
    except ManifestRefusedError as error:
        raise AGENT.damaged(row, error.why) from None
    return AgentRecord(
        key=AgentKey(room, agent),
        builtin=bool(builtin),
        manifest=parsed,
        hash=module_hash,
        size_bytes=size,
        uploaded_ms=uploaded,
        mark=mark,
        granted=tuple(permission for permission in Permission if permission in permissions),
        active=bool(active),
        upload_no=number,
    )


def _json(row: Sequence[Any], name: str, text: str) -> Json:
    try:
        value: Json = json.loads(text)
    except (ValueError, RecursionError):
        raise AGENT.damaged(row, f"`{name}` holds no JSON") from None
    return value


def _word(value: object) -> str:
    return value if isinstance(value, str) else repr(value)
