"""The node's identity: an Ed25519 seed in a file, shown as a libp2p PeerId.

It signs receipts, job manifests and records, each under a domain; nothing is derived from it. The PeerId of a public
key is base58btc of the identity multihash of its libp2p protobuf: `00 24 08 01 12 20` and the 32 bytes.
"""

import os
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from runtime import base58, durable
from runtime.errors import RefusedError
from runtime.sanitise import clean
from runtime.statedir import StateDir

__all__ = [
    "DOMAINS",
    "Identity",
    "agent_hash_signature_fits",
    "legacy_signature_fits",
    "load_or_create",
    "new_seed",
    "peer_id_of",
    "public_of",
    "read_seed",
    "verify",
]

DOMAINS = frozenset(
    {
        b"phase-manifest:v1:", b"phase-receipt:v1:", b"orlop-member:v1:", b"orlop-room:v1:", b"orlop-lease:v1:",
        b"orlop-agent:v2:", b"orlop-component:v1:", b"orlop-root:v1:", b"orlop-release:v1:", b"orlop-key:v1:",
        b"orlop-dht-hello:v1:", b"orlop-record:v1:", b"orlop-room-file:v1:", b"DSSEv1 ", b"noise-libp2p-static-key:",
        b"libp2p-tls-handshake:",
    }
)  # fmt: skip
"""Every prefix under which a key of ours may sign; `DSSEv1 ` begins every DSSE message, libp2p chose the last two."""

_SEED_BYTES = 32
_DIGEST_BYTES = 32
_PREFIX = bytes.fromhex("002408011220")
_HASH = re.compile(r"[0-9a-f]{64}")
_SIGN = 1 << 255
_P = _SIGN - 19
_SMALL_ORDER = frozenset(
    {0, 1, _P - 1, _P, _P + 1}
    | {
        int.from_bytes(bytes.fromhex(point), "little")
        for point in (
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        )
    }
)
"""Points without a private key, under which OpenSSL finds that anybody's signature fits; libsodium refuses the same."""


class Identity:
    """The node's key, able to sign. Made by `load_or_create`.

    Args:
        seed: the 32 secret bytes.
        past: the public keys that this node had before, 64 hexadecimal characters each.
    """

    __slots__ = ("_key", "_own", "peer_id", "public", "public_hex")

    def __init__(self, seed: bytes, past: Iterable[str] = ()) -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = self._key.public_key().public_bytes_raw()
        self.public_hex = self.public.hex()
        self.peer_id = peer_id_of(self.public)
        self._own = frozenset({self.public_hex, *past})

    def __repr__(self) -> str:
        return f"<Identity {self.peer_id}>"

    def sign(self, domain: bytes, message: bytes) -> bytes:
        """Signs a message under a domain, so that it can never be taken for another kind of message.

        Args:
            domain: one of `DOMAINS`.
            message: what follows the domain.

        Returns:
            The Ed25519 signature of `domain + message`, 64 bytes.

        Raises:
            ValueError: not one of our domains: a mistake in the program.
        """
        return self._key.sign(_checked(domain) + message)

    def sign_legacy_receipt(self, digest: bytes) -> bytes:
        """Signs the SHA-256 of a second-generation receipt, the one format of ours that has no domain.

        Args:
            digest: 32 bytes.

        Raises:
            ValueError: another length: a mistake in the program.
        """
        if len(digest) != _DIGEST_BYTES:
            message = "a legacy receipt is signed by its SHA-256"
            raise ValueError(message)
        return self._key.sign(digest)

    def is_own(self, key_hex: str) -> bool:
        """Whether a public key, 64 hexadecimal characters, is this node's, now or before a rotation."""
        return key_hex in self._own


def load_or_create(state: StateDir, past: Iterable[str] = ()) -> Identity:
    """The identity of a state directory, made when there is none; creators at the same time get the same one.

    A core asks `runtime.keys.load_identity`, which knows the keys before it.

    Args:
        state: the directory.
        past: the public keys that this node had before.

    Raises:
        RefusedError: the file is short, long, open to others or not ours.
        UnavailableError: it cannot be read or written.
    """
    path = state.identity_key
    seed = read_seed(path)
    if seed is None:
        durable.create(path, new_seed())
        seed = read_seed(path) or b""
    return Identity(seed, past)


def new_seed() -> bytes:
    """The secret of a new key."""
    return os.urandom(_SEED_BYTES)


def read_seed(path: Path) -> bytes | None:
    """A key's secret from its file; None when there is no such file.

    Raises:
        RefusedError: the file is short, long, open to others or not ours.
        UnavailableError: it cannot be read.
    """
    seed = durable.read(path, limit=1024, private=True)
    if seed is not None and len(seed) != _SEED_BYTES:
        why = f"has {len(seed)} bytes, an identity has {_SEED_BYTES}"
        hint = "put it back from a backup, or move it away and the next start makes a new identity"
        raise RefusedError(why, where=str(path), hint=hint)
    return seed


def verify(public: bytes, domain: bytes, message: bytes, signature: bytes) -> bool:
    """Whether a signature of `domain + message` was made with the key of a public key.

    Args:
        public: the public key; anything but 32 bytes of a valid one, of full order, verifies nothing.
        domain: one of `DOMAINS`.
        message: what followed the domain.
        signature: 64 bytes; any other length is false.
    """
    return _fits(public, _checked(domain) + message, signature)


def legacy_signature_fits(public: bytes, digest: bytes, signature: bytes) -> bool:
    """As `verify`, for the SHA-256 that a receipt of version 0.1 signs without a domain."""
    return len(digest) == _DIGEST_BYTES and _fits(public, digest, signature)


def agent_hash_signature_fits(public: bytes, wasm_hash: str, signature: bytes) -> bool:
    """As `verify`, for the hexadecimal hash that an agent's signature of version 1 covers without a domain.

    Only read, never made here: nothing that this node signs is such a text.
    """
    return bool(_HASH.fullmatch(wasm_hash)) and _fits(public, wasm_hash.encode(), signature)


def _fits(public: bytes, signed: bytes, signature: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if int.from_bytes(public, "little") % _SIGN in _SMALL_ORDER:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, signed)
    except (InvalidSignature, ValueError):
        return False
    return True


def _checked(domain: bytes) -> bytes:
    if domain not in DOMAINS:
        message = f"{domain!r} is not a signature domain"
        raise ValueError(message)
    return domain


@lru_cache(1024)
def peer_id_of(public: bytes) -> str:
    """The libp2p PeerId of an Ed25519 public key of 32 bytes; begins with `12D3KooW`.

    Raises:
        RefusedError: another length.
    """
    if len(public) != _SEED_BYTES:
        raise RefusedError(f"a public key has {_SEED_BYTES} bytes, not {len(public)}")
    return base58.encode(_PREFIX + public)


def public_of(peer_id: str) -> bytes:
    """The public key in a PeerId.

    Raises:
        RefusedError: not the PeerId of an Ed25519 key in its one spelling.
    """
    raw = base58.decode(peer_id) or b""
    if len(raw) != len(_PREFIX) + _SEED_BYTES or not raw.startswith(_PREFIX):
        raise RefusedError(f"`{clean(peer_id, 80)}` is not the PeerId of an Ed25519 key")
    return raw.removeprefix(_PREFIX)
