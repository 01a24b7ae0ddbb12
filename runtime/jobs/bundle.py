"""Proof bundles: one JSON document with all that a verifier needs, for whoever has no network and none of our files.

A bundle adds no trust: everything in it is either signed (receipt, manifest, key statements) or held against what is
signed (output). Which key to believe is still the verifier's to say.
"""

import base64
import binascii
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from runtime.canonical import Json, encode
from runtime.errors import RefusedError
from runtime.jobs.receipt_form import Receipt, ReceiptRefusedError, parse_receipt
from runtime.jobs.schemas import SchemaRefusedError, check
from runtime.keys import KeyStatement, read_statement

__all__ = ["BUNDLE_MAX", "OUTPUT_MAX", "Bundle", "is_bundle", "make_bundle", "parse_bundle"]

BUNDLE_MAX: Final = 64 << 20
"""Bytes of a bundle that is read."""

OUTPUT_MAX: Final = 32 << 20
"""Bytes of output that a bundle can carry."""

_VERSION: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """What a bundle holds; nothing of it is verified but the signatures of the key statements.

    Attributes:
        receipt: the receipt.
        manifest: the signed job manifest as JSON; None when it is not in it.
        statements: how the node's keys follow one another.
        stdout: what the job wrote there; None when it is not in it.
        stderr: see `stdout`.
    """

    receipt: Receipt
    manifest: bytes | None
    statements: tuple[KeyStatement, ...]
    stdout: bytes | None
    stderr: bytes | None


def is_bundle(document: Json) -> bool:
    """Whether a document says that it is a proof bundle."""
    return isinstance(document, Mapping) and "bundle_version" in document


def make_bundle(
    receipt: Mapping[str, Json],
    *,
    manifest: Mapping[str, Json] | None,
    statements: Sequence[KeyStatement],
    outputs: tuple[bytes, bytes] | None = None,
) -> dict[str, Json]:
    """Puts a bundle together.

    Args:
        receipt: the envelope.
        manifest: the envelope of the job's manifest, when it is known.
        statements: those that link the receipt's key to other keys of the node.
        outputs: stdout and stderr, complete.

    Raises:
        RefusedError: the output is too large for a bundle.
    """
    made: dict[str, Json] = {
        "bundle_version": _VERSION,
        "receipt": receipt,
        "key": {"public": receipt["worker_pubkey"], "statements": [link.document() for link in statements]},
    }
    if manifest is not None:
        made["manifest"] = manifest
    if outputs is not None:
        if sum(map(len, outputs)) > OUTPUT_MAX:
            raise RefusedError(f"more than {OUTPUT_MAX >> 20} MiB of output", hint="leave out --with-output")
        names = ("stdout", "stderr")
        made["outputs"] = {name: base64.b64encode(data).decode() for name, data in zip(names, outputs, strict=True)}
    return made


def parse_bundle(document: Json) -> Bundle:
    """Reads a bundle strictly.

    Args:
        document: what `runtime.canonical.decode` gave.

    Raises:
        ReceiptRefusedError: it has another form, or a part of it has; the message names the path.
    """
    try:
        check("bundle.v1", document)
    except SchemaRefusedError as error:
        raise ReceiptRefusedError(error.line) from None
    fields = document if isinstance(document, Mapping) else {}
    try:
        receipt = parse_receipt(fields["receipt"])
    except ReceiptRefusedError as error:
        raise ReceiptRefusedError(f"receipt: {error.why}") from None
    key = fields["key"]
    known = key if isinstance(key, Mapping) else {}
    if known["public"] != receipt.worker:
        raise ReceiptRefusedError("key.public: another key than the receipt's")
    outputs = fields.get("outputs")
    return Bundle(
        receipt=receipt,
        manifest=encode(fields["manifest"]) if "manifest" in fields else None,
        statements=tuple(_statements(known["statements"])),
        stdout=_output(outputs, "stdout"),
        stderr=_output(outputs, "stderr"),
    )


def _statements(items: Json) -> list[KeyStatement]:
    found: list[KeyStatement] = []
    for number, item in enumerate(items if isinstance(items, Sequence) else ()):
        try:
            found.append(read_statement(encode(item)))
        except RefusedError as error:
            raise ReceiptRefusedError(f"key.statements[{number}]: {error.why}") from None
    return found


def _output(outputs: Json, name: str) -> bytes | None:
    if not isinstance(outputs, Mapping):
        return None
    text = str(outputs[name]).encode(errors="replace")
    with contextlib.suppress(binascii.Error):
        data = base64.b64decode(text, validate=True)
        if base64.b64encode(data) == text:
            return data
    raise ReceiptRefusedError(f"outputs.{name}: is not base64 in its one spelling")
