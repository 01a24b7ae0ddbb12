"""Whether the requester believes a result: the eight steps with the dialled key, and what the receipt must say. Pure.

A receipt that is true may still say too little: here everything must be in it that ties it to this job, and nothing in
it may contradict what the requester knows from the manifest, the stream and its own clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from net.jobs.messages import Result
from runtime.canonical import CanonicalError, Json, decode, parse_timestamp
from runtime.jobs import (
    COMPLETIONS,
    EXIT_CANCELLED,
    LIMITS,
    JobOutcome,
    Manifest,
    Receipt,
    Usage,
    Verification,
    exit_code_of,
)

__all__ = ["Circumstances", "contradiction", "doubted", "exit_code_in", "tripped_in", "usage_in"]

_ENTRIES: Final = (
    "exit_code", "module_hash", "orlop.outcome", "orlop.seq", "orlop.prev", "orlop.nonce", "orlop.limits",
    "orlop.stdin_sha256", "orlop.argv_sha256", "orlop.env_sha256", "orlop.dirs_sha256",
)  # fmt: skip
_LATE_MS: Final = 1000
"""By so much a duration may be above what the requester measured: two clocks run differently fast."""

_LIMITS_MAX: Final = 4096
_LIMIT_NAMES: Final = frozenset(limit.name for limit in LIMITS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What the requester knows by itself.

    Attributes:
        manifest: of the job.
        elapsed_ms: since the request was sent.
        now_ms: wall time.
        skew_ms: by how much clocks may differ.
    """

    manifest: Manifest
    elapsed_ms: int
    now_ms: int
    skew_ms: int


def contradiction(result: Result, receipt: Receipt, known: Circumstances) -> str:
    """What of a receipt cannot be, beyond what verification finds.

    Args:
        result: as the worker told it.
        receipt: the one in it.
        known: what the requester knows.

    Returns:
        One line; empty when nothing.
    """
    extra = receipt.extra
    missing = [name for name in _ENTRIES if name not in extra]
    if missing:
        return f"the receipt does not say `{missing[0]}`"
    return _of_outcome(result, receipt) or _of_limits(receipt, known.manifest) or _of_times(receipt, known)


def _of_outcome(result: Result, receipt: Receipt) -> str:
    stated = receipt.extra["orlop.outcome"]
    if stated != result.outcome:
        return f"the receipt says `{stated[:20]}`, the result `{result.outcome}`"
    outcome: JobOutcome = result.outcome  # type: ignore[assignment]  # one of them: `Result` has looked
    if receipt.completion != COMPLETIONS.get(outcome):
        return f"a run that ended by `{outcome}` is not of completion `{receipt.completion}`"
    code = exit_code_in(receipt)
    if code is None or not _fits(code, outcome):
        return f"exit code {receipt.extra['exit_code'][:20]} does not fit a run that ended by `{outcome}`"
    if (outcome == "output") > result.truncated:
        return "output that was cut is said to be whole"
    return ""


def _fits(code: int, outcome: JobOutcome) -> bool:
    if outcome == "exit":
        return True
    return code in EXIT_CANCELLED.values() if outcome == "cancelled" else code == exit_code_of(outcome)


def _of_limits(receipt: Receipt, manifest: Manifest) -> str:
    limits = _object(receipt.extra["orlop.limits"])
    lacking = [name for name in _limits_of(manifest) if not isinstance(limits.get(name), int)]
    if lacking:
        return f"`orlop.limits` does not say {lacking[0]}"
    fuel, most = receipt.extra.get("orlop.fuel_used"), limits["fuel"]
    if fuel is not None and (_number(fuel) is None or (_number(fuel) or 0) > (most if isinstance(most, int) else 0)):
        return f"`orlop.fuel_used` {fuel[:30]} is above its limit"
    peak = _object(receipt.extra.get("orlop.environment", "{}")).get("memory_peak_bytes")
    memory = limits["memory_bytes"]
    if isinstance(peak, int) and isinstance(memory, int) and peak > memory:
        return f"a peak of memory of {peak} is above its limit"
    return ""


def _of_times(receipt: Receipt, known: Circumstances) -> str:
    began_ms = parse_timestamp(str(known.manifest.document["created_at"]))
    ended_ms = receipt.completed_s * 1000
    if not began_ms - known.skew_ms - _LATE_MS <= ended_ms <= known.now_ms + known.skew_ms:
        return f"it did not end at {receipt.completed_at}"
    if receipt.duration_ms > known.elapsed_ms + _LATE_MS:
        return f"a run of {receipt.duration_ms} ms does not fit into {known.elapsed_ms} ms"
    return ""


def doubted(verification: Verification, why: str) -> Verification:
    """The same findings, with step `job_id` false for a reason of ours."""
    steps = tuple(
        replace(step, ok=False, detail=why) if step.name == "job_id" and step.ok is not False else step
        for step in verification.steps
    )
    return Verification(steps)


def exit_code_in(receipt: Receipt) -> int | None:
    """The exit code that a receipt states; None when that is no exit code."""
    code = _number(receipt.extra.get("exit_code", ""))
    return code if code is not None and code <= 255 else None  # noqa: PLR2004 - a byte


def usage_in(receipt: Receipt) -> Usage:
    """What a believed receipt says of the use of time, fuel and memory."""
    peak = _object(receipt.extra.get("orlop.environment", "{}")).get("memory_peak_bytes")
    return Usage(
        wall_ms=receipt.duration_ms,
        fuel=_number(receipt.extra.get("orlop.fuel_used", "")),
        memory_peak_bytes=peak if isinstance(peak, int) else None,
    )


def tripped_in(receipt: Receipt) -> str:
    """The limit that struck, as a believed receipt names it; empty when none did."""
    tripped = _object(receipt.extra.get("orlop.limits", "{}")).get("tripped")
    return tripped if isinstance(tripped, str) and tripped in _LIMIT_NAMES else ""


def _limits_of(manifest: Manifest) -> tuple[str, ...]:
    named = (name for name in _LIMIT_NAMES if name in manifest.extension)
    return (*named, "memory_bytes", "timeout_ms")


def _object(text: str) -> Mapping[str, Json]:
    try:
        value = decode(text.encode(), limit=_LIMITS_MAX)
    except (CanonicalError, UnicodeEncodeError):
        return {}
    return value if isinstance(value, Mapping) else {}


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else None  # noqa: PLR2004 - 63 bits
