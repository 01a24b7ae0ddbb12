"""What machines tell of themselves: lines about their steps, and receipts. Checked for form; believed by nobody."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from boot.serve.sessions import Session
from runtime.canonical import CanonicalError, Json, decode
from runtime.errors import RefusedError
from runtime.jobs import Evidence, Receipt, Verification, parse_receipt, verify_evidence
from runtime.sanitise import clean

__all__ = ["BODY_MAX", "LINE_MAX", "Delivered", "Report", "deliver", "parse_reports"]

LINE_MAX: Final = 4096
BODY_MAX: Final = 64 << 10
_LINES_MAX: Final = 64
_FIELDS: Final = frozenset({"session", "step", "ok", "detail"})
_SESSION: Final = re.compile("[0-9a-f]{32}", re.ASCII)
_STEP: Final = re.compile("[a-z0-9][a-z0-9._-]{0,31}", re.ASCII)
_DETAIL_MAX: Final = 256


@dataclass(frozen=True, slots=True)
class Report:
    """One line."""

    session: str
    step: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Delivered:
    """A receipt that a machine delivered.

    Attributes:
        receipt: it.
        session: the machine's, by the nonce in the receipt; None where that is unknown.
        verification: as of any other receipt.
        names_manifest: whether its environment names the served manifest as `boot_manifest`; a claim.
    """

    receipt: Receipt
    session: Session | None
    verification: Verification
    names_manifest: bool = field(default=False)


def parse_reports(raw: bytes) -> list[Report]:
    """Reads JSON lines.

    Args:
        raw: the body of a request.

    Raises:
        RefusedError: a line is too long or none; then none of them counts.
    """
    lines = [line for line in raw.split(b"\n") if line.strip()]
    if not 0 < len(lines) <= _LINES_MAX:
        raise RefusedError(f"1 to {_LINES_MAX} lines are taken")
    return [_report(line, number) for number, line in enumerate(lines, 1)]


def deliver(
    raw: bytes, manifest_hash: str, find: Callable[[str], Session | None], accepts: Callable[[str], bool]
) -> Delivered:
    """Verifies a receipt like any other, and ties it to the machine that it was asked from.

    Args:
        raw: the document.
        manifest_hash: of what is served.
        find: machines by nonce.
        accepts: whether a key is this node's own, or a trusted peer's.

    Raises:
        RefusedError: this has not the form of a receipt.
    """
    try:
        receipt = parse_receipt(decode(raw, limit=BODY_MAX))
    except CanonicalError as error:
        raise RefusedError(error.why) from None
    verification = verify_evidence(raw, Evidence(accepts=accepts))
    booted = _booted(receipt.extra.get("orlop.environment", ""))
    return Delivered(receipt, find(receipt.extra.get("orlop.nonce", "")), verification, booted == manifest_hash)


def _report(line: bytes, number: int) -> Report:
    if len(line) > LINE_MAX:
        raise RefusedError(f"line {number} has more than {LINE_MAX} bytes")
    try:
        value = decode(line, limit=LINE_MAX)
    except CanonicalError as error:
        raise RefusedError(f"line {number}: {error.why}") from None
    if not isinstance(value, dict) or set(value) != _FIELDS:
        raise RefusedError(f"line {number}: an object with {', '.join(sorted(_FIELDS))} is needed")
    session, step, ok, detail = (value[name] for name in ("session", "step", "ok", "detail"))
    if not isinstance(session, str) or not _SESSION.fullmatch(session):
        raise RefusedError(f"line {number}: session is none")
    if not isinstance(step, str) or not _STEP.fullmatch(step):
        raise RefusedError(f"line {number}: step is no name")
    if not isinstance(ok, bool) or not isinstance(detail, str):
        raise RefusedError(f"line {number}: ok is true or false, and detail a text")
    return Report(session, step, ok, clean(detail, _DETAIL_MAX))


def _booted(environment: str) -> Json:
    """The hash of the manifest that a receipt's environment claims was booted; None where it claims none."""
    try:
        said = decode(environment.encode(), limit=LINE_MAX)
    except CanonicalError:
        return None
    return said.get("boot_manifest") if isinstance(said, dict) else None
