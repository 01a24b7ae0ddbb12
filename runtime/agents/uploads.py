"""Uploads: what comes in, what is kept of it, what is said about it. Pure."""

from dataclasses import dataclass

from runtime.agents.breaker import Breaker
from runtime.agents.diagnostics import DiagnosticEntry
from runtime.agents.keys import AgentKey
from runtime.agents.manifest import AgentManifest, Permission
from runtime.agents.records import UNSIGNED, AgentRecord, AgentVersion, StoredAgent
from runtime.events import AgentDeactivated, AgentGranted, AgentUploaded, BreakerClosed, Event

__all__ = ["ModuleDetails", "Upload", "Uploaded", "names", "new_record", "uploaded_events"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """What is to be stored.

    Attributes:
        room: id of the room.
        wasm: the module.
        manifest: its manifest.
        granted: what the operator grants, a subset of the manifest's permissions.
        by: who granted it.
        builtin: shipped with orlop.
    """

    room: str
    wasm: bytes
    manifest: AgentManifest
    granted: tuple[Permission, ...]
    by: str = "operator"
    builtin: bool = False

    @property
    def key(self) -> AgentKey:
        """Of the agent that it becomes."""
        return AgentKey(self.room, self.manifest.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploaded:
    """A stored upload. `versions` counts the uploads of its name."""

    record: AgentRecord
    warnings: tuple[str, ...]
    versions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleDetails:
    """Everything that is stored of an agent, but its state."""

    record: AgentRecord
    versions: tuple[AgentVersion, ...]
    breaker: Breaker
    entries: tuple[DiagnosticEntry, ...]
    state_bytes: int


def names(permissions: tuple[Permission, ...]) -> tuple[str, ...]:
    """Permissions as events name them.

    Args:
        permissions: in order.

    Returns:
        Their names.
    """
    return tuple(permission.value for permission in permissions)


def new_record(upload: Upload, digest: str, now_ms: int, number: int) -> AgentRecord:
    """The record that an upload becomes; the agent is off.

    Args:
        upload: what is kept.
        digest: of its module.
        now_ms: wall time.
        number: of the upload.

    Returns:
        The record.
    """
    return AgentRecord(
        key=upload.key,
        builtin=upload.builtin,
        manifest=upload.manifest,
        hash=digest,
        size_bytes=len(upload.wasm),
        uploaded_ms=now_ms,
        mark=UNSIGNED,
        granted=tuple(permission for permission in Permission if permission in upload.granted),
        active=False,
        upload_no=number,
    )


def uploaded_events(upload: Upload, record: AgentRecord, before: StoredAgent | None, breaker: Breaker) -> list[Event]:
    """What is said about an upload.

    Args:
        upload: what is kept.
        record: of it.
        before: the record that it replaces.
        breaker: as it was.

    Returns:
        The events, in order.
    """
    room, agent = upload.key
    events: list[Event] = []
    if before is not None and before.active:
        events.append(AgentDeactivated(room=room, agent=agent, reason="upload"))
    events.append(
        AgentUploaded(
            room=room,
            agent=agent,
            version=record.manifest.version,
            hash=record.hash,
            size_bytes=record.size_bytes,
            permissions=names(record.manifest.permissions),
            signed_by=record.mark,
        )
    )
    events.append(AgentGranted(room=room, agent=agent, permissions=names(record.granted), by=upload.by))
    if breaker.open:
        events.append(BreakerClosed(room=room, agent=agent, by="upload"))
    return events
