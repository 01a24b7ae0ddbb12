"""Verifying a receipt: eight steps, all of them, in order; each true, false, or null for "not checked". Pure.

"Bad" is never "could not check": a step is false only when something contradicts the receipt, and null when there was
nothing to hold it against. A key is believed when it was given, or when the caller's `accepts` knows it; a stranger's
key leaves the receipt unchecked, however well its signature fits.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

from runtime.canonical import CanonicalError, Json, decode, encode
from runtime.events import Step
from runtime.identity import verify as signature_fits
from runtime.jobs.bundle import BUNDLE_MAX, is_bundle, parse_bundle
from runtime.jobs.commitment import chunk_count, commit
from runtime.jobs.evidence import Evidence
from runtime.jobs.legacy import is_legacy, parse_legacy_receipt, read_legacy_manifest
from runtime.jobs.manifest import Manifest, ManifestRefusedError, read_manifest
from runtime.jobs.receipt_form import (
    DOMAIN,
    SIZE_MAX,
    Place,
    Receipt,
    ReceiptRefusedError,
    parse_receipt,
    read_receipt,
)
from runtime.keys import same_node

__all__ = [
    "STEPS",
    "Verification",
    "canonical",
    "exit_status",
    "signature",
    "verify",
]

STEPS: Final = ("schema", "canonical", "key", "signature", "job_id", "module", "commitment", "chain")

_REQUIRED: Final = 4
"""The first so many steps must be true for a receipt to be valid."""

_EXIT_VALID: Final = 0
_EXIT_UNCHECKED: Final = 1
_EXIT_UNREADABLE: Final = 2
_EXIT_BAD: Final = 4

_Finding = tuple[bool | None, str]


@dataclass(frozen=True, slots=True)
class Verification:
    """The eight findings."""

    steps: tuple[Step, ...]

    @property
    def ok(self) -> bool | None:
        """True: valid. False: something contradicts it. None: nothing does, but not enough could be checked."""
        if any(step.ok is False for step in self.steps):
            return False
        return True if all(step.ok for step in self.steps[:_REQUIRED]) else None

    @property
    def verdict(self) -> str:
        """`valid`, `invalid` or `unchecked`."""
        return {True: "valid", False: "invalid", None: "unchecked"}[self.ok]

    def document(self) -> dict[str, Json]:
        """What `receipts verify --json` prints."""
        return {
            "ok": self.ok,
            "steps": [{"name": step.name, "ok": step.ok, "detail": step.detail} for step in self.steps],
        }


def exit_status(verification: Verification | None) -> int:
    """The exit status of `receipts verify`.

    Args:
        verification: None when there was nothing to read: a missing file, a directory.

    Returns:
        0 valid, 4 bad, 1 not enough could be checked, 2 unreadable.
    """
    if verification is None:
        return _EXIT_UNREADABLE
    return {True: _EXIT_VALID, False: _EXIT_BAD, None: _EXIT_UNCHECKED}[verification.ok]


def verify(raw: bytes, evidence: Evidence) -> Verification:
    """Verifies a receipt; never raises for anything that the receipt or the evidence holds.

    Args:
        raw: the receipt's JSON, or that of a proof bundle, which brings evidence of its own.
        evidence: what to hold it against.
    """
    try:
        findings = _examined(raw, evidence)
    except ReceiptRefusedError as error:
        findings = [(False, error.why)]
        findings += [(None, "not checked: this is no receipt")] * (len(STEPS) - 1)
    steps = zip(STEPS, findings, strict=True)
    return Verification(tuple(Step(name=name, ok=ok, detail=detail) for name, (ok, detail) in steps))


def _examined(raw: bytes, evidence: Evidence) -> list[_Finding]:
    try:
        document = decode(raw, limit=BUNDLE_MAX)
    except CanonicalError as error:
        raise ReceiptRefusedError(error.why) from None
    if is_bundle(document):
        bundle = parse_bundle(document)
        return _findings(None, bundle.receipt, evidence.filled_from(bundle))
    if len(raw) > SIZE_MAX:
        raise ReceiptRefusedError(f"larger than {SIZE_MAX} bytes")
    return _legacy(document, evidence) if is_legacy(document) else _findings(raw, parse_receipt(document), evidence)


def _findings(raw: bytes | None, receipt: Receipt, evidence: Evidence) -> list[_Finding]:
    """The eight; `raw` is the receipt as it was laid out, None when it stood inside something else."""
    manifest, bad_manifest = _read(evidence.manifest)
    return [
        (True, "receipt version 1" if raw is not None else "receipt version 1, in a proof bundle"),
        canonical(raw, receipt),
        _key(receipt.worker, evidence),
        signature(receipt),
        _job_id(receipt, manifest, bad_manifest),
        _module(receipt, manifest, evidence.module),
        _commitment(receipt, evidence),
        _chain(receipt, evidence),
    ]


def _legacy(document: Json, evidence: Evidence) -> list[_Finding]:
    """Version 0.1 is never valid: with a signature that fits, it still says nothing of job, output or requester."""
    receipt = parse_legacy_receipt(document)
    fits = receipt.signature_fits
    return [
        (None, "receipt version 0.1, which proves little: its five figures name no job, output or requester"),
        (None, "version 0.1 has no canonical form"),
        _key(receipt.worker, evidence),
        (fits, "Ed25519 over the five figures" if fits else "does not fit the five figures and the key"),
        (None, "version 0.1 names no job"),
        _legacy_module(receipt.module, evidence),
        (None, "version 0.1 says nothing of the output"),
        (None, "in no chain"),
    ]


def _legacy_module(stated: str, evidence: Evidence) -> _Finding:
    if evidence.module is not None:
        same = evidence.module == stated
        return same, "the module that was given" if same else "another module than the one that was given"
    if evidence.manifest is None:
        return None, "no module to compare with"
    try:
        asked = read_legacy_manifest(evidence.manifest)["module_hash"]
    except ReceiptRefusedError as error:
        return False, f"the manifest is bad: {error.why}"
    return asked == stated, "the module that the manifest names" if asked == stated else "another module is asked for"


def canonical(raw: bytes | None, receipt: Receipt) -> tuple[bool | None, str]:
    """Whether the content has one written form, and nothing lies around it that another reader might read otherwise.

    Args:
        raw: the receipt as it was laid out; None when it stood inside another document.
        receipt: what was read of it.
    """
    fraction = receipt.completed_at[:-1].partition(".")[2]
    if fraction and (len(fraction) % 3 or fraction.endswith("000")):
        return False, "the fraction of `completed_at` is not in its shortest form of 3, 6 or 9 digits"
    if raw is None:
        return True, "has one canonical form"
    body = raw.removesuffix(b"\r\n") if raw.endswith(b"\r\n") else raw.removesuffix(b"\n")
    if not body.startswith(b"{") or not body.endswith(b"}"):
        return False, "something stands before or behind the document"
    same = body == receipt.canonical
    return True, "canonical JSON" if same else "has one canonical form; the file is laid out differently"


def _key(worker: str, evidence: Evidence) -> _Finding:
    if evidence.key is not None:
        turns = same_node(evidence.statements, evidence.key, worker)
        if turns is None:
            return False, f"signed by {worker[:16]}…, not by the key that was given"
        return True, "the key that was given" if turns == 0 else f"{_rotations(turns)} from the key that was given"
    if evidence.accepts(worker):
        return True, "a key of this node or of a trusted peer"
    for link in evidence.statements:
        for known in (link.old, link.new):
            if evidence.accepts(known) and (turns := same_node(evidence.statements, known, worker)):
                return True, f"{_rotations(turns)} from a key of this node or of a trusted peer"
    return None, f"nothing is known of key {worker[:16]}…; give the worker's key to check it"


def _rotations(turns: int) -> str:
    return f"{turns} signed rotation{'' if turns == 1 else 's'}"


def signature(receipt: Receipt) -> tuple[bool | None, str]:
    """Whether the signature was made by the key that the receipt names."""
    fits = signature_fits(bytes.fromhex(receipt.worker), DOMAIN, receipt.message, receipt.signature)
    return fits, "Ed25519 over the canonical message" if fits else "does not fit the message and the key"


def _read(manifest: bytes | None) -> tuple[Manifest | None, str]:
    if manifest is None:
        return None, ""
    try:
        return read_manifest(manifest), ""
    except ManifestRefusedError as error:
        return None, f"the manifest is bad: {error.check}: {error.why}"


def _job_id(receipt: Receipt, manifest: Manifest | None, bad_manifest: str) -> _Finding:
    if receipt.spec_hash.hex() != receipt.job:
        return False, "`job_id` and `job_spec_hash` differ"
    if bad_manifest:
        return False, bad_manifest
    if manifest is None:
        return None, "no manifest to compare with; the two ids in the receipt agree"
    if manifest.job != receipt.job:
        return False, f"the manifest is that of job {manifest.job[:16]}…"
    if wrong := _contradiction(receipt, manifest):
        return False, wrong
    return True, "the manifest's hash, and what the receipt repeats of it"


def _contradiction(receipt: Receipt, manifest: Manifest) -> str:
    """What the receipt states of the job otherwise than the manifest; empty when nothing."""
    own = manifest.extension
    expected: dict[str, str] = {}
    if isinstance(own.get("nonce"), str):
        expected["orlop.nonce"] = str(own["nonce"])
    if isinstance(own.get("stdin_sha256"), str):
        expected["orlop.stdin_sha256"] = str(own["stdin_sha256"])
    for name in ("argv", "env", "dirs"):
        if name in own:
            expected[f"orlop.{name}_sha256"] = hashlib.sha256(encode(own[name])).hexdigest()
    for name, text in expected.items():
        if receipt.extra.get(name, text) != text:
            return f"`{name}` does not fit the manifest"
    return _above(receipt.extra.get("orlop.limits"), manifest)


def _above(limits: str | None, manifest: Manifest) -> str:
    """Which limit of the run was above what the manifest allowed."""
    if limits is None:
        return ""
    try:
        ran = decode(limits.encode(), limit=4096)
    except (CanonicalError, UnicodeEncodeError):
        ran = None
    if not isinstance(ran, dict):
        return "`orlop.limits` is not a JSON object"
    payload, own = manifest.payload, manifest.extension
    allowed = {
        "memory_bytes": payload.get("max_memory_bytes"),
        "timeout_ms": payload.get("max_duration_ms"),
        "fuel": own.get("fuel"),
        "max_output_bytes": own.get("max_output_bytes"),
        "cpu_ms": own.get("cpu_ms"),
        "stack_bytes": own.get("stack_bytes"),
        "table_elements": own.get("table_elements"),
        "open_files": own.get("open_files"),
        "dir_bytes": own.get("dir_bytes"),
    }
    for name, most in allowed.items():
        used = ran.get(name)
        if isinstance(most, int) and isinstance(used, int) and used > most:
            return f"it ran with {name} {used}, the manifest allows {most}"
    return ""


def _module(receipt: Receipt, manifest: Manifest | None, module: str | None) -> _Finding:
    stated = receipt.extra.get("module_hash")
    asked = manifest.payload.get("module_cid") if manifest else None
    if stated is None:
        return None, "the receipt names no module"
    if module is not None and module != stated:
        return False, "another module than the one that was given"
    if isinstance(asked, str) and asked.startswith("sha256:") and asked != stated:
        return False, "another module than the one in the manifest"
    if module is not None:
        return True, "the module that was given"
    if asked == stated:
        return True, "the module that the manifest names"
    return None, "no module to compare with"


def _commitment(receipt: Receipt, evidence: Evidence) -> _Finding:
    stdout, stderr = evidence.stdout, evidence.stderr
    if evidence.commitment is None and stdout is None and stderr is None:
        return None, "no output to compare with"
    made = evidence.commitment or commit(stdout or b"", stderr or b"")
    if made.digest == receipt.commitment and made.count == receipt.chunks:
        return True, f"the output, {made.count} chunk{'' if made.count == 1 else 's'}"
    if evidence.commitment is not None:
        return False, "another output than the one that came"
    known = chunk_count(len(stdout or b"")) + chunk_count(len(stderr or b""))
    missing = "stderr" if stderr is None else "stdout" if stdout is None else ""
    if missing and receipt.chunks > known:
        return None, f"{missing} is not given, and the receipt covers more output"
    return False, "another output than the one that was given"


def _chain(receipt: Receipt, evidence: Evidence) -> _Finding:
    place = receipt.place
    if place is None:
        return None, "in no chain"
    if not place.possible:
        return False, "only the first receipt of a key, number 0, has no predecessor"
    if evidence.chain(receipt.worker, place.number) not in {None, receipt.id}:
        return False, f"another receipt of this key has number {place.number}"
    if evidence.previous is not None:
        return _follows(receipt, place, evidence.previous)
    return _stored_before(receipt, place, evidence)


def _stored_before(receipt: Receipt, place: Place, evidence: Evidence) -> _Finding:
    words = f"number {place.number}{', the first after a restore' if place.restored else ''}"
    if place.first:
        return True, "the first of its key"
    if place.restored:  # numbers were left out, so its predecessor is looked for by its id
        before = evidence.number(receipt.worker, place.previous)
    else:
        before = None if evidence.chain(receipt.worker, place.number - 1) is None else place.number - 1
    if before is None:
        return None, f"{words}; its predecessor is not here"
    if not place.follows(before) or evidence.chain(receipt.worker, before) != place.previous:
        return False, f"does not follow number {before} as it is stored here"
    return True, f"{words}, follows {place.previous[:16]}…"


def _follows(receipt: Receipt, place: Place, raw: bytes) -> _Finding:
    try:
        before = read_receipt(raw)
    except ReceiptRefusedError as error:
        return False, f"the preceding receipt is bad: {error.why}"
    if before.worker != receipt.worker:
        return False, "the preceding receipt is of another key"
    if signature(before)[0] is False:
        return False, "the preceding receipt's signature does not fit"
    if before.id != place.previous or before.place is None or not place.follows(before.place.number):
        return False, "does not follow the receipt that was given"
    return True, f"number {place.number}, follows the receipt that was given"
