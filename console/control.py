"""The server of `control.sock`: other processes of the same user see and do through it what a face of ours can.

The socket lies in the state directory (0700) with mode 0600; the peer's user must be ours or root. A client sends lines
(`console.wire`); commands that take files bring descriptors, and no path that a client names is ever opened here. A
client that goes away interrupts its commands; one that does not read loses its subscriptions, later its connection.
"""

import asyncio
import contextlib
import os
import socket
import stat
import struct
from pathlib import Path

from console.connection import Connection, Served
from runtime.errors import InUseError, RefusedError, UnavailableError
from runtime.events import ClientDetached
from runtime.sanitise import clean

__all__ = ["ControlServer"]

_CLIENTS_MAX = 128
_STALL_CHECK_S = 5.0


class ControlServer:
    """Listens from `bind` on, answers from `serve` on: who connects earlier waits."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._directory = -1
        self._socket: socket.socket | None = None
        self._inode: tuple[int, int] | None = None
        self._clients: set[Connection] = set()
        self._served: Served | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._numbers = 0

    def bind(self) -> None:
        """Makes the socket, in place of one that a dead owner left. The caller holds `owner.lock`.

        Raises:
            InUseError: somebody answers there.
            RefusedError: what lies there is no socket.
            UnavailableError: it cannot be made.
        """
        try:
            self._directory = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            self._clear()
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            listener.setblocking(False)
            # Only for the moment of bind: the mode must be right from the first moment on.
            before = os.umask(0o177)
            try:
                listener.bind(self._address())
            finally:
                os.umask(before)
            listener.listen(64)
            status = os.stat(self._path.name, dir_fd=self._directory, follow_symlinks=False)
        except OSError as error:
            raise UnavailableError(
                (error.strerror or "cannot be made").lower(), where=clean(str(self._path), 200)
            ) from error
        self._socket = listener
        self._inode = (status.st_dev, status.st_ino)

    def _address(self) -> str:
        """A name short enough for the kernel, whatever the directory's is."""
        return f"/proc/self/fd/{self._directory}/{self._path.name}"

    def _clear(self) -> None:
        try:
            status = os.stat(self._path.name, dir_fd=self._directory, follow_symlinks=False)
        except FileNotFoundError:
            return
        if not stat.S_ISSOCK(status.st_mode):
            raise RefusedError("something that is no socket has its name", where=clean(str(self._path), 200))
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.setblocking(False)
            if probe.connect_ex(self._address()) == 0:
                raise InUseError("in use by another process", where=clean(str(self._path), 200))
        os.unlink(self._path.name, dir_fd=self._directory)

    def serve(self, served: Served) -> None:
        """Begins to answer, on the running loop."""
        if self._socket is not None:
            self._served = served
            asyncio.get_running_loop().add_reader(self._socket, self._accept)

    def close(self, reason: str) -> None:
        """Says goodbye to all clients and removes the socket, if it is still ours."""
        if self._socket is None:
            return
        if self._served is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
        if self._watch is not None:
            self._watch.cancel()
        for client in tuple(self._clients):
            client.bye(reason)
        with contextlib.suppress(OSError):
            status = os.stat(self._path.name, dir_fd=self._directory, follow_symlinks=False)
            if (status.st_dev, status.st_ino) == self._inode:
                os.unlink(self._path.name, dir_fd=self._directory)
        self._socket.close()
        self._socket = None
        os.close(self._directory)

    def _accept(self) -> None:
        if self._socket is None or self._served is None:
            return
        try:
            sock, _ = self._socket.accept()
        except OSError:
            return
        pid, uid = _peer(sock)
        if uid not in {os.geteuid(), 0}:
            sock.close()
            self._served.note(ClientDetached(client=f"uid {uid}", reason="another user"))
            return
        if len(self._clients) >= _CLIENTS_MAX:
            sock.close()
            self._served.note(ClientDetached(client=f"pid {pid}", reason="too many clients"))
            return
        sock.setblocking(False)
        self._numbers += 1
        client = Connection(self._served, sock, number=self._numbers, uid=uid, pid=pid, gone=self._clients.discard)
        self._clients.add(client)
        if self._watch is None:
            self._watch = asyncio.get_running_loop().call_later(_STALL_CHECK_S, self._check_stalls)

    def _check_stalls(self) -> None:
        now = asyncio.get_running_loop().time()
        for client in tuple(self._clients):
            client.check_stall(now)
        self._watch = None
        if self._clients:
            self._watch = asyncio.get_running_loop().call_later(_STALL_CHECK_S, self._check_stalls)


def _peer(sock: socket.socket) -> tuple[int, int]:
    """Process and user at the other end, as they were when it connected."""
    pid, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return pid, uid
