"""The input of a job that is sent to another node: read as it is wanted, and once more from any place after a cut."""

import asyncio
import os
import stat
import tempfile
from typing import BinaryIO, Final

from runtime.errors import RefusedError, UnavailableError
from runtime.jobs import readable
from runtime.quantities import format_size

__all__ = ["JobInput"]

_WHERE: Final = "standard input"


class JobInput:
    """One input.

    Args:
        source: the bytes, or a descriptor, which stays the caller's; it is read from where it stands.
        limit: bytes that it may have.

    Attributes:
        size: bytes, as far as that is known beforehand.
    """

    def __init__(self, source: bytes | int, limit: int) -> None:
        self._source = source
        self._limit = limit
        self._begin = 0
        self._spool: BinaryIO | None = None
        self._spooled = 0
        self.size: int | None = len(source) if isinstance(source, bytes) else None
        if isinstance(source, int):
            status = os.fstat(source)
            if stat.S_ISREG(status.st_mode):
                self._begin = os.lseek(source, 0, os.SEEK_CUR)
                self.size = max(0, status.st_size - self._begin)

    async def read(self, at: int, most: int) -> bytes:
        """The bytes from a place on, as soon as there are some; none at the end.

        Args:
            at: the place, not beyond what was read before where the source is a pipe.
            most: how many at most.

        Raises:
            RefusedError: there is more than the limit.
            UnavailableError: it cannot be read.
        """
        try:
            data = await self._read(at, most)
        except OSError as error:
            raise UnavailableError(f"cannot be read: {error.strerror}", where=_WHERE) from error
        if at + len(data) > self._limit:
            raise RefusedError(f"is larger than {format_size(self._limit)}", where=_WHERE)
        return data

    def close(self) -> None:
        """Forgets what was read."""
        if self._spool is not None:
            self._spool.close()
            self._spool = None

    async def _read(self, at: int, most: int) -> bytes:
        if isinstance(self._source, bytes):
            return self._source[at : at + most]
        if self.size is not None:
            return await asyncio.to_thread(os.pread, self._source, min(most, self.size - at), self._begin + at)
        if self._spool is None:
            self._spool = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        if at < self._spooled:
            return os.pread(self._spool.fileno(), min(most, self._spooled - at), at)
        data = await self._next(self._source, most)
        os.pwrite(self._spool.fileno(), data, self._spooled)
        self._spooled += len(data)
        return data

    @staticmethod
    async def _next(descriptor: int, most: int) -> bytes:
        while True:
            await readable(descriptor)
            try:
                return os.read(descriptor, most)
            except BlockingIOError:
                continue
