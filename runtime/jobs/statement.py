"""What a receipt says, before it has its place in the chain; and the signing of it. Pure."""

import hashlib
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from runtime.booted import Claims
from runtime.canonical import Json, encode, timestamp
from runtime.identity import Identity
from runtime.jobs.commitment import Commitment, commit
from runtime.jobs.confine import confinement
from runtime.jobs.ending import COMPLETIONS, JobOutcome, Usage, limits_text
from runtime.jobs.limits import JobLimits
from runtime.jobs.manifest import Manifest
from runtime.jobs.receipt_form import DOMAIN, RESTORED, enveloped, message, message_id
from runtime.sandbox.engine import ENGINE

__all__ = ["SignedReceipt", "Statement", "sign_receipt", "sign_restored"]


@dataclass(frozen=True, slots=True)
class SignedReceipt:
    """A receipt that was just signed.

    Attributes:
        document: the envelope.
        canonical: the same in canonical JSON.
        id: the receipt's.
    """

    document: dict[str, Json]
    canonical: bytes
    id: str


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

    def entries(self, number: int, previous: str, claims: Claims = ()) -> dict[str, str]:
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
            "orlop.limits": limits_text(self.limits, self.tripped),
            "orlop.environment": _environment(self.usage.memory_peak_bytes, self.guest_exit_code, claims),
            "orlop.stdin_sha256": self.stdin_sha256,
            "orlop.argv_sha256": _list_hash(self.argv),
            "orlop.env_sha256": _list_hash(self.env),
            "orlop.dirs_sha256": _list_hash(self.dirs),
        }
        return {name: str(value) for name, value in known.items() if value is not None}


@lru_cache(maxsize=64)
def _environment(memory_peak_bytes: int | None, guest_exit_code: int | None, claims: Claims) -> str:
    """Where it ran and within which walls, the peak of memory, the guest's number above 255, and what is claimed."""
    known: dict[str, Json] = {
        "arch": platform.machine(),
        "os": platform.system().lower(),
        "confinement": confinement().document(),
        "memory_peak_bytes": memory_peak_bytes,
        "guest_exit_code": guest_exit_code,
        **dict(claims),
    }
    return encode({name: value for name, value in known.items() if value is not None}).decode()


_OF_NONE: Final = hashlib.sha256(b"[]").hexdigest()


def _list_hash(items: Sequence[str]) -> str:
    return hashlib.sha256(encode(list(items))).hexdigest() if items else _OF_NONE


def sign_receipt(
    identity: Identity, statement: Statement, number: int, previous: str, claims: Claims = ()
) -> SignedReceipt:
    """Writes and signs a receipt.

    Args:
        identity: the worker's.
        statement: what it says.
        number: its place in this key's chain, from 0.
        previous: the id of the receipt before it, 64 zeros for the first.
        claims: what the node says beside that of its machine.
    """
    return _signed(
        identity,
        statement.job,
        statement.completed_ms,
        commitment=statement.commitment,
        completion=COMPLETIONS[statement.outcome],
        wall_ms=statement.usage.wall_ms,
        extra=statement.entries(number, previous, claims),
    )


def sign_restored(identity: Identity, manifest: Manifest, number: int, previous: str, now_ms: int) -> SignedReceipt:
    """Writes and signs the entry that says that the node was restored from a backup; it tells of no run.

    Args:
        identity: the node's.
        manifest: of kind `orlop-restore`; it names the backup.
        number: its place in this key's chain.
        previous: the id of the last receipt that the backup holds, 64 zeros when it holds none.
        now_ms: wall time.
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
) -> SignedReceipt:
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
    text = message(signed)
    signature = identity.sign(DOMAIN, text)
    document = signed | {"worker_pubkey": identity.public_hex, "signature": signature.hex()}
    return SignedReceipt(document, enveloped(text, signature, identity.public_hex), message_id(text))
