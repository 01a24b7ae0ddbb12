"""How many emissions an agent gets through over time: a bucket that refills steadily. Pure; time is passed in."""

from typing import Final

__all__ = ["Pace"]

BURST: Final = 256
PER_SECOND: Final = 64.0


class Pace:
    """The bucket of one agent.

    Args:
        now: monotonic seconds.
    """

    __slots__ = ("_at", "_left")

    def __init__(self, now: float) -> None:
        self._left = float(BURST)
        self._at = now

    def take(self, wanted: int, now: float) -> int:
        """Takes emissions out of the bucket.

        Args:
            wanted: how many.
            now: monotonic seconds.

        Returns:
            How many it gets.
        """
        self._left = min(float(BURST), self._left + max(0.0, now - self._at) * PER_SECOND)
        self._at = now
        got = min(wanted, int(self._left))
        self._left -= got
        return got
