"""Uploads: what comes in, what is kept of it, what changes by it, what is said about it. Pure."""

from dataclasses import dataclass

from runtime.agents.breaker import Breaker
from runtime.agents.diagnostics import DiagnosticEntry
from runtime.agents.keys import AgentKey
from runtime.agents.manifest import AgentManifest, Permission
from runtime.agents.stored import AgentRecord, StoredAgent
from runtime.agents.versions import AgentVersion, StateFate
from runtime.errors import UsageError
from runtime.events import AgentDeactivated, AgentGranted, AgentRollback, AgentUploaded, BreakerClosed, Event

__all__ = [
    "Change",
    "ModuleDetails",
    "Upload",
    "Uploaded",
    "beyond_asked",
    "changed_events",
    "names",
    "new_record",
    "settled_grants",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """What is to be stored.

    Attributes:
        room: id of the room.
        wasm: the module.
        manifest: its manifest.
        granted: what the operator grants, a subset of the manifest's permissions; None for an update, which keeps
            what was granted as far as it asks for it again.
        by: who granted it.
        builtin: shipped with orlop.
        unsigned: the operator says that nobody need vouch for it.
        keep_state: the operator wants another module to go on with the state of the one before.
    """

    room: str
    wasm: bytes
    manifest: AgentManifest
    granted: tuple[Permission, ...] | None
    by: str = "operator"
    builtin: bool = False
    unsigned: bool = False
    keep_state: bool = False

    @property
    def key(self) -> AgentKey:
        """Of the agent that it becomes."""
        return AgentKey(self.room, self.manifest.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One version of an agent in the place of another.

    Attributes:
        before: the version that left.
        after: the one that is there now.
        state: what became of the state.
    """

    before: AgentRecord
    after: AgentRecord
    state: StateFate

    @property
    def asks_more(self) -> tuple[Permission, ...]:
        """Permissions that it did not ask for before."""
        return tuple(one for one in self.after.manifest.permissions if one not in self.before.manifest.permissions)

    @property
    def asks_less(self) -> tuple[Permission, ...]:
        """Permissions that it asks for no more."""
        return tuple(one for one in self.before.manifest.permissions if one not in self.after.manifest.permissions)

    @property
    def gained(self) -> tuple[Permission, ...]:
        """Permissions that are granted now and were not."""
        return tuple(one for one in self.after.granted if one not in self.before.granted)

    @property
    def lost(self) -> tuple[Permission, ...]:
        """Permissions that were granted and are no more."""
        return tuple(one for one in self.before.granted if one not in self.after.granted)

    @property
    def signer_changed(self) -> bool:
        """Whether somebody else vouches for it."""
        return (self.before.mark, _signer(self.before)) != (self.after.mark, _signer(self.after))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the operator should look at before he starts it."""
        said = []
        if self.signer_changed:
            said.append(f"THE SIGNER CHANGED: it was {self.before.mark}, it is {self.after.mark}")
        if self.state == "broken":
            said.append("the state that was kept with it does not open; it starts without one")
        return tuple(said)


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploaded:
    """A stored upload, or a version that is back. `versions` counts the uploads of its name."""

    record: AgentRecord
    warnings: tuple[str, ...]
    versions: int
    change: Change | None = None


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


def beyond_asked(granted: tuple[Permission, ...], manifest: AgentManifest) -> None:
    """Refuses grants that nobody asked for.

    Args:
        granted: by the operator.
        manifest: says what is asked for.

    Raises:
        UsageError: one of them is not.
    """
    beyond = [one.value for one in granted if one not in manifest.permissions]
    if beyond:
        raise UsageError(f"the manifest does not ask for {', '.join(beyond)}")


def settled_grants(upload: Upload, before: StoredAgent | None) -> tuple[Permission, ...]:
    """What an upload may do: what the operator says, else what was granted before as far as it is asked for again.

    Args:
        upload: what is kept.
        before: the agent that it takes the place of.

    Returns:
        In the order of `Permission`.

    Raises:
        UsageError: nothing was said, and there is nothing to go by.
    """
    if upload.granted is not None:
        return tuple(permission for permission in Permission if permission in upload.granted)
    if not isinstance(before, AgentRecord):
        raise UsageError("--grant is missing", hint="say what it may do: all, none, or permissions joined by commas")
    return tuple(one for one in upload.manifest.permissions if one in before.granted)


def new_record(
    upload: Upload, digest: str, *, now_ms: int, number: int, mark: str, granted: tuple[Permission, ...]
) -> AgentRecord:
    """The record that an upload becomes; the agent is off.

    Args:
        upload: what is kept.
        digest: of its module.
        now_ms: wall time.
        number: of the upload.
        mark: who vouches for it.
        granted: from `settled_grants`.

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
        mark=mark,
        granted=granted,
        active=False,
        upload_no=number,
    )


def changed_events(
    record: AgentRecord, before: StoredAgent | None, breaker: Breaker, *, by: str, rolled_back: bool = False
) -> list[Event]:
    """What is said about an upload, or about a version that is back.

    Args:
        record: of it.
        before: the record that it replaces.
        breaker: as it was.
        by: who granted what it may do.
        rolled_back: whether an older version is back.

    Returns:
        The events, in order.
    """
    room, agent = record.key
    reason = "rollback" if rolled_back else "upload"
    events: list[Event] = []
    if before is not None and before.active:
        events.append(AgentDeactivated(room=room, agent=agent, reason=reason))
    kind = AgentRollback if rolled_back else AgentUploaded
    events.append(
        kind(
            room=room,
            agent=agent,
            version=record.manifest.version,
            hash=record.hash,
            size_bytes=record.size_bytes,
            permissions=names(record.manifest.permissions),
            signed_by=record.mark,
        )
    )
    events.append(AgentGranted(room=room, agent=agent, permissions=names(record.granted), by=by))
    if breaker.open:
        events.append(BreakerClosed(room=room, agent=agent, by=reason))
    return events


def _signer(record: AgentRecord) -> str:
    """Who says that he signed; whether he did was judged when it was stored."""
    return str(record.manifest.document.get("signer", ""))
