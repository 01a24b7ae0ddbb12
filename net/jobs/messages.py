"""The messages of a job's stream: canonical JSON with `type`, read strictly. Pure.

A field that is missing, unknown or of another type makes the message none, and so does any other spelling of the same
JSON: what is read has been written by somebody who follows the protocol.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from net.errors import PeerFaultError
from net.jobs.frames import MESSAGE_MAX, RESULT_MAX
from net.jobs.reasons import Reason, read_reason, write_reason
from runtime.canonical import INTEGER_MAX, CanonicalError, Json, decode, encode
from runtime.sanitise import clean
from runtime.shapes import ShapeError, from_wire, to_wire

__all__ = [
    "OUTCOMES",
    "REASON_MAX",
    "Accepted",
    "Alive",
    "Cancel",
    "Message",
    "Offer",
    "Rejected",
    "Request",
    "Requirements",
    "Result",
    "Resume",
    "Resumed",
    "Started",
    "read_message",
    "write_message",
]

OUTCOMES: Final = frozenset(
    {"exit", "trap", "fuel", "memory", "stack", "output", "deadline", "cancelled", "refused", "lost"}
)
_ID: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_LEASE: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)
_STATES: Final = frozenset(
    {"leased", "queued", "admitted", "compiling", "running", "done", "failed", "cancelled", "refused", "lost"}
)
_TEXT_MAX: Final = 64
REASON_MAX: Final = 300
"""Characters of a result's reason."""


@dataclass(frozen=True, slots=True)
class Requirements:
    """What a job needs of a machine.

    Attributes:
        arch: such as `x86_64`; None for any.
        runtime: such as `wasmtime-46`; what stands before the first `-` counts.
        cpu_cores: at least 1.
        memory_mb: mebibytes.
    """

    arch: str | None
    runtime: str
    cpu_cores: int
    memory_mb: int

    def __post_init__(self) -> None:
        for name in ("arch", "runtime"):
            if len(getattr(self, name) or "") > _TEXT_MAX:
                raise ShapeError(f"longer than {_TEXT_MAX} characters", where=f"requirements.{name}")
        _check_range(self.cpu_cores, 1, "requirements.cpu_cores")
        _check_range(self.memory_mb, 0, "requirements.memory_mb")


@dataclass(frozen=True, slots=True)
class Offer:
    """A job that a requester would like to have run.

    Attributes:
        manifest: the signed job manifest; whether it is one is not the message's business.
        requirements: of the machine.
        module_size: bytes.
        stdin_size: bytes; None when nobody knows yet.
        issued_ms: the requester's wall time.
        valid_ms: how long after that the offer may be accepted.
    """

    manifest: Mapping[str, Json]
    requirements: Requirements
    module_size: int
    stdin_size: int | None
    issued_ms: int
    valid_ms: int

    def __post_init__(self) -> None:
        _check_range(self.module_size, 1, "module_size")
        _check_range(self.stdin_size or 0, 0, "stdin_size")
        _check_range(self.issued_ms, 0, "issued_ms")
        _check_range(self.valid_ms, 1, "valid_ms")


@dataclass(frozen=True, slots=True)
class Accepted:
    """The worker keeps room for the job.

    Attributes:
        job_id: the job's.
        lease: 32 hexadecimal characters.
        lease_ms: how long the request may take to come; a duration.
        limits: the bounds of the run, by name.
        have: bytes of the module that are there already.
    """

    job_id: str
    lease: str
    lease_ms: int
    limits: Mapping[str, int]
    have: int

    def __post_init__(self) -> None:
        _check_id(self.job_id)
        _check_lease(self.lease)
        _check_range(self.lease_ms, 1, "lease_ms")
        _check_range(self.have, 0, "have")


@dataclass(frozen=True, slots=True)
class Rejected:
    """The worker does not take the job, or does not go on with it.

    Attributes:
        job_id: the job's; empty where the worker read nothing.
        reason: why.
    """

    job_id: str
    reason: Reason

    def __post_init__(self) -> None:
        if self.job_id:
            _check_id(self.job_id)


@dataclass(frozen=True, slots=True)
class Request:
    """The module and the input follow."""

    job_id: str
    lease: str

    def __post_init__(self) -> None:
        _check_id(self.job_id)
        _check_lease(self.lease)


@dataclass(frozen=True, slots=True)
class Started:
    """The guest runs."""


@dataclass(frozen=True, slots=True)
class Alive:
    """Nothing new; the worker has the job."""


