"""PeerIds: the name of a node, which is its Ed25519 public key.

The format is libp2p's: a protobuf of the key, its identity multihash, and that in base58 or as a CIDv1. Other kinds of
keys are told apart from nonsense, for the error's sake, and refused.
"""

import base64
import re
from dataclasses import dataclass
from typing import Final, Self

from nacl.bindings import crypto_core_ed25519_is_valid_point

from net.errors import AddressError
from runtime import base58
from runtime.identity import peer_id_of
from runtime.sanitise import clean

__all__ = ["PeerId"]

_KEY_BYTES: Final = 32
_PROTOBUF: Final = bytes.fromhex("08011220")
"""Before the key: `PublicKey{1 type: Ed25519, 2 data}`."""
_MULTIHASH: Final = bytes.fromhex("0024")
"""Before the protobuf: the hash that keeps all, and 36 bytes."""
_MULTIHASH_BYTES: Final = 38
_CID: Final = bytes.fromhex("0172")
"""Before the multihash: version 1, of a libp2p key."""
_SHA256: Final = bytes.fromhex("1220")
_SHA256_BYTES: Final = 34
_MOST: Final = 128
_BASE36: Final = re.compile(r"[0-9a-z]+")


@dataclass(frozen=True, slots=True)
class PeerId:
    """A node's name. What is read by one of the class methods is a key that somebody can hold.

    Args:
        key: the Ed25519 public key, 32 bytes.

    Raises:
        ValueError: another length: a mistake in the program.
    """

    key: bytes

    def __post_init__(self) -> None:
        if len(self.key) != _KEY_BYTES:
            raise ValueError(f"a public key has {_KEY_BYTES} bytes, not {len(self.key)}")

    def __str__(self) -> str:
        """Base58 of the multihash: 52 characters that begin with `12D3KooW`."""
        return peer_id_of(self.key)

    @property
    def multihash(self) -> bytes:
        """The 38 bytes that stand in binary addresses."""
        return _MULTIHASH + self.protobuf

    @property
    def protobuf(self) -> bytes:
        """The 36 bytes by which handshakes name the key."""
        return _PROTOBUF + self.key

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads any of the forms in which PeerIds are written.

        Args:
            text: base58 that begins with `1` or `Qm`, or a CIDv1 in base32 (`b`), base36 (`k`) or base58 (`z`).

        Raises:
            AddressError: no PeerId, or one of a key that is not Ed25519.
        """
        try:
            return cls.from_multihash(_multihash_of(text))
        except AddressError as error:
            raise AddressError(error.why, where=clean(text, 80) or '""', hint="a PeerId begins with 12D3KooW") from None

    @classmethod
    def from_multihash(cls, raw: bytes) -> Self:
        """Reads the form of binary addresses.

        Raises:
            AddressError: not 38 bytes of an Ed25519 key.
        """
        if raw.startswith(_MULTIHASH + _PROTOBUF) and len(raw) == _MULTIHASH_BYTES:
            return cls.from_protobuf(raw.removeprefix(_MULTIHASH))
        if _is_foreign(raw):
            raise AddressError("is the PeerId of another kind of key: orlop speaks to Ed25519 keys")
        raise AddressError("is not a PeerId")

    @classmethod
    def from_protobuf(cls, raw: bytes) -> Self:
        """Reads the form of handshakes, exactly: a second encoding would be a second name for one key.

        Raises:
            AddressError: not the 36 bytes of an Ed25519 key.
        """
        if not raw.startswith(_PROTOBUF):
            raise AddressError("is not an Ed25519 key as libp2p writes it")
        return cls.from_key(raw.removeprefix(_PROTOBUF))

    @classmethod
    def from_key(cls, raw: bytes) -> Self:
        """Takes a public key from outside.

        Raises:
            AddressError: not 32 bytes, or a point under which signatures prove nothing: OpenSSL finds that one
                signature fits every message under some of them.
        """
        if len(raw) != _KEY_BYTES or not crypto_core_ed25519_is_valid_point(raw):
            raise AddressError("is not a valid Ed25519 public key")
        return cls(raw)


def _multihash_of(text: str) -> bytes:
    """The multihash in a text, as far as its letters go; empty for what has none."""
    if len(text) > _MOST:
        return b""
    if text.startswith(("1", "Qm")):
        return base58.decode(text) or b""
    cid = _DECODERS[text[0]](text[1:]) if text[:1] in _DECODERS else b""
    return cid.removeprefix(_CID) if cid.startswith(_CID) else b""


def _base32(text: str) -> bytes:
    padded = text.upper() + "=" * (-len(text) % 8)
    try:
        raw = base64.b32decode(padded)
    except ValueError:
        return b""
    # The decoder takes any bits behind the last byte, and the upper case of letters that are none.
    return raw if base64.b32encode(raw).decode().lower().rstrip("=") == text else b""


def _base36(text: str) -> bytes:
    if not _BASE36.fullmatch(text):
        return b""
    number = int(text, 36)
    zeros = len(text) - len(text.lstrip("0"))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8)


def _base58(text: str) -> bytes:
    return base58.decode(text) or b""


_DECODERS: Final = {"b": _base32, "k": _base36, "z": _base58}


def _is_foreign(raw: bytes) -> bool:
    """Whether this names an RSA key by its hash, or another kind of key by itself."""
    if raw.startswith(_SHA256):
        return len(raw) == _SHA256_BYTES
    return raw[:1] == b"\0" and raw[1:2] == bytes([len(raw) - 2 & 0xFF]) and raw[2:3] == b"\x08" and raw[3:4] != b"\x01"
