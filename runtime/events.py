"""Everything that happens: one frozen dataclass per event type, and the one codec for stream, journal and socket.

An event names things by id, with counts, sizes, states and reasons. Fields marked `content()` (text of rooms and
agents, arguments of kind text, output bytes) are never journalled: `<field>_bytes` stands in their place, also on the
live stream unless content was asked for. The list of types is the contract; `orlop schema` prints it as JSON Schema. A
new optional field or a new type does not raise `VERSION`; removing or re-typing a field does.
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar

__all__ = ["VERSION", "Event", "Record", "content"]

VERSION = 1
"""Version of the line format, the `v` of every line."""


def content() -> Any:  # noqa: ANN401 - dataclasses.field has no better type
    """A field whose value is content: absent (None) from the journal and from streams without `--content`."""
    return field(default=None, metadata={"content": True})


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Root of all events. `cause` is the seq of the event that led to this one."""

    TYPE: ClassVar[str] = ""
    LIVE_ONLY: ClassVar[bool] = False
    """True for types that are streamed with a seq of their own but never journalled."""

    cause: int | None = None
    withheld: tuple[tuple[str, int], ...] = field(default=(), metadata={"wire": False})
    """Content that was taken out: path of the field and its size in bytes; `<field>_bytes` on the wire."""


@dataclass(frozen=True, slots=True)
class Record:
    """An event that happened: its place in the order of all events, and when."""

    seq: int
    ts_ms: int
    event: Event


# --- core -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreStarted(Event):
    """The core runs; first line of a stream without `--since`."""

    TYPE: ClassVar[str] = "core.started"
    version: str
    pid: int
    state_dir: str
    peer_id: str
    listen: tuple[str, ...] = ()
    recovered: tuple[str, ...] = ()
    """What was found unfinished and put right, such as `job 3f… lost`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreReady(Event):
    """Everything that was active before is active again."""

    TYPE: ClassVar[str] = "core.ready"
    ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreConfig(Event):
    """The configuration was read again."""

    TYPE: ClassVar[str] = "core.config"
    changed: tuple[str, ...] = ()
    restart: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreError(Event):
    """The host failed at something; no guest is blamed."""

    TYPE: ClassVar[str] = "core.error"
    where: str
    error: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreLag(Event):
    """The core's loop was late."""

    TYPE: ClassVar[str] = "core.lag"
    LIVE_ONLY: ClassVar[bool] = True
    p95_ms: int
    max_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreStopping(Event):
    """No new work is taken."""

    TYPE: ClassVar[str] = "core.stopping"
    reason: str
    running: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreStopped(Event):
    """Last event of a run."""

    TYPE: ClassVar[str] = "core.stopped"
    exit_code: int
    uptime_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreRestored(Event):
    """The directory was restored from a backup; what came after `backup_ms` is gone. `lost`: jobs without an end."""

    TYPE: ClassVar[str] = "core.restored"
    backup_sha256: str
    """Hash of the backup's file."""
    backup_ms: int
    restores: int
    """How often this directory was restored, this time included."""
    lost: int
    receipt: str
    """The entry of the chain that says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageLow(Event):
    """Less than `storage.min_free` is free: no new work is taken until there is more."""

    TYPE: ClassVar[str] = "storage.low"
    free_bytes: int
    min_free_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageOk(Event):
    """Enough is free again; new work is taken."""

    TYPE: ClassVar[str] = "storage.ok"
    free_bytes: int
    min_free_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifyBell(Event):
    """A `[[notify]]` with a bell matched the event `cause`; a screen rings its terminal's bell."""

    TYPE: ClassVar[str] = "notify.bell"
    LIVE_ONLY: ClassVar[bool] = True
    rule: str
    """File and line of the `[[notify]]`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifyFailed(Event):
    """The command of a `[[notify]]` did not do its work for the event `cause`."""

    TYPE: ClassVar[str] = "notify.failed"
    rule: str
    program: str
    reason: str
    said: str = ""
    """The last line that it wrote to its standard error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifyLimited(Event):
    """A `[[notify]]` matched more often than its `per_minute`; so many events were passed over in the last minute."""

    TYPE: ClassVar[str] = "notify.limited"
    rule: str
    dropped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreLocked(Event):
    """Rooms and agents are shut until somebody knows the PIN. `by`: command, idle."""

    TYPE: ClassVar[str] = "core.locked"
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreUnlocked(Event):
    """Rooms and agents are open again. `by`: pin, passphrase."""

    TYPE: ClassVar[str] = "core.unlocked"
    by: str


