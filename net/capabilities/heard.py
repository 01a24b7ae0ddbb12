"""What peers have said that they offer, as long as it is fresh. Pure; times are passed in."""

from collections import OrderedDict
from typing import Final

from net.capabilities.record import Capabilities
from net.peer_id import PeerId

__all__ = ["Heard"]

_REMEMBERED: Final = 1000


class Heard:
    """The newest record of each peer; of a thousand at most, those that spoke last."""

    def __init__(self) -> None:
        self._records: OrderedDict[PeerId, Capabilities] = OrderedDict()

    def take(self, record: Capabilities) -> bool:
        """Keeps a record.

        Args:
            record: checked.

        Returns:
            Whether it is kept: one with a lower number than the last is older, whenever it came.
        """
        before = self._records.get(record.peer)
        if before is not None and record.seq < before.seq:
            return False
        self._records[record.peer] = record
        self._records.move_to_end(record.peer)
        if len(self._records) > _REMEMBERED:
            self._records.popitem(last=False)
        return True

    def of(self, peer: PeerId, now_ms: int) -> Capabilities | None:
        """What a peer offers, by its own words; None when those are stale, or there were none.

        Args:
            peer: who.
            now_ms: Unix milliseconds.
        """
        record = self._records.get(peer)
        return None if record is None or record.is_stale(now_ms) else record
