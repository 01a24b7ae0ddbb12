"""10,000 receipts verified one after another, each with its signature, its manifest and its output."""

import time
from typing import Final

from bench.measure import Figure, figure
from runtime.identity import Identity
from runtime.jobs.commitment import commit
from runtime.jobs.ending import Usage
from runtime.jobs.evidence import Evidence
from runtime.jobs.limits import JobLimits
from runtime.jobs.manifest import module_name, new_nonce, sign_manifest
from runtime.jobs.receipt_form import FIRST_PREVIOUS
from runtime.jobs.spec import JobRequest
from runtime.jobs.statement import Statement, sign_receipt
from runtime.jobs.verify import verify

__all__ = ["measure"]

_BOUND_S: Final = 5.0
_OUT: Final = b"olleh"
_Made = tuple[bytes, bytes]


def measure(*, quick: bool) -> list[Figure]:
    """Measures it."""
    many = 500 if quick else 10_000
    own = Identity(bytes(32))
    made = _chain(own, many)
    alone = [_seconds(own, made, whole=False) for _ in range(1 if quick else 3)]
    whole = [_seconds(own, made, whole=True) for _ in range(1 if quick else 3)]
    return [
        figure(f"{many:,} receipts verified with the worker's key", "s", alone, bound=_BOUND_S * many / 10_000),
        figure(f"{many:,} receipts verified with key, manifest, output and predecessor", "s", whole),
    ]


def _chain(own: Identity, many: int) -> list[_Made]:
    """Receipts of one key, each with its manifest."""
    request = JobRequest(name="hello", args=("-v",), env=("A=1",), limits=JobLimits())
    module, previous, made = module_name(b"module"), FIRST_PREVIOUS, []
    for number in range(many):
        nonce = new_nonce()
        manifest = sign_manifest(own, request, module, nonce=nonce, created_ms=number)
        statement = Statement(
            job=manifest.job,
            module=module,
            nonce=nonce,
            argv=request.argv,
            env=request.env,
            dirs=(),
            stdin_sha256="0" * 64,
            limits=request.limits,
            outcome="exit",
            exit_code=0,
            guest_exit_code=None,
            usage=Usage(wall_ms=1, fuel=1000, memory_peak_bytes=65_536, stdout_bytes=len(_OUT)),
            commitment=commit(_OUT, b""),
            completed_ms=number,
        )
        receipt = sign_receipt(own, statement, number, previous)
        previous = receipt.id
        made.append((receipt.canonical, manifest.canonical))
    return made


def _seconds(own: Identity, made: list[_Made], *, whole: bool) -> float:
    before: bytes | None = None
    began = time.perf_counter()
    for receipt, manifest in made:
        evidence = Evidence(key=own.public_hex)
        if whole:
            evidence = Evidence(key=own.public_hex, manifest=manifest, stdout=_OUT, stderr=b"", previous=before)
        if not verify(receipt, evidence).ok:
            raise RuntimeError("a good receipt is not valid")
        before = receipt
    return time.perf_counter() - began
