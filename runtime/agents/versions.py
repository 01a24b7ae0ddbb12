"""The versions of an agent: what an update leaves behind, so that it can be taken back.

Every upload is remembered. Of the newest few, module, manifest, grants and state are kept as well: these can be rolled
back to. A state belongs to the module that wrote it. Another module finds it only when both manifests say the same
`stateVersion` and the same key vouches for both, or when the operator says so; then it is sealed anew, for that module.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from runtime.agents.keys import AgentKey, Connection, Rows
from runtime.agents.manifest import AgentManifest, ManifestRefusedError, Permission, parse_manifest
from runtime.agents.state import (
    AgentStates,
    StateBrokenError,
    StoredState,
    delete_state,
    read_state,
    save_state,
)
from runtime.agents.stored import AGENT, AgentRecord
from runtime.columns import Columns, RowDamagedError
from runtime.errors import AmbiguousError, NotFoundError
from runtime.sanitise import clean

__all__ = [
    "KEPT",
    "AgentVersion",
    "KeptVersion",
    "StateFate",
    "find_version",
    "forget_content",
    "park",
    "permission_names",
    "read_kept",
    "read_versions",
    "remember",
    "switch_state",
    "version_hashes",
]

KEPT: Final = 5
"""Versions beside the present one that can be rolled back to."""

_REMEMBERED: Final = 20
_LISTED: Final = Columns(
    "agent_versions",
    {"upload_no": int, "version": str, "hash": str, "uploaded_ms": int, "mark": str, "manifest": str},
    hint=AGENT.hint,
)
_KEPT: Final = Columns(
    "agent_versions",
    {
        "upload_no": int,
        "hash": str,
        "mark": str,
        "manifest": str,
        "granted": str,
        "uploaded_ms": int,
        "state_version": int,
        "sealed_state": bytes,
    },
    hint="delete the agent, or upload the version again",
    optional=frozenset({"sealed_state"}),
)

StateFate = Literal["none", "kept", "set aside", "restored", "broken"]
"""What became of the state: there was none; it goes on; it waits with its version; that version's is back; what was
kept does not open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentVersion:
    """An upload of the past, or the present one.

    Attributes:
        upload_no: counts the uploads of the name, from 1.
        version: the manifest's text.
        hash: of its module.
        uploaded_ms: wall time.
        mark: who vouched for it; empty when that was not kept.
        kept: whether it can be rolled back to.
        permissions: what it asks for; empty when it is not kept.
        state_bytes: of the state that waits with it.
    """

    upload_no: int
    version: str
    hash: str
    uploaded_ms: int
    mark: str = ""
    kept: bool = False
    permissions: tuple[str, ...] = ()
    state_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptVersion:
    """A version that can be rolled back to."""

    upload_no: int
    manifest: AgentManifest
    hash: str
    mark: str
    granted: tuple[Permission, ...]
    uploaded_ms: int
    state: StoredState | None


def permission_names(granted: tuple[Permission, ...]) -> str:
    """Permissions as they are stored.

    Args:
        granted: in order.
    """
    return json.dumps([permission.value for permission in granted])


def remember(tx: Rows, record: AgentRecord) -> None:
    """Notes an upload; what has the same module and manifest as it is not kept twice.

    Args:
        tx: the transaction.
        record: the new one.
    """
    key, number = record.key, record.upload_no
    manifest = _manifest_text(record)
    tx.execute_in(
        key.room,
        "UPDATE {at}.agent_versions SET manifest = '', sealed_state = NULL WHERE room = ? AND agent = ? AND hash = ?"
        " AND manifest = ?",
        (*key, record.hash, manifest),
    )
    tx.execute_in(
        key.room,
        "INSERT OR REPLACE INTO {at}.agent_versions (room, agent, upload_no, version, hash, uploaded_ms, manifest,"
        " granted, mark) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *key,
            number,
            record.manifest.version,
            record.hash,
            record.uploaded_ms,
            manifest,
            permission_names(record.granted),
            record.mark,
        ),
    )
    sql = "DELETE FROM {at}.agent_versions WHERE room = ? AND agent = ? AND upload_no <= ?"
    tx.execute_in(key.room, sql, (*key, number - _REMEMBERED))


