"""A receipt as an in-toto statement in a DSSE envelope, for the tools of software supply chains.

The statement says that the module, run as the manifest asks, led to this receipt; the predicate carries both whole, so
a reader who knows the receipt's own format needs nothing else. The node signs the envelope with its present key over
DSSE's pre-authentication encoding, whose first word is the signature's domain.
"""

import base64
from collections.abc import Mapping, Sequence
from typing import Final

from runtime.canonical import Json, encode
from runtime.errors import RefusedError
from runtime.identity import Identity
from runtime.jobs.receipt_form import parse_receipt
from runtime.keys import KeyStatement

__all__ = ["PAYLOAD_TYPE", "PREDICATE_TYPE", "attest", "pre_authentication"]

PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
PREDICATE_TYPE: Final = "orlop-receipt:v1"
"""Names the predicate `{keys, manifest, receipt}`; a name of ours, which leads to no address."""

_DOMAIN: Final = b"DSSEv1 "
_STATEMENT: Final = "https://in-toto.io/Statement/v1"


def attest(
    identity: Identity,
    receipt: Mapping[str, Json],
    *,
    manifest: Mapping[str, Json] | None,
    statements: Sequence[KeyStatement],
) -> dict[str, Json]:
    """Writes and signs the envelope of an own receipt.

    Args:
        identity: the node's present key.
        receipt: the envelope v1.
        manifest: the job's manifest, when it is known.
        statements: those that link the receipt's key to the present one.

    Returns:
        The DSSE envelope.

    Raises:
        RefusedError: the receipt is another node's.
    """
    read = parse_receipt(receipt)
    if not identity.is_own(read.worker):
        raise RefusedError("only this node's own receipts are attested", where=f"receipt {read.id[:16]}")
    payload = encode(
        {
            "_type": _STATEMENT,
            "subject": _subjects(read.id, read.job, read.extra.get("module_hash")),
            "predicateType": PREDICATE_TYPE,
            "predicate": {
                "receipt": receipt,
                "manifest": manifest,
                "keys": [link.document() for link in statements],
            },
        }
    )
    signature = identity.sign(_DOMAIN, pre_authentication(PAYLOAD_TYPE, payload).removeprefix(_DOMAIN))
    return {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [{"keyid": identity.public_hex, "sig": base64.b64encode(signature).decode()}],
    }


def _subjects(receipt: str, job: str, module: str | None) -> list[Json]:
    """What the statement is about: each by the SHA-256 of its bytes; of receipt and manifest those that are signed."""
    named = {"module": module.removeprefix("sha256:") if module else None, "manifest": job, "receipt": receipt}
    return [{"name": name, "digest": {"sha256": digest}} for name, digest in named.items() if digest]


def pre_authentication(kind: str, payload: bytes) -> bytes:
    """DSSE's PAE: what is signed instead of the payload alone.

    Args:
        kind: the payload's type.
        payload: its bytes.
    """
    name = kind.encode()
    return b"DSSEv1 %d %s %d %s" % (len(name), name, len(payload), payload)
