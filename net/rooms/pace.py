"""How fast a client speaks and how soon it comes back: pure, with the clock passed in.

A relay closes a connection that sends more than 30 messages in a second, counted when it reads them. What is sent
slowly may be read all at once, by a relay that stood still meanwhile; so a message counts until a second after the
relay was heard to have read it.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

__all__ = ["PER_SECOND", "Backoff", "Pace"]

PER_SECOND: Final = 25
"""Messages that a relay reads from us within any second at most."""

_ASK_AFTER: Final = 5
_FIRST_S: Final = 1.0
_MOST_S: Final = 60.0
_STEADY_S: Final = 10.0
_DOUBLINGS: Final = 6


@dataclass(slots=True)
class Pace:
    """When the next message may be sent, and when to ask how far the relay has read."""

    _sent: deque[int] = field(default_factory=deque)
    """Numbers of messages that are not known to be read."""
    _read: deque[float] = field(default_factory=deque)
    """When those before them were known to be read, as far as that matters."""
    _number: int = 0
    _asked: int = 0

    def wait_s(self, now: float) -> float | None:
        """Seconds until a message may be sent; None: not before the relay is heard.

        Args:
            now: seconds.
        """
        while self._read and now - self._read[0] > 1.0:
            self._read.popleft()
        if len(self._sent) + len(self._read) < PER_SECOND:
            return 0.0
        return 1.0 - (now - self._read[0]) + 0.001 if self._read else None

    def sent(self) -> None:
        """A message was sent."""
        self._number += 1
        self._sent.append(self._number)

    def question(self, *, idle: bool) -> bytes | None:
        """What to ping the relay with now, or None.

        Args:
            idle: nothing else waits to be sent.
        """
        if self._number - self._asked >= _ASK_AFTER or (idle and self._number > self._asked):
            self._asked = self._number
            return str(self._number).encode()
        return None

    def heard(self, answer: bytes, now: float) -> None:
        """The relay has answered a ping, and so has read what came before it.

        Args:
            answer: what it says; anything that we did not ask counts for nothing.
            now: seconds.
        """
        if not answer.isdigit() or len(answer) > len(str(self._number)):
            return
        upto = min(int(answer), self._asked)
        while self._sent and self._sent[0] <= upto:
            self._sent.popleft()
            self._read.append(now)


@dataclass(slots=True)
class Backoff:
    """Seconds between attempts: 1 doubling to 60, each shortened by chance so that not all come back at once."""

    _attempt: int = 0

    def after(self, chance: float, *, steady_s: float, turned_away: bool) -> float:
        """Seconds until the next attempt.

        Args:
            chance: from 0 to 1, drawn anew for each.
            steady_s: how long the last connection was of use; 0 when there was none.
            turned_away: the relay itself does not want us now: no sooner than it must be.
        """
        if steady_s >= _STEADY_S:
            self._attempt = 0
        length = _MOST_S if turned_away else min(_MOST_S, _FIRST_S * 2**self._attempt)
        self._attempt = min(self._attempt + 1, _DOUBLINGS)
        return length * (0.5 + chance / 2)
