"""How much of the processor a component may have in a minute; pure, time is passed in."""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

__all__ = ["CpuQuota"]

_WINDOW_S: Final = 60.0


@dataclass(slots=True)
class CpuQuota:
    """What a component used in the last minute.

    Attributes:
        per_minute_ms: what it may use.
    """

    per_minute_ms: int
    _used: deque[tuple[float, float]] = field(default_factory=deque)
    _sum_ms: float = 0.0

    def spend(self, now: float, ms: float) -> None:
        """Takes note of what a call used.

        Args:
            now: monotonic seconds at its end.
            ms: of the processor.
        """
        self._used.append((now, ms))
        self._sum_ms += ms

    def wait_s(self, now: float) -> float:
        """Seconds until the next call may begin; 0 when it may now.

        Args:
            now: monotonic seconds.
        """
        while self._used and self._used[0][0] <= now - _WINDOW_S:
            self._sum_ms -= self._used.popleft()[1]
        left = self._sum_ms
        for at, ms in self._used:
            if left < self.per_minute_ms:
                break
            left -= ms
            if left < self.per_minute_ms:
                return at + _WINDOW_S - now
        return 0.0
