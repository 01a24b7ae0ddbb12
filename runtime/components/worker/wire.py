"""What core and worker say to each other: frames of four bytes of length and JSON of at most 2 MiB.

Bytes travel as base64. Both sides read strictly: a worker may have been taken over by its guest, and the core checks
every field of what it says; the worker does the same, because one reader is simpler than two. Descriptors go beside the
first byte of a `Load`.
"""

import base64
import binascii
import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar, get_args

from runtime.canonical import Json
from runtime.components.errors import WireError
from runtime.sandbox.outcome import Kind
from runtime.shapes import ShapeError, from_wire, to_wire

__all__ = [
    "DESCRIPTORS_MAX",
    "EXPORTS",
    "FRAME_MAX",
    "Answer",
    "Ask",
    "Call",
    "Ended",
    "FrameReader",
    "FromWorker",
    "Gone",
    "Load",
    "LoadLimits",
    "Loaded",
    "MountPoint",
    "NewPolicy",
    "Refused",
    "Stop",
    "Tell",
    "ToWorker",
    "Unload",
    "bytes_of",
    "encode",
    "read_from_worker",
    "read_to_worker",
    "text_of",
]

FRAME_MAX: Final = 2 << 20
DESCRIPTORS_MAX: Final = 1 + 16 + 1
"""Of a `Load`: the compiled component, and one per mount."""

EXPORTS: Final = frozenset({"init", "execute", "handle-message", "handle-callback", "metadata", "health", "shutdown"})
"""What a component may be called for."""

_LENGTH: Final = struct.Struct(">I")
_KINDS: Final = frozenset(get_args(Kind))
_NUMBER_MAX: Final = (1 << 63) - 1
_WHAT_CHARS: Final = 64


@dataclass(frozen=True, slots=True)
class MountPoint:
    """A folder of the host that the component sees; its descriptor goes with the frame, in the same order.

    Attributes:
        guest: its absolute path for the component.
        source: `private`, `temp` or `operator`.
        read_only: nothing beneath may be changed.
    """

    guest: str
    source: str
    read_only: bool


@dataclass(frozen=True, slots=True)
class LoadLimits:
    """The ceilings of one instance; bytes, milliseconds and counts, as the manifest's `limits` say."""

    memory: int
    table_elements: int
    instances: int
    memories: int
    fuel: int | None
    call_timeout_ms: int
    cpu_per_minute_ms: int
    handles: int
    sockets: int
    children: int
    open_files: int
    filesystem: int
    message: int
    log_rate: int


@dataclass(frozen=True, slots=True)
class Load:
    """Make an instance. Descriptors: the compiled component, then one per mount, then the account of their bytes.

    Attributes:
        slot: names the instance in this worker from now on.
        namespace: of the component; likewise `name`, `version`, `instance`.
        world: in full.
        policy: as `Policy.to_json` wrote it.
        limits: in force.
        mounts: what it sees of the file system.
        timeout_ms: for instantiation, which may run the guest's start function.
        network: whether it may make sockets.
        connect_ports: TCP ports that it may reach, for the kernel's wall; None for any.
        listen_ports: likewise those that it may listen on.
        spawns: whether it may start programs.
        environment: variables of the host that it may read.
    """

    slot: int
    namespace: str
    name: str
    version: str
    instance: int
    world: str
    policy: Json
    limits: LoadLimits
    mounts: tuple[MountPoint, ...]
    timeout_ms: int
    network: bool = False
    connect_ports: tuple[int, ...] | None = ()
    listen_ports: tuple[int, ...] | None = ()
    spawns: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def descriptors(self) -> int:
        """How many go with it; without mounts there is nothing to keep account of."""
        return 1 + len(self.mounts) + bool(self.mounts)


@dataclass(frozen=True, slots=True)
class Call:
    """Enter the instance once; `Ended` with the same number follows.

    Attributes:
        export: of `EXPORTS`.
        arguments: by their names in the WIT.
        timeout_ms: from when the call begins.
    """

    slot: int
    number: int
    export: str
    arguments: Mapping[str, Json]
    timeout_ms: int


@dataclass(frozen=True, slots=True)
class NewPolicy:
    """From the next host operation on this holds."""

    slot: int
    policy: Json


@dataclass(frozen=True, slots=True)
class Stop:
    """The host wants the component to come to an end: waits are cut short."""

    slot: int


@dataclass(frozen=True, slots=True)
class Unload:
    """Drop the instance and all that it holds; `Gone` follows."""

    slot: int


@dataclass(frozen=True, slots=True)
class Answer:
    """To an `Ask` of the same number: a value, or a failure of the core itself."""

    slot: int
    number: int
    value: Json
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Loaded:
    """The instance is there; `cpu_us` as for `Ended`, of its start function."""

    slot: int
    cpu_us: int = 0


