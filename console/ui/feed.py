"""From the core's thread to the UI's loop: records are collected there and handed over here, a few times a second.

While nothing happens nothing runs: the first record of a quiet time arms one wake-up. The queue is bounded; a screen
that stood still for so long that it ran over is told so and asks for a snapshot instead.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from runtime.events import JobOutput, Record

__all__ = ["Feed"]

Take = Callable[[Sequence[Record], int], None]
"""Called on the UI's loop with the records and how many were lost before them."""


class Feed:
    """One subscription's way to the screen.

    Args:
        take: gets the records.
        frames: most calls of `take` per second.
        limit: most records that wait.
        weight: most bytes of output that wait with them.
    """

    def __init__(self, take: Take, *, frames: int, limit: int = 50_000, weight: int = 32 << 20) -> None:
        self._take = take
        self._frames = frames
        self._limit = limit
        self._most = weight
        self._weight = 0
        self._inbox: deque[Record] = deque()
        self._armed = False
        self._lost = 0
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def waiting(self) -> int:
        """How many records wait."""
        return len(self._inbox)

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        """Hands over on this loop from now on, and what came before as well."""
        self._loop = loop
        if self._inbox or self._lost:
            self._armed = True
            self._arm()

    def close(self) -> None:
        """Hands over no more."""
        self._loop = None

    def sink(self, records: Sequence[Record]) -> None:
        """Takes records on the core's thread; never waits."""
        weight = sum(len(record.event.data_b64 or "") for record in records if isinstance(record.event, JobOutput))
        if len(self._inbox) + len(records) > self._limit or self._weight + weight > self._most:
            self._lost += len(records)
        else:
            self._weight += weight
            self._inbox.extend(records)
        loop = self._loop
        if not self._armed and loop is not None:
            self._armed = True
            try:
                loop.call_soon_threadsafe(self._arm)
            except RuntimeError:  # the loop was closed: nobody looks any more
                self._loop = None

    def _arm(self) -> None:
        loop = self._loop
        if loop is not None:
            loop.call_later(1 / self._frames, self.hand_over)

    def hand_over(self) -> None:
        """Hands over what waits; on the UI's loop."""
        # Cleared first: a record that comes while this one drains arms the next frame.
        self._armed = False
        lost, self._lost = self._lost, 0
        records: list[Record] = []
        while self._inbox:
            records.append(self._inbox.popleft())
        self._weight = 0
        if records or lost:
            self._take(records, lost)
