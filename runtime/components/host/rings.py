"""What a child wrote and its component has not read yet: bounded, and what does not fit is counted."""

from dataclasses import dataclass, field
from typing import Final

__all__ = ["RING_BYTES", "Ring"]

RING_BYTES: Final = 1 << 20


@dataclass(slots=True)
class Ring:
    """Bytes in the order in which they were written; the first ones are kept.

    Attributes:
        dropped: bytes that found no room.
        ended: nothing follows.
    """

    dropped: int = 0
    ended: bool = False
    _bytes: bytearray = field(default_factory=bytearray)

    def put(self, data: bytes) -> None:
        """Adds what fits."""
        room = RING_BYTES - len(self._bytes)
        self._bytes += data[:room]
        self.dropped += max(0, len(data) - room)

    def take(self, count: int) -> bytes:
        """Removes the first bytes.

        Args:
            count: how many at most.
        """
        taken = bytes(self._bytes[:count])
        del self._bytes[:count]
        return taken

    def __len__(self) -> int:
        return len(self._bytes)