@dataclass(frozen=True, slots=True)
class Result:
    """How the job ended.

    Attributes:
        job_id: the job's.
        outcome: one of the worker's: `unverified` is the requester's word.
        truncated: something that the guest wrote is missing in the output.
        receipt: the signed receipt; None when the guest did not run, or the worker lost it.
        reason: why there is none, in the worker's words; empty where it says nothing, and then it does not travel.
    """

    job_id: str
    outcome: str
    truncated: bool
    receipt: Mapping[str, Json] | None
    reason: str = ""

    def __post_init__(self) -> None:
        _check_id(self.job_id)
        if self.outcome not in OUTCOMES:
            raise ShapeError("no outcome", where="outcome")
        if self.reason and self.receipt is not None:
            raise ShapeError("goes without a receipt", where="reason")
        if len(self.reason) > REASON_MAX:
            raise ShapeError(f"longer than {REASON_MAX} characters", where="reason")


@dataclass(frozen=True, slots=True)
class Cancel:
    """The job is to end."""

    job_id: str

    def __post_init__(self) -> None:
        _check_id(self.job_id)


@dataclass(frozen=True, slots=True)
class Resume:
    """The stream was cut; the job is to go on here.

    Attributes:
        job_id: the job's.
        lease: its lease.
        stdout_at: bytes of stdout that have come.
        stderr_at: bytes of stderr that have come.
    """

    job_id: str
    lease: str
    stdout_at: int
    stderr_at: int

    def __post_init__(self) -> None:
        _check_id(self.job_id)
        _check_lease(self.lease)
        _check_range(self.stdout_at, 0, "stdout_at")
        _check_range(self.stderr_at, 0, "stderr_at")


@dataclass(frozen=True, slots=True)
class Resumed:
    """Where the job stands.

    Attributes:
        state: the job's state, `leased` before its module and the input that it names are whole.
        have: bytes of the module, and of the input behind it, that have come.
    """

    state: str
    have: int

    def __post_init__(self) -> None:
        if self.state not in _STATES:
            raise ShapeError("no state", where="state")
        _check_range(self.have, 0, "have")


Message = (
    Offer | Accepted | Rejected | Request | Started | Alive | Result | Cancel | Resume | Resumed
)  # fmt: skip
"""Everything that is said on a job's stream."""

_TYPES: Final[Mapping[str, type[Message]]] = {
    kind.__name__.lower(): kind
    for kind in (Offer, Accepted, Rejected, Request, Started, Alive, Result, Cancel, Resume, Resumed)
}


def write_message(message: Message) -> bytes:
    """The message as it travels in a frame of kind 0.

    Raises:
        CanonicalError: a value in it has no canonical form.
    """
    fields: dict[str, Json] = (
        {"job_id": message.job_id, "reason": write_reason(message.reason)}
        if isinstance(message, Rejected)
        else to_wire(message)
    )
    if isinstance(message, Result) and not message.reason:
        del fields["reason"]
    return encode({"type": type(message).__name__.lower()} | fields)


def read_message(raw: bytes) -> Message:
    """Reads one message.

    Args:
        raw: the bytes of a frame of kind 0.

    Raises:
        PeerFaultError: it is none, or a long one that is no `result`.
    """
    try:
        value = decode(raw, limit=RESULT_MAX)
        if not isinstance(value, Mapping):
            raise ShapeError("an object is wanted", where="$")
        kind = str(value.get("type"))
        if kind not in _TYPES:
            raise ShapeError("no message of this protocol", where="type")
        if len(raw) > MESSAGE_MAX and kind != "result":
            raise ShapeError(f"larger than {MESSAGE_MAX} bytes", where=kind)
        found = _read(kind, {name: item for name, item in value.items() if name != "type"})
        if write_message(found) != raw:
            raise ShapeError("not canonical JSON", where=kind)
    except (CanonicalError, ShapeError) as error:
        why = clean(f"{error.where}: {error.why}" if error.where else error.why, 200)
        raise PeerFaultError(f"sent a bad message: {why}", rule="bad-message", score=20) from None
    return found


def _read(kind: str, fields: dict[str, Json]) -> Message:
    if kind == "rejected":
        if set(fields) != {"job_id", "reason"} or not isinstance(fields["job_id"], str):
            raise ShapeError("job_id and reason are wanted", where=kind)
        return Rejected(fields["job_id"], read_reason(fields["reason"]))
    read: Callable[..., Message] = from_wire
    return read(_TYPES[kind], fields, where=kind)


def _check_id(text: str) -> None:
    if not _ID.fullmatch(text):
        raise ShapeError("not 64 lower-case hexadecimal characters", where="job_id")


def _check_lease(text: str) -> None:
    if not _LEASE.fullmatch(text):
        raise ShapeError("not 32 lower-case hexadecimal characters", where="lease")


def _check_range(number: int, low: int, where: str) -> None:
    if not low <= number <= INTEGER_MAX:
        raise ShapeError(f"below {low}", where=where)
