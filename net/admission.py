"""Who may connect at all, decided before a byte is read. Pure: addresses and time in, a reason out."""

from collections.abc import Collection
from typing import Final

from net.bucket import Bucket, Buckets
from net.errors import PeerFaultError
from net.limits import NetLimits
from net.sources import Sources

__all__ = ["Admission"]

_REMEMBERED: Final = 4096
"""Sources whose pace is remembered."""
_CHURN: Final = 10
_MINUTE: Final = 60.0


class Admission:
    """The gate of one process, for all its transports.

    Args:
        limits: the table.
        sources: whom an address is counted as.
    """

    def __init__(self, limits: NetLimits, sources: Sources | None = None) -> None:
        self._limits = limits
        self._sources = sources or Sources(limits)
        self._handshakes = Bucket(limits.handshakes_rate, limits.handshakes_burst)
        self._paces = Buckets(limits.accepts_per_minute / _MINUTE, limits.accepts_burst, _REMEMBERED)

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
        source = self._sources.of(host)
        if source is not None and not self._paces.take(source, now):
            return PeerFaultError("connects too often", rule="connection-churn", score=_CHURN)
        if source is not None and self._standing_of(source, inbound) >= self._limits.per_prefix:
            return PeerFaultError("has too many connections", rule="connections-of-prefix", score=0)
        if len(inbound) >= self._limits.inbound or connections >= self._limits.connections:
            return PeerFaultError("found no free connection", rule="connections", score=0)
        if not self._handshakes.take(now):
            return PeerFaultError("came when too many others came", rule="handshakes", score=0)
        return None

    def _standing_of(self, source: str, inbound: Collection[str]) -> int:
        return sum(self._sources.of(other) == source for other in inbound)
