"""What carries the bytes of a socket: itself, or TLS over it. Nothing here waits."""

import socket
from typing import Protocol

__all__ = ["Channel", "Plain"]


class Channel(Protocol):
    """Bytes in both directions. What cannot go on now raises `BlockingIOError`."""

    @property
    def pending(self) -> bool:
        """Whether bytes can be read although the system has none."""
        ...

    @property
    def unsent(self) -> bool:
        """Whether bytes that were taken wait for room in the system."""
        ...

    def receive(self, size: int) -> bytes:
        """Some bytes; none when the peer has ended its half.

        Raises:
            OSError: `BlockingIOError` when nothing is there yet; as for any socket.
            NetworkRefusedError: what came is not what was agreed on.
        """
        ...

    def send(self, data: memoryview) -> int:
        """Takes some bytes, and says how many.

        Raises:
            OSError: `BlockingIOError` when there is room for none; as for any socket.
            NetworkRefusedError: likewise.
        """
        ...

    def flush(self) -> None:
        """Gives the system what waits.

        Raises:
            OSError: `BlockingIOError` when some of it still waits.
        """
        ...

    def end_writing(self) -> None:
        """Ends this half.

        Raises:
            OSError: as for any socket.
        """
        ...


class Plain:
    """A socket's own bytes.

    Args:
        sock: connected, and never blocking.
    """

    pending = False
    unsent = False

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def receive(self, size: int) -> bytes:
        """Some bytes."""
        return self._sock.recv(size)

    def send(self, data: memoryview) -> int:
        """Takes some bytes."""
        return self._sock.send(data)

    def flush(self) -> None:
        """Nothing waits."""

    def end_writing(self) -> None:
        """Ends this half."""
        self._sock.shutdown(socket.SHUT_WR)
