"""The vault: one key that seals what must not be read from the disk. Agents' state, rooms' keys, the member account.

`vault.key` is 32 random bytes, or these wrapped under a passphrase (Argon2id, then AES-256-GCM). What is sealed is
`01 ‖ nonce (12 random bytes) ‖ ciphertext ‖ tag (16)`, AES-256-GCM with additional data that says what it is and where
it belongs. No method shows a key.
"""

import json
import os
from typing import TYPE_CHECKING

from runtime import durable
from runtime.errors import RefusedError
from runtime.statedir import StateDir

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

__all__ = ["SealBrokenError", "Vault", "VaultLockedError", "is_wrapped"]

_KEY_BYTES = 32
_NONCE_BYTES = 12
_TAG_BYTES = 16
_FORMAT = b"\x01"
_SALT = b"orlop-vault-v1"
_WRAPPED = b"orlop-vault-key:1\n"
_FILE_LIMIT = 4096
_OPS, _OPS_MAX = 3, 16
_MEMORY, _MEMORY_MAX = 256 * 2**20, 2**30
"""Argon2id: the costs that we write (libsodium's "moderate"), and those that a file may ask for."""


class SealBrokenError(RefusedError):
    """What was sealed cannot be opened: wrong key, wrong place, or changed bytes."""


class VaultLockedError(RefusedError):
    """The vault's key is wrapped and the passphrase is missing or does not fit."""


class Vault:
    """An open vault. Made by `Vault.load_or_create`; safe to use from any thread.

    Args:
        root: the 32 secret bytes.
        wrapped: whether a passphrase protects them on the disk.
    """

    __slots__ = ("_default", "_root", "wrapped")

    def __init__(self, root: bytes, *, wrapped: bool = False) -> None:
        self._root = root
        self._default = self.subkey("seal")
        self.wrapped = wrapped

    def __repr__(self) -> str:
        return "<Vault>"

    @classmethod
    def load_or_create(cls, state: StateDir, passphrase: bytes | None = None) -> "Vault":
        """The vault of a state directory, made when there is none; creators at the same time get the same one.

        Args:
            state: the directory.
            passphrase: unwraps the key; a new key is wrapped under it. Not needed for a raw key.

        Raises:
            VaultLockedError: the key is wrapped, and there is no passphrase or it does not fit.
            RefusedError: the file is damaged, open to others or not ours.
            UnavailableError: it cannot be read or written.
        """
        path = state.vault_key
        content = durable.read(path, limit=_FILE_LIMIT, private=True)
        if content is None:
            root = cls.new_key()
            durable.create(path, root if passphrase is None else _wrap(root, passphrase))
            content = durable.read(path, limit=_FILE_LIMIT, private=True) or b""
        if len(content) == _KEY_BYTES:
            return cls(content)
        if not content.startswith(_WRAPPED):
            why = f"has {len(content)} bytes and is no key of a vault"
            raise RefusedError(why, where=str(path), hint="put it back from a backup; without it nothing sealed opens")
        if passphrase is None:
            hint = "name a file that holds it with --passphrase-file"
            raise VaultLockedError("is wrapped under a passphrase", where=str(path), hint=hint)
        return cls(_unwrap(content, passphrase, str(path)), wrapped=True)

    def opens(self, state: StateDir, passphrase: bytes) -> bool:
        """Whether a passphrase opens the key of this vault; never, where the key is raw. Takes half a second.

        Args:
            state: the vault's directory.
            passphrase: what somebody says it is.

        Raises:
            RefusedError: the file is damaged, open to others or not ours.
            UnavailableError: it cannot be read.
        """
        if not is_wrapped(state):
            return False
        content = durable.read(state.vault_key, limit=_FILE_LIMIT, private=True) or b""
        try:
            return _unwrap(content, passphrase, str(state.vault_key)) == self._root
        except VaultLockedError:
            return False

    def wrap(self, state: StateDir, passphrase: bytes) -> None:
        """Puts the key under a passphrase, or under another one.

        Raises:
            UnavailableError: the file cannot be written; then it is as it was.
        """
        durable.replace(state.vault_key, _wrap(self._root, passphrase))
        self.wrapped = True

    def subkey(self, purpose: str, *, salt: bytes = _SALT) -> bytes:
        """A key of 32 bytes for one purpose (HKDF-SHA256); the same at every call, unrelated to any other.

        Args:
            purpose: its name, such as `compiled-cache`.
            salt: another one derives the keys of an older format, so that its data can be read.
        """
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        return HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=salt, info=purpose.encode()).derive(self._root)

    def seal(self, plain: bytes, aad: bytes, key: bytes | None = None) -> bytes:
        """Encrypts and authenticates.

        Args:
            plain: what is hidden.
            aad: what it is and where it belongs; not stored, must be known again to open.
            key: a key of 32 bytes, such as a room's; the vault's own when absent.
        """
        return _seal(plain, aad, self._default if key is None else key)

    def open(self, sealed: bytes, aad: bytes, key: bytes | None = None) -> bytes:
        """Opens what `seal` made.

        Args:
            sealed: its result.
            aad: as it was given to `seal`.
            key: as it was given to `seal`.

        Raises:
            SealBrokenError: wrong key, wrong `aad`, or changed bytes.
        """
        return _open(sealed, aad, self._default if key is None else key)

    @staticmethod
    def new_key() -> bytes:
        """A fresh random key of 32 bytes, to be kept sealed."""
        return os.urandom(_KEY_BYTES)


