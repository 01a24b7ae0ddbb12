"""The server of `control.sock`: other processes of the same user see and do through it what a face of ours can.

The socket lies in the state directory (0700) with mode 0600; the peer's user must be ours or root. A second one may
lie elsewhere for members of a group (0660), who only read there unless the operator said otherwise. Clients send lines
(`console.wire`); commands that take files bring descriptors, and no path that a client names is ever opened here. A
client that goes away interrupts its commands; one that does not read loses its subscriptions, later its connection.
"""

import asyncio
import contextlib
import os
import socket
import stat
import struct
from dataclasses import dataclass
from pathlib import Path

from console.connection import Connection, Served
from runtime.errors import InUseError, RefusedError, UnavailableError
from runtime.events import ClientDetached
from runtime.sanitise import clean

__all__ = ["OURS", "Audience", "ControlServer"]

_CLIENTS_MAX = 128
_STALL_CHECK_S = 5.0
_PEER_GROUPS = 59
"""`SO_PEERGROUPS` of Linux, which Python does not name."""

_GROUPS_BYTES = 1024
"""The most that Python takes: 256 groups."""


@dataclass(frozen=True, slots=True)
class Audience:
    """Who may come to a socket beside our own user and root.

    Attributes:
        group: the id of a group whose members may; None for nobody.
        writes: whether who comes may change something.
    """

    group: int | None = None
    writes: bool = True


@dataclass(frozen=True, slots=True)
class _Peer:
    """Process, user and groups at the other end, as they were when it connected."""

    pid: int
    uid: int
    groups: frozenset[int]


OURS = Audience()
"""Our own user, and root: everything."""


class ControlServer:
    """Listens from `bind` on, answers from `serve` on: who connects earlier waits.

    Args:
        path: of the socket.
        audience: who may come.
    """

    def __init__(self, path: Path, audience: Audience = OURS) -> None:
        self._path = path
        self._audience = audience
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
            if self._audience.group is not None:
                os.chown(self._address(), -1, self._audience.group)
                os.chmod(self._address(), 0o660)  # noqa: PTH101 - a name of the kernel's, not a place
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
        peer, audience = _peer(sock), self._audience
        if peer.uid not in {os.geteuid(), 0} and audience.group not in peer.groups:
            sock.close()
            self._served.note(ClientDetached(client=f"uid {peer.uid}", reason="another user"))
            return
        if len(self._clients) >= _CLIENTS_MAX:
            sock.close()
            self._served.note(ClientDetached(client=f"pid {peer.pid}", reason="too many clients"))
            return
        sock.setblocking(False)
        self._numbers += 1
        client = Connection(
            self._served,
            sock,
            number=self._numbers,
            uid=peer.uid,
            pid=peer.pid,
            gone=self._clients.discard,
            writes=audience.writes,
            told=audience.group is not None,
        )
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


def _peer(sock: socket.socket) -> _Peer:
    pid, uid, gid = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    try:
        raw = sock.getsockopt(socket.SOL_SOCKET, _PEER_GROUPS, _GROUPS_BYTES)
    except OSError:
        raw = b""  # more groups than fit: the first one counts alone
    return _Peer(pid, uid, frozenset({gid, *struct.unpack(f"{len(raw) // 4}I", raw)}))
