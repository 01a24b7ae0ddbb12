"""How much a peer may send ahead: credit goes up as the application reads, never as bytes arrive.

That is the whole of back-pressure. The library would double its windows whenever half of one is used, read or not.
"""

from dataclasses import dataclass

from net.unread import Unread

__all__ = ["Windows"]


@dataclass(slots=True)
class _Stream:
    window: int
    arrived: int = 0
    read: int = 0


class Windows:
    """The receive windows of one connection and its streams. Sizes and offsets in bytes.

    Args:
        stream: what a peer may have sent ahead on each stream.
        unread: counts for the whole process, and says what may be sent ahead on all streams together.

    Attributes:
        listed: whether the peer is one that the operator has named, who may send more ahead.
    """

    __slots__ = ("_default", "_process", "_read_since", "_streams", "_unread", "listed")

    def __init__(self, *, stream: int, unread: Unread) -> None:
        self.listed = False
        self._default = stream
        self._process = unread
        self._streams: dict[int, _Stream] = {}
        self._unread = 0
        self._read_since = 0

    def __len__(self) -> int:
        return len(self._streams)

    def __contains__(self, stream_id: int) -> bool:
        return stream_id in self._streams

    @property
    def unread(self) -> int:
        """What arrived on all streams and was not read."""
        return self._unread

    def begin(self, stream_id: int, window: int | None = None) -> None:
        """Knows a stream from now on, or gives one that is known another window.

        Args:
            stream_id: the stream.
            window: what may be sent ahead on it; None for the default.
        """
        known = self._streams.setdefault(stream_id, _Stream(self._default))
        if window is not None:
            known.window = window

    def arrived(self, stream_id: int, size: int) -> None:
        """Counts what came in order on a stream; on one that is not known it counts as read."""
        known = self._streams.get(stream_id)
        if known is None:
            return
        known.arrived += size
        self._count(size)

    def read(self, stream_id: int, size: int) -> bool:
        """Counts what the application has read.

        Returns:
            Whether it is time to look whether credit is due.
        """
        known = self._streams.get(stream_id)
        if known is None:
            return False
        known.read += size
        self._count(-size)
        return known.read % (known.window // 4) < size or self._read_since >= self._window() // 4

    def forget(self, stream_id: int) -> None:
        """Nothing more will be read of a stream; what was unread counts as read."""
        known = self._streams.pop(stream_id, None)
        if known is not None:
            self._count(known.read - known.arrived)

    def forget_all(self) -> None:
        """The connection is over."""
        for stream_id in tuple(self._streams):
            self.forget(stream_id)

    def stream_limit(self, stream_id: int, granted: int) -> int:
        """The offset up to which the peer may send on a stream.

        Args:
            stream_id: the stream.
            granted: what it was allowed until now.

        Returns:
            More once half a window is due; else the same.
        """
        known = self._streams.get(stream_id)
        return granted if known is None else _raised(granted, known.read, known.window)

    def connection_limit(self, granted: int, used: int, gaps: int) -> int:
        """How much the peer may send on all streams together, from the beginning.

        Args:
            granted: what it was allowed until now.
            used: what it sent, by the highest offset of each stream.
            gaps: what of that waits behind a gap, or will never come.

        Returns:
            More once half a window is due; else the same.
        """
        limit = _raised(granted, used - self._unread - gaps, self._window())
        if limit != granted:
            self._read_since = 0
        return limit

    def _window(self) -> int:
        return self._process.allowed(listed=self.listed)

    def _count(self, size: int) -> None:
        self._unread += size
        self._process.total += size
        self._read_since += max(0, -size)


def _raised(granted: int, read: int, window: int) -> int:
    due = read + window
    return due if due - granted >= window // 2 else granted
