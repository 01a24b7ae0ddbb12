"""What a blob is, and descriptors whose content is hashed while it passes."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from runtime.errors import NotFoundError, RefusedError, UnavailableError

__all__ = ["Blob", "BlobChangedError", "BlobGoneError", "hashed_copy", "parts_of", "words_of", "write_all"]

_PART: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Blob:
    """Content that was kept.

    Attributes:
        hash: its SHA-256, 64 lower-case hexadecimal characters.
        size: in bytes.
    """

    hash: str
    size: int


class BlobChangedError(RefusedError):
    """A file of the store does not have the content of its name any more; `got` is the hash that it has."""

    def __init__(self, digest: str, got: str) -> None:
        why = f"the stored content was changed: it hashes to {got[:12]}…"
        super().__init__(why, where=f"sha256:{digest[:12]}…", hint="give it to orlop again")
        self.got = got


class BlobGoneError(NotFoundError):
    """There is no such content, or no more."""

    def __init__(self, digest: str) -> None:
        super().__init__("the content is not stored", where=f"sha256:{digest[:12]}…", hint="give it to orlop again")


def hashed_copy(source: int, target: int | None, digest: str) -> int:
    """Reads content to its end, hashes it, and copies it on the way.

    Args:
        source: a descriptor, read from where it stands.
        target: where to; None for nowhere.
        digest: the hash that it must have.

    Returns:
        How many bytes it has.

    Raises:
        BlobChangedError: it has another hash.
        UnavailableError: it cannot be read or written.
    """
    hashed = hashlib.sha256()
    size = 0
    try:
        for part in parts_of(source):
            hashed.update(part)
            size += len(part)
            if target is not None:
                write_all(target, part)
    except OSError as error:
        raise UnavailableError(words_of(error), where=f"copy of sha256:{digest[:12]}…") from error
    if hashed.hexdigest() != digest:
        raise BlobChangedError(digest, hashed.hexdigest())
    return size


def parts_of(descriptor: int) -> Iterator[bytes]:
    """What a descriptor has left, a mebibyte at a time.

    Raises:
        UnavailableError: it cannot be read.
    """
    try:
        while part := os.read(descriptor, _PART):
            yield part
    except OSError as error:
        raise UnavailableError(f"cannot be read: {words_of(error)}") from error


def write_all(descriptor: int, part: bytes | memoryview) -> None:
    """Writes all of it, in as many turns as the system takes."""
    view = memoryview(part)
    while view:
        view = view[os.write(descriptor, view) :]


def words_of(error: OSError) -> str:
    """What went wrong, as the system says it."""
    return (error.strerror or type(error).__name__).lower()
