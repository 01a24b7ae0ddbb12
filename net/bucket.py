"""A bucket of tokens: how often something may happen over time. Pure; time is passed in."""

from collections import OrderedDict

__all__ = ["Bucket", "Buckets"]


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


class Buckets:
    """A bucket for each of many, of whom only so many are remembered: those that took something last.

    Args:
        rate: tokens a second, of each.
        burst: tokens that each holds.
        most: how many are remembered.
    """

    def __init__(self, rate: float, burst: float, most: int) -> None:
        self._rate = rate
        self._burst = burst
        self._most = most
        self._held: OrderedDict[str, Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    def take(self, whose: str, now: float) -> bool:
        """Takes one token of somebody's, as `Bucket.take` does."""
        bucket = self._held.get(whose)
        if bucket is None:
            bucket = self._held[whose] = Bucket(self._rate, self._burst)
        self._held.move_to_end(whose)
        if len(self._held) > self._most:
            self._held.popitem(last=False)
        return bucket.take(now)
