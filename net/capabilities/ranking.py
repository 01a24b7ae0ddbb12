"""Whom to ask first: a pure order over what peers say of themselves and what this node has seen of them."""

from collections.abc import Iterable
from dataclasses import dataclass

from net.capabilities.record import Capabilities

__all__ = ["Candidate", "Need", "misfit", "ranked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What a job needs.

    Attributes:
        arch: as the kernel names it; None for any.
        kind: of job.
        runtime: the engine, such as `wasmtime`; None for any.
        cpus: cores.
        memory: bytes.
        module: bytes of the module.
    """

    arch: str | None = None
    kind: str = "wasm"
    runtime: str | None = None
    cpus: int = 1
    memory: int = 0
    module: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A peer with a proven key.

    Attributes:
        capabilities: as it says itself.
        latency_ms: as this node measured it; None as long as it has not.
        failures: as this node has seen them, those that it has not made up for.
        trusted: whether the operator trusts it.
    """

    capabilities: Capabilities
    latency_ms: float | None = None
    failures: int = 0
    trusted: bool = False


def misfit(candidate: Candidate, need: Need) -> str:
    """Why a peer cannot do it, by its own words; empty when it can.

    Args:
        candidate: the peer.
        need: of the job.
    """
    machine, offered = candidate.capabilities.machine, candidate.capabilities.offered
    memory = min(machine.mem_free, offered.maxima["memory"])
    reasons = {
        f"is {machine.arch}, not {need.arch}": need.arch not in {None, machine.arch},
        f"runs no jobs of kind {need.kind}": need.kind not in offered.kinds,
        f"has no {need.runtime}": need.runtime is not None and need.runtime not in offered.runtimes,
        f"has {machine.cpus} cores of {need.cpus}": machine.cpus < need.cpus,
        "has too little memory": memory < need.memory,
        "takes no module of this size": offered.maxima["module"] < need.module,
        "runs no jobs of others": not offered.slots_total,
    }
    return next((reason for reason, is_so in reasons.items() if is_so), "")


def ranked(candidates: Iterable[Candidate], need: Need, now_ms: int) -> list[Candidate]:
    """Those that can do it, the most promising first; the order depends on nothing else.

    Fresh words before stale ones, trusted before others, few failures before many, a free slot before a queue, a
    short queue, a short way, much free computing time; at last the key, so that nobody gains by being asked first.

    Args:
        candidates: peers with proven keys.
        need: of the job.
        now_ms: Unix milliseconds.
    """
    fitting = [candidate for candidate in candidates if not misfit(candidate, need)]
    return sorted(fitting, key=lambda candidate: _worth(candidate, now_ms))


def _worth(candidate: Candidate, now_ms: int) -> tuple[bool, bool, int, bool, int, float, int, bytes]:
    said = candidate.capabilities
    return (
        said.is_stale(now_ms),
        not candidate.trusted,
        candidate.failures,
        said.offered.slots_free == 0,
        said.offered.queue,
        float("inf") if candidate.latency_ms is None else candidate.latency_ms,
        -said.machine.cpu_free_milli,
        said.peer.key,
    )
