"""Entries of people of whom nobody has said yet that they are members.

They wait, within bounds, until somebody vouches for their author; they came through members, and perhaps only sooner
than the word about them.
"""

from collections.abc import Iterator
from typing import Final

from runtime.rooms.entries import SignedEntry

__all__ = ["OF_ONE", "OF_ROOM", "Strangers"]

OF_ONE: Final = 64
"""Entries of one author that wait at most."""

OF_ROOM: Final = 1_024
"""Entries of a room that wait at most."""


class Strangers:
    """What waits for its author."""

    def __init__(self) -> None:
        self._waiting: dict[str, dict[str, SignedEntry]] = {}
        self._count = 0

    def entries(self) -> Iterator[SignedEntry]:
        """All of them."""
        for waiting in self._waiting.values():
            yield from waiting.values()

    def add(self, entry: SignedEntry, *, unbounded: bool = False) -> bool:
        """Keeps an entry; false when too many wait already.

        Args:
            entry: of anybody.
            unbounded: that it comes from this node's own store, which has bounds of its own.
        """
        waiting = self._waiting.get(entry.author, {})
        if entry.id in waiting:
            return True
        if not unbounded and (len(waiting) >= OF_ONE or self._count >= OF_ROOM):
            return False
        self._waiting.setdefault(entry.author, waiting)[entry.id] = entry
        self._count += 1
        return True

    def take(self, author: str) -> list[SignedEntry]:
        """Gives up what waits of an author, in the order of the sequence."""
        waiting = self._waiting.pop(author, {})
        self._count -= len(waiting)
        return sorted(waiting.values(), key=lambda one: one.seq)