# --- clients and commands -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientAttached(Event):
    """A face subscribed through the control socket."""

    TYPE: ClassVar[str] = "client.attached"
    client: str
    uid: int
    pid: int
    read_only: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientDetached(Event):
    """A face went away or was cut."""

    TYPE: ClassVar[str] = "client.detached"
    client: str
    reason: str
    dropped: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandDone(Event):
    """A changing command ended."""

    TYPE: ClassVar[str] = "command.done"
    command: str
    args: str | None = content()
    uid: int
    face: str
    ok: bool
    duration_ms: int
    error: str = ""
    """The error's code, never its text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamGap(Event):
    """One reader was too slow; made by the writer for that reader, `seq` = `to`, never journalled."""

    TYPE: ClassVar[str] = "stream.gap"
    LIVE_ONLY: ClassVar[bool] = True
    first: int
    to: int
    reason: str


# --- rooms ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomCreated(Event):
    """A room exists."""

    TYPE: ClassVar[str] = "room.created"
    room: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberJoined(Event):
    """A member is in a room; the first one is this node's own account. `already`: it was there before this node's."""

    TYPE: ClassVar[str] = "member.joined"
    room: str
    key: str
    already: bool = False
    name: str | None = content()


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberLeft(Event):
    """A member has left a room by itself. `own`: it is this node's member."""

    TYPE: ClassVar[str] = "member.left"
    room: str
    key: str
    own: bool = False
    name: str | None = content()


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberRemoved(Event):
    """The creator of a room has removed a member; the keys of the room change. `own`: it is this node's member."""

    TYPE: ClassVar[str] = "member.removed"
    room: str
    key: str
    own: bool = False
    name: str | None = content()


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberVerified(Event):
    """The safety number was compared with a member; false: the mark was taken back, or the keys are others now."""

    TYPE: ClassVar[str] = "member.verified"
    room: str
    key: str
    verified: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomConnected(Event):
    """The way to the other members of a room is open."""

    TYPE: ClassVar[str] = "room.connected"
    room: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomDisconnected(Event):
    """The way to the other members is closed. `retries`: it is tried again by itself."""

    TYPE: ClassVar[str] = "room.disconnected"
    room: str
    reason: str
    retries: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomReestablishing(Event):
    """After a connection: members who are there and have not shared their keys again; empty once all have."""

    TYPE: ClassVar[str] = "room.reestablishing"
    room: str
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomPresence(Event):
    """Who is there besides this member, as the relay says."""

    TYPE: ClassVar[str] = "room.presence"
    LIVE_ONLY: ClassVar[bool] = True
    room: str
    present: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomRotated(Event):
    """This member speaks under a new key, which only those have who are members now."""

    TYPE: ClassVar[str] = "room.rotated"
    room: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomUndecryptable(Event):
    """A message of a member could not be read."""

    TYPE: ClassVar[str] = "room.undecryptable"
    room: str
    key: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomWarning(Event):
    """Something about a room that a person should look at: keys that do not belong together, two devices in one name.

    `about`: impostor, refused, fork, snapshot or legacy.
    """

    TYPE: ClassVar[str] = "room.warning"
    room: str
    key: str
    about: str
    reason: str
    name: str | None = content()


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomSettings(Event):
    """A room's settings are others now; `changed` names them, `keep` among them."""

    TYPE: ClassVar[str] = "room.settings"
    room: str
    author: str
    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomCountdown(Event):
    """All is done in a room that then deletes itself, at `at_ms`; null: it does not, any more."""

    TYPE: ClassVar[str] = "room.countdown"
    room: str
    at_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomBurned(Event):
    """Nothing of a room is left here: no key, content or event that named it. `by`: operator, countdown, creator."""

    TYPE: ClassVar[str] = "room.burned"
    room: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomExported(Event):
    """A room was written to a file, sealed under a passphrase."""

    TYPE: ClassVar[str] = "room.exported"
    room: str
    entries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomImported(Event):
    """A room came out of a file, each of its entries verified."""

    TYPE: ClassVar[str] = "room.imported"
    room: str
    name: str
    entries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagePosted(Event):
    """Somebody said something in a room."""

    TYPE: ClassVar[str] = "message.posted"
    room: str
    id: str
    author: str
    text: str | None = content()


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskChanged(Event):
    """An admitted event changed a task. `change` is the task event's type."""

    TYPE: ClassVar[str] = "task.changed"
    room: str
    task: str
    change: str
    actor: str
    fields: tuple[str, ...] = ()
    status: str = ""
    title: str | None = content()


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRejected(Event):
    """A task event was not admitted. `reason` has gaps where `detail` has texts that the event's author chose."""

    TYPE: ClassVar[str] = "task.rejected"
    room: str
    task: str
    """Empty when the room has no such task."""
    actor: str
    reason: str
    detail: str | None = content()


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDue(Event):
    """A task is due in five minutes or less; said once for each due time, never in ephemeral rooms."""

    TYPE: ClassVar[str] = "task.due"
    room: str
    task: str
    due_ms: int
    title: str | None = content()


