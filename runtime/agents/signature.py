"""Signatures of agents' manifests: version 2, which covers all of one, and version 1, which covers the hash only.

Version 2 is Ed25519 over `orlop-agent:v2:` and the canonical JSON of the manifest without `signature`; the signer's
public key stands in the manifest and is covered too. Version 1 is the original's: Ed25519 over the hexadecimal
`wasmHash`, with a key that the manifest does not name. Pure; whom to believe is settled in `runtime.agents.trust`.
"""

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Final

from runtime.agents.manifest import AgentManifest, ManifestRefusedError
from runtime.canonical import CanonicalError, Json, encode
from runtime.errors import RefusedError, UsageError
from runtime.identity import Identity, agent_hash_signature_fits, public_of, verify
from runtime.sanitise import clean

__all__ = [
    "SignatureRefusedError",
    "read_public_key",
    "sign_manifest",
    "signer_of",
    "version_1_fits",
    "version_1_refusal",
]

_DOMAIN: Final = b"orlop-agent:v2:"
_PREFIX: Final = "v2:"
_KEY_BYTES: Final = 32
_SIGNATURE_BYTES: Final = 64
_HEX_KEY: Final = re.compile(r"[0-9a-f]{64}")
_INVALID: Final = "Invalid module signature"
_REQUIRED: Final = "Module signature required but not provided"


class SignatureRefusedError(RefusedError):
    """A signature that does not fit, or one that is wanted and not there."""


def sign_manifest(manifest: AgentManifest, key: Identity) -> dict[str, Json]:
    """Signs a manifest as version 2; a signature that it has already is replaced.

    Args:
        manifest: passed every check.
        key: signs; its public key becomes `signer`.

    Returns:
        The whole document with `signer` and `signature`.

    Raises:
        ManifestRefusedError: it holds a fraction, which has no canonical form.
    """
    document = {name: value for name, value in manifest.document.items() if name != "signature"}
    document["signer"] = key.public_hex
    try:
        message = encode(document)
    except CanonicalError as error:
        raise ManifestRefusedError(f"Manifest cannot be signed: {clean(error.where, 80)}: {error.why}") from None
    return document | {"signature": _PREFIX + b64encode(key.sign(_DOMAIN, message)).decode()}


def signer_of(manifest: AgentManifest) -> str:
    """Who signed a manifest as version 2.

    Args:
        manifest: as it was read.

    Returns:
        The public key, 64 hexadecimal characters, whose signature was just found to fit; empty for a manifest without
        a signature, or with one of version 1.

    Raises:
        SignatureRefusedError: there is one of version 2, or a signer, and they do not fit the manifest.
    """
    signer = manifest.document.get("signer")
    if manifest.signature is None and signer is None:
        return ""
    if manifest.signature is not None and not manifest.signature.startswith(_PREFIX):
        return ""
    if manifest.signature is None:
        raise SignatureRefusedError(f"{_INVALID}: the manifest names a signer and has no signature")
    if not isinstance(signer, str) or not _HEX_KEY.fullmatch(signer):
        raise SignatureRefusedError(f"{_INVALID}: `signer` is not 64 lower-case hexadecimal characters")
    signature = _decoded(manifest.signature.removeprefix(_PREFIX), _SIGNATURE_BYTES)
    if signature is None or not verify(bytes.fromhex(signer), _DOMAIN, _message(manifest.document), signature):
        hint = "it was changed after it was signed; ask its author for the manifest as it was"
        raise SignatureRefusedError(f"{_INVALID}: it does not fit the manifest", hint=hint)
    return signer


def version_1_fits(wasm_hash: str, signature: str, public: str) -> bool:
    """Whether a signature of version 1 is one of a module's hash.

    Args:
        wasm_hash: the manifest's text.
        signature: base64 of 64 bytes.
        public: base64 of the 32 raw bytes of a key.

    Returns:
        False also for anything malformed.
    """
    key, signed = _decoded(public, _KEY_BYTES), _decoded(signature, _SIGNATURE_BYTES)
    if key is None or signed is None:
        return False
    return agent_hash_signature_fits(key, wasm_hash, signed)


def version_1_refusal(manifest: AgentManifest, trusted: str | None, *, require: bool = False) -> str:
    """The original's rule for signatures, to the letter; it says nothing about name, version and permissions.

    Args:
        manifest: as it was read.
        trusted: base64 of the one key that is trusted; None for no key.
        require: whether a signature must be there.

    Returns:
        Empty when it passes, else the original's words.
    """
    if trusted is None:
        return ""
    if manifest.signature is None:
        return _REQUIRED if require else ""
    return "" if version_1_fits(manifest.wasm_hash, manifest.signature, trusted) else _INVALID


def read_public_key(text: str) -> str:
    """A public key as people write it.

    Args:
        text: 64 hexadecimal characters, a PeerId, or base64 of 32 bytes as the original has it.

    Returns:
        64 lower-case hexadecimal characters.

    Raises:
        UsageError: it is none of them.
    """
    if _HEX_KEY.fullmatch(text.lower()):
        return text.lower()
    raw = _decoded(text, _KEY_BYTES)
    if raw is None and text.startswith("12D3KooW"):
        try:
            raw = public_of(text)
        except RefusedError:
            raw = None
    if raw is None:
        hint = "64 hexadecimal characters, as `agents keygen` prints them, or a PeerId"
        raise UsageError(f"`{clean(text, 80)}` is no public key", hint=hint)
    return raw.hex()


def _message(document: Mapping[str, Json]) -> bytes:
    try:
        return encode({name: value for name, value in document.items() if name != "signature"})
    except CanonicalError as error:
        raise SignatureRefusedError(f"{_INVALID}: {clean(error.where, 80)}: {error.why}") from None


def _decoded(text: str, size: int) -> bytes | None:
    """Base64 in its one spelling, of one length; None for anything else."""
    try:
        raw = b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return None
    return raw if len(raw) == size and b64encode(raw).decode() == text else None
