"""Content that comes in pieces, hashed on the way: kept whole, or nothing of it."""

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Self

from runtime import durable
from runtime.blob_content import Blob, write_all
from runtime.errors import RefusedError
from runtime.quantities import format_size

__all__ = ["Incoming"]


class Incoming:
    """Content on its way in; made by `Blobs.incoming`. What is not kept by the end of the `with` is removed.

    Args:
        path: the file that it grows in; it does not exist.
        limit: bytes that it may have.
        settle: gives the file, which is complete and on the disk, the name of its hash.
    """

    def __init__(self, path: Path, limit: int, settle: Callable[[Path, str], None]) -> None:
        self._settle = settle
        self._path = path
        self._limit = limit
        self._hash = hashlib.sha256()
        self._size = 0
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            self._descriptor = os.open(path, flags, 0o600)
            # Says to other processes that somebody still writes it, however long that takes.
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        except OSError as error:
            raise durable.unavailable(path.parent, error) from error

    @property
    def digest(self) -> str:
        """SHA-256 of what has come so far, 64 hexadecimal characters."""
        return self._hash.hexdigest()

    def write(self, part: bytes | memoryview) -> None:
        """Takes in a piece.

        Raises:
            RefusedError: the whole is larger than the limit.
            UnavailableError: it cannot be written.
        """
        self._size += len(part)
        if self._size > self._limit:
            raise RefusedError(f"is larger than {format_size(self._limit)}")
        self._hash.update(part)
        try:
            write_all(self._descriptor, part)
        except OSError as error:
            raise durable.unavailable(self._path.parent, error) from error

    def keep(self) -> Blob:
        """Makes the whole durable under its hash.

        Raises:
            UnavailableError: it cannot be written.
        """
        digest = self._hash.hexdigest()
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            raise durable.unavailable(self._path.parent, error) from error
        self._settle(self._path, digest)
        return Blob(digest, self._size)

    def close(self) -> None:
        """Removes what was not kept; does nothing the second time."""
        if self._descriptor >= 0:
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
