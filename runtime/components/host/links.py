"""Sockets of the system: never blocking, waited for in slices, and bounded in time and size."""

import contextlib
import math
import select
import socket
import time
from dataclasses import dataclass
from typing import Final

from runtime.components.host.channels import Channel, Plain
from runtime.components.host.context import Context
from runtime.components.host.endpoints import Endpoint
from runtime.components.host.network_answers import NetworkRefusedError

__all__ = ["CHUNK", "DATAGRAM_MAX", "Link", "Manner"]

CHUNK: Final = 1 << 20
"""Bytes of a list that pass at once: each costs 32 while it passes."""
DATAGRAM_MAX: Final = 65_507
_READ: Final = 65_536


@dataclass(slots=True)
class Manner:
    """How long operations of a socket may wait, beside what each is given; milliseconds, None for no bound."""

    non_blocking: bool = False
    connect_ms: int | None = None
    read_ms: int | None = None
    write_ms: int | None = None


class Link:
    """A socket of the system.

    Args:
        context: whose it is.
        sock: open; belongs to this from now on.

    Attributes:
        sock: the socket; another one after `renew`.
        channel: what carries its bytes.
        manner: how long it waits.
        sent: bytes since it is connected.
        received: likewise.
        last: monotonic seconds of when bytes moved last.
        idle: seconds without any after which it is closed; None for never.
        peer_ended: nothing follows from the peer.
    """

    def __init__(self, context: Context, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._context = context
        self._set: dict[tuple[int, int], int] = {}
        self.sock = sock
        self.channel: Channel = Plain(sock)
        self.manner = Manner()
        self.sent = self.received = 0
        self.last = time.monotonic()
        self.idle: float | None = None
        self.peer_ended = False

    @property
    def stream(self) -> bool:
        """Whether it is TCP."""
        return self.sock.type == socket.SOCK_STREAM

    def set(self, level: int, option: int, value: int) -> None:
        """Sets an option of the system, also of the sockets that follow this one.

        Raises:
            OSError: the system refused.
        """
        self.sock.setsockopt(level, option, value)
        self._set[level, option] = value

    def renew(self) -> None:
        """Puts a new socket with the same options in the place of one that could not connect.

        Raises:
            OSError: there is none.
        """
        fresh = socket.socket(self.sock.family, self.sock.type)
        self.sock.close()
        fresh.setblocking(False)
        self.sock, self.channel = fresh, Plain(fresh)
        for (level, option), value in self._set.items():
            fresh.setsockopt(level, option, value)

    def close(self) -> None:
        """Closes it; what TLS has not sent yet is tried once."""
        with contextlib.suppress(OSError, NetworkRefusedError):
            self.channel.flush()
        self.sock.close()

    def until(self, timeout_ms: int | None, bound_ms: int | None = None) -> float:
        """When an operation has waited long enough, in monotonic seconds.

        Args:
            timeout_ms: of the guest; None for as long as the call may last.
            bound_ms: of the socket's manner.
        """
        bounds = [bound for bound in (timeout_ms, bound_ms) if bound is not None]
        return time.monotonic() + self._context.time_left(min(bounds, default=None))

    def wait(self, events: int, until: float) -> int:
        """Waits for the system.

        Args:
            events: `select.POLL…`.
            until: monotonic seconds.

        Returns:
            What happened; 0 when the time is over, the socket was silent too long, or the host wants an end.
        """
        if self.channel.unsent:
            events |= select.POLLOUT
        left = until - time.monotonic()
        if self.idle is not None:
            left = min(left, self.last + self.idle - time.monotonic())
        happened = self._context.wait(self.sock.fileno(), events, max(0, math.ceil(left * 1000)))
        # An alarm may have closed it meanwhile.
        return happened if self.sock.fileno() >= 0 else 0

    def receive(self, size: int, until: float) -> bytes | None:
        """Some bytes of a stream.

        Returns:
            None when nothing came in time; nothing at all when the peer ended its half.

        Raises:
            OSError: as for any socket.
            NetworkRefusedError: of TLS.
        """
        while True:
            try:
                data = self.channel.receive(size)
            except BlockingIOError:
                if not self._again(select.POLLIN, until):
                    return None
                continue
            self._moved(received=len(data))
            self.peer_ended = self.peer_ended or not data
            return data

    def send(self, data: memoryview) -> int:
        """What of a stream, or a datagram to the connected peer, fits now.

        Returns:
            How many bytes were taken; 0 for none.

        Raises:
            OSError: as for any socket.
            NetworkRefusedError: of TLS.
        """
        taken = 0
        while taken < len(data):
            try:
                taken += self.channel.send(data[taken:])
            except BlockingIOError:
                break
        self._moved(sent=taken)
        return taken

    def send_all(self, data: memoryview, until: float) -> bool:
        """Sends everything; whether it could in time.

        Raises:
            OSError: as for any socket; some of it may be sent.
            NetworkRefusedError: of TLS.
        """
        while data:
            data = data[self.send(data) :]
            if data and not self._again(select.POLLOUT, until):
                return False
        return self.flushed(until)

    def flushed(self, until: float) -> bool:
        """Waits until the system has taken all of it; whether it did in time.

        Raises:
            OSError: as for any socket.
        """
        while True:
            try:
                self.channel.flush()
            except BlockingIOError:
                if not self._again(select.POLLOUT, until):
                    return False
                continue
            return True

    def send_datagram(self, data: bytes, to: Endpoint) -> None:
        """Sends one datagram.

        Raises:
            OSError: as for any socket; `BlockingIOError` when there is no room.
        """
        self.sock.sendto(data, to.for_system())
        self._moved(sent=len(data))

    def receive_datagram(self, size: int, until: float) -> tuple[bytes, Endpoint, bool] | None:
        """One datagram.

        Returns:
            Its bytes, its sender and whether it was longer; None when none came in time.

        Raises:
            OSError: as for any socket.
        """
        while True:
            try:
                data, _, flags, sender = self.sock.recvmsg(min(size, _READ))
            except BlockingIOError:
                if not self._again(select.POLLIN, until):
                    return None
                continue
            self._moved(received=len(data))
            return data, Endpoint.from_system(sender), bool(flags & socket.MSG_TRUNC)

    def ended(self) -> bool:
        """Whether the peer ended its half, without taking anything; unread bytes come before the end.

        Raises:
            OSError: what the system knows of the connection.
        """
        if self.channel.pending:
            return False
        try:
            return self.peer_ended or not self.sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False

    def silent(self) -> bool:
        """Whether nothing has come that was not read, neither bytes nor an end."""
        try:
            self.sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def _again(self, events: int, until: float) -> bool:
        return bool(self.wait(events, until)) and time.monotonic() < until

    def _moved(self, sent: int = 0, received: int = 0) -> None:
        if sent or received:
            self.sent += sent
            self.received += received
            self.last = time.monotonic()
            self._context.note(size=sent + received)
