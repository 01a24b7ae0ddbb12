"""Whether a job that somebody signed is taken in, and in which order that is found out.

Size, signer, schema, signature, expiry, limits, queue; the module and the input are looked at only then, and only
whether they are those of the manifest. Everything else about a module is checked when the job's turn has come.
"""

import hashlib
import sqlite3
from typing import Final

from runtime.blobs import Blob, Blobs
from runtime.canonical import Json
from runtime.errors import RefusedError, UsageError
from runtime.identity import Identity
from runtime.jobs.inputs import keep_inputs, too_large
from runtime.jobs.limits import FUEL_PER_SECOND, LIMITS, JobLimits, LimitRefusedError
from runtime.jobs.manifest import Manifest, read_manifest
from runtime.jobs.queue import NOW, Queued, QueueLimits, Terms, request_of
from runtime.jobs.submitters import NotAuthorisedError, allowed, signer_of

__all__ = ["accept", "admitted", "keep_given", "known_module", "known_state"]

_WHERE: Final = "job manifest"
_IN_PAYLOAD: Final = {"memory_bytes": "max_memory_bytes", "timeout_ms": "max_duration_ms"}


def accept(db: sqlite3.Connection, raw: bytes, *, identity: Identity, ceilings: JobLimits, now_ms: int) -> Queued:
    """Checks a manifest, without its module.

    Args:
        db: the store.
        raw: the signed manifest.
        identity: the node's, whose own keys are always allowed.
        ceilings: what the operator allows at most.
        now_ms: wall time.

    Returns:
        The job, whose expiry has counted; it does not count again.

    Raises:
        NotAuthorisedError: the signer is not on the list, or none can be made out.
        ManifestRefusedError: the manifest is not accepted.
        LimitRefusedError: a limit is above the ceiling.
        RefusedError: it asks for what cannot be given.
    """
    signer = signer_of(raw)
    if not identity.is_own(signer) and not allowed(db, signer):
        raise NotAuthorisedError
    manifest = read_manifest(raw, now_ms=now_ms)
    if manifest.signer != signer:
        raise NotAuthorisedError
    return admitted(manifest, ceilings, Terms(detached=True))


def admitted(manifest: Manifest, ceilings: JobLimits, terms: Terms = NOW) -> Queued:
    """The job of a manifest that was read and whose signer may submit: its limits, and whether it can be had at all.

    Args:
        manifest: checked.
        ceilings: what the operator allows at most.
        terms: how the job waits.

    Raises:
        LimitRefusedError: a limit is above the ceiling.
        RefusedError: it asks for what cannot be given.
    """
    limits = _limits(manifest, ceilings)
    if above := limits.above(ceilings):
        raise above
    try:
        request = request_of(manifest, name="job", submitter=manifest.signer, limits=limits)
    except UsageError as error:
        raise RefusedError(error.why, where=_WHERE) from None
    _check_possible(manifest, list(request.argv))
    return Queued(manifest, request, terms)


def known_state(db: sqlite3.Connection, job: str) -> str | None:
    """The state of a job that was taken in before; None for a new one."""
    row = db.execute("SELECT state FROM jobs WHERE job = ?", (job,)).fetchone()
    return None if row is None else str(row[0])


def known_module(db: sqlite3.Connection, submitter: str, module: str) -> Blob | None:
    """A module that a submitter has sent with an earlier job and that is kept; nobody learns what others sent.

    Args:
        db: the store.
        submitter: whose jobs are looked at, a public key.
        module: as `module_name` writes it.
    """
    sql = (
        "SELECT hash, size FROM jobs JOIN job_blobs USING (job) JOIN blobs USING (hash)"
        " WHERE submitter = ? AND module = ? AND role = 'module' LIMIT 1"
    )
    row = db.execute(sql, (submitter, module)).fetchone()
    return None if row is None else Blob(str(row[0]), int(row[1]))


def keep_given(blobs: Blobs, manifest: Manifest, module: bytes, stdin: bytes, limits: QueueLimits) -> dict[str, Blob]:
    """Keeps module and input of a manifest that was accepted, if they are what it names. Blocks.

    Raises:
        LimitRefusedError: one of them is larger than the operator allows.
        RefusedError: one of them is another than the manifest names.
        UnavailableError: they cannot be stored.
    """
    for name, what, data, most in (
        ("module_bytes", "module", module, limits.module_bytes),
        ("stdin_bytes", "standard input", stdin, limits.stdin_bytes),
    ):
        if len(data) > most:
            raise too_large(name, what, len(data), most)
    if manifest.payload.get("module_cid") != f"sha256:{hashlib.sha256(module).hexdigest()}":
        raise RefusedError("the module is another than the manifest names", where=_WHERE)
    named = manifest.extension.get("stdin_sha256")
    if named is not None and named != hashlib.sha256(stdin).hexdigest():
        raise RefusedError("the input is another than the manifest names", where=_WHERE)
    kept = keep_inputs(blobs, module, (), (), limit=0)
    if stdin:
        kept["stdin"] = blobs.put(stdin, limit=limits.stdin_bytes)
    return kept


def _limits(manifest: Manifest, ceilings: JobLimits) -> JobLimits:
    """What it asks for; where it names nothing, the default or the ceiling, whichever is less."""
    asked = {limit.name: _asked(manifest, limit.name) for limit in LIMITS}
    plain = JobLimits()
    timeout_ms = asked["timeout_ms"] or min(plain.timeout_ms, ceilings.timeout_ms)
    asked["timeout_ms"] = timeout_ms
    asked["fuel"] = asked["fuel"] or min(max(1, timeout_ms * FUEL_PER_SECOND // 1000), ceilings.fuel)
    asked["cpu_ms"] = asked["cpu_ms"] or min(timeout_ms, ceilings.cpu_ms)
    values = {name: value or min(getattr(plain, name), getattr(ceilings, name)) for name, value in asked.items()}
    for limit in LIMITS:
        value = values[limit.name]
        if not limit.low <= value <= limit.high:
            why = f"{limit.what} {limit.words(value)} is outside {limit.words(limit.low)} to {limit.words(limit.high)}"
            raise LimitRefusedError(limit.name, why)
    return JobLimits(**values)


def _asked(manifest: Manifest, name: str) -> int:
    where = manifest.payload if name in _IN_PAYLOAD else manifest.extension
    value: Json = where.get(_IN_PAYLOAD.get(name, name))
    return value if isinstance(value, int) else 0


def _check_possible(manifest: Manifest, argv: list[str]) -> None:
    own = manifest.extension
    if manifest.payload.get("kind") != "wasm":
        raise RefusedError("is not for a job", where=_WHERE)
    if own.get("dirs"):
        raise RefusedError("asks for directories, which only this node's own jobs can have", where=_WHERE)
    if manifest.payload.get("input"):
        raise RefusedError("carries its input; it comes beside the manifest", where=_WHERE)
    if "argv" in own and own["argv"] != argv:
        raise RefusedError("names an argv[0] that is empty, too long or not printable", where=_WHERE)
