"""Receipts, envelope v1, as a format: strict reading, the signed message, the id. Pure; nothing is verified here.

Unknown fields are refused: the signature covers four fields and `result`, and whatever else lay in the file would look
signed without being so. What orlop adds are string entries of `metrics.extra`, nothing else.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from runtime.canonical import CanonicalError, Json, decode, encode, parse_timestamp
from runtime.errors import RefusedError
from runtime.sanitise import clean

__all__ = ["DOMAIN", "FIRST_PREVIOUS", "Receipt", "ReceiptRefusedError", "message", "read_receipt", "receipt_id"]

DOMAIN: Final = b"phase-receipt:v1:"
"""What a receipt's signature and id begin with; the name is that of the format, so that others can verify it."""

FIRST_PREVIOUS: Final = "0" * 64
"""`orlop.prev` of a key's first receipt."""

_SIZE_MAX: Final = 262_144
_SIGNED: Final = ("completed_at", "job_id", "result", "schema_version")
_ENVELOPE: Final = frozenset({*_SIGNED, "signature", "worker_pubkey"})
_RESULT: Final = frozenset(
    {"completion", "job_spec_hash", "metrics", "output_chunk_count", "output_commitment", "resumption"}
)
_METRICS: Final = frozenset({"completion_tokens", "extra", "prompt_tokens", "total_duration_ms"})
_RESUMPTION: Final = frozenset({"issuer", "state", "valid_until_unix_ms"})
_COMPLETIONS: Final = frozenset({"stop", "length", "cancelled", "error"})
_HEX64: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_HEX128: Final = re.compile(r"[0-9a-f]{128}", re.ASCII)
_DECIMAL: Final = re.compile(r"0|[1-9][0-9]{0,17}", re.ASCII)
_MODULE: Final = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_NONCE: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)
_TIME: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?Z", re.ASCII)
_EXTRA: Final = {
    "exit_code": _DECIMAL,
    "module_hash": _MODULE,
    "orlop.argv_sha256": _HEX64,
    "orlop.dirs_sha256": _HEX64,
    "orlop.env_sha256": _HEX64,
    "orlop.fuel_used": _DECIMAL,
    "orlop.nonce": _NONCE,
    "orlop.prev": _HEX64,
    "orlop.seq": _DECIMAL,
    "orlop.stdin_sha256": _HEX64,
}
"""The form of the entries that a verifier reads; others may be any text."""


class ReceiptRefusedError(RefusedError):
    """What was given is no receipt of version 1."""

    def __init__(self, why: str) -> None:
        super().__init__(why, where="receipt")


@dataclass(frozen=True, slots=True)
class Receipt:
    """A document that has the form of a receipt; whether it is true is the business of `runtime.jobs.verify`.

    Attributes:
        document: the envelope.
        worker: the public key it names, 64 hexadecimal characters.
        job: the job's id.
        spec_hash: the job's id once more, from the signed result, 32 bytes.
        commitment: 32 bytes.
        chunks: how many chunks the commitment covers.
        completion: `stop`, `length`, `cancelled` or `error`.
        completed_at: as it was signed.
        duration_ms: of the run.
        extra: `metrics.extra`.
        message: the bytes behind the domain that the signature covers.
        signature: 64 bytes.
    """

    document: Mapping[str, Json]
    worker: str
    job: str
    spec_hash: bytes
    commitment: bytes
    chunks: int
    completion: str
    completed_at: str
    duration_ms: int
    extra: Mapping[str, str]
    message: bytes
    signature: bytes

    @property
    def id(self) -> str:
        """SHA-256 of the signed message, domain included."""
        return hashlib.sha256(DOMAIN + self.message).hexdigest()

    @property
    def completed_s(self) -> int:
        """When the run ended, in whole seconds since the Unix epoch."""
        return parse_timestamp(f"{self.completed_at[:19]}Z") // 1000

    @property
    def place(self) -> tuple[int, str] | None:
        """Its number in the chain of its key and the id of its predecessor; None when it is in no chain."""
        number, previous = self.extra.get("orlop.seq"), self.extra.get("orlop.prev")
        return None if number is None or previous is None else (int(number), previous)


def message(document: Mapping[str, Json]) -> bytes:
    """The canonical bytes that a receipt's signature covers, without the domain."""
    return encode({name: document[name] for name in _SIGNED})


def receipt_id(document: Mapping[str, Json]) -> str:
    """The id of a well-formed receipt: SHA-256 of its signed message."""
    return hashlib.sha256(DOMAIN + message(document)).hexdigest()


