"""So many jobs at a time: the more urgent first, and among equals in the order in which they came."""

import asyncio
import heapq
import itertools

__all__ = ["Places"]


class Places:
    """A queue for a number of places; belongs to one loop.

    Args:
        free: how many places there are.

    Attributes:
        waiting: how many wait for a place.
    """

    def __init__(self, free: int) -> None:
        self._free = free
        self._queue: list[tuple[int, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()
        self.waiting = 0

    async def take(self, priority: int = 0) -> None:
        """Waits for a place; whoever stops waiting leaves the queue.

        Args:
            priority: a greater one comes first.
        """
        if self._free > 0:
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._queue, (-priority, next(self._numbers), turn))
        self.waiting += 1
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self.waiting -= 1
            else:
                self.give_back()  # the place came just as we went
            raise

    def give_back(self) -> bool:
        """Leaves a place to the next in the queue; gives whether there was one."""
        while self._queue:
            _, _, turn = heapq.heappop(self._queue)
            if not turn.done():
                self.waiting -= 1
                turn.set_result(None)
                return True
        self._free += 1
        return False
