"""So many jobs at a time, in the order in which they came."""

import asyncio
from collections import deque

__all__ = ["Places"]


class Places:
    """A queue for a number of places; belongs to one loop.

    Args:
        free: how many places there are.
    """

    def __init__(self, free: int) -> None:
        self._free = free
        self._queue: deque[asyncio.Future[None]] = deque()

    async def take(self) -> None:
        """Waits for a place, behind all who came before; whoever stops waiting leaves the queue."""
        if self._free > 0:
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give_back()  # the place came just as we went
            raise

    def give_back(self) -> None:
        """Leaves a place to the next in the queue."""
        while self._queue:
            turn = self._queue.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
