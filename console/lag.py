"""How late the core's loop is: a timer that should fire twice a second, and by how much it misses."""

import asyncio
from collections.abc import Callable

from runtime.events import CoreLag

__all__ = ["LagMonitor"]

_EVERY_S = 0.5
_WINDOW = 20
_WORTH_TELLING_MS = 20


class LagMonitor:
    """Measures from `start` to `stop`, on the running loop.

    Args:
        tell: gets a `core.lag` about every ten seconds in which the loop was late by 20 ms or more.
    """

    def __init__(self, tell: Callable[[CoreLag], None]) -> None:
        self._tell = tell
        self._late: list[float] = []
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begins to measure."""
        self._arm(asyncio.get_running_loop())

    def stop(self) -> None:
        """Ends measuring."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self, loop: asyncio.AbstractEventLoop) -> None:
        due = loop.time() + _EVERY_S
        self._timer = loop.call_at(due, self._fired, loop, due)

    def _fired(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        self._late.append(max(0.0, loop.time() - due) * 1000)
        if len(self._late) == _WINDOW:
            worst = sorted(self._late)
            self._late.clear()
            if worst[-1] >= _WORTH_TELLING_MS:
                self._tell(CoreLag(p95_ms=round(worst[len(worst) * 95 // 100]), max_ms=round(worst[-1])))
        self._arm(loop)
