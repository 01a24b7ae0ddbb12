"""A wall clock that falls: noticed against the monotonic one, and against the newest event of an earlier run. Pure."""

from runtime.quantities import format_duration_ms

__all__ = ["FALL_MS", "ClockWatch"]

FALL_MS = 5 * 60_000
"""By so much the clock may be set back without a word."""


class ClockWatch:
    """Compares the two clocks whenever it is asked.

    Args:
        newest_ms: wall time of the newest event that is known; 0 without one.
    """

    def __init__(self, newest_ms: int = 0) -> None:
        self._expected: tuple[int, float] | None = None
        self._newest_ms = newest_ms

    def check(self, wall_ms: int, monotonic: float) -> str:
        """What there is to say.

        Args:
            wall_ms: now.
            monotonic: now, in seconds.

        Returns:
            One sentence when the clock fell by more than five minutes since the last call, or, at the first call, is
            so much behind the newest event; else nothing.
        """
        before = self._expected
        self._expected = (wall_ms, monotonic)
        if before is None:
            behind = self._newest_ms - wall_ms
            if behind <= FALL_MS:
                return ""
            return f"the clock is {format_duration_ms(behind)} behind the newest event"
        fell = before[0] + round((monotonic - before[1]) * 1000) - wall_ms
        return f"the clock was set back by {format_duration_ms(fell)}" if fell > FALL_MS else ""
