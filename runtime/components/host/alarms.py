"""What is to be done later on an instance's thread: between calls, before each operation, and while one waits."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

__all__ = ["Alarms"]

_LOOK_S: Final = 3600.0
"""Guests may ask for times that no clock of the system takes."""


@dataclass(slots=True)
class Alarms:
    """Things to do, each for somebody who has one alarm at most. For one thread."""

    _due: dict[int, tuple[float, Callable[[], None]]] = field(default_factory=dict)

    def set(self, whose: object, at: float, act: Callable[[], None]) -> None:
        """Sets an alarm, or moves it.

        Args:
            whose: it is theirs by identity; clear it before they go.
            at: monotonic seconds.
            act: called once, then or later; it may set another.
        """
        self._due[id(whose)] = (at, act)

    def clear(self, whose: object) -> None:
        """Takes it back; none is passed by."""
        self._due.pop(id(whose), None)

    def seconds(self) -> float | None:
        """Until it is worth looking again, never negative, at most an hour; None when there is no alarm."""
        first = min((at for at, _ in self._due.values()), default=None)
        return None if first is None else min(max(0.0, first - time.monotonic()), _LOOK_S)

    def run(self) -> None:
        """Does what is due."""
        if not self._due:
            return
        now = time.monotonic()
        for whose in [whose for whose, (at, _) in self._due.items() if at <= now]:
            _, act = self._due.pop(whose, (0.0, _nothing))
            act()


def _nothing() -> None:
    """It was taken back by one that came before it."""