# --- agents ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentUploaded(Event):
    """A module was checked and stored."""

    TYPE: ClassVar[str] = "agent.uploaded"
    room: str
    agent: str
    version: str
    hash: str
    size_bytes: int
    permissions: tuple[str, ...]
    signed_by: str = "unsigned"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRollback(Event):
    """An older version of an agent took the place of the present one."""

    TYPE: ClassVar[str] = "agent.rollback"
    room: str
    agent: str
    version: str
    hash: str
    size_bytes: int
    permissions: tuple[str, ...]
    signed_by: str = "unsigned"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRefused(Event):
    """A module or manifest did not pass its checks."""

    TYPE: ClassVar[str] = "agent.refused"
    room: str
    name: str
    check: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentGranted(Event):
    """The permissions of an agent are now exactly these."""

    TYPE: ClassVar[str] = "agent.granted"
    room: str
    agent: str
    permissions: tuple[str, ...]
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentActivated(Event):
    """An agent is live: instantiated, `init` returned."""

    TYPE: ClassVar[str] = "agent.activated"
    room: str
    agent: str
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentFailed(Event):
    """An activation failed; the agent is off and can be activated again."""

    TYPE: ClassVar[str] = "agent.failed"
    room: str
    agent: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentPaused(Event):
    """The agent's calls wait: for the host to keep what it did, or for the next minute. Nothing counts against it."""

    TYPE: ClassVar[str] = "agent.paused"
    room: str
    agent: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentLeased(Event):
    """Another member runs an agent from here on, or nobody (`runner` empty). `own`: it is this node's member."""

    TYPE: ClassVar[str] = "agent.leased"
    room: str
    agent: str
    runner: str
    term: int
    own: bool
    name: str | None = content()


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentDeactivated(Event):
    """An agent is off. `reason`: operator, breaker, upload, rollback, deleted, shutdown, left (the room)."""

    TYPE: ClassVar[str] = "agent.deactivated"
    room: str
    agent: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentDeleted(Event):
    """Module, state and diagnostics of an agent are gone."""

    TYPE: ClassVar[str] = "agent.deleted"
    room: str
    agent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentLog(Event):
    """An agent wrote a line with `host_log`."""

    TYPE: ClassVar[str] = "agent.log"
    LIVE_ONLY: ClassVar[bool] = True
    room: str
    agent: str
    text: str | None = content()


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """An emission that was not admitted. `reason` has gaps where `detail` has texts that the agent chose."""

    reason: str
    detail: str | None = content()
    event: str | None = content()


