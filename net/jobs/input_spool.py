"""An input that is taken in whole before its job starts: in memory while it is small, else on the disk."""

import asyncio
import hashlib
import os
from typing import Final

from runtime.blobs import Blob, Blobs, Incoming

__all__ = ["InputSpool", "close_source"]

_SMALL: Final = 65_536


class InputSpool:
    """One input. Blocks for a write to the disk.

    Args:
        blobs: where a larger one grows.
        limit: bytes that it may have.

    Attributes:
        taken: bytes that have come.
    """

    def __init__(self, blobs: Blobs, limit: int) -> None:
        self._blobs = blobs
        self._limit = limit
        self._held = bytearray()
        self._incoming: Incoming | None = None
        self.taken = 0

    @property
    def digest(self) -> str:
        """SHA-256 of what has come, 64 hexadecimal characters."""
        return hashlib.sha256(self._held).hexdigest() if self._incoming is None else self._incoming.digest

    def write(self, data: bytes) -> None:
        """Takes the next bytes.

        Raises:
            RefusedError: more than the limit.
            UnavailableError: they cannot be written.
        """
        self.taken += len(data)
        if self._incoming is None and self.taken <= _SMALL:
            self._held += data
            return
        if self._incoming is None:
            self._incoming = self._blobs.incoming(self._limit)
            self._incoming.write(bytes(self._held))
            self._held.clear()
        self._incoming.write(data)

    async def whole(self) -> tuple[bytes | int, Blob | None]:
        """The input for a job; called once, when all has come.

        Returns:
            The bytes; or a descriptor, which the caller closes, and the blob that it is of.

        Raises:
            UnavailableError: it cannot be kept.
        """
        incoming, self._incoming = self._incoming, None
        if incoming is None:
            return bytes(self._held), None
        blob = await asyncio.to_thread(_keep, incoming)
        return self._blobs.open(blob.hash), blob

    def close(self) -> None:
        """Forgets it."""
        self._held.clear()
        if self._incoming is not None:
            self._incoming.close()
            self._incoming = None


def _keep(incoming: Incoming) -> Blob:
    with incoming:
        return incoming.keep()


def close_source(source: bytes | int | None) -> None:
    """Closes what `InputSpool.whole` gave."""
    if isinstance(source, int):
        os.close(source)
