"""Whether nobody has been there for a while: the watch that locks a screen. Pure; time is passed in."""

__all__ = ["IdleWatch"]


class IdleWatch:
    """Says once that nobody was there for long enough.

    Args:
        after_s: how long that is, in seconds; 0 for never.
        now: monotonic seconds.
    """

    def __init__(self, after_s: float, now: float) -> None:
        self._after_s = after_s
        self._last = now
        self._told = False

    def touched(self, now: float) -> None:
        """Somebody is there."""
        self._last, self._told = now, False

    def due(self, now: float) -> bool:
        """Whether it is time to lock; true once, until somebody was there again."""
        if self._told or not self._after_s or now - self._last < self._after_s:
            return False
        self._told = True
        return True
