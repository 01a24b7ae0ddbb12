"""Faults of peers as events, not more of them than somebody can read: whoever repeats one is told of with a count."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from net.errors import PeerFaultError
from net.host_events import HostEvent, PeerFault
from net.sources import Sources
from runtime.sanitise import clean

__all__ = ["FaultLog"]

_APART_S: Final = 10.0
_REMEMBERED: Final = 1024


@dataclass(slots=True)
class _Told:
    at: float
    since: int = 0


class FaultLog:
    """Tells of the first fault of a kind at once, and of those that follow when ten seconds have passed.

    Args:
        tell: is told.
        sources: whom an address is counted as.
    """

    def __init__(self, tell: Callable[[HostEvent], None], sources: Sources) -> None:
        self._tell = tell
        self._sources = sources
        self._told: OrderedDict[tuple[str, str], _Told] = OrderedDict()

    def add(self, fault: PeerFaultError, *, peer: str, remote: str, host: str, now: float) -> None:
        """A peer broke a rule.

        Args:
            fault: what it did.
            peer: its PeerId, or empty.
            remote: where it is.
            host: the address in it.
            now: monotonic seconds.
        """
        key = (peer or self._sources.of(host) or host, fault.rule)
        told = self._told.get(key)
        if told is not None and now - told.at < _APART_S:
            told.since += 1
            return
        count = 1 if told is None else told.since + 1
        self._told[key] = _Told(now)
        self._told.move_to_end(key)
        if len(self._told) > _REMEMBERED:
            self._told.popitem(last=False)
        self._tell(
            PeerFault(
                peer=peer,
                remote=remote,
                rule=fault.rule,
                reason=clean(str(fault)),
                score=fault.score,
                count=count,
            )
        )
