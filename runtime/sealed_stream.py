"""A stream of bytes under a passphrase: nothing of it can be read, changed, cut off, moved or repeated unnoticed.

A header says how the key is derived (Argon2id); then follow chunks of 1 MiB, each encrypted and authenticated
(AES-256-GCM) with the whole header as additional data and a nonce that counts them and marks the last. The format, byte
for byte, is in `docs/reference/backup-format.md`.
"""

import hashlib
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from runtime.errors import RefusedError, UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

__all__ = [
    "BACKUP",
    "CHUNK",
    "COST",
    "FORMAT",
    "HEADER_SIZE",
    "ROOM",
    "Cost",
    "PassphraseError",
    "Purpose",
    "SealedReader",
    "SealedWriter",
    "StreamDamagedError",
]

FORMAT: Final = 1
"""Version of the format, a byte of the header."""

CHUNK: Final = 1 << 20
"""Bytes of every chunk but the last, before encryption."""

_FIXED: Final = struct.Struct(">12s4BII16s")
"""Magic, version, key derivation, cipher, log2 of the chunk, passes, KiB of memory, salt."""
_ARGON2ID: Final = 1
_AES_256_GCM: Final = 1
_CHUNK_LOG2: Final = 20
_TAG: Final = 16
HEADER_SIZE: Final = _FIXED.size + _TAG
"""Bytes before the first chunk."""

_KEY: Final = 32
_PASSES_MAX: Final = 16
_KIB_MAX: Final = 1 << 20
_KIB_MIN: Final = 8
_MORE, _LAST, _HEADER = 0, 1, 2
"""The nonce's last byte: a chunk that is followed by others, the last one, the header's own tag."""
_NONCE_COUNT: Final = 11
_AGAIN: Final = "copy it again from where it was written"


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a stream holds, so that none is taken for another: twelve bytes at its beginning, and a word for people."""

    magic: bytes
    word: str


BACKUP: Final = Purpose(b"orlop-backup", "backup")
ROOM: Final = Purpose(b"orlop-room..", "room")
_PURPOSES: Final = (BACKUP, ROOM)


@dataclass(frozen=True, slots=True)
class Cost:
    """What one guess of the passphrase costs: passes of Argon2id over so many KiB."""

    passes: int = 3
    kib: int = 256 << 10


COST: Final = Cost()
"""libsodium's "moderate", as for the vault."""


class PassphraseError(RefusedError):
    """The passphrase does not fit."""


class StreamDamagedError(RefusedError):
    """Not as it was written: no such stream, cut off, changed, reordered, or with something behind its end."""


class SealedWriter:
    """Encrypts what is written to it.

    Args:
        put: takes the encrypted bytes, in order, all of what it is given.
        passphrase: the key is derived from it.
        cost: of that.
        purpose: what the stream is to hold.
    """

    def __init__(
        self, put: Callable[[bytes], None], passphrase: bytes, cost: Cost = COST, *, purpose: Purpose = BACKUP
    ) -> None:
        self._put = put
        self._waiting = bytearray()
        self._count = 0
        self._head = _FIXED.pack(
            purpose.magic, FORMAT, _ARGON2ID, _AES_256_GCM, _CHUNK_LOG2, cost.passes, cost.kib, os.urandom(16)
        )
        self._cipher = _cipher(passphrase, self._head)
        self._head += self._cipher.encrypt(_nonce(0, _HEADER), b"", self._head)
        put(self._head)

    def write(self, data: bytes) -> None:
        """Adds bytes to the stream."""
        self._waiting += data
        while len(self._waiting) > CHUNK:  # a full one may be the last, so it waits for what follows
            piece = bytes(self._waiting[:CHUNK])
            del self._waiting[:CHUNK]
            self._seal(piece, _MORE)

    def finish(self) -> None:
        """Writes the last chunk; without it the stream counts as cut off."""
        self._seal(bytes(self._waiting), _LAST)
        self._waiting.clear()

    def _seal(self, piece: bytes, kind: int) -> None:
        self._put(self._cipher.encrypt(_nonce(self._count, kind), piece, self._head))
        self._count += 1


