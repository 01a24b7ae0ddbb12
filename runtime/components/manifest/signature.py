"""Signatures of components: Ed25519 over the manifest and the hash of every file beside it.

Signed is `orlop-component:v1:` and the canonical JSON of `{"files": {path: SHA-256}, "manifest": document}`, where the
document is the parsed Component.toml without `[signature]`; so line breaks and the order of keys do not matter, and
everything else does. Whom to believe is settled elsewhere.
"""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Final

from runtime.agents.signature import SignatureRefusedError
from runtime.canonical import encode
from runtime.components.manifest.model import Manifest
from runtime.components.manifest.read import places, read_manifest
from runtime.errors import UsageError
from runtime.identity import Identity, verify

__all__ = ["sign", "signed_text", "signer_of"]

_DOMAIN: Final = b"orlop-component:v1:"


def sign(manifest: Manifest, files: Mapping[str, str], key: Identity) -> str:
    """The signature of a component, base64.

    Args:
        manifest: passed every check; a signature that it has is not covered.
        files: the SHA-256, lower-case hexadecimal, of every other file of the folder, by its path from there.
        key: signs.
    """
    return b64encode(key.sign(_DOMAIN, _message(manifest, files))).decode()


def signer_of(manifest: Manifest, files: Mapping[str, str]) -> str:
    """Who signed a component.

    Args:
        manifest: as it was read.
        files: as for `sign`.

    Returns:
        The public key, 64 hexadecimal characters, whose signature was just found to fit; empty without a signature.

    Raises:
        SignatureRefusedError: there is a signature, and it does not fit.
    """
    found = manifest.signature
    if found is None:
        return ""
    public, signature = bytes.fromhex(found.public_key), b64decode(found.signature)
    if not verify(public, _DOMAIN, _message(manifest, files), signature):
        line = places(manifest).line(("signature",))
        hint = "the manifest or a file was changed after it was signed; ask its author for them as they were"
        raise SignatureRefusedError("it does not fit", where=f"{manifest.name}:{line}: signature", hint=hint)
    return found.public_key


def signed_text(manifest: Manifest, files: Mapping[str, str], key: Identity) -> str:
    """The text of a manifest with its signature at the end; one that it has is replaced.

    Args:
        manifest: as it was read.
        files: as for `sign`.
        key: signs.

    Raises:
        UsageError: the old signature is written so that it cannot be taken out safely.
    """
    signature = sign(manifest, files, key)
    text = _without_signature(manifest).rstrip("\n")
    text += f'\n\n[signature]\npublic_key = "{key.public_hex}"\nsignature = "{signature}"\n'
    try:
        written = read_manifest(text.encode(), manifest.name)
        sound = written.document == {**_covered(manifest), "signature": written.document.get("signature")}
    except UsageError:
        sound = False
    if not sound:
        raise UsageError(
            "the old signature cannot be taken out", where=manifest.name, hint="remove [signature] by hand"
        )
    return text


def _without_signature(manifest: Manifest) -> str:
    """The text without the lines of the signature."""
    drop = {line for path, line in places(manifest).lines.items() if path[0] == "signature"}
    lines = manifest.source.split("\n")
    return "\n".join(line for number, line in enumerate(lines, 1) if number not in drop)


def _covered(manifest: Manifest) -> dict[str, object]:
    return {name: value for name, value in manifest.document.items() if name != "signature"}


def _message(manifest: Manifest, files: Mapping[str, str]) -> bytes:
    document = {name: value for name, value in manifest.document.items() if name != "signature"}
    return encode({"files": dict(files), "manifest": document})
