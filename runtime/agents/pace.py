"""How much gets through over time: a bucket that refills steadily. Pure; time is passed in."""

from typing import Final

__all__ = ["Pace"]

BURST: Final = 256
PER_SECOND: Final = 64.0


class Pace:
    """A bucket, full at first; as large as that of one agent's emissions unless told otherwise.

    Args:
        now: monotonic seconds.
        burst: what it holds.
        per_second: how fast it fills.
    """

    __slots__ = ("_at", "_burst", "_left", "_per_second")

    def __init__(self, now: float, *, burst: int = BURST, per_second: float = PER_SECOND) -> None:
        self._burst, self._per_second = float(burst), per_second
        self._left = self._burst
        self._at = now

    def take(self, wanted: int, now: float) -> int:
        """Takes out of the bucket.

        Args:
            wanted: how many.
            now: monotonic seconds.

        Returns:
            How many it gets.
        """
        self._left = min(self._burst, self._left + max(0.0, now - self._at) * self._per_second)
        self._at = now
        got = min(wanted, int(self._left))
        self._left -= got
        return got
