"""Roots: the keys that may sign manifests, how many of them have to, and how one root follows another.

A root's signatures are over `orlop-root:v1:` and the canonical JSON of its other fields. `root.pub`, one key in
hexadecimal, is a root of version 1 with that key alone, which never expires.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from boot.errors import BootRefusedError
from boot.trust.documents import Fields, read_document, signatures_of
from runtime.canonical import Json, encode, timestamp
from runtime.identity import verify

__all__ = ["KEYS_MAX", "ROOT_DOMAIN", "Root", "Trusted", "advance", "pinned", "read_root", "true_signers"]

ROOT_DOMAIN: Final = b"orlop-root:v1:"
KEYS_MAX: Final = 16
_VERSION_MAX: Final = 2**31 - 1
_SIGNED: Final = frozenset({"version", "threshold", "keys", "expires_at"})
_ONE_KEY: Final = re.compile(rb"\s*([0-9a-f]{64})\s*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Root:
    """Who may sign.

    Attributes:
        version: counts the roots, from 1.
        threshold: so many of the keys have to sign.
        keys: public keys in hexadecimal, each once.
        expires_ms: from then on it is of no use; None of a `root.pub`.
    """

    version: int
    threshold: int
    keys: tuple[str, ...]
    expires_ms: int | None = None

    def document(self) -> dict[str, Json]:
        """What is signed of it.

        Raises:
            ValueError: a `root.pub` is no document.
        """
        if self.expires_ms is None:
            message = "a root without expiry is not signed"
            raise ValueError(message)
        return {
            "version": self.version,
            "threshold": self.threshold,
            "keys": list(self.keys),
            "expires_at": timestamp(self.expires_ms),
        }


@dataclass(frozen=True, slots=True)
class Trusted:
    """What is known of roots by now.

    Attributes:
        root: the newest that was verified.
        revoked: keys that an earlier one had and it has not.
    """

    root: Root
    revoked: frozenset[str] = frozenset()


def pinned(raw: bytes) -> Trusted:
    """The root that an image or an operator trusts without further proof.

    Args:
        raw: of a `root.pub`, or of a root document, which has to be signed by its own keys at least.

    Raises:
        BootRefusedError: it is neither.
    """
    one = _ONE_KEY.fullmatch(raw)
    if one is not None:
        return Trusted(Root(1, 1, (one[1].decode(),)))
    root, message, signatures = read_root(raw)
    _check(root, root, message, signatures)
    return Trusted(root)


def advance(trusted: Trusted, raw: bytes) -> Trusted:
    """The next root takes the place of the newest.

    Args:
        trusted: what is known.
        raw: the document.

    Raises:
        BootRefusedError: `root`, where it is another version than the next, or not signed by enough keys of either
            root; `malformed`, `too-large`, `bad-signature`.
    """
    root, message, signatures = read_root(raw)
    if root.version != trusted.root.version + 1:
        why = f"version {root.version} does not follow version {trusted.root.version}"
        raise BootRefusedError("root", why)
    _check(root, trusted.root, message, signatures)
    gone = frozenset(trusted.root.keys) - set(root.keys)
    return Trusted(root, (trusted.revoked | gone) - set(root.keys))


def true_signers(keys: Iterable[str], domain: bytes, message: bytes, signatures: list[tuple[str, bytes]]) -> set[str]:
    """The keys that truly signed.

    Args:
        keys: those that count; signatures of others are passed over.
        domain: of the signature.
        message: what was signed.
        signatures: key and bytes.

    Raises:
        BootRefusedError: `bad-signature`, where one in the name of a key that counts is false.
    """
    known, true = set(keys), set[str]()
    for key, signature in signatures:
        if key not in known:
            continue
        if not verify(bytes.fromhex(key), domain, message, signature):
            raise BootRefusedError("bad-signature", f"the signature of key {key[:16]} does not fit")
        true.add(key)
    return true


def read_root(raw: bytes) -> tuple[Root, bytes, list[tuple[str, bytes]]]:
    """Reads a root without believing it.

    Args:
        raw: the document.

    Returns:
        What it says, the bytes that are signed, and the signatures, unproven.

    Raises:
        BootRefusedError: `too-large` or `malformed`.
    """
    document = read_document(raw, "root")
    fields = Fields(document, "root", _SIGNED | {"signatures"})
    keys = fields.keys("keys", KEYS_MAX)
    root = Root(
        fields.integer("version", 1, _VERSION_MAX),
        fields.integer("threshold", 1, len(keys)),
        keys,
        fields.time("expires_at"),
    )
    message = encode({name: document[name] for name in _SIGNED})
    return root, message, signatures_of(fields, "root")


def _check(root: Root, before: Root, message: bytes, signatures: list[tuple[str, bytes]]) -> None:
    """Signed by enough keys of the root before, and of its own."""
    for whose, one in (("the root before", before), ("its own", root)):
        true = true_signers(one.keys, ROOT_DOMAIN, message, signatures)
        if len(true) < one.threshold:
            why = f"version {root.version} is signed by {len(true)} of the {one.threshold} keys that {whose} asks for"
            raise BootRefusedError("root", why)
