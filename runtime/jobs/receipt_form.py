"""Receipts, envelope v1, as a format: strict reading, the signed message, the id. Pure; nothing is verified here.

Unknown fields are refused: the signature covers four fields and `result`, and whatever else lay in the file would look
signed without being so. What orlop adds are string entries of `metrics.extra`, nothing else.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from runtime.canonical import CanonicalError, Json, decode, encode, parse_timestamp
from runtime.errors import RefusedError
from runtime.jobs.schemas import SchemaRefusedError, check

__all__ = [
    "DOMAIN",
    "FIRST_PREVIOUS",
    "RESTORED",
    "RESTORED_STEP",
    "SIZE_MAX",
    "Place",
    "Receipt",
    "ReceiptRefusedError",
    "enveloped",
    "message",
    "message_id",
    "parse_receipt",
    "read_receipt",
    "receipt_id",
]

DOMAIN: Final = b"phase-receipt:v1:"
"""What a receipt's signature and id begin with; the name is that of the format, so that others can verify it."""

FIRST_PREVIOUS: Final = "0" * 64
"""`orlop.prev` of a key's first receipt."""

RESTORED: Final = "restored"
"""`orlop.outcome` of the entry that a node adds to its chain after it was restored from a backup."""

RESTORED_STEP: Final = 1 << 32
"""By how much that entry's number rises: whatever was signed after the backup was made has one of those between."""

SIZE_MAX: Final = 262_144
"""Bytes of a receipt that is read; what is longer is none."""

_SIGNED: Final = ("completed_at", "job_id", "result", "schema_version")
_SECONDS: Final = 19
"""Characters of a time without its fraction."""


class ReceiptRefusedError(RefusedError):
    """What was given is no receipt of version 1."""

    def __init__(self, why: str) -> None:
        super().__init__(why, where="receipt")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a receipt says that it stands in the chain of its key.

    Attributes:
        number: from 0.
        previous: the id of the receipt before it, `FIRST_PREVIOUS` for the first.
        restored: whether it is the entry after a restore, which alone may leave numbers out: 2^32 at least.
    """

    number: int
    previous: str
    restored: bool = False

    @property
    def possible(self) -> bool:
        """Whether number and predecessor fit: the first of a key, and no other, has none."""
        if self.restored:
            return self.number >= RESTORED_STEP - 1
        return (self.number == 0) == self.first

    @property
    def first(self) -> bool:
        """Whether it says that it has no predecessor."""
        return self.previous == FIRST_PREVIOUS

    def follows(self, number: int) -> bool:
        """Whether its predecessor may have a number."""
        return number <= self.number - RESTORED_STEP if self.restored else number == self.number - 1


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
        return message_id(self.message)

    @property
    def canonical(self) -> bytes:
        """The whole envelope in canonical JSON."""
        return enveloped(self.message, self.signature, self.worker)

    @property
    def completed_s(self) -> int:
        """When the run ended, in whole seconds since the Unix epoch."""
        return parse_timestamp(f"{self.completed_at[:_SECONDS]}Z") // 1000

    @property
    def place(self) -> "Place | None":
        """Where it stands in the chain of its key; None when it is in no chain."""
        number, previous = self.extra.get("orlop.seq"), self.extra.get("orlop.prev")
        if number is None or previous is None:
            return None
        return Place(int(number), previous, restored=self.extra.get("orlop.outcome") == RESTORED)


def message(document: Mapping[str, Json]) -> bytes:
    """The canonical bytes that a receipt's signature covers, without the domain."""
    return encode({name: document[name] for name in _SIGNED})


def message_id(signed: bytes) -> str:
    """The id of the receipt whose message is given, from `message`: its SHA-256, domain included."""
    return hashlib.sha256(DOMAIN + signed).hexdigest()


def enveloped(signed: bytes, signature: bytes, worker: str) -> bytes:
    """The whole envelope in canonical JSON: its other two fields sort behind those that are signed.

    Args:
        signed: from `message`.
        signature: 64 bytes.
        worker: the public key, 64 hexadecimal characters.
    """
    return b'%s,"signature":"%s","worker_pubkey":"%s"}' % (signed[:-1], signature.hex().encode(), worker.encode())


def receipt_id(document: Mapping[str, Json]) -> str:
    """The id of a well-formed receipt."""
    return message_id(message(document))


def read_receipt(raw: bytes) -> Receipt:
    """Reads a receipt strictly: the schema `receipt.v1`, and a day that exists.

    Raises:
        ReceiptRefusedError: not JSON, a field missing, unknown or of a wrong form; the message names its path.
    """
    try:
        document = decode(raw, limit=SIZE_MAX)
    except CanonicalError as error:
        raise ReceiptRefusedError(error.why) from None
    return parse_receipt(document)


def parse_receipt(document: Json) -> Receipt:
    """As `read_receipt`, from what `runtime.canonical.decode` gave.

    Raises:
        ReceiptRefusedError: as `read_receipt`.
    """
    try:
        return _parsed(document)
    except SchemaRefusedError as error:
        raise ReceiptRefusedError(error.line) from None
    except CanonicalError as error:
        raise ReceiptRefusedError(error.why) from None


def _parsed(document: Json) -> Receipt:
    envelope = _mapping(document)
    version = envelope.get("schema_version")
    if isinstance(version, int) and version > 1:
        raise ReceiptRefusedError(f"schema_version: {version} is newer than 1, the only one that is known")
    check("receipt.v1", document)
    result = _mapping(envelope["result"])
    metrics = _mapping(result["metrics"])
    completed_at = str(envelope["completed_at"])
    parse_timestamp(f"{completed_at[:_SECONDS]}Z")
    return Receipt(
        document=envelope,
        worker=str(envelope["worker_pubkey"]),
        job=str(envelope["job_id"]),
        spec_hash=_bytes(result["job_spec_hash"]),
        commitment=_bytes(result["output_commitment"]),
        chunks=_count(result["output_chunk_count"]),
        completion=str(result["completion"]),
        completed_at=completed_at,
        duration_ms=_count(metrics["total_duration_ms"]),
        extra={name: str(text) for name, text in _mapping(metrics["extra"]).items()},
        message=message(envelope),
        signature=bytes.fromhex(str(envelope["signature"])),
    )


# The schema has said what these are; here they get the types that say so.


def _mapping(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}


def _count(value: Json) -> int:
    return value if isinstance(value, int) else 0


def _bytes(value: Json) -> bytes:
    return bytes(item for item in value if isinstance(item, int)) if isinstance(value, Sequence) else b""
