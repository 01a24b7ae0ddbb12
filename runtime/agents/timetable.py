"""When the executor has to look at the clock again. Core loop only."""

import asyncio
from collections.abc import Callable

from runtime.clock import Clock

__all__ = ["Timetable"]


class Timetable:
    """One timer for everything that comes due.

    Args:
        clock: its monotonic time.
        look: called when something is due; has to call `arm` again.
        sources: each says when it is due next, in monotonic seconds, or None; too early does no harm.
    """

    def __init__(self, clock: Clock, look: Callable[[], None], *sources: Callable[[], float | None]) -> None:
        self._clock = clock
        self._look = look
        self._sources = sources
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def arm(self) -> None:
        """Sets the timer to what is due first."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = min((at for source in self._sources if (at := source()) is not None), default=None)
        if due is not None and not self._closed:
            wait = max(0.0, due - self._clock.monotonic())
            self._timer = asyncio.get_running_loop().call_later(wait, self._look)

    def close(self) -> None:
        """Nothing is looked at any more."""
        self._closed = True
        self.arm()