@dataclass(frozen=True, slots=True, kw_only=True)
class TickCompleted(Event):
    """A call of an agent returned. `n` counts the agent's calls since activation; `trigger`: init, event, tick."""

    TYPE: ClassVar[str] = "tick.completed"
    room: str
    agent: str
    n: int
    trigger: str
    duration_us: int
    emitted: int
    dropped: tuple[Drop, ...] = ()
    state_bytes: int = 0
    state_changed: bool = False
    cpu_us: int = 0
    asked: int = 0
    """Emissions that were put before the room."""
    log_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TickSummary(Event):
    """Uneventful ticks of one agent in one minute; stands in the journal for them."""

    TYPE: ClassVar[str] = "tick.summary"
    room: str
    agent: str
    from_ms: int
    to_ms: int
    count: int
    max_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TickFailed(Event):
    """A call of an agent failed. `kind`: trap, deadline, memory, stack, host, state. `failures`: in a row."""

    TYPE: ClassVar[str] = "tick.failed"
    room: str
    agent: str
    n: int
    trigger: str
    duration_us: int
    kind: str
    message: str
    failures: int
    cpu_us: int = 0
    log_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerTripped(Event):
    """Three failures of one trigger in a row: off until a probe is good. `next_probe`: when one is due, or null."""

    TYPE: ClassVar[str] = "breaker.tripped"
    room: str
    agent: str
    trigger: str
    failures: int
    reasons: tuple[str, ...]
    next_probe: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerProbed(Event):
    """A tripped agent made one call. `by`: operator, timer. `next_probe`: time of the next by the timer, or null."""

    TYPE: ClassVar[str] = "breaker.probed"
    room: str
    agent: str
    ok: bool
    reason: str = ""
    by: str = "operator"
    next_probe: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerClosed(Event):
    """A tripped agent runs again. `by`: probe, timer, operator, upload, rollback."""

    TYPE: ClassVar[str] = "breaker.closed"
    room: str
    agent: str
    by: str


# --- jobs -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSubmitted(Event):
    """A signed job manifest was accepted for checking."""

    TYPE: ClassVar[str] = "job.submitted"
    job: str
    kind: str
    module: str
    """Hash of the module, `sha256:` and 64 hex characters."""
    name: str
    """Display name, the module's file name."""
    submitter: str
    where: str
    memory_bytes: int
    fuel: int
    timeout_ms: int
    max_output_bytes: int
    cpu_ms: int = 0
    stack_bytes: int = 0
    table_elements: int = 0
    open_files: int = 0
    dir_bytes: int = 0
    priority: int = 0
    retries: int = 0
    expires_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobState(Event):
    """States: queued, admitted, compiling, running, done, failed, cancelled, refused, lost; `reason`: the outcome."""

    TYPE: ClassVar[str] = "job.state"
    job: str
    state: str
    previous: str
    reason: str = ""
    tripped: str = ""
    """The name of the limit that struck; empty when none did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStep(Event):
    """A job went a step of its way between two nodes.

    Steps where it was given: dialled, offered, accepted, rejected, sent, started, cut, resumed, result, verified; where
    it runs: offered, leased, received. `detail` says more, in words for people.
    """

    TYPE: ClassVar[str] = "job.step"
    job: str
    step: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOutput(Event):
    """A piece of output, as it came. The journal keeps offset and length; text is told live, while somebody watches."""

    TYPE: ClassVar[str] = "job.output"
    job: str
    stream: str
    offset: int
    length: int
    data_b64: str | None = content()


@dataclass(frozen=True, slots=True, kw_only=True)
class JobUsage(Event):
    """What a job used, once, when it ended. Unknown figures (of a killed worker) are null."""

    TYPE: ClassVar[str] = "job.usage"
    job: str
    wall_ms: int
    fuel: int | None
    memory_peak_bytes: int | None
    output_bytes: int
    exit_code: int | None
    cpu_ms: int | None = None
    dir_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDisagreed(Event):
    """A replica ended otherwise than most, by a receipt that is true. `agreed`: the job of one of the others."""

    TYPE: ClassVar[str] = "job.disagreed"
    job: str
    where: str
    agreed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPruned(Event):
    """Jobs that ended long ago were forgotten, and files of output removed; receipts stay."""

    TYPE: ClassVar[str] = "job.pruned"
    jobs: int
    outputs: int
    bytes: int


# --- receipts -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptIssued(Event):
    """A receipt was signed, or came from another node (`own` false), and stored. `number`: its place in the chain."""

    TYPE: ClassVar[str] = "receipt.issued"
    receipt: str
    job: str
    worker: str
    number: int
    exit_code: int
    outcome: str
    previous: str
    own: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a verification: true, false, or null for not checked."""

    name: str
    ok: bool | None
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRotated(Event):
    """The node has a new key, signed by the old one. `number` is the new key's; the first key has number 0."""

    TYPE: ClassVar[str] = "key.rotated"
    old: str
    new: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptVerified(Event):
    """A stored receipt was verified. `verdict`: valid, invalid, unchecked."""

    TYPE: ClassVar[str] = "receipt.verified"
    receipt: str
    verdict: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainBroken(Event):
    """A receipt does not follow its predecessor."""

    TYPE: ClassVar[str] = "chain.broken"
    worker: str
    at: int
    expected: str
    got: str