@dataclass(frozen=True, slots=True)
class Refused:
    """There is no instance, and why not, in a clause; `cpu_us` as for `Loaded`."""

    slot: int
    kind: str
    why: str
    cpu_us: int = 0


@dataclass(frozen=True, slots=True)
class Ended:
    """How a call ended.

    Attributes:
        kind: of `runtime.sandbox.outcome`.
        detail: one line for people.
        trap: the engine's name of the trap.
        value: what the export returned, by the names in the WIT; null when it did not return.
        cpu_us: processor time of the instance's thread in this call.
        duration_us: on the wall.
        handles: that are open after it.
    """

    slot: int
    number: int
    kind: str
    detail: str
    trap: str
    value: Json
    cpu_us: int
    duration_us: int
    handles: int = 0


@dataclass(frozen=True, slots=True)
class Ask:
    """A host operation that waits for the core."""

    slot: int
    number: int
    what: str
    fields: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Tell:
    """Something that the core is told: a line of the log, records, a fault."""

    slot: int
    what: str
    fields: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Gone:
    """The instance and all that it held are gone."""

    slot: int


ToWorker = Load | Call | NewPolicy | Stop | Unload | Answer
FromWorker = Loaded | Refused | Ended | Ask | Tell | Gone

_T = TypeVar("_T")
_TO_WORKER: Final[Mapping[str, type[ToWorker]]] = {
    "load": Load,
    "call": Call,
    "policy": NewPolicy,
    "stop": Stop,
    "unload": Unload,
    "answer": Answer,
}
_FROM_WORKER: Final[Mapping[str, type[FromWorker]]] = {
    "loaded": Loaded,
    "refused": Refused,
    "ended": Ended,
    "ask": Ask,
    "tell": Tell,
    "gone": Gone,
}
_NAMES: Final = {cls: name for table in (_TO_WORKER, _FROM_WORKER) for name, cls in table.items()}


def encode(message: ToWorker | FromWorker) -> bytes:
    """A message as its frame.

    Raises:
        WireError: it is larger than a frame may be.
    """
    # Escaped, so that lone surrogates travel too; who shows text cleans it.
    body = json.dumps({"frame": _NAMES[type(message)], **to_wire(message)}, separators=(",", ":")).encode()
    if len(body) > FRAME_MAX:
        raise WireError(f"a message of {len(body):,} bytes, and a frame holds {FRAME_MAX:,}")
    return _LENGTH.pack(len(body)) + body


def read_to_worker(body: bytes) -> ToWorker:
    """A message of the core.

    Raises:
        WireError: it is none.
    """
    return _read(body, _TO_WORKER)


def read_from_worker(body: bytes) -> FromWorker:
    """A message of a worker.

    Raises:
        WireError: it is none, so that the worker counts as broken.
    """
    message = _read(body, _FROM_WORKER)
    numbers = [getattr(message, name, 0) for name in ("slot", "number", "cpu_us", "duration_us", "handles")]
    if not all(0 <= number <= _NUMBER_MAX for number in numbers):
        raise WireError("a number out of range")
    if isinstance(message, Ended) and message.kind not in _KINDS:
        raise WireError("an outcome of an unknown kind")
    if isinstance(message, Ask | Tell) and len(message.what) > _WHAT_CHARS:
        raise WireError("the name of an operation is too long")
    return message


def _read(body: bytes, table: Mapping[str, type[_T]]) -> _T:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise WireError("a frame that is not JSON") from None
    cls = table.get(str(value.pop("frame", ""))) if isinstance(value, dict) else None
    if cls is None:
        raise WireError("a frame of an unknown kind")
    try:
        return from_wire(cls, value)
    except ShapeError as error:
        raise WireError(f"a frame with a wrong field: {error}") from None


class FrameReader:
    """Cuts a stream of bytes into frames."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Takes what arrived, and gives the bodies that are whole now.

        Raises:
            WireError: a frame is announced that is larger than one may be.
        """
        self._waiting += data
        while len(self._waiting) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._waiting)
            if length > FRAME_MAX:
                raise WireError(f"a frame of {length:,} bytes, and {FRAME_MAX:,} are allowed")
            end = _LENGTH.size + length
            if len(self._waiting) < end:
                return
            body = bytes(self._waiting[_LENGTH.size : end])
            del self._waiting[:end]
            yield body


def text_of(data: bytes) -> str:
    """Bytes as they travel in a field."""
    return base64.b64encode(data).decode()


def bytes_of(text: object) -> bytes:
    """What `text_of` wrote.

    Raises:
        WireError: it is no base64.
    """
    if not isinstance(text, str):
        raise WireError("bytes are wanted in base64")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise WireError("bytes are wanted in base64") from None
