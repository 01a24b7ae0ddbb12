"""The process that starts a component's programs: one thread, no engine, forked before the worker is walled in.

It answers the worker's requests one by one, tells it when a child stops, continues or ends, and outlives none of them:
when the worker goes away, everything that was started is killed, also what left its session or lost its parent. A child
that ends takes its process group with it; what the kernel then hands over to us without a living leader is killed too.
The number of a child is never used again before it was reaped here, so a signal cannot hit a stranger.
"""

import contextlib
import errno
import hashlib
import json
import os
import select
import signal
import socket
import stat
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from runtime.components.host.launch import Launch, launch
from runtime.components.host.process_limits import apply_limits, limits_of
from runtime.components.host.process_tree import family_of, kill_family, orphans, usage_of
from runtime.process import prctl

__all__ = ["MESSAGE_MAX", "fork_spawner", "serve"]

MESSAGE_MAX: Final = 160 << 10
_DESCRIPTORS: Final = 4
_PR_SET_CHILD_SUBREAPER: Final = 36
_PR_SET_NO_NEW_PRIVS: Final = 38
_LOOK_S: Final = 0.1
"""How often the families of children are counted while there are any."""
_GRACE_S: Final = 10.0
_BETWEEN_KILLS_S: Final = 0.002
_KILLS: Final = 200
_BLOCK: Final = 1 << 20
_HASHED_MAX: Final = 1 << 30

Message = Mapping[str, object]


@dataclass(slots=True)
class _Child:
    """A program that was started and not reaped yet.

    Attributes:
        pid: the kernel's number; the leader of a session and a group of its own.
        pidfd: the same, for signals.
        processes: how many it may be, with all that it started.
        until: monotonic seconds at which it is killed.
    """

    pid: int
    pidfd: int
    processes: int
    until: float