# --- peers ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class NetListening(Event):
    """The node can be dialled. `addrs` are all its addresses now, each ending in `/p2p/` and its PeerId."""

    TYPE: ClassVar[str] = "net.listening"
    addrs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerFound(Event):
    """Somebody said where a peer is: a hint, which proves nothing. `source`: typed, lan, dht, identify."""

    TYPE: ClassVar[str] = "peer.found"
    peer: str
    source: str
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerConnected(Event):
    """A peer has proven its key. `transport`: tcp, quic. `dialled`: this node opened the connection."""

    TYPE: ClassVar[str] = "peer.connected"
    peer: str
    address: str
    transport: str
    dialled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerDisconnected(Event):
    """The last connection of a peer has ended."""

    TYPE: ClassVar[str] = "peer.disconnected"
    peer: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerUnreachable(Event):
    """A peer was dialled in vain: nobody answered, or whoever did could not prove that key."""

    TYPE: ClassVar[str] = "peer.unreachable"
    peer: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerMeasured(Event):
    """How long a peer took to answer a ping, in microseconds."""

    TYPE: ClassVar[str] = "peer.measured"
    LIVE_ONLY: ClassVar[bool] = True
    peer: str
    rtt_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerFault(Event):
    """A peer broke a rule of a protocol. `peer` is empty while its key is not proven. `rule`: such as bad-frame."""

    TYPE: ClassVar[str] = "peer.fault"
    peer: str
    address: str
    rule: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerTrusted(Event):
    """What a peer may: as `worker` its receipts are believed and jobs are given to it, as `submitter` it gives jobs."""

    TYPE: ClassVar[str] = "peer.trusted"
    peer: str
    worker: bool
    submitter: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerBanned(Event):
    """A peer is banned, or, with `banned` false, no more. `until` is when a ban that nobody ordered ends."""

    TYPE: ClassVar[str] = "peer.banned"
    peer: str
    banned: bool
    reason: str
    until: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerLied(Event):
    """A peer gave a receipt with a false step; it gets no job until it is trusted anew. `reason` names the step."""

    TYPE: ClassVar[str] = "peer.lied"
    peer: str
    job: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerRan(Event):
    """A job that was given to a peer has ended there, with a receipt that is true or not; the counts are of all."""

    TYPE: ClassVar[str] = "peer.ran"
    peer: str
    job: str
    proved: bool
    done: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerNamed(Event):
    """The operator gave a peer a name of their own, and a note."""

    TYPE: ClassVar[str] = "peer.named"
    peer: str
    name: str
