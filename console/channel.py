"""Lines and descriptors over a Unix stream socket, on an event loop; nothing in it blocks.

asyncio's own streams cannot receive descriptors, hence this: `recvmsg` when the socket is readable, a buffer when it is
not writable. Descriptors belong to the line whose bytes they came with, in order.
"""

import array
import asyncio
import contextlib
import os
import socket
from collections import deque
from collections.abc import Callable

from console.wire import DESCRIPTORS_MAX, LINE_MAX

__all__ = ["LineChannel"]

_READ = 1 << 16
_PAUSE = 4 << 20
"""Unsent bytes above which no further request is read."""


class LineChannel:
    """One side of a connection.

    Args:
        sock: connected, non-blocking; belongs to the channel from now on.
        on_line: called with each line, without its line end.
        on_room: called when everything that was written has left.
        on_end: called once, with the reason, when the other side is gone or broke a limit (`closed`, `too-long`,
            `descriptors`); never after `close`.
    """

    def __init__(
        self,
        sock: socket.socket,
        *,
        on_line: Callable[[bytes], None],
        on_room: Callable[[], None],
        on_end: Callable[[str], None],
    ) -> None:
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self._on_line = on_line
        self._on_room = on_room
        self._on_end = on_end
        self._incoming = bytearray()
        self._descriptors: deque[int] = deque()
        self._outgoing: deque[memoryview] = deque()
        self._reading = False
        self._writing = False
        self._closing = False
        self.pending = 0
        """Bytes that were written and have not left."""
        self.moved_at = self._loop.time()
        """When a byte left last, or when nothing was waiting."""
        self._read_more()

    @property
    def closed(self) -> bool:
        """Whether the socket is gone."""
        return self._sock.fileno() < 0

    def take(self, count: int) -> list[int] | None:
        """The descriptors that came with the line at hand; the caller closes them. None when fewer came."""
        if len(self._descriptors) < count:
            return None
        return [self._descriptors.popleft() for _ in range(count)]

    def write(self, data: bytes) -> None:
        """Sends bytes, as soon as the other side takes them."""
        if self.closed or not data:
            return
        if not self.pending:
            self.moved_at = self._loop.time()
        self._outgoing.append(memoryview(data))
        self.pending += len(data)
        self._flush()

    def close(self, *, flush: bool = False) -> None:
        """Ends the connection.

        Args:
            flush: send first what is waiting, as long as the other side takes it at once.
        """
        if self.closed:
            return
        if flush:
            self._flush()
        self._stop_reading()
        if self._writing:
            self._loop.remove_writer(self._sock)
            self._writing = False
        self._outgoing.clear()
        self.pending = 0
        while self._descriptors:
            os.close(self._descriptors.popleft())
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()

    def _end(self, reason: str) -> None:
        if not self._closing:
            self._closing = True
            self._stop_reading()
            self._on_end(reason)

    def _read_more(self) -> None:
        if not self._reading and not self.closed:
            self._loop.add_reader(self._sock, self._readable)
            self._reading = True

    def _stop_reading(self) -> None:
        if self._reading:
            self._loop.remove_reader(self._sock)
            self._reading = False

    def _readable(self) -> None:
        try:
            data = self._receive()
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self._end("closed")
            return
        if len(self._descriptors) > DESCRIPTORS_MAX:
            self._end("descriptors")
            return
        self._incoming += data
        self._hand_out()

    def _receive(self) -> bytes:
        room = socket.CMSG_LEN(DESCRIPTORS_MAX * array.array("i").itemsize)
        data, ancillary, flags, _ = self._sock.recvmsg(_READ, room, socket.MSG_CMSG_CLOEXEC)
        for level, kind, body in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                found = array.array("i")
                found.frombytes(body[: len(body) - len(body) % found.itemsize])
                self._descriptors.extend(found)
        if flags & socket.MSG_CTRUNC:
            self._end("descriptors")
        return data

    def _hand_out(self) -> None:
        start = 0
        while not self._closing and not self.closed:
            end = self._incoming.find(b"\n", start)
            if end < 0:
                break
            line = bytes(self._incoming[start:end])
            start = end + 1
            if len(line) >= LINE_MAX:
                self._end("too-long")
                return
            self._on_line(line)
        del self._incoming[:start]
        if len(self._incoming) >= LINE_MAX:
            self._end("too-long")
        elif self.pending > _PAUSE:
            self._stop_reading()

    def _flush(self) -> None:
        while self._outgoing:
            piece = self._outgoing[0]
            try:
                sent = self._sock.send(piece, socket.MSG_NOSIGNAL)
            except (BlockingIOError, InterruptedError):
                break
            except OSError:
                self._outgoing.clear()
                self.pending = 0
                self._loop.call_soon(self._end, "closed")
                break
            self.moved_at = self._loop.time()
            self.pending -= sent
            if sent < len(piece):
                self._outgoing[0] = piece[sent:]
                break
            self._outgoing.popleft()
        if self._outgoing and not self._writing:
            self._loop.add_writer(self._sock, self._writable)
            self._writing = True
        elif not self._outgoing and self._writing:
            self._loop.remove_writer(self._sock)
            self._writing = False

    def _writable(self) -> None:
        self._flush()
        if self._closing or self.closed:
            return
        if self.pending <= _PAUSE // 2:
            self._read_more()
        if not self.pending:
            self._on_room()
