"""How many lines a component may write to its log; pure, time is passed in."""

from dataclasses import dataclass

__all__ = ["LogPace"]


@dataclass(slots=True)
class LogPace:
    """Counts the lines of each second.

    Attributes:
        rate: lines that a second may have.
    """

    rate: int
    _second: int = -1
    _lines: int = 0
    _left_out: int = 0

    def line(self, now: float) -> int | None:
        """Takes note of one line.

        Args:
            now: monotonic seconds.

        Returns:
            None when it is one too many; else how many were left out since the last that was not.
        """
        second = int(now)
        if second != self._second:
            self._second, self._lines = second, 0
        if self._lines >= self.rate:
            self._left_out += 1
            return None
        self._lines += 1
        return self.left_out()

    def left_out(self) -> int:
        """How many were left out and not told of yet; they are told of now."""
        count, self._left_out = self._left_out, 0
        return count
