"""How a run ended and what that means: outcome, state, completion, exit code, and the one line that says why. Pure."""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal

from runtime.canonical import Json, encode
from runtime.jobs.limits import JobLimits
from runtime.quantities import format_duration_ms, format_size
from runtime.sandbox.outcome import Outcome, likely_cause

if TYPE_CHECKING:
    from runtime.jobs.verify import Verification

__all__ = [
    "COMPLETIONS",
    "EXIT_CANCELLED",
    "EXIT_DEADLINE",
    "EXIT_NOT_RUN",
    "EXIT_TRAPPED",
    "STATES",
    "TRIPPED",
    "JobEnd",
    "JobOutcome",
    "Usage",
    "effective",
    "exit_code",
    "limits_text",
    "reason",
]

JobOutcome = Literal[
    "exit", "trap", "fuel", "memory", "stack", "output", "deadline", "cancelled", "refused", "lost", "unverified"
]

EXIT_DEADLINE: Final = 124
EXIT_NOT_RUN: Final = 125
EXIT_TRAPPED: Final = 134
EXIT_CANCELLED: Final = {"signal:130": 130, "signal:143": 143, "command": 137}
"""The exit code of a cancelled run by who cancelled it."""

STATES: Final[dict[JobOutcome, str]] = {
    "exit": "done",
    "trap": "failed",
    "fuel": "failed",
    "memory": "failed",
    "stack": "failed",
    "output": "failed",
    "deadline": "failed",
    "cancelled": "cancelled",
    "refused": "refused",
    "lost": "lost",
    "unverified": "failed",
}
"""The job's last state by outcome."""

COMPLETIONS: Final[dict[JobOutcome, str]] = {
    "exit": "stop",
    "trap": "error",
    "fuel": "error",
    "memory": "error",
    "stack": "error",
    "output": "length",
    "deadline": "error",
    "cancelled": "cancelled",
}
"""What a receipt says of a run; outcomes without a receipt of ours are missing."""

TRIPPED: Final[dict[JobOutcome, str]] = {
    "fuel": "fuel",
    "memory": "memory_bytes",
    "stack": "stack_bytes",
    "output": "max_output_bytes",
    "deadline": "timeout_ms",
}
"""The limit that struck, by outcome, where no other is known to have struck first."""

