"""How often a peer may do what costs it little and us something, and whether it lives. Pure; time is passed in."""

from collections import deque
from typing import Final

from net.bucket import Bucket
from net.errors import PeerFaultError
from net.limits import NetLimits

__all__ = ["Guard", "KeepAlive", "LateCredit", "broken"]

_BROKEN: Final = 50
_RATE: Final = 10


class Guard:
    """The rates of one connection.

    Args:
        limits: the table.
    """

    def __init__(self, limits: NetLimits) -> None:
        self._limits = limits
        self._opened = Bucket(limits.opened_rate, limits.opened_rate)
        self._small = Bucket(limits.window_updates_rate, limits.window_updates_burst)
        self._pings = Bucket(limits.pings_rate, limits.pings_rate)
        self._resets = Bucket(limits.resets_rate, limits.streams)
        self._lately_reset: deque[float] = deque()

    def may_open(self, standing: int, now: float) -> bool:
        """Whether the peer may open one more stream; those that were reset lately count as if they stood.

        Args:
            standing: streams that it has opened and that stand.
            now: monotonic seconds.
        """
        while self._lately_reset and now - self._lately_reset[0] >= self._limits.reset_counts_s:
            self._lately_reset.popleft()
        return standing + len(self._lately_reset) < self._limits.streams and self._opened.take(now)

    def was_reset(self, now: float) -> None:
        """A stream that the peer had opened was reset, by whomever."""
        self._lately_reset.append(now)

    def small(self, now: float) -> None:
        """A frame that carries nothing came: a window update, empty data, a farewell.

        Raises:
            PeerFaultError: too many of them.
        """
        _hold(self._small.take(now), "window updates", "window-update-flood")

    def ping(self, now: float) -> None:
        """The peer asks whether we live.

        Raises:
            PeerFaultError: it asks too often.
        """
        _hold(self._pings.take(now), "pings", "ping-flood")

    def reset(self, now: float) -> None:
        """The peer resets a stream.

        Raises:
            PeerFaultError: it does so too often.
        """
        _hold(self._resets.take(now), "resets", "reset-flood")


def _hold(allowed: bool, what: str, rule: str) -> None:
    if not allowed:
        raise PeerFaultError(f"sent too many {what}", rule=rule, score=_RATE)


class KeepAlive:
    """Asks every 15 s whether the peer lives; whatever it sends is an answer.

    Args:
        limits: the table.
        now: monotonic seconds.
    """

    def __init__(self, limits: NetLimits, now: float) -> None:
        self._limits = limits
        self._due = now + limits.ping_s
        self._unheard = 0
        self._number = 0
        self._asked: float | None = None

    def heard(self) -> None:
        """The peer has sent something."""
        self._unheard = 0

    def ask(self, now: float, *, reading: bool) -> int | None:
        """What to ping the peer with, when it is time.

        Args:
            now: monotonic seconds.
            reading: we do read what it sends; while we do not, its silence is ours.

        Raises:
            PeerFaultError: it has not been heard since several pings; at no cost.
        """
        if now < self._due:
            return None
        if not reading:
            self._unheard = 0
        elif self._unheard >= self._limits.pings_missed:
            raise PeerFaultError("has not answered for too long", rule="silent", score=0)
        self._unheard += 1
        self._due = now + self._limits.ping_s
        self._number = (self._number + 1) & 0xFFFF_FFFF
        self._asked = now
        return self._number

    def answered(self, number: int, now: float) -> float | None:
        """The peer has answered a ping.

        Returns:
            Seconds that it took; None when that is not what was asked last.
        """
        if self._asked is None or number != self._number:
            return None
        seconds, self._asked = now - self._asked, None
        return seconds


class LateCredit:
    """What may still come of streams that are no more: it was on its way when we reset or refused them."""

    def __init__(self) -> None:
        self._left = 0

    def add(self, credit: int) -> None:
        """The peer had so much credit on a stream."""
        self._left += credit

    def take(self, size: int) -> None:
        """So many bytes came late.

        Raises:
            PeerFaultError: more than there was credit for.
        """
        self._left -= size
        if self._left < 0:
            raise broken("sent more than it had credit for", "window-overflow")


def broken(why: str, rule: str) -> PeerFaultError:
    """The fault of a peer that does not keep to yamux at all."""
    return PeerFaultError(why, rule=rule, score=_BROKEN)
