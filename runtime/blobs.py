"""Content by its hash: `sha256/aa/HEX` below one folder, whole or not there, and hashed again at every use.

Blocking: call from a thread that may wait. Several processes may use one folder. A blob that was put or claimed stays
for an hour at least; whoever wants it longer refers to it by then (`runtime.blob_references`).
"""

import contextlib
import fcntl
import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from runtime import durable
from runtime.blob_content import Blob, BlobChangedError, BlobGoneError, hashed_copy, parts_of, words_of
from runtime.blob_incoming import Incoming
from runtime.errors import NotFoundError, RefusedError, UnavailableError

__all__ = ["GRACE_MS", "Blob", "BlobChangedError", "BlobGoneError", "Blobs", "Incoming"]

GRACE_MS: Final = 3_600_000
"""How long a blob stays that nobody refers to."""

_INCOMING: Final = ".incoming-"
_CONDEMNED: Final = ".condemned-"
_DIGEST: Final = re.compile("[0-9a-f]{64}")


class Blobs:
    """One folder of content.

    Args:
        folder: made when it is first written to; its parent exists.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, source: bytes | int, *, limit: int) -> Blob:
        """Keeps content; what is there already and sound is left alone, what is there and changed is mended.

        Args:
            source: the bytes, or a descriptor that is read from where it stands to its end, a mebibyte at a time.
            limit: bytes that it may have.

        Returns:
            Its name.

        Raises:
            RefusedError: larger than the limit.
            UnavailableError: it cannot be read or written; then nothing is half written.
        """
        if isinstance(source, bytes):
            blob = Blob(hashlib.sha256(source).hexdigest(), len(source))
            if blob.size <= limit and self._sound(blob.hash):
                return blob
        with self.incoming(limit) as incoming:
            for part in [source] if isinstance(source, bytes) else parts_of(source):
                incoming.write(part)
            return incoming.keep()

    def incoming(self, limit: int) -> Incoming:
        """Begins to take in content that comes in pieces.

        Args:
            limit: bytes that it may have.

        Raises:
            UnavailableError: the folder cannot be written.
        """
        self._make(self._folder)
        return Incoming(self._folder / f"{_INCOMING}{os.urandom(8).hex()}", limit, self._settle)

    def open(self, digest: str) -> int:
        """Opens content that was just hashed, at its beginning.

        Whoever may write the folder can change it again while it is read; `sealed` and `read` exclude that.

        Args:
            digest: its hash.

        Returns:
            A descriptor for reading, which the caller closes.

        Raises:
            BlobGoneError: it is not there.
            RefusedError: it was changed, or is no regular file.
            UnavailableError: it cannot be read.
        """
        descriptor = self._opened(digest)
        try:
            hashed_copy(descriptor, None, digest)
            os.lseek(descriptor, 0, os.SEEK_SET)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def sealed(self, digest: str) -> int:
        """A copy in memory that nobody can change, hashed while it was made.

        Args:
            digest: the content's hash.

        Returns:
            A sealed descriptor at its beginning, which the caller closes.

        Raises:
            BlobGoneError: it is not there.
            RefusedError: it was changed, or is no regular file.
            UnavailableError: it cannot be read, or memory is short.
        """
        try:
            copy = os.memfd_create(f"sha256:{digest}", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        except OSError as error:
            raise UnavailableError(words_of(error), where="memory") from error
        try:
            self.copy(digest, copy)
            seals = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
            fcntl.fcntl(copy, fcntl.F_ADD_SEALS, seals)
            os.lseek(copy, 0, os.SEEK_SET)
        except BaseException:
            os.close(copy)
            raise
        return copy

    def copy(self, digest: str, target: int) -> int:
        """Writes content to a descriptor, hashed on the way.

        Args:
            digest: its hash.
            target: where to.

        Returns:
            How many bytes it has.

        Raises:
            BlobGoneError: it is not there.
            RefusedError: it was changed, or is no regular file; what was written is not to be used.
            UnavailableError: it cannot be read or written.
        """
        source = self._opened(digest)
        try:
            return hashed_copy(source, target, digest)
        finally:
            os.close(source)

    def read(self, digest: str, *, limit: int) -> bytes:
        """Reads content into memory; these very bytes were hashed.

        Args:
            digest: its hash.
            limit: bytes that it may have.

        Raises:
            BlobGoneError: it is not there.
            RefusedError: it was changed, is larger than the limit, or is no regular file.
            UnavailableError: it cannot be read.
        """
        data = durable.read(self._path(digest), limit=limit)
        if data is None:
            raise BlobGoneError(digest)
        got = hashlib.sha256(data).hexdigest()
        if got != digest:
            raise BlobChangedError(digest, got)
        return data

    def claim(self, digest: str) -> Blob:
        """Begins the hour anew in which content stays without a reference.

        Args:
            digest: its hash; it is not hashed now.

        Raises:
            BlobGoneError: it is not there, or was just collected.
            RefusedError: it is no regular file.
            UnavailableError: it cannot be looked at.
        """
        descriptor = self._opened(digest)
        try:
            with self._held(fcntl.LOCK_SH):
                if not self._path(digest).exists():
                    raise BlobGoneError(digest)
                os.utime(descriptor)
                size = os.fstat(descriptor).st_size
        except OSError as error:
            raise durable.unavailable(self._path(digest), error) from error
        finally:
            os.close(descriptor)
        return Blob(digest, size)

    def remove(self, digest: str) -> None:
        """Removes content at once, for a caller who knows that nobody wants it; does nothing when it is not there."""
        with contextlib.suppress(OSError, RefusedError):
            self._path(digest).unlink(missing_ok=True)

    def older_than(self, before_ms: int) -> list[str]:
        """What was neither put nor claimed since a time, by hash; files of other names are not ours."""
        found = []
        for folder in _scan(self._folder / "sha256"):
            for entry in _scan(folder):
                with contextlib.suppress(OSError):
                    if _DIGEST.fullmatch(entry.name) and entry.lstat().st_mtime_ns < before_ms * 1_000_000:
                        found.append(entry.name)
        return sorted(found)

    def condemn(self, digest: str, before_ms: int) -> int | None:
        """Takes content out of the store, quickly; its room is given back by `sweep`.

        Args:
            digest: whom nobody refers to.
            before_ms: it stays if it was put or claimed since.

        Returns:
            Its size, or None when it stays or is not there.
        """
        path = self._path(digest)
        with contextlib.suppress(OSError), self._held(fcntl.LOCK_EX):
            status = path.lstat()
            if status.st_mtime_ns < before_ms * 1_000_000:
                path.rename(self._folder / f"{_CONDEMNED}{digest}")
                return status.st_size
        return None

    def sweep(self, before_ms: int) -> None:
        """Removes what was condemned, and what uploads left behind that died before a time."""
        for path in _scan(self._folder):
            with contextlib.suppress(OSError):
                if path.name.startswith(_CONDEMNED) or (
                    path.name.startswith(_INCOMING) and _abandoned(path, before_ms)
                ):
                    path.unlink()

    def _settle(self, written: Path, digest: str) -> None:
        """Gives a file of this folder that is complete and on the disk its name.

        Raises:
            UnavailableError: the folder cannot be written.
        """
        path = self._path(digest)
        for folder in (self._folder / "sha256", path.parent):
            self._make(folder)
        try:
            with self._held(fcntl.LOCK_SH):
                os.utime(written)
                written.replace(path)
            durable.sync_directory(path.parent)
        except OSError as error:
            raise durable.unavailable(path, error) from error

    def _sound(self, digest: str) -> bool:
        try:
            self.claim(digest)
            os.close(self.open(digest))
        except (NotFoundError, RefusedError, UnavailableError):
            return False
        return True

    def _opened(self, digest: str) -> int:
        descriptor = durable.open_regular(self._path(digest))
        if descriptor is None:
            raise BlobGoneError(digest)
        return descriptor

    def _path(self, digest: str) -> Path:
        if not _DIGEST.fullmatch(digest):
            raise RefusedError("not 64 lower-case hexadecimal characters", where="SHA-256 of stored content")
        return self._folder / "sha256" / digest[:2] / digest

    @staticmethod
    def _make(folder: Path) -> None:
        if not folder.is_dir():
            durable.make_directory(folder)
            durable.sync_directory(folder.parent)

    @contextlib.contextmanager
    def _held(self, kind: int) -> Iterator[None]:
        """Between processes: who claims or names content shares the folder, who takes some out has it alone."""
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, kind)
            yield
        finally:
            os.close(descriptor)


def _scan(folder: Path) -> Iterator[Path]:
    with contextlib.suppress(OSError):
        yield from list(folder.iterdir())


def _abandoned(path: Path, before_ms: int) -> bool:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.fstat(descriptor).st_mtime_ns < before_ms * 1_000_000
    finally:
        os.close(descriptor)
