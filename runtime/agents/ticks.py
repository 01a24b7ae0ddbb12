"""When agents tick: a heap of due times that does not drift. Pure; time is passed in, in monotonic seconds."""

from heapq import heappop, heappush
from itertools import count
from typing import Generic, TypeVar

__all__ = ["TickSchedule"]

_K = TypeVar("_K")


class TickSchedule(Generic[_K]):
    """Due times of many keys with one interval.

    The first tick comes one interval after `start`. The following ones come at whole intervals after the first,
    however late a tick was taken; intervals that were missed as a whole are skipped, never made up for.

    Args:
        interval_s: seconds between two ticks of a key.
    """

    def __init__(self, interval_s: float) -> None:
        self._interval = interval_s
        self._heap: list[tuple[float, int, _K]] = []
        self._entries: dict[_K, int] = {}
        self._numbers = count()

    def start(self, key: _K, now: float) -> None:
        """Begins a key's ticks, or begins them anew.

        Args:
            key: whose.
            now: the time of its activation.
        """
        self._push(key, now + self._interval)

    def stop(self, key: _K) -> None:
        """Ends a key's ticks; nothing happens when it has none.

        Args:
            key: whose.
        """
        self._entries.pop(key, None)

    def take(self, now: float) -> list[_K]:
        """The keys that are due, each once; their next due times are set.

        Args:
            now: the time.

        Returns:
            In the order in which they became due.
        """
        due = []
        while self._heap and self._heap[0][0] <= now:
            at, number, key = heappop(self._heap)
            if self._entries.get(key) != number:
                continue
            due.append(key)
            missed = int((now - at) // self._interval)
            self._push(key, at + (missed + 1) * self._interval)
        return due

    def next_due(self) -> float | None:
        """When the next key is due; None without keys."""
        while self._heap and self._entries.get(self._heap[0][2]) != self._heap[0][1]:
            heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def _push(self, key: _K, at: float) -> None:
        number = next(self._numbers)
        self._entries[key] = number
        heappush(self._heap, (at, number, key))