def park(tx: Rows, record: AgentRecord, state: StoredState | None) -> None:
    """Keeps what an agent was until now with its version: what it was granted, and its state.

    Args:
        tx: the transaction.
        record: the present one, which another takes the place of.
        state: what it leaves; None when it has none, or the next one goes on with it.
    """
    tx.execute_in(
        record.key.room,
        "UPDATE {at}.agent_versions SET manifest = ?, granted = ?, mark = ?, state_version = ?, sealed_state = ?"
        " WHERE room = ? AND agent = ? AND upload_no = ?",
        (
            _manifest_text(record),
            permission_names(record.granted),
            record.mark,
            0 if state is None else state.version,
            None if state is None else state.sealed,
            *record.key,
            record.upload_no,
        ),
    )


def switch_state(
    tx: Rows,
    states: AgentStates,
    before: AgentRecord,
    after: AgentRecord,
    *,
    keep: bool,
    waiting: StoredState | None,
    now_ms: int,
) -> StateFate:
    """Settles what the next module finds as its state, and keeps the rest with the version that leaves.

    Args:
        tx: the transaction.
        states: seals and opens.
        before: the present version.
        after: the next one.
        keep: the operator wants the present state to go on.
        waiting: the state that the next version left when it was replaced.
        now_ms: wall time.

    Returns:
        What became of it.
    """
    present = _readable(tx, before.key)
    if before.hash == after.hash:
        park(tx, before, None)
        return "kept" if present is not None else "none"
    park(tx, before, present)
    delete_state(tx, before.key)
    goes_on = keep or _same_layout(before, after)
    chosen = present if goes_on and present is not None else waiting
    if chosen is None:
        return "none" if present is None else "set aside"
    writes = max(one.version for one in (present, waiting) if one is not None) + 1
    try:
        save_state(tx, states.reseal(before.key, chosen, after.hash, writes), now_ms)
    except StateBrokenError:
        return "broken"
    _clear_state(tx, after)
    return "kept" if chosen is present else "restored"


def forget_content(tx: Rows, key: AgentKey, present: int) -> tuple[str, ...]:
    """Keeps module, manifest, grants and state of the newest few versions only.

    Args:
        tx: the transaction.
        key: whose.
        present: the number of the upload that is the present version.

    Returns:
        The hashes of modules that may be needed no more.
    """
    sql = (
        "SELECT upload_no, hash FROM agent_versions WHERE room = ? AND agent = ? AND manifest != '' AND upload_no != ?"
        " ORDER BY upload_no DESC LIMIT -1 OFFSET ?"
    )
    beyond = list(tx.execute(sql, (*key, present, KEPT)))
    for number, _ in beyond:
        tx.execute_in(
            key.room,
            "UPDATE {at}.agent_versions SET manifest = '', granted = '[]', sealed_state = NULL"
            " WHERE room = ? AND agent = ? AND upload_no = ?",
            (*key, number),
        )
    return tuple(dict.fromkeys(digest for _, digest in beyond if isinstance(digest, str)))


def read_versions(connection: Connection, key: AgentKey) -> list[AgentVersion]:
    """The uploads of an agent that are remembered.

    Args:
        connection: of the store.
        key: whose.

    Returns:
        Oldest first.
    """
    sql = (
        f"SELECT {_LISTED.names}, length(sealed_state) FROM agent_versions"  # noqa: S608 - constants
        " WHERE room = ? AND agent = ? ORDER BY upload_no"
    )
    found = []
    for *row, length in connection.execute(sql, key):
        number, version, digest, uploaded, mark, manifest = _LISTED.checked(row)
        found.append(
            AgentVersion(
                upload_no=number,
                version=version,
                hash=digest,
                uploaded_ms=uploaded,
                mark=mark,
                kept=bool(manifest),
                permissions=_asked(manifest),
                state_bytes=StoredState.plain_size(length or 0),
            )
        )
    return found


