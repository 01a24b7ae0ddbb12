"""How long is waited for each stream of a connection."""

import asyncio
from collections.abc import Callable

__all__ = ["StreamDeadlines"]


class StreamDeadlines:
    """One deadline at a time for each stream.

    Args:
        missed: told of a stream whose deadline has passed.
    """

    def __init__(self, missed: Callable[[int], None]) -> None:
        self._missed = missed
        self._timers: dict[int, asyncio.TimerHandle] = {}

    def __contains__(self, number: int) -> bool:
        """Whether a stream has one, passed or not."""
        return number in self._timers

    def start(self, number: int, seconds: float) -> None:
        """A stream has so long from now on."""
        self._timers[number] = asyncio.get_running_loop().call_later(seconds, self._missed, number)

    def stop(self, number: int) -> None:
        """What a stream had to do is done, or it is no more."""
        timer = self._timers.pop(number, None)
        if timer is not None:
            timer.cancel()

    def clear(self) -> None:
        """Nothing is waited for any more."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
