"""A bucket of tokens: how often something may happen over time. Pure; time is passed in."""

__all__ = ["Bucket"]


class Bucket:
    """Full at first; refills steadily.

    Args:
        rate: tokens a second.
        burst: tokens that it holds.
    """

    __slots__ = ("_at", "_burst", "_left", "_rate")

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = self._left = float(burst)
        self._at: float | None = None

    def take(self, now: float) -> bool:
        """Takes one token.

        Args:
            now: monotonic seconds; time that falls counts as standing still.

        Returns:
            Whether there was one.
        """
        self._refill(now)
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def full(self, now: float) -> bool:
        """Whether it has forgotten everything, so that a new one is the same."""
        self._refill(now)
        return self._left >= self._burst

    def _refill(self, now: float) -> None:
        passed = 0.0 if self._at is None else max(0.0, now - self._at)
        self._left = min(self._burst, self._left + passed * self._rate)
        self._at = now
