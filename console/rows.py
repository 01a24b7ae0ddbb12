"""The rows that panes and listings show: one frozen dataclass per topic, the shape of `CoreClient.snapshot`.

A row is absolute: folding an event that the snapshot already contains changes nothing.
"""

from dataclasses import dataclass

__all__ = [
    "AgentRow",
    "ComponentRow",
    "JobRow",
    "MachineRow",
    "NodeRow",
    "PeerRow",
    "ReceiptRow",
    "ReleaseRow",
    "RoomRow",
    "StepRow",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRow:
    """This node. Topic `node` is one such object."""

    name: str
    peer_id: str
    version: str
    state_dir: str
    started_ms: int
    mode: str
    """`local`, or `attached`."""
    demo: bool
    read_only: bool
    tick_interval_ms: int
    free_bytes: int = 0
    """Of the state directory's disk."""
    min_free_bytes: int = 0
    storage_low: bool = False
    """True while no new work is taken."""
    locked: bool = False
    """True while rooms and agents are shut until somebody knows the PIN."""
    listen: tuple[str, ...] = ()
    """Where other nodes reach it, each ending in `/p2p/` and its PeerId; empty: nowhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomRow:
    """A room. Topic `rooms` is a list of these."""

    room: str
    name: str
    total: int
    open: int
    blocked: int
    completed: int
    members: int
    agents: int
    link: str = ""
    """`connecting`, `online`, `offline`, `closed`; empty for a room without a relay."""
    problem: str = ""
    """Why it is offline or closed."""
    present: int = 0
    """Other members who are there."""
    reestablishing: int = 0
    """Members who are there and have not shared their keys again."""
    creator: bool = False
    """Whether this node made it."""
    ephemeral: bool = False
    """Nothing of it is on the disk."""
    deletes_ms: int | None = None
    """Wall time at which it deletes itself; None when it does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRow:
    """An agent in a room; its key is (room, agent). Topic `agents` is a list of these."""

    room: str
    room_name: str
    agent: str
    version: str
    hash: str
    builtin: bool
    mark: str
    """`unsigned`, or who signed."""
    state: str
    """`off`, `starting`, `active`, `standby`, `probing`, `tripped`, `failed`, `paused`."""
    permissions: tuple[str, ...]
    granted: tuple[str, ...]
    calls: int
    last_ms: int | None
    """Wall time of the last call's end."""
    last_trigger: str
    last_duration_us: int | None
    p95_us: int | None
    emitted: int
    """Of the last call."""
    dropped: int
    """Of the last call."""
    failures: int
    """In a row, the greater of tick and event."""
    reasons: tuple[str, ...]
    """Of the failures that tripped the breaker, or of those so far."""
    problem: str
    """Why it is failed or paused."""
    state_bytes: int
    runner: str = ""
    """Name of the member who runs it, where others are in the room; empty while nobody does."""
    next_probe_ms: int | None = None
    """Wall time of the next automatic probe of a tripped agent."""
    minute: int = 0
    """The minute since the Unix epoch to which the used figures belong; in any other minute they are 0."""
    used_calls: int = 0
    used_emissions: int = 0
    used_log_bytes: int = 0
    used_cpu_us: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRow:
    """A job. Topic `jobs` is a list of these, newest first, at most 1,000."""

    job: str
    name: str
    module: str
    where: str
    submitter: str
    state: str
    outcome: str
    reason: str
    created_ms: int
    started_ms: int | None
    ended_ms: int | None
    exit_code: int | None
    wall_ms: int | None
    fuel: int | None
    memory_peak_bytes: int | None
    output_bytes: int
    limit_memory_bytes: int
    limit_fuel: int
    limit_timeout_ms: int
    limit_output_bytes: int
    receipt: str
    """Id of its receipt, or empty."""
    limit_cpu_ms: int = 0
    limit_stack_bytes: int = 0
    limit_table_elements: int = 0
    limit_open_files: int = 0
    limit_dir_bytes: int = 0
    tripped: str = ""
    """The name of the limit that struck, or empty."""
    priority: int = 0
    retries: int = 0
    """How often it is run again when its worker is lost."""
    attempt: int = 0
    """How often it was started again."""
    expires_ms: int | None = None
    """Wall time after which it is not started any more."""
    cpu_ms: int | None = None
    dir_bytes: int | None = None
    """By which its writable directories have grown on the disk; None without any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptRow:
    """A receipt. Topic `receipts` is a list of these, newest first, at most 1,000."""

    receipt: str
    number: int
    job: str
    worker: str
    own: bool
    exit_code: int
    outcome: str
    previous: str
    issued_ms: int
    verdict: str
    """`valid`, `invalid`, `unchecked`; empty before the first verification."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerRow:
    """Another node. Topic `peers` is a list of these."""

    peer: str
    name: str
    """The operator's own name for it, or empty."""
    note: str
    state: str
    """`connected`, `known` or `banned`."""
    worker: bool
    """Its receipts are believed, and jobs are given to it."""
    submitter: bool
    """It may give this node jobs."""
    problem: str
    """In what it lied, or why it is banned."""
    seen_ms: int
    proven_ms: int | None
    """Wall time at which it last proved its key; None: never."""
    done: int
    """Jobs that it ran for this node, with receipts that are true."""
    failed: int
    rtt_us: int | None
    agent: str
    """The program that it says it is."""
    address: str
    """Where it is connected, else where it was last, or is said to be."""
    transport: str = ""
    """`tcp` or `quic` while it is connected."""
    dialled: bool = False
    """Whether this node opened the connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentRow:
    """A component that is installed. Topic `components` is a list of these."""

    component: str
    """`namespace/name`."""
    version: str
    description: str
    hash: str
    world: str
    mark: str
    """`unsigned`, or the key that signed."""
    state: str
    """Of its life: `installed`, `running`, `suspended`, `stopped`, `failed`, `given-up`, or a step in between."""
    reason: str
    """Why it failed or stopped."""
    status: str
    """How it says that it is: `healthy`, `degraded`, `unhealthy`, `unknown`."""
    detail: str
    restarts: int
    calls: int
    denied: int
    mailbox: int
    mailbox_max: int
    memory_max: int
    storage_max: int
    handles_max: int
    cpu_max_ms: int
    rules_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseRow:
    """A release that is served to machines that boot. Topic `releases` is a list of these."""

    url: str
    """Where it is served; also its key."""
    announced: tuple[str, ...]
    """Addresses at which it is announced on the link."""
    release: str
    manifest_version: int
    channel: str
    arch: str
    hash: str
    """Of its manifest."""
    created_ms: int
    expires_ms: int
    size: int
    """Bytes of all artifacts."""
    keys: tuple[str, ...]
    """That signed it, by its own word."""
    root_version: int
    """Of the newest root beside it; 0 where the root in the images alone counts."""
    root_keys: int
    threshold: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRow:
    """A step that a machine reported of itself."""

    name: str
    ok: bool
    detail: str
    ts_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineRow:
    """A machine that asked for a manifest. Topic `machines` is a list of these, oldest first, at most 1,000."""

    session: str
    """The nonce that it got."""
    address: str
    manifest: str
    """Hash of what it asked for; empty where that is not known."""
    artifact: str
    """What was sent to it last."""
    bytes: int
    size: int
    began_ms: int
    moved_ms: int
    """When something was sent to it last."""
    seen_ms: int
    steps: tuple[StepRow, ...] = ()
    """Reported by the machine, proven by nothing."""
    receipt: str = ""
    """Id of the receipt that it delivered; empty before."""
    key: str = ""
    """That signed the receipt."""
    verdict: str = ""
    """`valid`, `invalid`, `unchecked` as `receipts verify` finds; empty before."""
    doubt: str = ""
    names_manifest: bool = False
    """Whether the receipt says that the served manifest was booted; a claim."""
