"""A Component.toml that passed every check."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from runtime.canonical import Json
from runtime.components.permissions.rules import Rules

__all__ = [
    "SCHEMA",
    "WORLDS",
    "ComponentFile",
    "Lifecycle",
    "Limits",
    "Manifest",
    "Messaging",
    "Mount",
    "MountSource",
    "Overflow",
    "Package",
    "Restart",
    "Signature",
    "Supervision",
]

SCHEMA: Final = 1
WORLDS: Final = (
    "orlop:core/component",
    "orlop:worlds/with-filesystem",
    "orlop:worlds/with-network",
    "orlop:worlds/with-process",
    "orlop:worlds/full",
)

MountSource = Literal["private", "temp", "operator"]
Restart = Literal["always", "on-failure", "never"]
Overflow = Literal["reject", "drop-oldest"]


@dataclass(frozen=True, slots=True)
class Package:
    """Who the component is; `namespace/name` is its name among components."""

    name: str
    version: str
    namespace: str = "local"
    description: str = ""
    authors: tuple[str, ...] = ()
    license: str = ""
    homepage: str = ""
    repository: str = ""
    keywords: tuple[str, ...] = ()

    @property
    def full_name(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class ComponentFile:
    """The component itself.

    Attributes:
        file: path beside the manifest.
        sha256: lower-case hexadecimal; None only before it is installed.
        world: one of `WORLDS`.
        stateful: False for a fresh instance per `execute`.
    """

    file: str
    sha256: str | None = None
    world: str = WORLDS[0]
    stateful: bool = True


@dataclass(frozen=True, slots=True)
class Mount:
    """A directory that the component sees.

    Attributes:
        guest: where, absolute, in its normal form.
        source: `private` is kept, `temp` is emptied at stop, `operator` is given at install.
        read_only: nothing below it can be changed.
    """

    guest: str
    source: MountSource
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """Ceilings: bytes, milliseconds and counts. `fuel` is per call, None for any; `log_rate` is lines per second."""

    memory: int = 64 * 2**20
    table_elements: int = 20_000
    instances: int = 64
    fuel: int | None = None
    init_timeout: int = 10_000
    call_timeout: int = 5_000
    shutdown_timeout: int = 5_000
    cpu_per_minute: int = 20_000
    handles: int = 256
    sockets: int = 64
    children: int = 4
    open_files: int = 128
    storage: int = 16 * 2**20
    filesystem: int = 256 * 2**20
    message: int = 256 * 2**10
    log_rate: int = 50


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """When it runs and how its health is asked; milliseconds."""

    autostart: bool = False
    health_interval: int = 30_000
    health_timeout: int = 5_000
    health_failures: int = 3
    idle_timeout: int | None = None


@dataclass(frozen=True, slots=True)
class Supervision:
    """What follows a failure; milliseconds."""

    restart: Restart = "on-failure"
    max_restarts: int = 3
    window: int = 60_000
    backoff_initial: int = 100
    backoff_max: int = 30_000


@dataclass(frozen=True, slots=True)
class Messaging:
    """Its mailbox."""

    mailbox: int = 256
    overflow: Overflow = "reject"
    pending_requests: int = 64


@dataclass(frozen=True, slots=True)
class Signature:
    """As it stands in the file; whether it fits is settled elsewhere.

    Attributes:
        public_key: 64 lower-case hexadecimal characters.
        signature: base64 of 64 bytes.
    """

    public_key: str
    signature: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The whole.

    Attributes:
        config: given to `init` as JSON.
        permissions: what is asked for.
        environment: fixed values for the component, by name.
        reasons: why each group of permissions is asked for, by group.
        document: everything as TOML had it.
        source: the text of the file.
        name: of the file, for messages.
    """

    package: Package
    component: ComponentFile
    config: Mapping[str, Json] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    permissions: Rules = field(default_factory=Rules)
    environment: Mapping[str, str] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    lifecycle: Lifecycle = field(default_factory=Lifecycle)
    supervision: Supervision = field(default_factory=Supervision)
    messaging: Messaging = field(default_factory=Messaging)
    signature: Signature | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    document: Mapping[str, Json] = field(default_factory=dict, repr=False)
    source: str = field(default="", repr=False, compare=False)
    name: str = field(default="Component.toml", repr=False, compare=False)
