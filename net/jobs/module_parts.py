"""Modules that came in part: kept for whoever sent them, and for nobody else, until the rest comes or time is up."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from runtime.blobs import Blobs, Incoming

__all__ = ["ModulePart", "ModuleParts"]

_MOST: Final = 32
_MOST_EACH: Final = 4


@dataclass(slots=True)
class ModulePart:
    """A module on its way in. It lies on the disk, hashed as it grows.

    Attributes:
        submitter: who sends it, a public key.
        digest: what it is to hash to, 64 hexadecimal characters.
        incoming: the bytes.
        size: how many there are.
    """

    submitter: str
    digest: str
    incoming: Incoming
    size: int = 0

    def write(self, data: bytes) -> None:
        """Takes the next bytes.

        Raises:
            UnavailableError: they cannot be written.
        """
        self.incoming.write(data)
        self.size += len(data)


class ModuleParts:
    """All that nobody sends on just now. Blocks for a write.

    Args:
        blobs: where they grow.
        limit: bytes of a module.
        kept_s: how long each is kept.
    """

    def __init__(self, blobs: Blobs, limit: int, kept_s: float) -> None:
        self._blobs = blobs
        self._limit = limit
        self._kept_s = kept_s
        self._parts: OrderedDict[tuple[str, str], tuple[ModulePart, float]] = OrderedDict()

    def take(self, submitter: str, digest: str, now: float) -> ModulePart:
        """What has come of a module so far, or a new beginning; it is the caller's until `put_back`.

        Args:
            submitter: who sends it.
            digest: what it is to hash to.
            now: monotonic seconds.

        Raises:
            UnavailableError: nothing can be written.
        """
        self.expire(now)
        kept = self._parts.pop((submitter, digest), None)
        if kept is not None:
            return kept[0]
        return ModulePart(submitter, digest, self._blobs.incoming(self._limit))

    def put_back(self, part: ModulePart, now: float) -> None:
        """Keeps a part for the next try; of one without a byte, or of two of the same module, nothing is kept.

        Args:
            part: from `take`.
            now: monotonic seconds.
        """
        key = (part.submitter, part.digest)
        if not part.size or key in self._parts:
            part.incoming.close()
            return
        self._parts[key] = (part, now + self._kept_s)
        own = [key for key in self._parts if key[0] == part.submitter]
        if len(own) > _MOST_EACH:
            self._drop(own[0])
        if len(self._parts) > _MOST:
            self._drop(next(iter(self._parts)))

    def expire(self, now: float) -> None:
        """Drops what was kept for long enough."""
        for key in [key for key, (_, until) in self._parts.items() if until <= now]:
            self._drop(key)

    def close(self) -> None:
        """Drops everything."""
        for key in list(self._parts):
            self._drop(key)

    def _drop(self, key: tuple[str, str]) -> None:
        part, _ = self._parts.pop(key)
        part.incoming.close()
