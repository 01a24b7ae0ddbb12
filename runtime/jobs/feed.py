"""Giving a job its standard input: bytes that are at hand, or a descriptor that is read as the guest reads.

The guest never gets the descriptor itself: it reads an own pipe, so that what it was given can be hashed, and so that
sockets, terminals and files that cannot be opened again work as well.
"""

import contextlib
import hashlib
import os
import select
import stat
import threading
from typing import Final

from runtime.jobs.wire import INPUT_MAX

__all__ = ["Feed", "known_input", "known_size"]

_CHUNK: Final = 65_536
_KNOWN_MAX: Final = 1 << 20
_JOIN_S: Final = 1.0
"""Normally microseconds; a source that another program reads as well may keep its reader waiting."""


def known_input(source: int | bytes | None) -> bytes | int:
    """The input as bytes where it is known before the job runs: given as such, none at all, or a small regular file.

    Args:
        source: bytes, a descriptor, or None for an empty input.

    Returns:
        The bytes, or the descriptor of a larger file, a pipe, a socket or a terminal.

    Raises:
        OSError: the file cannot be read.
    """
    if source is None:
        return b""
    if isinstance(source, bytes):
        return source
    status = os.fstat(source)
    if not stat.S_ISREG(status.st_mode) or status.st_size > _KNOWN_MAX:
        return source
    parts = []
    while part := os.read(source, _CHUNK):
        parts.append(part)
    return b"".join(parts)


def known_size(source: bytes | int) -> int:
    """Bytes of an input as far as they are known beforehand: 0 for a pipe, a socket or a terminal.

    Args:
        source: from `known_input`.
    """
    if isinstance(source, bytes):
        return len(source)
    status = os.fstat(source)
    return status.st_size if stat.S_ISREG(status.st_mode) else 0


class Feed:
    """Fills the guest's standard input.

    Args:
        source: from `known_input`; a descriptor is duplicated. Without room for pipes, making a feed raises `OSError`.

    Attributes:
        input: a small known input, which travels in the message to the worker.
        reader: the end of the pipe that the worker gets otherwise, else -1; `given` closes it.
    """

    def __init__(self, source: bytes | int) -> None:
        self._hash = hashlib.sha256(source if isinstance(source, bytes) else b"")
        self._thread: threading.Thread | None = None
        self.reader = self._writer = self._wake_read = self._wake_write = -1
        small = isinstance(source, bytes) and len(source) <= INPUT_MAX
        self.input = source if isinstance(source, bytes) and small else b""
        if not small:
            try:
                self._connect(source)
            except OSError:
                self._close(self.reader, self._writer, self._wake_read, self._wake_write)
                raise

    def _connect(self, source: bytes | int) -> None:
        """Makes the guest's pipe, and a thread for what it does not take at once."""
        self.reader, self._writer = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._writer, False)
        rest = self._write_now(source) if isinstance(source, bytes) else b""
        if isinstance(source, bytes) and not rest:
            self._close(self._writer)
            return
        self._wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC)
        descriptor = -1 if isinstance(source, bytes) else os.dup(source)
        self._thread = threading.Thread(target=self._work, args=(rest, descriptor), name="orlop-feed", daemon=True)
        self._thread.start()

    def given(self) -> None:
        """The worker has its end: closes ours, so that the feed notices when the guest is gone."""
        if self.reader >= 0:
            os.close(self.reader)
            self.reader = -1

    def stop(self) -> str:
        """Ends the feed.

        Returns:
            SHA-256 of the bytes that were given: all of them when they were known, else those that reached the pipe.
        """
        self.given()
        if self._thread is not None:
            with contextlib.suppress(BrokenPipeError):  # the feed has ended by itself
                os.write(self._wake_write, b"!")
            self._thread.join(_JOIN_S)
            os.close(self._wake_write)
            self._thread = None
        return self._hash.hexdigest()

    def _write_now(self, data: bytes) -> bytes:
        """Writes what the pipe takes at once; gives the rest."""
        try:
            return data[os.write(self._writer, data) :]
        except BlockingIOError:
            return data

    def _work(self, rest: bytes, descriptor: int) -> None:
        try:
            if rest:
                self._write(rest)
            elif descriptor >= 0:
                self._pump(descriptor)
        except OSError:
            pass  # the guest is gone, or the source cannot be read: its input ends here
        finally:
            self._close(self._writer, self._wake_read, descriptor)

    @staticmethod
    def _close(*descriptors: int) -> None:
        for number in descriptors:
            if number >= 0:
                os.close(number)

    def _pump(self, descriptor: int) -> None:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        poll.register(self._wake_read, select.POLLIN)
        # The guest's end closing shows as an error on ours: then nothing more is taken from the source.
        poll.register(self._writer, 0)
        while True:
            ready = dict(poll.poll())
            if self._wake_read in ready or self._writer in ready:
                return
            data = os.read(descriptor, _CHUNK)
            if not data:
                return
            self._hash.update(data[: self._write(data)])

    def _write(self, data: bytes) -> int:
        """Writes into the guest's pipe; gives how much of it went in before the guest or the job ended."""
        poll = select.poll()
        poll.register(self._writer, select.POLLOUT)
        poll.register(self._wake_read, select.POLLIN)
        done = 0
        while done < len(data):
            if self._wake_read in dict(poll.poll()):
                break
            try:
                done += os.write(self._writer, data[done:])
            except BlockingIOError:
                continue
            except BrokenPipeError:
                break
        return done