def is_wrapped(state: StateDir) -> bool:
    """Whether a passphrase protects the vault's key on the disk; false where there is no key.

    Raises:
        RefusedError: the file is open to others or not ours.
        UnavailableError: it cannot be read.
    """
    return (durable.read(state.vault_key, limit=_FILE_LIMIT, private=True) or b"").startswith(_WRAPPED)


def _seal(plain: bytes, aad: bytes, key: bytes) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    return _FORMAT + nonce + _cipher(key).encrypt(nonce, plain, aad)


def _open(sealed: bytes, aad: bytes, key: bytes) -> bytes:
    from cryptography.exceptions import InvalidTag

    if sealed[:1] != _FORMAT or len(sealed) < 1 + _NONCE_BYTES + _TAG_BYTES:
        raise SealBrokenError("sealed data of an unknown form")
    try:
        return _cipher(key).decrypt(sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :], aad)
    except InvalidTag:
        raise SealBrokenError("sealed data was changed, moved or sealed under another key") from None


def _cipher(key: bytes) -> "AESGCM":
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    if len(key) != _KEY_BYTES:
        message = f"a key has {_KEY_BYTES} bytes"
        raise ValueError(message)
    return AESGCM(key)


def _wrap(root: bytes, passphrase: bytes) -> bytes:
    salt = os.urandom(16)
    cost = {"kdf": "argon2id", "ops": _OPS, "memory": _MEMORY, "salt": salt.hex()}
    header = _WRAPPED + json.dumps(cost, separators=(",", ":")).encode() + b"\n"
    return header + _seal(root, header, _stretch(passphrase, salt, _OPS, _MEMORY))


def _unwrap(content: bytes, passphrase: bytes, where: str) -> bytes:
    end = content.find(b"\n", len(_WRAPPED)) + 1
    header, sealed = content[:end], content[end:]
    try:
        cost = json.loads(header.removeprefix(_WRAPPED))
        ops, memory, salt = int(cost["ops"]), int(cost["memory"]), bytes.fromhex(cost["salt"])
        known = cost["kdf"] == "argon2id" and 1 <= ops <= _OPS_MAX and 8192 <= memory <= _MEMORY_MAX and len(salt) == 16  # noqa: PLR2004 - the least memory and the salt's length that libsodium takes
    except (ValueError, KeyError, TypeError):
        known = False
        ops, memory, salt = 0, 0, b""
    if not known:
        raise RefusedError("its header is damaged", where=where, hint="put it back from a backup")
    try:
        return _open(sealed, header, _stretch(passphrase, salt, ops, memory))
    except SealBrokenError:
        raise VaultLockedError("the passphrase does not fit", where=where) from None


def _stretch(passphrase: bytes, salt: bytes, ops: int, memory: int) -> bytes:
    from nacl.pwhash import argon2id

    return argon2id.kdf(_KEY_BYTES, passphrase, salt, opslimit=ops, memlimit=memory)
