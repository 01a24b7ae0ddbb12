"""`SHA256SUMS` and its signature: what people check who download images; `sha256sum -c` reads it too.

The signature is Ed25519 over `orlop-release:v1:` and the bytes of the file, in hexadecimal, by one key of the root.
What a machine boots does not depend on it: that is the manifest's.
"""

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from boot.errors import BootRefusedError, BootUnavailableError
from boot.trust.root import Trusted
from runtime import durable
from runtime.errors import OrlopError
from runtime.identity import Identity, verify
from runtime.sanitise import clean

__all__ = ["RELEASE_DOMAIN", "SIGNATURE", "SUMS", "check_sums", "sha256_of", "write_sums"]

SUMS: Final = "SHA256SUMS"
SIGNATURE: Final = "SHA256SUMS.sig"
RELEASE_DOMAIN: Final = b"orlop-release:v1:"

_LINE: Final = re.compile(r"([0-9a-f]{64}) [ *]([A-Za-z0-9][A-Za-z0-9._+~-]{0,150})", re.ASCII)
_SIGNATURE: Final = re.compile(rb"([0-9a-f]{128})\n?", re.ASCII)
_SUMS_MAX: Final = 64 << 10
_PART: Final = 1 << 20


def write_sums(folder: Path, files: Mapping[str, str], key: Identity) -> None:
    """Lists the files of a folder with their hashes, and signs the list.

    Args:
        folder: where both are written.
        files: hashes by name, in hexadecimal.
        key: who signs.
    """
    raw = "".join(f"{digest}  {name}\n" for name, digest in sorted(files.items())).encode()
    (folder / SUMS).write_bytes(raw)
    (folder / SIGNATURE).write_bytes(key.sign(RELEASE_DOMAIN, raw).hex().encode() + b"\n")


def check_sums(sums: Path, trusted: Trusted) -> tuple[str, dict[str, str]]:
    """Checks the signature of a list and every file in it; blocks.

    Args:
        sums: the list; its signature and its files lie beside it.
        trusted: the root that is trusted.

    Returns:
        The key that signed, and the hashes by name.

    Raises:
        BootRefusedError: `bad-signature`, `malformed` or `hash`.
        BootUnavailableError: a file cannot be read.
    """
    raw, signature = _small(sums), _small(sums.parent / SIGNATURE)
    signer = _signer(raw, signature, trusted)
    listed = _listed(raw)
    for name, digest in listed.items():
        found = _hash(sums.parent / name)
        if found != digest:
            raise BootRefusedError("hash", f"{name} has {found[:16]}, {digest[:16]} is signed")
    return signer, listed


def sha256_of(path: Path) -> str:
    """The SHA-256 of a regular file in hexadecimal; blocks.

    Args:
        path: where; a link is not followed.

    Raises:
        OrlopError: there is none, or it is something else.
    """
    descriptor = durable.open_regular(path)
    if descriptor is None:
        raise BootUnavailableError("is missing", where=clean(str(path), 300))
    digest = hashlib.sha256()
    with os.fdopen(descriptor, "rb") as file:
        while part := file.read(_PART):
            digest.update(part)
    return digest.hexdigest()


def _hash(path: Path) -> str:
    try:
        return sha256_of(path)
    except OrlopError as error:
        raise BootUnavailableError(error.why, where=clean(str(path), 300)) from None


def _small(path: Path) -> bytes:
    try:
        raw = durable.read(path, limit=_SUMS_MAX)
    except OrlopError as error:
        raise BootUnavailableError(error.why, where=clean(str(path), 300)) from None
    if raw is None:
        raise BootUnavailableError("is missing", where=clean(str(path), 300))
    return raw


def _signer(raw: bytes, signature: bytes, trusted: Trusted) -> str:
    form = _SIGNATURE.fullmatch(signature)
    if form is None:
        raise BootRefusedError("malformed", f"{SIGNATURE} is no signature of 128 lower-case hexadecimal characters")
    made = bytes.fromhex(form[1].decode())
    for key in trusted.root.keys:
        if verify(bytes.fromhex(key), RELEASE_DOMAIN, raw, made):
            return key
    raise BootRefusedError("bad-signature", f"{SIGNATURE} is of none of the root's keys, or {SUMS} was changed")


def _listed(raw: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, line in enumerate(raw.decode(errors="replace").splitlines(), 1):
        form = _LINE.fullmatch(line)
        if form is None or form[2] in found:
            raise BootRefusedError("malformed", f"{SUMS}: line {number} is no hash and name")
        found[form[2]] = form[1]
    if not found:
        raise BootRefusedError("malformed", f"{SUMS} is empty")
    return found
