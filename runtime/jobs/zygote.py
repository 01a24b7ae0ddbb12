"""The zygote: imports the engine once, then forks workers, and reaps them, because only their parent can.

It runs no guest and starts no thread, so forking stays sound. Its socket is its life: when the console goes away,
however it goes, the socket ends, and the zygote kills its workers and exits. (A death signal would be tied to the
thread that started it.) The workers hang on the zygote by a death signal.

Requests: `{"fork": token, "cwd": folder, "memory": ceiling, "directories": whether its job has any}` with the worker's
end of its channel. Answers: `{"forked": token, "pid": n}` with a pidfd, and later
`{"ended": token, "status": wait status, "cpu_ms": n, "resident_kib": n}`.
"""

import gc
import json
import os
import selectors
import signal
import socket
from typing import Final, NoReturn

from runtime.jobs import seccomp
from runtime.jobs.confine import confinement, die_with_parent, ignore_terminal_signals, limit_worker
from runtime.jobs.guest import Guests
from runtime.jobs.worker import serve
from runtime.process import keep_memory_private
from runtime.sandbox.compile_child import close_all_but

__all__ = ["REQUEST_MAX", "main"]

REQUEST_MAX: Final = 8192
"""Bytes of a message to or from the zygote."""


class _Zygote:
    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._guests = Guests()
        self._confinement = confinement()
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
            raw, descriptors, _, _ = socket.recv_fds(self._control, REQUEST_MAX, 1)
        except ConnectionError:
            return False
        if not raw:
            return False
        request = json.loads(raw)
        token, channel = int(request["fork"]), descriptors[0]
        zygote = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._become_worker(
                channel, zygote, str(request["cwd"]), int(request["memory"]), directories=bool(request["directories"])
            )
        os.close(channel)
        pidfd = os.pidfd_open(pid)
        self._workers[pidfd] = (pid, token)
        self._selector.register(pidfd, selectors.EVENT_READ)
        return self._say({"forked": token, "pid": pid}, [pidfd])

    def _become_worker(self, channel: int, zygote: int, cwd: str, memory: int, *, directories: bool) -> NoReturn:
        status = 1
        try:
            die_with_parent()
            if os.getppid() != zygote:
                os._exit(1)
            close_all_but({channel})
            os.chdir(cwd)
            limit_worker(memory)
            told = socket.socket(fileno=channel)
            if self._confinement.seccomp:
                seccomp.apply()
            serve(told, self._guests, landlock=self._confinement.landlock > 0, directories=directories)
            status = 0
        except BaseException as error:  # noqa: BLE001 - a forked child must not go on as its parent
            os.write(2, f"worker: {type(error).__name__}: {error}\n".encode(errors="replace"))
        finally:
            # Never the interpreter's way out: it is the zygote's, and the engine's threads would outlive half of it.
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


def main(descriptor: int) -> None:
    """Serves as the zygote.

    Args:
        descriptor: this end of the control socket.
    """
    keep_memory_private()  # the workers' too: they are forked
    ignore_terminal_signals()
    _Zygote(socket.socket(fileno=descriptor)).serve()
    os._exit(0)
