"""Running a job again to see whether it does the same: what is run, and what the comparison proves. Pure.

A deterministic job gets the clock and the random bytes of its first run, because both follow from the nonce, which the
second manifest repeats. Then the same module with the same input and limits writes the same bytes and burns the same
fuel, on every machine with the same engine. Any other job may differ for good reasons.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from runtime.canonical import CanonicalError, Json, decode
from runtime.errors import RefusedError
from runtime.jobs.limits import LIMITS, JobLimits
from runtime.jobs.manifest import Manifest
from runtime.jobs.queue import request_of
from runtime.jobs.receipt_form import Receipt
from runtime.jobs.spec import JobRequest

__all__ = ["Comparison", "Repeat", "Verdict", "compare", "repeat_of"]

Verdict = Literal["same", "different", "inconclusive"]

_EMPTY: Final = hashlib.sha256(b"").hexdigest()
_BY_THE_CLOCK: Final = frozenset({"deadline", "cancelled"})
"""Outcomes that depend on when somebody looked, not on what the guest did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """What has to be run.

    Attributes:
        request: the job.
        module: the hash of its module, 64 hexadecimal characters.
        stdin: the hash of its input, 64 hexadecimal characters; empty when there was none.
    """

    request: JobRequest
    module: str
    stdin: str


def repeat_of(receipt: Receipt, manifest: Manifest) -> Repeat:
    """The job that repeats a run.

    Args:
        receipt: of the run.
        manifest: of its job.

    Raises:
        RefusedError: it cannot be repeated from what the two say.
    """
    where = f"receipt {receipt.id[:16]}"
    if manifest.payload.get("kind") != "wasm" or "module_hash" not in receipt.extra:
        raise RefusedError("tells of no run", where=where)
    if manifest.extension.get("dirs"):
        raise RefusedError("the job used directories, and no receipt binds what was in them", where=where)
    stdin = receipt.extra.get("orlop.stdin_sha256")
    if stdin is None:
        raise RefusedError("does not say what the job's input was", where=where)
    request = request_of(manifest, name="job", submitter="local", limits=_limits(receipt, where))
    return Repeat(
        request=replace(request, nonce=str(manifest.extension.get("nonce", ""))),
        module=receipt.extra["module_hash"].removeprefix("sha256:"),
        stdin="" if stdin == _EMPTY else stdin,
    )


def _limits(receipt: Receipt, where: str) -> JobLimits:
    """The limits of the run; what an earlier version did not write down is as by default."""
    try:
        stated = decode(receipt.extra.get("orlop.limits", "").encode(), limit=4096)
    except CanonicalError:
        stated = None
    if not isinstance(stated, Mapping):
        raise RefusedError("does not say what the job's limits were", where=where)
    known = {limit.name: value for limit in LIMITS if isinstance(value := stated.get(limit.name), int)}
    return JobLimits(**known)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two runs beside one another.

    Attributes:
        verdict: `inconclusive` when they differ and that proves nothing, or too little is known of them.
        detail: one line.
        points: what was compared: name, as it was, as it is.
    """

    verdict: Verdict
    detail: str
    points: tuple[tuple[str, str | None, str | None], ...]

    def document(self) -> dict[str, Json]:
        """The comparison as JSON."""
        points: list[Json] = [
            {"name": name, "same": None if None in {was, now} else was == now, "was": was, "is": now}
            for name, was, now in self.points
        ]
        return {"verdict": self.verdict, "detail": self.detail, "compared": points}


def compare(before: Receipt, after: Receipt, *, deterministic: bool) -> Comparison:
    """Compares what two receipts say of one job.

    Args:
        before: of the first run.
        after: of the second.
        deterministic: whether the manifest asked for a repeatable run.
    """
    points = (
        ("commitment", before.commitment.hex(), after.commitment.hex()),
        ("chunks", str(before.chunks), str(after.chunks)),
        *((name, before.extra.get(entry), after.extra.get(entry)) for name, entry in _POINTS),
    )
    differing = [name for name, was, now in points if was is not None and now is not None and was != now]
    verdict, detail = _judged(differing, before, after, deterministic=deterministic)
    return Comparison(verdict=verdict, detail=detail, points=points)


_POINTS: Final = (("fuel", "orlop.fuel_used"), ("outcome", "orlop.outcome"), ("exit_code", "exit_code"))


def _judged(differing: list[str], before: Receipt, after: Receipt, *, deterministic: bool) -> tuple[Verdict, str]:
    named = ", ".join(differing)
    outcomes = {before.extra.get("orlop.outcome"), after.extra.get("orlop.outcome")}
    if not differing:
        return "same", "the same output, fuel and end"
    if not deterministic:
        return "inconclusive", f"another {named}; the job is not deterministic, so a difference proves nothing"
    if outcomes & _BY_THE_CLOCK:
        return "inconclusive", f"another {named}; one of the runs was ended by the clock or by somebody"
    if before.extra.get("orlop.engine") != after.extra.get("orlop.engine") and differing == ["fuel"]:
        return "inconclusive", "fuel differs, and so does the engine; the output is the same"
    return "different", f"another {named}, and the job is deterministic: one of the two receipts does not tell what ran"
