"""Version 0.1 of manifest and receipt: written for programs that read no other, and read to say how little it proves.

A receipt of that form signs a line of five figures, neither the worker's key nor output, job, arguments or requester:
whoever has one may show it for any run of the module that ended alike.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from runtime.canonical import CanonicalError, Json, decode, encode
from runtime.errors import RefusedError
from runtime.identity import Identity, legacy_signature_fits
from runtime.jobs.receipt_form import ReceiptRefusedError, read_receipt
from runtime.jobs.schemas import SchemaName, SchemaRefusedError, check

__all__ = ["LegacyReceipt", "is_legacy", "legacy_receipt", "parse_legacy_receipt", "read_legacy_manifest"]

_VERSION: Final = "0.1"
_SIZE_MAX: Final = 65_536


@dataclass(frozen=True, slots=True)
class LegacyReceipt:
    """A document that has the form of a receipt 0.1.

    Attributes:
        module: the module's hash, `sha256:` and 64 hexadecimal characters.
        worker: the public key that it names and does not sign.
        message: the line that is signed.
        signature: 64 bytes, over the SHA-256 of the line.
    """

    module: str
    worker: str
    message: bytes
    signature: bytes

    @property
    def signature_fits(self) -> bool:
        """Whether the signature was made by the key that the receipt names."""
        return legacy_signature_fits(bytes.fromhex(self.worker), hashlib.sha256(self.message).digest(), self.signature)


def is_legacy(document: Json) -> bool:
    """Whether a document says that it is a receipt or manifest of a version before 1."""
    return isinstance(document, Mapping) and "version" in document and "schema_version" not in document


def parse_legacy_receipt(document: Json) -> LegacyReceipt:
    """Reads a receipt of version 0.1 strictly.

    Args:
        document: what `runtime.canonical.decode` gave.

    Raises:
        ReceiptRefusedError: it has another form; the message names the path.
    """
    fields = _checked("receipt.v0.1", document)
    signed = "|".join(
        str(fields[name]) for name in ("version", "module_hash", "exit_code", "wall_time_ms", "timestamp")
    )
    return LegacyReceipt(
        module=str(fields["module_hash"]),
        worker=str(fields["node_pubkey"]),
        message=signed.encode(),
        signature=bytes.fromhex(str(fields["signature"])),
    )


def read_legacy_manifest(raw: bytes) -> Mapping[str, Json]:
    """Reads a manifest of version 0.1 strictly; nobody signs one.

    Raises:
        ReceiptRefusedError: it has another form; the message names the path.
    """
    try:
        return _checked("manifest.v0.1", decode(raw, limit=_SIZE_MAX))
    except CanonicalError as error:
        raise ReceiptRefusedError(error.why) from None


def _checked(schema: SchemaName, document: Json) -> Mapping[str, Json]:
    try:
        check(schema, document)
    except SchemaRefusedError as error:
        raise ReceiptRefusedError(error.line) from None
    return document if isinstance(document, Mapping) else {}


def legacy_receipt(document: Mapping[str, Json], identity: Identity) -> bytes:
    """An own receipt in the form 0.1, for programs that read no other; orlop itself never believes that form.

    Args:
        document: a receipt of version 1.
        identity: the key that signed it.

    Returns:
        Indented JSON with its seven fields in the form's order.

    Raises:
        RefusedError: the receipt is of another key, or names no module.
    """
    receipt = read_receipt(encode(document))
    module, code = receipt.extra.get("module_hash"), receipt.extra.get("exit_code")
    if identity.public_hex != receipt.worker or module is None or code is None:
        why = "only a receipt of a module, signed by this node's present key, has an older form"
        raise RefusedError(why, where=f"receipt {receipt.id[:16]}")
    seconds = receipt.completed_s
    signed = f"{_VERSION}|{module}|{code}|{receipt.duration_ms}|{seconds}"
    fields: dict[str, Json] = {
        "version": _VERSION,
        "module_hash": module,
        "exit_code": int(code),
        "wall_time_ms": receipt.duration_ms,
        "timestamp": seconds,
        "node_pubkey": identity.public_hex,
        "signature": identity.sign_legacy_receipt(hashlib.sha256(signed.encode()).digest()).hex(),
    }
    return json.dumps(fields, indent=2).encode() + b"\n"