def read_receipt(raw: bytes) -> Receipt:
    """Reads a receipt strictly.

    Raises:
        ReceiptRefusedError: not JSON, a field missing, unknown or of a wrong type; the message names it.
    """
    try:
        document = decode(raw, limit=_SIZE_MAX)
    except CanonicalError as error:
        raise ReceiptRefusedError(error.why) from None
    envelope = _object(document, _ENVELOPE, "")
    version = _count(envelope["schema_version"], "schema_version")
    if version != 1:
        raise ReceiptRefusedError(f"`schema_version` is {version}, only 1 is known")
    result = _object(envelope["result"], _RESULT, "result")
    metrics = _object(result["metrics"], _METRICS, "result.metrics")
    for name in ("prompt_tokens", "completion_tokens"):
        _count(metrics[name], name)
    _resumption(result["resumption"])
    completion = result["completion"]
    if not isinstance(completion, str) or completion not in _COMPLETIONS:
        raise ReceiptRefusedError("`completion` is none of stop, length, cancelled, error")
    return Receipt(
        document=envelope,
        worker=_text(envelope["worker_pubkey"], _HEX64, "worker_pubkey"),
        job=_text(envelope["job_id"], _HEX64, "job_id"),
        spec_hash=_bytes(result["job_spec_hash"], "job_spec_hash", exactly=32),
        commitment=_bytes(result["output_commitment"], "output_commitment", exactly=32),
        chunks=_count(result["output_chunk_count"], "output_chunk_count"),
        completion=completion,
        completed_at=_time(envelope["completed_at"]),
        duration_ms=_count(metrics["total_duration_ms"], "total_duration_ms"),
        extra=_extra(metrics["extra"]),
        message=message(envelope),
        signature=bytes.fromhex(_text(envelope["signature"], _HEX128, "signature")),
    )


def _object(value: Json, fields: frozenset[str], path: str) -> Mapping[str, Json]:
    if not isinstance(value, Mapping):
        raise ReceiptRefusedError(f"{path or 'the document'} is not an object")
    if missing := fields - set(value):
        raise ReceiptRefusedError(f"`{min(missing)}` is missing")
    if unknown := set(value) - fields:
        raise ReceiptRefusedError(f"`{clean(min(unknown), 60)}` is not a field of receipt version 1")
    return value


def _count(value: Json, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ReceiptRefusedError(f"`{name}` is not a count")
    return value


def _text(value: Json, form: re.Pattern[str], name: str) -> str:
    if not isinstance(value, str) or not form.fullmatch(value):
        found = f"{len(value)} characters" if isinstance(value, str) else "no text"
        raise ReceiptRefusedError(f"`{name}` does not have its form ({found})")
    return value


def _bytes(value: Json, name: str, *, exactly: int | None = None, at_most: int = 0) -> bytes:
    items = value if isinstance(value, Sequence) and not isinstance(value, str) else None
    if items is None or (exactly is not None and len(items) != exactly) or (exactly is None and len(items) > at_most):
        raise ReceiptRefusedError(f"`{name}` is not an array of {exactly or at_most} bytes")
    numbers = [item for item in items if isinstance(item, int) and not isinstance(item, bool) and 0 <= item <= 255]  # noqa: PLR2004 - bytes
    if len(numbers) != len(items):
        raise ReceiptRefusedError(f"`{name}` holds something that is not a byte")
    return bytes(numbers)


def _time(value: Json) -> str:
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ReceiptRefusedError("`completed_at` is not a UTC time ending in Z")
    try:
        parse_timestamp(f"{match[1]}Z")
    except CanonicalError as error:
        raise ReceiptRefusedError(f"`completed_at`: {error.why}") from None
    return match[0]


def _extra(value: Json) -> Mapping[str, str]:
    if not isinstance(value, Mapping) or not value:
        raise ReceiptRefusedError("`extra` is not a map with at least one entry")
    extra: dict[str, str] = {}
    for name, text in value.items():
        if not isinstance(text, str):
            raise ReceiptRefusedError(f"`{clean(name, 60)}` in `extra` is not text")
        form = _EXTRA.get(name)
        extra[name] = text if form is None else _text(text, form, name)
    if ("orlop.seq" in extra) != ("orlop.prev" in extra):
        raise ReceiptRefusedError("`orlop.seq` and `orlop.prev` come together or not at all")
    return extra


def _resumption(value: Json) -> None:
    if value is None:
        return
    ticket = _object(value, _RESUMPTION, "resumption")
    _bytes(ticket["state"], "state", at_most=256)
    _count(ticket["valid_until_unix_ms"], "valid_until_unix_ms")
    if not isinstance(ticket["issuer"], str):
        raise ReceiptRefusedError("`issuer` is not text")
