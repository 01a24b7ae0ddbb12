"""Entries of people of whom nobody has said yet, or does not say any more, that they are members.

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

    def take(self, author: str, upto: int) -> list[SignedEntry]:
        """Gives up what waits of an author, in the order of the sequence.

        Args:
            author: who is a member now.
            upto: what lies behind it goes on waiting.
        """
        waiting = self._waiting.get(author, {})
        taken = sorted((one for one in waiting.values() if one.seq <= upto), key=lambda one: one.seq)
        for entry in taken:
            del waiting[entry.id]
        self._count -= len(taken)
        if not waiting:
            self._waiting.pop(author, None)
        return taken
