"""Time, passed in: one wall clock for what is shown and signed, one monotonic clock for durations and deadlines."""

import time
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Clock", "ManualClock", "SystemClock"]


class Clock(Protocol):
    """The only source of time in the core."""

    def wall_ms(self) -> int:
        """Milliseconds since the Unix epoch; may jump."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start; never falls."""
        ...


class SystemClock:
    """The machine's clocks."""

    def wall_ms(self) -> int:
        """Milliseconds since the Unix epoch."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Seconds of the monotonic clock."""
        return time.monotonic()


@dataclass(slots=True)
class ManualClock:
    """A clock that stands still until it is told to move; for tests and `agents try --now`."""

    now_ms: int = 1_700_000_000_000
    seconds: float = 0.0

    def wall_ms(self) -> int:
        """The wall time that was set."""
        return self.now_ms

    def monotonic(self) -> float:
        """The monotonic time that was set."""
        return self.seconds

    def advance(self, seconds: float) -> None:
        """Moves both clocks forward.

        Args:
            seconds: how far, not negative.
        """
        self.seconds += seconds
        self.now_ms += round(seconds * 1000)
