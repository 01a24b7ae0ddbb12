"""What goes out of a yamux session: control frames first, then a frame of each stream in turn. Pure."""

from collections import deque
from collections.abc import Callable

from net.yamux_frames import HEADER_BYTES, Flag, Kind, frame
from net.yamux_stream import MuxedStream

__all__ = ["YamuxOutbox"]


class YamuxOutbox:
    """What waits to be sent.

    Args:
        emptied: told of a stream of which all that was given is in frames.
    """

    def __init__(self, emptied: Callable[[MuxedStream], None]) -> None:
        self._emptied = emptied
        self._controls: deque[bytes] = deque()
        self._round: deque[MuxedStream] = deque()
        self._sent: list[int] = []

    def __bool__(self) -> bool:
        """Whether `take` has something to give, or may have."""
        return bool(self._controls or self._round)

    @property
    def controls(self) -> int:
        """How many control frames wait."""
        return len(self._controls)

    def say(self, kind: int, flags: int, number: int, length: int) -> None:
        """A control frame."""
        self._controls.append(frame(kind, flags, number, length))

    def enqueue(self, stream: MuxedStream) -> None:
        """Gives a stream its place in the round; without credit it gets one with the next window update."""
        if stream.pending and stream.credit and not stream.queued:
            stream.queued = True
            self._round.append(stream)

    def take(self, most: int, now: float) -> bytes:
        """What is to be sent next: all control frames, then a frame of the stream whose turn it is.

        Args:
            most: bytes, at least 1,024.
            now: monotonic seconds.

        Returns:
            Whole frames; empty when there is nothing that may be sent now.
        """
        pieces: list[bytes | memoryview] = []
        while self._controls and most >= HEADER_BYTES:
            pieces.append(self._controls.popleft())
            most -= HEADER_BYTES
        while self._round and most > HEADER_BYTES:
            stream = self._round.popleft()
            stream.queued = False
            size = min(most - HEADER_BYTES, len(stream.pending), stream.credit)
            if size:
                pieces.append(frame(Kind.DATA, Flag.NONE, stream.id, size))
                pieces.append(stream.pending[:size])
                self._went_out(stream, size, now)
                break
        return b"".join(pieces)

    def take_sent(self) -> list[int]:
        """The streams of which all that was given is in frames. Each is told once."""
        sent, self._sent = self._sent, []
        return sent

    def drop_controls(self) -> None:
        """Nobody hears control frames any more."""
        self._controls.clear()

    def _went_out(self, stream: MuxedStream, size: int, now: float) -> None:
        stream.credit -= size
        stream.moved = now
        stream.pending = stream.pending[size:]
        if stream.pending:
            self.enqueue(stream)
            return
        self._sent.append(stream.id)
        self._emptied(stream)
