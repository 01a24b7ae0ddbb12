"""The compile process: imports wasmtime once, then forks one child with limits for every module.

It runs no guest and starts no thread, so that forking stays sound. Its socket is its life: when the parent goes away,
however it goes, the socket ends, and the process kills what it started and exits. (A death signal would be tied to the
thread that started it, which may end long before the parent does.) The children hang on this process by a death signal.

One request is one message, `{"kind", "cpu_s", "wall_s", "data_bytes", "out_bytes"}`, with four descriptors: the module,
a file for the compiled code, a file for what the compiler says on descriptor 2, and a socket for the one reply,
`{"status": wait status, "late": whether the wall clock ended it}`.
"""

import contextlib
import gc
import importlib
import json
import os
import resource
import selectors
import signal
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NoReturn

from runtime.process import keep_memory_private, prctl
from runtime.sandbox.engine import SETTINGS, EngineKind, build_engine

__all__ = [
    "EXIT_INVALID",
    "EXIT_MEMORY",
    "EXIT_TOO_LARGE",
    "Budget",
    "close_all_but",
    "main",
    "read_whole",
    "set_limits",
    "write_whole",
]

EXIT_INVALID: Final = 10
EXIT_TOO_LARGE: Final = 11
EXIT_MEMORY: Final = 12

_DESCRIPTORS: Final = 4
_REQUEST_BYTES: Final = 4096
_MESSAGE_CHARS: Final = 4096
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NO_NEW_PRIVS: Final = 38


@dataclass(frozen=True, slots=True)
class Budget:
    """What one compilation may use.

    Attributes:
        cpu_s: whole seconds of CPU time.
        wall_s: seconds on the wall, for a child that hangs instead of computing.
        data_bytes: private writable memory of the child.
        out_bytes: compiled code.
    """

    cpu_s: int
    wall_s: float
    data_bytes: int = 1024**3
    out_bytes: int = 64 * 1024**2


def set_limits(budget: Budget) -> None:
    """Puts this process under a budget, for good.

    Args:
        budget: CPU time, memory and size of files; also no core dumps and few descriptors.
    """
    for limit, soft, hard in (
        (resource.RLIMIT_CPU, budget.cpu_s, budget.cpu_s + 1),
        (resource.RLIMIT_DATA, budget.data_bytes, budget.data_bytes),
        (resource.RLIMIT_FSIZE, budget.out_bytes, budget.out_bytes),
        (resource.RLIMIT_NOFILE, 64, 64),
        (resource.RLIMIT_CORE, 0, 0),
    ):
        resource.setrlimit(limit, (soft, hard))


def close_all_but(kept: set[int]) -> None:
    """Closes every descriptor but 0, 1, 2 and the kept ones.

    Args:
        kept: what stays open.
    """
    low = 3
    for descriptor in sorted(kept):
        os.closerange(low, descriptor)
        low = descriptor + 1
    os.closerange(low, os.sysconf("SC_OPEN_MAX"))


def read_whole(descriptor: int) -> bytes:
    """Reads a file from its beginning, wherever its position is.

    Args:
        descriptor: of a regular file.

    Returns:
        All of it.
    """
    size = os.fstat(descriptor).st_size
    parts, at = [], 0
    while at < size and (part := os.pread(descriptor, size - at, at)):
        parts.append(part)
        at += len(part)
    return b"".join(parts)


def write_whole(descriptor: int, content: bytes | bytearray) -> None:
    """Writes all of it.

    Args:
        descriptor: of a file.
        content: what is written.
    """
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def _compile(kind: EngineKind, module: int, out: int, budget: Budget) -> int:
    import wasmtime
    import wasmtime.component

    try:
        wasm = read_whole(module)
        engine = build_engine(kind)
        if kind == "component":  # the package has no validation of its own for them
            compiled = wasmtime.component.Component(engine, wasm).serialize()
        else:
            # Validated as a whole first: an invalid module is called invalid, not slow.
            wasmtime.Module.validate(engine, wasm)
            compiled = wasmtime.Module(engine, wasm).serialize()
    except wasmtime.WasmtimeError as error:
        lines = [line.strip() for line in str(error)[: 16 * _MESSAGE_CHARS].splitlines() if line.strip()]
        write_whole(out, " ".join(lines)[:_MESSAGE_CHARS].encode())
        return EXIT_INVALID
    except MemoryError:
        return EXIT_MEMORY
    if len(compiled) > budget.out_bytes:
        return EXIT_TOO_LARGE
    write_whole(out, compiled)
    return 0


