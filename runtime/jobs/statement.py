"""What a receipt says, before it has its place in the chain; and the signing of it. Pure."""

import hashlib
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runtime.canonical import Json, encode, timestamp
from runtime.identity import Identity
from runtime.jobs.commitment import Commitment, commit
from runtime.jobs.confine import confinement
from runtime.jobs.ending import COMPLETIONS, JobOutcome, Usage, effective
from runtime.jobs.receipt_form import DOMAIN, RESTORED, message
from runtime.jobs.spec import JobLimits, Manifest
from runtime.sandbox.engine import ENGINE

__all__ = ["Statement", "sign_receipt", "sign_restored"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What a receipt says of a run, before it has its place in the chain.

    Attributes:
        job: the job's id.
        module: the module's hash, `sha256:` and 64 hexadecimal characters.
        nonce: that of the manifest.
        argv: as in the manifest, and likewise `env` and `dirs`.
        env: see `argv`.
        dirs: see `argv`.
        stdin_sha256: of the bytes that were given; None when that is not known.
        limits: the bounds that were in force.
        outcome: how it ended.
        exit_code: what `jobs run` returns.
        guest_exit_code: the guest's own number, where it is another.
        usage: what it used.
        commitment: over its output.
        completed_ms: wall time of the end.
        tripped: the name of the limit that struck; empty when none did.
    """

    job: str
    module: str
    nonce: str
    argv: tuple[str, ...]
    env: tuple[str, ...]
    dirs: tuple[str, ...]
    stdin_sha256: str | None
    limits: JobLimits
    outcome: JobOutcome
    exit_code: int
    guest_exit_code: int | None
    usage: Usage
    commitment: Commitment
    completed_ms: int
    tripped: str = ""

    def entries(self, number: int, previous: str) -> dict[str, str]:
        """The entries of `metrics.extra`: text only; what is not known is left out."""
        known: dict[str, object | None] = {
            "exit_code": self.exit_code,
            "module_hash": self.module,
            "orlop.outcome": self.outcome,
            "orlop.seq": number,
            "orlop.prev": previous,
            "orlop.nonce": self.nonce,
            "orlop.fuel_used": self.usage.fuel,
            "orlop.engine": ENGINE,
            "orlop.limits": encode(effective(self.limits, self.tripped)).decode(),
            "orlop.environment": self._environment(),
            "orlop.stdin_sha256": self.stdin_sha256,
            "orlop.argv_sha256": _list_hash(self.argv),
            "orlop.env_sha256": _list_hash(self.env),
            "orlop.dirs_sha256": _list_hash(self.dirs),
        }
        return {name: str(value) for name, value in known.items() if value is not None}

    def _environment(self) -> str:
        """Where it ran and within which walls, the peak of memory, and the guest's number above 255."""
        known: dict[str, Json] = {
            "arch": platform.machine(),
            "os": platform.system().lower(),
            "confinement": confinement().document(),
            "memory_peak_bytes": self.usage.memory_peak_bytes,
            "guest_exit_code": self.guest_exit_code,
        }
        return encode({name: value for name, value in known.items() if value is not None}).decode()


def _list_hash(items: Sequence[str]) -> str:
    return hashlib.sha256(encode(list(items))).hexdigest()


def sign_receipt(identity: Identity, statement: Statement, number: int, previous: str) -> dict[str, Json]:
    """Writes and signs a receipt.

    Args:
        identity: the worker's.
        statement: what it says.
        number: its place in this key's chain, from 0.
        previous: the id of the receipt before it, 64 zeros for the first.

    Returns:
        The envelope.
    """
    return _signed(
        identity,
        statement.job,
        statement.completed_ms,
        commitment=statement.commitment,
        completion=COMPLETIONS[statement.outcome],
        wall_ms=statement.usage.wall_ms,
        extra=statement.entries(number, previous),
    )


def sign_restored(identity: Identity, manifest: Manifest, number: int, previous: str, now_ms: int) -> dict[str, Json]:
    """Writes and signs the entry that says that the node was restored from a backup; it tells of no run.

    Args:
        identity: the node's.
        manifest: of kind `orlop-restore`; it names the backup.
        number: its place in this key's chain.
        previous: the id of the last receipt that the backup holds, 64 zeros when it holds none.
        now_ms: wall time.

    Returns:
        The envelope.
    """
    extra = {
        "orlop.outcome": RESTORED,
        "orlop.seq": str(number),
        "orlop.prev": previous,
        "orlop.nonce": str(manifest.extension["nonce"]),
    }
    return _signed(
        identity, manifest.job, now_ms, commitment=commit(b"", b""), completion="stop", wall_ms=0, extra=extra
    )


def _signed(
    identity: Identity,
    job: str,
    completed_ms: int,
    *,
    commitment: Commitment,
    completion: str,
    wall_ms: int,
    extra: Mapping[str, str],
) -> dict[str, Json]:
    signed: dict[str, Json] = {
        "schema_version": 1,
        "job_id": job,
        "completed_at": timestamp(completed_ms),
        "result": {
            "job_spec_hash": list(bytes.fromhex(job)),
            "output_commitment": list(commitment.digest),
            "output_chunk_count": commitment.count,
            "completion": completion,
            "resumption": None,
            "metrics": {
                "total_duration_ms": wall_ms,
                "prompt_tokens": 0,
                "completion_tokens": 0,
                "extra": extra,
            },
        },
    }
    signature = identity.sign(DOMAIN, message(signed)).hex()
    return signed | {"worker_pubkey": identity.public_hex, "signature": signature}