def fork_spawner() -> socket.socket:
    """Forks the spawner off this process, which must have one thread and no engine yet.

    Returns:
        The worker's end of the line; when it is closed, by whatever end of the worker, everything is killed.

    Raises:
        OSError: no process or no sockets.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = os.fork()
    if pid:
        theirs.close()
        return ours
    status = 1
    try:
        ours.close()
        serve(theirs)
        status = 0
    finally:
        os._exit(status)


def serve(line: socket.socket) -> None:
    """Is the spawner until the other end of the line is closed.

    Args:
        line: `SOCK_SEQPACKET`; everything else that this process has open is closed.
    """
    os.setsid()
    prctl(_PR_SET_CHILD_SUBREAPER, 1)
    prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _close_all_but(line.fileno())
    spawner = _Spawner(line)
    try:
        spawner.run()
    finally:
        spawner.end()


class _Spawner:
    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._children: dict[int, _Child] = {}
        self._program = -1
        reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._awake = reading
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.siginterrupt(signal.SIGCHLD, False)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        self._answers: dict[str, Callable[[Message, Sequence[int]], dict[str, object]]] = {
            "look": self._look,
            "hash": self._hash,
            "spawn": self._spawn,
            "signal": self._signal,
            "limits": self._limits,
            "usage": self._usage,
        }

    def run(self) -> None:
        """Until the line is closed."""
        poll = select.poll()
        poll.register(self._line, select.POLLIN)
        poll.register(self._awake, select.POLLIN)
        while True:
            ready = dict(poll.poll(_LOOK_S * 1000 if self._children else None))
            with contextlib.suppress(BlockingIOError):
                os.read(self._awake, 4096)
            self._look_after()
            if self._line.fileno() in ready and not self._answer():
                return

    def end(self) -> None:
        """Kills and reaps all that there is, whoever started it."""
        until = time.monotonic() + _GRACE_S
        while time.monotonic() < until:
            left = kill_family(os.getpid())
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            if not left:
                return
            time.sleep(_BETWEEN_KILLS_S)

    def _answer(self) -> bool:
        """Answers one request; False when there is nobody any more."""
        try:
            raw, descriptors, _, _ = socket.recv_fds(self._line, MESSAGE_MAX, _DESCRIPTORS)
        except ConnectionError:
            return False
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)  # `recv_fds` passes no flag on that would ask for it
        try:
            request: dict[str, object] = json.loads(raw or b'{"ask": "end"}')
            if request["ask"] == "end":
                return False
            try:
                answer = self._answers[str(request["ask"])](request, descriptors)
            except OSError as error:
                answer = {"errno": error.errno or errno.EIO}
            return self._say({"answer": request["number"], **answer})
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def _say(self, message: Mapping[str, object]) -> bool:
        try:
            self._line.send(json.dumps(message).encode())
        except (BrokenPipeError, ConnectionError):
            return False
        return True

    def _look(self, request: Message, _: Sequence[int]) -> dict[str, object]:
        """Where a command leads; what it leads to is kept open for the `spawn` that follows."""
        command = str(request["command"])
        self._forget_program()
        try:
            self._program = os.open(command, os.O_PATH | os.O_CLOEXEC)
        except OSError as error:
            return {"real": os.path.realpath(command), "errno": error.errno}
        real = os.readlink(f"/proc/self/fd/{self._program}")  # noqa: PTH115 - text, surrogates and all
        return {"real": real, "regular": stat.S_ISREG(os.fstat(self._program).st_mode)}

    def _hash(self, _: Message, __: Sequence[int]) -> dict[str, object]:
        digest = hashlib.sha256()
        descriptor = os.open(f"/proc/self/fd/{self._program}", os.O_RDONLY | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            read = 0
            while block := file.read(_BLOCK):
                read += len(block)
                if read > _HASHED_MAX:
                    raise OSError(errno.EFBIG, "")
                digest.update(block)
        return {"sha256": digest.hexdigest()}

    def _spawn(self, request: Message, descriptors: Sequence[int]) -> dict[str, object]:
        program, self._program = self._program, -1
        wanted = Launch.read(request)
        try:
            pid = launch(wanted, program, descriptors)
        finally:
            os.close(program)
        until = time.monotonic() + wanted.timeout_ms / 1000
        self._children[wanted.id] = _Child(pid, os.pidfd_open(pid), wanted.limits["processes"], until)
        return {"at": time.time_ns()}

    def _signal(self, request: Message, _: Sequence[int]) -> dict[str, object]:
        child = self._child(request)
        if request["group"]:
            os.killpg(child.pid, _int(request["signal"]))
        else:
            signal.pidfd_send_signal(child.pidfd, _int(request["signal"]))
        return {}

    def _limits(self, request: Message, _: Sequence[int]) -> dict[str, object]:
        child = self._child(request)
        wanted = request.get("limits")
        if isinstance(wanted, dict):
            apply_limits(wanted, child.pid)
            child.processes = min(child.processes, _int(wanted.get("processes", child.processes)))
        return {"limits": {**limits_of(child.pid), "processes": child.processes}}

    def _usage(self, request: Message, _: Sequence[int]) -> dict[str, object]:
        return {"usage": usage_of(self._child(request).pid)}

    def _child(self, request: Message) -> _Child:
        child = self._children.get(_int(request["id"]))
        if child is None:
            raise ProcessLookupError(errno.ESRCH, "")
        return child

    def _look_after(self) -> None:
        """Reaps, tells, and holds families to their limits."""
        now = time.monotonic()
        for number, child in list(self._children.items()):
            if now >= child.until:
                self._kill(child)
            elif len(family_of(child.pid)) >= child.processes:
                self._kill_all(child)
            self._tell_changes(number, child)
            ended = os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if ended is not None:
                self._reap(number, child)
        leaders = {child.pid for child in self._children.values()}
        for pid in orphans(leaders):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._reap_orphans(leaders)

    def _kill(self, child: _Child) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)

    def _kill_all(self, child: _Child) -> None:
        """Kills a family that grew too large, also what left the group; what lost its parents is for the next look."""
        for _ in range(_KILLS):
            self._kill(child)
            if not kill_family(child.pid):
                return

    def _tell_changes(self, number: int, child: _Child) -> None:
        while True:
            try:
                changed = os.waitid(os.P_PID, child.pid, os.WSTOPPED | os.WCONTINUED | os.WNOHANG)
            except ChildProcessError:
                return  # it ended; that is another question
            if changed is None:
                return
            kind = "continued" if changed.si_code == os.CLD_CONTINUED else "stopped"
            self._say({"changed": number, "kind": kind, "at": time.time_ns()})

    def _reap(self, number: int, child: _Child) -> None:
        """Takes an ended child's group with it, while its number is still its own, and tells how it ended."""
        self._kill(child)
        _, status, usage = os.wait4(child.pid, 0)
        os.close(child.pidfd)
        del self._children[number]
        cpu_ms = round((usage.ru_utime + usage.ru_stime) * 1000)
        self._say(
            {"ended": number, "status": status, "cpu_ms": cpu_ms, "peak_kib": usage.ru_maxrss, "at": time.time_ns()}
        )

    def _reap_orphans(self, leaders: set[int]) -> None:
        """Reaps what became ours and ended."""
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None or ended.si_pid in leaders:
                return  # a leader that ended just now is reaped at the next look
            os.waitpid(ended.si_pid, 0)

    def _forget_program(self) -> None:
        if self._program >= 0:
            os.close(self._program)
            self._program = -1


def _int(value: object) -> int:
    if not isinstance(value, int):
        raise OSError(errno.EINVAL, "")
    return value


def _close_all_but(kept: int) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(null, number)
    os.closerange(3, kept)
    os.closerange(kept + 1, 1 << 16)