def _child(request: Mapping[str, int | float | str], descriptors: list[int], parent: int) -> NoReturn:
    status = 1
    try:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        module, out, err, _reply = descriptors
        os.dup2(err, 2)
        close_all_but({module, out})
        budget = Budget(
            int(request["cpu_s"]), float(request["wall_s"]), int(request["data_bytes"]), int(request["out_bytes"])
        )
        set_limits(budget)
        kind = next(kind for kind in SETTINGS if kind == request["kind"])
        status = _compile(kind, module, out, budget)
    except BaseException as error:  # noqa: BLE001 - a forked child must not run the parent's way out
        os.write(2, f"{type(error).__name__}: {error}\n".encode(errors="replace"))
    finally:
        os._exit(status)


@dataclass(slots=True)
class _Running:
    pid: int
    reply: socket.socket
    deadline: float
    late: bool = False


class _Service:
    """The loop: requests in, children out, replies back; one thread."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ)
        self._running: dict[int, _Running] = {}

    def serve(self) -> None:
        while True:
            for key, _ in self._selector.select(self._patience()):
                if key.fileobj is not self._control:
                    self._ended(key.fd)
                elif not self._request():
                    self._stop()
                    return
            now = time.monotonic()
            for running in self._running.values():
                if now >= running.deadline and not running.late:
                    running.late = True
                    os.kill(running.pid, signal.SIGKILL)

    def _patience(self) -> float | None:
        waiting = [running.deadline for running in self._running.values() if not running.late]
        return max(0.0, min(waiting) - time.monotonic()) if waiting else None

    def _request(self) -> bool:
        """Starts a child; False when the parent is gone."""
        try:
            message, descriptors, _, _ = socket.recv_fds(self._control, _REQUEST_BYTES, _DESCRIPTORS)
        except ConnectionError:
            return False
        if not message:
            return False
        request = json.loads(message)
        me = os.getpid()
        pid = os.fork()
        if pid == 0:
            _child(request, descriptors, me)
        *files, reply = descriptors
        for descriptor in files:
            os.close(descriptor)
        deadline = time.monotonic() + float(request["wall_s"])
        pidfd = os.pidfd_open(pid)
        self._running[pidfd] = _Running(pid, socket.socket(fileno=reply), deadline)
        self._selector.register(pidfd, selectors.EVENT_READ)
        return True

    def _ended(self, pidfd: int) -> None:
        running = self._running.pop(pidfd)
        self._selector.unregister(pidfd)
        os.close(pidfd)
        _, status = os.waitpid(running.pid, 0)
        with running.reply as reply, contextlib.suppress(OSError):  # who asked may no longer wait
            reply.send(json.dumps({"status": status, "late": running.late}).encode())

    def _stop(self) -> None:
        for pidfd, running in list(self._running.items()):
            os.kill(running.pid, signal.SIGKILL)
            self._ended(pidfd)
        self._selector.close()


def main(descriptor: int) -> None:
    """Serves compile requests until the parent's end of the socket is closed.

    Args:
        descriptor: this end of the control socket.
    """
    # A compile child that a module took over must not reach what the next one gets from this process.
    keep_memory_private()
    prctl(_PR_SET_NO_NEW_PRIVS, 1)
    importlib.import_module("wasmtime")
    importlib.import_module("wasmtime.component")
    gc.freeze()
    with socket.socket(fileno=descriptor) as control:
        _Service(control).serve()