_STACK_HINT: Final = "the guest's stack may have run out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a run used. What is not known, as fuel and peak of a killed worker, is None.

    Attributes:
        wall_ms: from the message to the worker until its end.
        fuel: units used; after a trap a lower bound.
        memory_peak_bytes: the guest's linear memory.
        cpu_ms: of its worker meanwhile; for one that was killed, up to then.
        dir_bytes: by which its writable directories have grown on the disk, 0 when they shrank; None without any.
        stdout_bytes: that were kept.
        stderr_bytes: that were kept.
    """

    wall_ms: int = 0
    fuel: int | None = None
    memory_peak_bytes: int | None = None
    cpu_ms: int | None = None
    dir_bytes: int | None = None
    stdout_bytes: int = 0
    stderr_bytes: int = 0

    @property
    def output_bytes(self) -> int:
        """Both streams."""
        return self.stdout_bytes + self.stderr_bytes

    def document(self) -> dict[str, Json]:
        """The usage as JSON."""
        return {
            "wall_ms": self.wall_ms,
            "fuel": self.fuel,
            "memory_peak_bytes": self.memory_peak_bytes,
            "cpu_ms": self.cpu_ms,
            "dir_bytes": self.dir_bytes,
            "stdout_bytes": self.stdout_bytes,
            "stderr_bytes": self.stderr_bytes,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEnd:
    """The end of a job, stored before anybody sees it.

    Attributes:
        job: its id.
        where: `local`, or the PeerId of the node that ran it.
        outcome: see `STATES`.
        state: the job's last state.
        exit_code: what `jobs run` returns.
        reason: one line for people; empty when the guest ended by itself.
        undelivered: why output could not be passed on, though the job may have ended well; not stored.
        truncated: output was cut, at the limit or because its reader left.
        limits: its bounds.
        tripped: the name of the limit that struck; empty when none did.
        usage: what it used.
        receipt: the id of its stored receipt; empty without one.
        receipt_document: the receipt, also one of another node that is not believed and therefore not stored.
        verification: of a receipt of another node; None for one of ours.
    """

    job: str
    where: str = "local"
    outcome: JobOutcome
    state: str
    exit_code: int
    reason: str = ""
    undelivered: str = ""
    truncated: bool = False
    limits: JobLimits
    tripped: str = ""
    usage: Usage = field(default_factory=Usage)
    receipt: str = ""
    receipt_document: dict[str, Json] | None = None
    verification: "Verification | None" = None

    def limits_document(self) -> dict[str, Json]:
        """The bounds that were in force and the one that struck, as in the receipt."""
        return effective(self.limits, self.tripped)


def effective(limits: JobLimits, tripped: str) -> dict[str, Json]:
    """Limits as receipts state them.

    Args:
        limits: those in force.
        tripped: the one that struck, or empty.
    """
    return limits.document() | ({"tripped": tripped} if tripped else {})


@lru_cache(maxsize=64)
def limits_text(limits: JobLimits, tripped: str = "") -> str:
    """As `effective`, in canonical JSON; the same few come again and again.

    Args:
        limits: those in force.
        tripped: the one that struck, or empty.
    """
    return encode(effective(limits, tripped)).decode()


def exit_code(outcome: JobOutcome, *, guest: int | None = None, cancelled_by: str = "command") -> int:
    """What `jobs run` returns.

    Args:
        outcome: how it ended.
        guest: the unsigned 32-bit number of `proc_exit`, None when the guest returned.
        cancelled_by: a key of `EXIT_CANCELLED`.

    Returns:
        0 to 255; a guest's number above 255 is 255, never 0.
    """
    match outcome:
        case "exit":
            return 0 if guest is None else min(guest, 255)
        case "deadline":
            return EXIT_DEADLINE
        case "cancelled":
            return EXIT_CANCELLED.get(cancelled_by, 137)
        case "refused" | "lost" | "unverified":
            return EXIT_NOT_RUN
        case _:
            return EXIT_TRAPPED


def reason(outcome: JobOutcome, limits: JobLimits, guest: Outcome | None, peak: int | None, tripped: str = "") -> str:
    """One line that says why a run that had started did not end well; empty when it ended by itself.

    Args:
        outcome: how the run ended, by all that is known.
        limits: its bounds.
        guest: what the engine said, when the worker could still report.
        peak: bytes of linear memory at the end, when known.
        tripped: the limit that struck, where the outcome alone does not say it.
    """
    if tripped == "cpu_ms":
        return f"CPU time limit (cpu_ms) of {format_duration_ms(limits.cpu_ms)} reached"
    if tripped == "dir_bytes":
        return f"directory quota (dir_bytes) of {format_size(limits.dir_bytes)} reached"
    if outcome == "exit":  # of most jobs: nothing is put into words for them
        number = guest.exit_code if guest else None
        return f"the guest's exit code {number} is reported as 255" if number and number > 255 else ""  # noqa: PLR2004 - a byte
    detail = guest.detail if guest else ""
    most = format_size(limits.memory_bytes)
    cause = likely_cause(guest) if guest and guest.kind == "trap" else ""
    words: dict[JobOutcome, str] = {
        "deadline": f"time limit of {format_duration_ms(limits.timeout_ms)} reached",
        "fuel": f"fuel limit of {limits.fuel} reached",
        "output": f"output limit of {format_size(limits.max_output_bytes)} for one stream reached",
        "memory": f"memory limit of {most} reached (peak {_size(peak)}): {detail}",
        "stack": f"trap: {detail}; {_STACK_HINT}",
        "trap": "; ".join(part for part in (f"trap: {detail} (memory peak {_size(peak)} of {most})", cause) if part),
        "cancelled": "cancelled",
    }
    return words.get(outcome, detail)


def _size(size: int | None) -> str:
    return "unknown" if size is None else format_size(size)
