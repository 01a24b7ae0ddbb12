"""Lines to a descriptor, by one thread, from a queue of bounded size: who fills it never waits.

What does not fit is dropped for this reader only, and one `stream.gap` says which seqs it missed. A reader that goes
away is noticed at once, not only at the next line.
"""

import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable

from runtime.codec import to_line
from runtime.events import Record, StreamGap

__all__ = ["Outlet"]

_LIMIT = 8 << 20
_PIECE = 1 << 16
_PATIENCE_S = 5.0


class Outlet:
    """A descriptor that lines are written to.

    Args:
        descriptor: stays the caller's.
        on_end: called once, on the writing thread, when nothing more can be written.
        limit: bytes that may wait.
    """

    def __init__(self, descriptor: int, *, on_end: Callable[[], None], limit: int = _LIMIT) -> None:
        self._descriptor = descriptor
        self._on_end = on_end
        self._limit = limit
        self._lines: deque[bytes] = deque()
        self._size = 0
        self._gap: tuple[int, int] | None = None
        self._changed = threading.Condition()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC)
        self._closing = False
        self.error: OSError | None = None
        """Why nothing more is written; a `BrokenPipeError` when the reader went away."""
        self._thread = threading.Thread(target=self._write, name="orlop-stdout", daemon=True)
        self._thread.start()

    def put(self, seq: int, line: str, *, must: bool = False) -> None:
        """Queues a line, or notes that it was dropped.

        Args:
            seq: of the event.
            line: without its line end.
            must: queue it even when it does not fit.
        """
        data = line.encode() + b"\n"
        with self._changed:
            if self.error is not None:
                return
            if self._size + len(data) > self._limit and not must:
                self._gap = (self._gap[0] if self._gap else seq, seq)
                return
            self._tell_gap()
            self._append(data)
        os.eventfd_write(self._wake, 1)

    def wait_for_room(self, timeout: float) -> bool:
        """Waits until half of the queue is free.

        Args:
            timeout: seconds.

        Returns:
            Whether it is, or never will be.
        """
        with self._changed:
            return self._changed.wait_for(lambda: self._size <= self._limit // 2 or self.error is not None, timeout)

    def close(self) -> None:
        """Writes what waits, as long as the reader takes some of it every few seconds, and ends the thread."""
        with self._changed:
            self._tell_gap()
            self._closing = True
            before = -1
            while self._thread.is_alive() and self._size != before:
                before = self._size
                os.eventfd_write(self._wake, 1)
                self._changed.wait_for(lambda: self._size == 0 or self.error is not None, _PATIENCE_S)
                if self._size == 0 or self.error is not None:
                    break
        self._thread.join(_PATIENCE_S)
        if not self._thread.is_alive():
            os.close(self._wake)

    def _tell_gap(self) -> None:
        if self._gap is not None:
            first, last = self._gap
            self._gap = None
            event = StreamGap(first=first, to=last, reason="slow reader")
            self._append(to_line(Record(last, time.time_ns() // 1_000_000, event)).encode() + b"\n")

    def _append(self, data: bytes) -> None:
        self._lines.append(data)
        self._size += len(data)

    def _write(self) -> None:
        try:
            while (piece := self._next()) is not None:
                self._write_all(piece)
        except OSError as error:
            with self._changed:
                self.error = error
                self._lines.clear()
                self._size = 0
                self._changed.notify_all()
            self._on_end()

    def _next(self) -> bytes | None:
        """The next lines, when there are some; None when there will be no more."""
        while True:
            with self._changed:
                if self._lines:
                    piece = bytearray()
                    while self._lines and len(piece) < _PIECE:
                        piece += self._lines.popleft()
                    return bytes(piece)
                if self._closing:
                    return None
            poll = select.poll()
            poll.register(self._wake, select.POLLIN)
            poll.register(self._descriptor, 0)  # asks for errors and hang-ups only
            for descriptor, state in poll.poll():
                if descriptor == self._wake:
                    os.eventfd_read(self._wake)
                elif state & (select.POLLERR | select.POLLHUP):
                    raise BrokenPipeError

    def _write_all(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                sent = os.write(self._descriptor, view)
            except BlockingIOError:
                select.select((), (self._descriptor,), ())  # somebody else made the pipe non-blocking
                continue
            view = view[sent:]
            with self._changed:
                self._size -= sent
                self._changed.notify_all()
