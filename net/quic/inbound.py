"""Which streams the peer has begun, and whether it begins them too fast."""

from typing import Final, Literal

from net.bucket import Bucket

__all__ = ["Inbound"]

_KINDS: Final = 4
"""Ids of one kind are this far apart."""


class Inbound:
    """The peer's streams of one connection.

    What comes first of a stream also begins those with lower ids (RFC 9000, section 2.1), of which nothing came yet.

    Args:
        first: the lowest id.
        rate: how many may begin in a second.
    """

    __slots__ = ("_next", "_openings", "_unseen")

    def __init__(self, first: int, rate: int) -> None:
        self._next = first
        self._unseen: set[int] = set()
        self._openings = Bucket(rate, rate)

    def __len__(self) -> int:
        return len(self._unseen)

    def look(self, stream_id: int, now: float) -> Literal["known", "new", "refused"]:
        """Looks at the id of something that came; ours are known, too.

        Args:
            stream_id: of a stream that both ends may send on.
            now: monotonic seconds.
        """
        if stream_id % _KINDS != self._next % _KINDS:
            return "known"
        if stream_id >= self._next:
            self._unseen.update(range(self._next, stream_id + _KINDS, _KINDS))
            self._next = stream_id + _KINDS
        if stream_id not in self._unseen:
            return "known"
        self._unseen.remove(stream_id)
        return "new" if self._openings.take(now) else "refused"