def version_hashes(connection: Connection, key: AgentKey) -> tuple[str, ...]:
    """The modules of an agent's versions that are kept.

    Args:
        connection: of the store.
        key: whose.

    Returns:
        Their hashes.
    """
    sql = "SELECT DISTINCT hash FROM agent_versions WHERE room = ? AND agent = ? AND manifest != ''"
    return tuple(digest for (digest,) in connection.execute(sql, key) if isinstance(digest, str))


def find_version(versions: Sequence[AgentVersion], present: int, reference: str | None) -> AgentVersion:
    """The version that a person means.

    Args:
        versions: oldest first.
        present: the number of the upload that is the present version.
        reference: the text of a version, or the number of an upload; None for the one before the present one.

    Returns:
        One that is kept, and not the present one.

    Raises:
        NotFoundError: there is none, or it is not kept any more.
        AmbiguousError: several uploads have the same text.
    """
    others = [one for one in versions if one.upload_no != present]
    if reference is None:
        found = [one for one in others if one.kept and one.upload_no < present][-1:]
    else:
        found = [one for one in others if one.version == reference]
        found = found or [one for one in others if str(one.upload_no) == reference]
    kept = [one for one in found if one.kept]
    if len(kept) > 1:
        names = ", ".join(f"upload {one.upload_no}" for one in kept)
        raise AmbiguousError(f"fits several versions: {names}", where=clean(reference or "", 60), hint="say its number")
    if not kept:
        why = "is not kept any more" if found else "there is no such version"
        if reference is None:
            why = "there is no version before this one"
        raise NotFoundError(why, where=clean(reference or "", 60), hint="`orlop agents show` lists all versions")
    return kept[0]


def read_kept(connection: Connection, key: AgentKey, number: int) -> KeptVersion:
    """A version that can be rolled back to.

    Args:
        connection: of the store.
        key: whose.
        number: of its upload.

    Returns:
        Everything that was kept of it.

    Raises:
        NotFoundError: it is not kept.
        RowDamagedError: its row cannot be read.
    """
    sql = f"SELECT {_KEPT.names} FROM agent_versions WHERE room = ? AND agent = ? AND upload_no = ? AND manifest != ''"  # noqa: S608 - constants
    row = connection.execute(sql, (*key, number)).fetchone()
    if row is None:
        raise NotFoundError("the version is not kept any more", where=f"{key.agent} upload {number}")
    _, digest, mark, manifest, granted, uploaded, writes, sealed = _KEPT.checked(row)
    try:
        parsed, permissions = parse_manifest(json.loads(manifest)), json.loads(granted)
    except (ManifestRefusedError, ValueError, RecursionError):
        raise _KEPT.damaged(row, "`manifest` or `granted` cannot be read") from None
    return KeptVersion(
        upload_no=number,
        manifest=parsed,
        hash=digest,
        mark=mark,
        granted=tuple(one for one in Permission if isinstance(permissions, list) and one in permissions),
        uploaded_ms=uploaded,
        state=None if sealed is None else StoredState(digest, writes, sealed),
    )


def _asked(manifest: str) -> tuple[str, ...]:
    try:
        return tuple(one.value for one in parse_manifest(json.loads(manifest)).permissions)
    except (ManifestRefusedError, ValueError, RecursionError):
        return ()


def _same_layout(before: AgentRecord, after: AgentRecord) -> bool:
    """Whether a new module says that it reads the old one's state, and comes from the same hands."""
    old, new = before.manifest, after.manifest
    same_hands = before.mark == after.mark and old.document.get("signer") == new.document.get("signer")
    return same_hands and old.state_version is not None and old.state_version == new.state_version


def _readable(connection: Connection, key: AgentKey) -> StoredState | None:
    try:
        return read_state(connection, key)
    except RowDamagedError:
        return None


def _clear_state(tx: Rows, record: AgentRecord) -> None:
    sql = "UPDATE {at}.agent_versions SET sealed_state = NULL WHERE room = ? AND agent = ? AND upload_no = ?"
    tx.execute_in(record.key.room, sql, (*record.key, record.upload_no))


def _manifest_text(record: AgentRecord) -> str:
    return json.dumps(dict(record.manifest.document), ensure_ascii=False)
