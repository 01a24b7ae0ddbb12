"""Who may connect at all, decided before a byte is read. Pure: addresses and time in, a reason out."""

from collections import OrderedDict
from collections.abc import Collection
from typing import Final

from net.bucket import Bucket
from net.errors import PeerFaultError
from net.limits import NetLimits
from net.prefix import is_loopback, prefix_of

__all__ = ["Admission"]

_REMEMBERED: Final = 4096
"""Prefixes whose pace is remembered."""
_CHURN: Final = 10
_MINUTE: Final = 60.0


class Admission:
    """The gate of one process, for all its transports.

    Args:
        limits: the table.
    """

    def __init__(self, limits: NetLimits) -> None:
        self._limits = limits
        self._handshakes = Bucket(limits.handshakes_rate, limits.handshakes_burst)
        self._paces: OrderedDict[str, Bucket] = OrderedDict()

    def judge(self, host: str, now: float, *, inbound: Collection[str], connections: int) -> PeerFaultError | None:
        """Whether one more connection is let in.

        Args:
            host: where it comes from.
            now: monotonic seconds.
            inbound: where the connections come from that stand and that peers have opened.
            connections: how many stand, whoever has opened them.

        Returns:
            None, or why not; most reasons cost the peer nothing.
        """
        prefix = prefix_of(host)
        spared = self._limits.spare_loopback and is_loopback(host)
        if not spared and not self._pace(prefix).take(now):
            return PeerFaultError("connects too often", rule="connection-churn", score=_CHURN)
        if not spared and sum(prefix_of(other) == prefix for other in inbound) >= self._limits.per_prefix:
            return PeerFaultError("has too many connections", rule="connections-of-prefix", score=0)
        if len(inbound) >= self._limits.inbound or connections >= self._limits.connections:
            return PeerFaultError("found no free connection", rule="connections", score=0)
        if not self._handshakes.take(now):
            return PeerFaultError("came when too many others came", rule="handshakes", score=0)
        return None

    def _pace(self, prefix: str) -> Bucket:
        pace = self._paces.get(prefix)
        if pace is None:
            pace = Bucket(self._limits.accepts_per_minute / _MINUTE, self._limits.accepts_burst)
            self._paces[prefix] = pace
        self._paces.move_to_end(prefix)
        if len(self._paces) > _REMEMBERED:
            self._paces.popitem(last=False)
        return pace
