"""How much of the processor a component may have in a minute; pure, time is passed in.

What was used belongs to the component, whatever instances of it used it: one after another, at a time, or of two
versions. What it may use is each version's own.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

__all__ = ["CpuQuota", "CpuUse"]

_WINDOW_S: Final = 60.0


@dataclass(slots=True, weakref_slot=True)
class CpuUse:
    """What all instances of a component used in the last minute."""

    _calls: deque[tuple[float, float]] = field(default_factory=deque)
    _sum_ms: float = 0.0

    def add(self, at: float, ms: float) -> None:
        """Takes note of what a call used.

        Args:
            at: monotonic seconds of its end.
            ms: of the processor.
        """
        self._calls.append((at, ms))
        self._sum_ms += ms

    def used_ms(self, now: float) -> float:
        """What was used in the last minute.

        Args:
            now: monotonic seconds.
        """
        while self._calls and self._calls[0][0] <= now - _WINDOW_S:
            self._sum_ms -= self._calls.popleft()[1]
        return self._sum_ms if self._calls else 0.0

    def below_s(self, ceiling_ms: int, now: float) -> float:
        """Seconds until less than that was used in a minute; 0 when it is so now.

        Args:
            ceiling_ms: of the processor.
            now: monotonic seconds.
        """
        left = self.used_ms(now)
        for at, ms in self._calls:
            if left < ceiling_ms:
                break
            left -= ms
            if left < ceiling_ms:
                return at + _WINDOW_S - now
        return 0.0


@dataclass(frozen=True, slots=True)
class CpuQuota:
    """What a component may use in a minute.

    Attributes:
        per_minute_ms: of the processor.
        use: what it used.
    """

    per_minute_ms: int
    use: CpuUse = field(default_factory=CpuUse)

    def spend(self, now: float, ms: float) -> None:
        """As `CpuUse.add`."""
        self.use.add(now, ms)

    def wait_s(self, now: float) -> float:
        """Seconds until the next call may begin; 0 when it may now.

        Args:
            now: monotonic seconds.
        """
        return self.use.below_s(self.per_minute_ms, now)
