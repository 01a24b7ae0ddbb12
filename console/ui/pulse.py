"""How fast events come and how late the screen is: two figures for the status row, from one tick a second."""

from collections import deque

__all__ = ["Pulse"]

_SECONDS = 5


class Pulse:
    """Counts and lateness of the last five seconds. Times are seconds of a monotonic clock."""

    def __init__(self) -> None:
        self.rate = 0
        """Events per second."""
        self.lag_ms = 0
        """How late the last tick was."""
        self._counts: deque[int] = deque(maxlen=_SECONDS)
        self._count = 0
        self._last: float | None = None

    def count(self, events: int) -> None:
        """Events came."""
        self._count += events

    def tick(self, now: float) -> None:
        """A second has passed, or a little more."""
        self._counts.append(self._count)
        self._count = 0
        self.rate = round(sum(self._counts) / len(self._counts))
        if self._last is not None:
            self.lag_ms = max(round((now - self._last - 1) * 1000), 0)
        self._last = now
