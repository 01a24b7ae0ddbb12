"""A fork server: imports what is slow to import once, forks workers, and reaps them, because only their parent can.

It runs no guest and starts no thread, so forking stays sound. Its socket is its life: when the console goes away,
however it goes, the socket ends, and the server kills its workers and exits. (A death signal would be tied to the
thread that started it.) The workers hang on the server by a death signal.

Requests: `{"fork": token, …}` with the worker's end of its channel, and what else the kind of worker needs. Answers:
`{"forked": token, "pid": n}` with a pidfd, and later
`{"ended": token, "status": wait status, "cpu_ms": n, "resident_kib": n}`.
"""

import gc
import json
import os
import selectors
import signal
import socket
from collections.abc import Callable, Mapping
from typing import Final, NoReturn

from runtime.jobs.confine import die_with_parent, ignore_terminal_signals
from runtime.sandbox.compile_child import close_all_but

__all__ = ["Work", "serve_forks"]

_REQUEST_MAX: Final = 8192
"""Bytes of a message to or from the server."""

Work = Callable[[Mapping[str, object], socket.socket], None]
"""What a worker does with its request and its channel, until it ends."""


class _ForkServer:
    """Forks when asked.

    Args:
        control: its end of the socket.
        work: what a worker does.
    """

    def __init__(self, control: socket.socket, work: Work) -> None:
        self._control = control
        self._work = work
        self._workers: dict[int, tuple[int, int]] = {}
        """By pidfd: the worker's pid and token."""
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ)
        gc.collect()
        gc.freeze()  # what is shared now is not touched by a worker's collections

    def serve(self) -> None:
        """Works until the console's end of the socket is closed."""
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is not self._control:
                    self._reap(key.fd)
                elif not self._request():
                    self._stop()
                    return

    def _request(self) -> bool:
        """Forks a worker; false when the console is gone."""
        try:
            raw, descriptors, _, _ = socket.recv_fds(self._control, _REQUEST_MAX, 1)
        except ConnectionError:
            return False
        if not raw:
            return False
        request = json.loads(raw)
        token, channel = int(request["fork"]), descriptors[0]
        server = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._become_worker(channel, server, request)
        os.close(channel)
        pidfd = os.pidfd_open(pid)
        self._workers[pidfd] = (pid, token)
        self._selector.register(pidfd, selectors.EVENT_READ)
        return self._say({"forked": token, "pid": pid}, [pidfd])

    def _become_worker(self, channel: int, server: int, request: Mapping[str, object]) -> NoReturn:
        status = 1
        try:
            die_with_parent()
            if os.getppid() != server:
                os._exit(1)
            close_all_but({channel})
            self._work(request, socket.socket(fileno=channel))
            status = 0
        except BaseException as error:  # noqa: BLE001 - a forked child must not go on as its parent
            os.write(2, f"worker: {type(error).__name__}: {error}\n".encode(errors="replace"))
        finally:
            # Never the interpreter's way out: it is the server's, and the engine's threads would outlive half of it.
            os._exit(status)

    def _reap(self, pidfd: int) -> None:
        pid, token = self._workers.pop(pidfd)
        self._selector.unregister(pidfd)
        os.close(pidfd)
        _, status, usage = os.wait4(pid, 0)
        cpu_ms = round((usage.ru_utime + usage.ru_stime) * 1000)
        self._say({"ended": token, "status": status, "cpu_ms": cpu_ms, "resident_kib": usage.ru_maxrss})

    def _say(self, answer: dict[str, int], descriptors: list[int] | None = None) -> bool:
        try:
            socket.send_fds(self._control, [json.dumps(answer).encode()], descriptors or [])
        except OSError:
            return False
        return True

    def _stop(self) -> None:
        for pidfd, (pid, _) in list(self._workers.items()):
            os.kill(pid, signal.SIGKILL)
            self._reap(pidfd)


def serve_forks(descriptor: int, prepare: Callable[[], Work]) -> NoReturn:
    """Serves as the fork server of this process; never returns.

    Args:
        descriptor: its end of the control socket.
        prepare: makes ready what all workers share.
    """
    ignore_terminal_signals()
    _ForkServer(socket.socket(fileno=descriptor), prepare()).serve()
    os._exit(0)