class SealedReader:
    """Decrypts what `SealedWriter` wrote; hands out only what is authentic.

    Args:
        read: gives up to so many bytes, and none at the end.
        passphrase: as it was given to the writer.
        purpose: what the stream is to hold.

    Raises:
        UsageError: a later version of the format.
        StreamDamagedError: no such stream, or one with another purpose.
        PassphraseError: another passphrase, or a changed header: that cannot be told apart.
    """

    def __init__(self, read: Callable[[int], bytes], passphrase: bytes, *, purpose: Purpose = BACKUP) -> None:
        self._read = read
        self._digest = hashlib.sha256()
        self._count = 0
        self._plain = bytearray()
        self._head = self._exactly(HEADER_SIZE)
        fixed, tag = self._head[: _FIXED.size], self._head[_FIXED.size :]
        _check_head(fixed, purpose)
        if len(self._head) < HEADER_SIZE:
            raise StreamDamagedError("is cut off", hint=_AGAIN)
        self._cipher = _cipher(passphrase, fixed)
        if _opened(self._cipher, _nonce(0, _HEADER), tag, fixed) is None:
            raise PassphraseError("the passphrase does not fit")
        self._ahead = self._exactly(CHUNK + _TAG)
        self._ended = False

    @property
    def sha256(self) -> str:
        """Hash of all encrypted bytes that were read; of the whole stream once its end was read."""
        return self._digest.hexdigest()

    def take(self, size: int) -> bytes:
        """Exactly so many bytes of what was written, or fewer at the end.

        Raises:
            StreamDamagedError: it was changed or cut off here.
        """
        while len(self._plain) < size and not self._ended:
            self._open_next()
        piece = bytes(self._plain[:size])
        del self._plain[:size]
        return piece

    def _open_next(self) -> None:
        sealed, self._ahead = self._ahead, b""
        if len(sealed) == CHUNK + _TAG:
            self._ahead = self._exactly(CHUNK + _TAG)
        kind = _MORE if self._ahead else _LAST
        plain = _opened(self._cipher, _nonce(self._count, kind), sealed, self._head)
        if plain is None:
            raise self._damaged(sealed, kind)
        self._plain += plain
        self._count += 1
        self._ended = kind == _LAST

    def _damaged(self, sealed: bytes, kind: int) -> StreamDamagedError:
        """Why a chunk does not open, as far as that can be told."""
        if kind == _LAST and len(sealed) in {0, CHUNK + _TAG}:
            whole = not sealed or _opened(self._cipher, _nonce(self._count, _MORE), sealed, self._head) is not None
            if whole:
                return StreamDamagedError("is cut off", hint=_AGAIN)
        why = "is cut off or damaged" if kind == _LAST else "is damaged"
        start = HEADER_SIZE + self._count * (CHUNK + _TAG)
        return StreamDamagedError(f"{why} behind byte {start}", hint=_AGAIN)

    def _exactly(self, size: int) -> bytes:
        """So many bytes, fewer at the end."""
        pieces: list[bytes] = []
        while size > 0 and (piece := self._read(size)):
            pieces.append(piece)
            size -= len(piece)
        data = b"".join(pieces)
        self._digest.update(data)
        return data


def _check_head(fixed: bytes, purpose: Purpose) -> None:
    if len(fixed) < _FIXED.size or not fixed.startswith(purpose.magic):
        other = next((one.word for one in _PURPOSES if fixed.startswith(one.magic) and one is not purpose), "")
        raise StreamDamagedError(f"is no {purpose.word} of orlop" + (f", but a {other}" if other else ""))
    _, version, derivation, cipher, log2, passes, kib, _ = _FIXED.unpack(fixed)
    if version > FORMAT:
        why = f"was written by a later version of orlop (format {version}, this one knows {FORMAT})"
        raise UsageError(why, hint="update orlop")
    known = (version, derivation, cipher, log2) == (FORMAT, _ARGON2ID, _AES_256_GCM, _CHUNK_LOG2)
    # Bounds: a file must not be able to ask for all memory, or for an hour.
    if not known or not 1 <= passes <= _PASSES_MAX or not _KIB_MIN <= kib <= _KIB_MAX:
        raise StreamDamagedError("its header is damaged", hint=_AGAIN)


def _nonce(count: int, kind: int) -> bytes:
    return count.to_bytes(_NONCE_COUNT) + bytes((kind,))


def _cipher(passphrase: bytes, fixed: bytes) -> "AESGCM":
    """A key of this stream alone: the salt is fresh, so counted nonces never meet another stream's."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from nacl.pwhash import argon2id

    *_, passes, kib, salt = _FIXED.unpack(fixed)
    return AESGCM(argon2id.kdf(_KEY, passphrase, salt, opslimit=passes, memlimit=kib << 10))


def _opened(cipher: "AESGCM", nonce: bytes, sealed: bytes, head: bytes) -> bytes | None:
    from cryptography.exceptions import InvalidTag

    try:
        return cipher.decrypt(nonce, sealed, head)
    except (InvalidTag, ValueError):  # too short to hold a tag
        return None
