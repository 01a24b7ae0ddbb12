"""How fast a session speaks: so many messages a second, and what is urgent before what is only to be caught up."""

import math
from collections import deque
from typing import Final

from runtime.rooms.transport import Outgoing

__all__ = ["BURST", "PER_SECOND", "Pace"]

PER_SECOND: Final = 20.0
"""Messages a second, on and on."""

BURST: Final = 8
"""Messages at once after a silence; with those of a second they stay below the 30 that a relay takes in any second."""

_WAITING_MAX: Final = 2_000


class Pace:
    """A queue with a rate.

    Args:
        per_second: messages a second; infinity for members of one program.
    """

    __slots__ = ("_bulk", "_credit", "_filled_s", "_per_second", "_urgent")

    def __init__(self, per_second: float = PER_SECOND) -> None:
        self._per_second = per_second
        self._credit = float(BURST)
        self._filled_s: float | None = None
        self._urgent: deque[Outgoing] = deque(maxlen=_WAITING_MAX)
        self._bulk: deque[Outgoing] = deque(maxlen=_WAITING_MAX)

    @property
    def waiting(self) -> bool:
        """Whether messages wait for their turn."""
        return bool(self._urgent or self._bulk)

    def put(self, message: Outgoing, *, bulk: bool = False) -> None:
        """Queues a message; the oldest of too many are lost, as they may be on any way.

        Args:
            message: goes out in its turn.
            bulk: whether everything else goes before it.
        """
        (self._bulk if bulk else self._urgent).append(message)

    def take(self, now_s: float) -> list[Outgoing]:
        """What may go out now."""
        self._fill(now_s)
        found: list[Outgoing] = []
        while self.waiting and self._credit >= 1:
            found.append((self._urgent or self._bulk).popleft())
            self._credit -= 1
        return found

    def clear(self) -> None:
        """The connection is gone, and what waited for it."""
        self._urgent.clear()
        self._bulk.clear()

    def _fill(self, now_s: float) -> None:
        if math.isinf(self._per_second):
            self._credit = math.inf
        elif self._filled_s is not None:
            gained = max(0.0, now_s - self._filled_s) * self._per_second
            self._credit = min(float(BURST), self._credit + gained)
        self._filled_s = now_s
