"""Passing a job's output on to a descriptor that somebody else reads, slowly or not at all.

Each tee has a thread, so that a reader who does not read holds back this job and nothing else. It waits for room
before it writes, and then writes no more than is taken at once, so that it can be stopped at any time. A reader who
left is reported; the job then sees a closed pipe, as any program in a pipeline would.
"""

import asyncio
import contextlib
import errno
import fcntl
import os
import select
import stat
import threading
from collections import deque
from collections.abc import Callable
from typing import Final

__all__ = ["HIGH_WATER", "Tee"]

HIGH_WATER: Final = 262_144
"""Bytes waiting, from which on the job's own pipe is not read any more."""

_LOW_WATER: Final = 65_536
_LEFT: Final = frozenset({errno.EPIPE, errno.ECONNRESET})
"""Errors of a descriptor whose reader left, as readers may."""

_PIECE: Final = 4096
"""PIPE_BUF: what blocks may have room for no more than this, once it has any."""


class Tee:
    """One descriptor that receives a copy of one stream. Its methods belong to the loop's thread.

    Args:
        descriptor: is duplicated; its flags are left alone. Without room for that, making a tee raises `OSError`.
        on_room: called on the loop when there is room again.
        on_closed: called on the loop, once, when nobody reads any more.
    """

    def __init__(self, descriptor: int, on_room: Callable[[], None], on_closed: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            self._descriptor, self._most = _hold(descriptor)
        except OSError:
            os.close(self._wake_read)
            os.close(self._wake_write)
            raise
        self._on_room = on_room
        self._on_closed = on_closed
        self._condition = threading.Condition()
        self._pieces: deque[bytes] = deque()
        self._waiting = 0
        self._held = False
        self._finishing = False
        self._abandoned = False
        self.trouble = ""
        """Why it could not be written, once `done`; empty when all was written or its reader just left."""
        self.done: asyncio.Future[None] = self._loop.create_future()
        """Done when the thread has ended: all was written, the reader left, or the tee was abandoned."""
        threading.Thread(target=self._work, name="orlop-tee", daemon=True).start()

    @property
    def room(self) -> bool:
        """Whether there is room for more; when there is not, `on_room` tells when there is again."""
        return not self._held

    def write(self, data: bytes) -> None:
        """Takes data, whether there is room for it or not."""
        with self._condition:
            self._pieces.append(data)
            self._waiting += len(data)
            self._held = self._held or self._waiting >= HIGH_WATER
            self._condition.notify()

    def finish(self) -> None:
        """No more will come; `done` follows when the rest is written."""
        with self._condition:
            self._finishing = True
            self._condition.notify()

    def abandon(self) -> None:
        """Stops at once, whatever is still waiting; `done` follows."""
        with self._condition:
            self._abandoned = self._finishing = True
            self._condition.notify()
            if self._wake_write >= 0:
                os.write(self._wake_write, b"!")

    def _work(self) -> None:
        closed = False
        try:
            while (piece := self._next()) is not None:
                self._pass_on(piece)
        except OSError as error:
            closed = True
            if error.errno not in _LEFT:
                self.trouble = (error.strerror or "it cannot be written").lower()
        with self._condition:
            for descriptor in (self._descriptor, self._wake_read, self._wake_write):
                os.close(descriptor)
            self._wake_write = -1
        self._call(self._ended, closed)

    def _next(self) -> bytes | None:
        with self._condition:
            while not self._pieces and not self._finishing:
                self._condition.wait()
            return None if self._abandoned or not self._pieces else self._pieces.popleft()

    def _pass_on(self, piece: bytes) -> None:
        rest = memoryview(piece)
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        poll.register(self._wake_read, select.POLLIN)
        while rest:
            ready = dict(poll.poll())
            if self._wake_read in ready:
                return
            with contextlib.suppress(BlockingIOError):
                rest = rest[os.write(self._descriptor, rest[: self._most]) :]
        with self._condition:
            self._waiting -= len(piece)
            room = self._held and self._waiting <= _LOW_WATER
            self._held = self._held and not room
        if room:
            self._call(self._on_room)

    def _ended(self, closed: bool) -> None:
        if not self.done.done():
            self.done.set_result(None)
        if closed and not self._abandoned:
            self._on_closed()

    def _call(self, function: Callable[..., None], *args: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed, nobody waits any more
            self._loop.call_soon_threadsafe(function, *args)


def _hold(descriptor: int) -> tuple[int, int]:
    """A descriptor of our own, and how much may be written to it at once.

    A pipe is opened anew where that is possible: it then has flags of its own, and can be told not to block without
    changing the caller's.
    """
    status = os.fstat(descriptor)
    if stat.S_ISFIFO(status.st_mode) and fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY:
        with contextlib.suppress(OSError):
            return os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC), HIGH_WATER
    return os.dup(descriptor), HIGH_WATER if stat.S_ISREG(status.st_mode) else _PIECE
