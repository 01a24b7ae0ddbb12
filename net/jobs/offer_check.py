"""Whether a worker takes a job that it is offered: each check in its order, each refusal with its figures. Pure.

Size and the list of submitters come before anything is read, and are the business of whoever reads the stream. Then:
form, signer, signature (`prove`); clock, expiry, architecture, runtime, cores, memory, limits, queue (`weigh`).
"""

from dataclasses import dataclass
from typing import Final

from net.jobs.messages import Offer
from net.jobs.reasons import (
    NOT_AUTHORISED,
    ArchMismatch,
    InsufficientResources,
    InvalidRequest,
    QueueFull,
    Reason,
    RuntimeNotSupported,
)
from runtime.canonical import encode, parse_timestamp
from runtime.errors import RefusedError
from runtime.jobs import JobLimits, Manifest, Queued, admitted, read_manifest
from runtime.quantities import format_duration_ms, format_size
from runtime.sanitise import clean

__all__ = ["Machine", "OfferRefusedError", "Policy", "prove", "runtime_kind", "same_arch", "weigh"]

_KINDS: Final = {
    "wasmtime": "wasm", "wasm": "wasm", "wasm3": "wasm",
    "llama": "inference", "mlx": "inference", "ollama": "inference", "inference": "inference",
}  # fmt: skip
_ARCHES: Final = {"amd64": "x86_64", "x64": "x86_64", "arm64": "aarch64"}
_REPLAYED_OR_FOREIGN: Final = 10


class OfferRefusedError(RefusedError):
    """A job that is not taken.

    Args:
        reason: what the requester is told.
        rule: one short word that stays.
        score: what it adds to the requester's score.
    """

    def __init__(self, reason: Reason, *, rule: str, score: int = 0) -> None:
        super().__init__(str(reason))
        self.reason: Final = reason
        self.rule: Final = rule
        self.score: Final = score


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What a worker has now.

    Attributes:
        arch: as the kernel names it.
        kinds: what it runs.
        cpu_cores: that this process may use.
        memory_mb: that is free and not kept for others, mebibytes.
        full: there is no room for one more job of this submitter.
    """

    arch: str
    kinds: frozenset[str]
    cpu_cores: int
    memory_mb: int
    full: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the operator allows.

    Attributes:
        ceilings: of a job's limits.
        module_bytes: of a module.
        stdin_bytes: of an input.
        skew_ms: by how much clocks may differ.
        life_ms: how long an offer may be valid.
    """

    ceilings: JobLimits
    module_bytes: int
    stdin_bytes: int
    skew_ms: int = 120_000
    life_ms: int = 300_000


def prove(offer: Offer, key: str) -> Manifest:
    """Reads the manifest, whose signer must be who is connected.

    Args:
        offer: well-formed.
        key: the public key that the connection proved, 64 hexadecimal characters.

    Raises:
        OfferRefusedError: it is another's, or its signature or form is bad.
    """
    if offer.manifest.get("signer_pubkey") != key:
        why = f"{NOT_AUTHORISED.details}: the manifest is signed by another key than the connection's"
        raise _invalid(why, "wrong-signer", _REPLAYED_OR_FOREIGN)
    try:
        return read_manifest(encode(offer.manifest))
    except RefusedError as error:
        raise _invalid(f"manifest: {error.why}", "bad-manifest", _REPLAYED_OR_FOREIGN) from None


def weigh(offer: Offer, manifest: Manifest, *, machine: Machine, policy: Policy, now_ms: int) -> Queued:
    """Everything else, in order.

    Args:
        offer: the offer.
        manifest: of the offer, from `prove`.
        machine: what there is.
        policy: what is allowed.
        now_ms: wall time.

    Returns:
        The job, as it can be run.

    Raises:
        OfferRefusedError: the first check that failed.
    """
    _check_times(offer, manifest, policy, now_ms)
    _check_machine(offer, machine)
    _check_sizes(offer, policy)
    try:
        queued = admitted(manifest, policy.ceilings)
    except RefusedError as error:
        raise _invalid(error.why, "limits") from None
    if machine.full:
        raise OfferRefusedError(QueueFull(), rule="queue-full")
    return queued


def _check_times(offer: Offer, manifest: Manifest, policy: Policy, now_ms: int) -> None:
    differs_ms = abs(now_ms - offer.issued_ms)
    if differs_ms > policy.skew_ms:
        most = format_duration_ms(policy.skew_ms)
        raise _invalid(f"clock differs by {format_duration_ms(differs_ms)}, {most} are allowed", "clock")
    if offer.valid_ms > policy.life_ms:
        raise _invalid(f"valid_ms {offer.valid_ms} is above {policy.life_ms}", "expired")
    late_ms = now_ms - offer.issued_ms - offer.valid_ms
    if late_ms > 0:
        raise _invalid(f"expired {format_duration_ms(late_ms)} ago", "expired")
    expires_at = manifest.document.get("expires_at")
    if isinstance(expires_at, str) and parse_timestamp(expires_at) < now_ms:
        raise _invalid(f"expired at {expires_at}", "expired")


def _check_machine(offer: Offer, machine: Machine) -> None:
    wanted = offer.requirements
    if wanted.arch is not None and not same_arch(wanted.arch, machine.arch):
        raise OfferRefusedError(ArchMismatch(clean(wanted.arch, 60), machine.arch), rule="arch")
    if runtime_kind(wanted.runtime) not in machine.kinds:
        raise OfferRefusedError(RuntimeNotSupported(clean(wanted.runtime, 60)), rule="runtime")
    if wanted.cpu_cores > machine.cpu_cores:
        missing = f"CPU: need {wanted.cpu_cores}, have {machine.cpu_cores}"
        raise OfferRefusedError(InsufficientResources(missing), rule="cpu")
    if wanted.memory_mb > machine.memory_mb:
        missing = f"Memory: need {wanted.memory_mb} MB, have {machine.memory_mb} MB"
        raise OfferRefusedError(InsufficientResources(missing), rule="memory")


def _check_sizes(offer: Offer, policy: Policy) -> None:
    for what, size, most in (
        ("module", offer.module_size, policy.module_bytes),
        ("standard input", offer.stdin_size or 0, policy.stdin_bytes),
    ):
        if size > most:
            raise _invalid(f"{what} of {format_size(size)} is above this node's {format_size(most)}", "limits")


def runtime_kind(name: str) -> str:
    """What a runtime is for, by what stands before its first `-`: `wasm`, `inference`, or empty when nobody knows."""
    return _KINDS.get(name.partition("-")[0], "")


def same_arch(one: str, other: str) -> bool:
    """Whether two names mean the same architecture."""
    return _ARCHES.get(one, one) == _ARCHES.get(other, other)


def _invalid(details: str, rule: str, score: int = 0) -> OfferRefusedError:
    return OfferRefusedError(InvalidRequest(clean(details, 300)), rule=rule, score=score)
