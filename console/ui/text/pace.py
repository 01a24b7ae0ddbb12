"""How fast an amount grows, from what was seen of it lately. Pure."""

from collections import deque
from dataclasses import dataclass, field

__all__ = ["Pace"]

_WINDOW_MS = 5_000
_ENOUGH_MS = 500


@dataclass(slots=True)
class Pace:
    """The newest five seconds of an amount that only grows.

    The first amount is where counting begins: what was there before it came at a pace that nobody saw.
    """

    _seen: deque[tuple[int, int]] = field(default_factory=deque)

    def note(self, amount: int, now_ms: int) -> None:
        """Takes what the amount is now."""
        seen = self._seen
        if not seen and not amount:
            return
        seen.append((now_ms, amount))
        while len(seen) > 2 and seen[1][0] <= now_ms - _WINDOW_MS:  # noqa: PLR2004 - the window's two ends
            seen.popleft()

    @property
    def rate(self) -> float | None:
        """How much a second; None while it was not watched for half a second."""
        if not self._seen:
            return None
        (first_ms, first), (last_ms, last) = self._seen[0], self._seen[-1]
        passed = last_ms - first_ms
        return (last - first) * 1000 / passed if passed >= _ENOUGH_MS else None

    def remaining_ms(self, whole: int) -> int | None:
        """Time until the amount is `whole` if it goes on like this; None when it does not grow, or nobody knows."""
        rate = self.rate
        if not rate:
            return None
        return max(round((whole - self._seen[-1][1]) * 1000 / rate), 0)
