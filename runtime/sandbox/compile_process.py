"""The parent's side of the compile process: started when first needed, asked by several threads, reaped at the end."""

import json
import os
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from runtime.sandbox.compile_child import Budget, read_whole, write_whole
from runtime.sandbox.engine import EngineKind
from runtime.sandbox.errors import CompilerUnavailableError
from runtime.sanitise import clean

__all__ = ["Answer", "CompileProcess"]

_ROOT: Final = str(Path(__file__).resolve().parents[2])
_PROGRAM: Final = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from runtime.sandbox.compile_child import main; main(int(sys.argv[2]))"
)
_ENVIRONMENT: Final = {"LC_ALL": "C.UTF-8", "RUST_BACKTRACE": "0"}
_TALK_BYTES: Final = 4096


@dataclass(frozen=True, slots=True)
class Answer:
    """How a compile child ended.

    Attributes:
        status: its wait status.
        late: the wall clock ended it.
        out: compiled code, or the engine's words about the module.
        talk: the end of what it wrote to descriptor 2.
    """

    status: int
    late: bool
    out: bytes
    talk: str


class _Gone(Exception):  # noqa: N818 - never leaves this module
    """The process ended before it answered."""


def _memfd(name: str, content: bytes = b"") -> int:
    descriptor = os.memfd_create(name, os.MFD_CLOEXEC)
    write_whole(descriptor, content)
    return descriptor


def _talk(descriptor: int) -> str:
    size = os.fstat(descriptor).st_size
    return os.pread(descriptor, _TALK_BYTES, max(0, size - _TALK_BYTES)).decode(errors="replace")


class CompileProcess:
    """One compile process, and the requests that wait for it. Safe to use from several threads.

    Args:
        concurrent: children that may run at once.
    """

    def __init__(self, concurrent: int) -> None:
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(concurrent)
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._talk = -1
        self._closed = False

    def start(self) -> None:
        """Starts the process unless it runs; does not wait until it is ready.

        Raises:
            CompilerUnavailableError: it cannot be started, or this object is closed.
        """
        with self._lock:
            self._ensure()

    def ask(self, kind: EngineKind, wasm: bytes, budget: Budget) -> Answer:
        """Has a module compiled in a child; blocks.

        Args:
            kind: for which engine.
            wasm: the module.
            budget: the child's limits.

        Returns:
            How the child ended.

        Raises:
            CompilerUnavailableError: the process cannot be started, or died twice.
        """
        with self._slots:
            try:
                return self._once(kind, wasm, budget)
            except _Gone:
                pass
            try:
                return self._once(kind, wasm, budget)
            except _Gone as gone:
                raise CompilerUnavailableError(f"the compile process ended: {gone}") from None

    def close(self) -> None:
        """Ends the process and its children, and reaps it; requests that wait fail."""
        with self._lock:
            self._closed = True
            self._discard()

    def _once(self, kind: EngineKind, wasm: bytes, budget: Budget) -> Answer:
        opened: list[int] = []
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            opened.append(_memfd("orlop-module", wasm))
            opened.append(_memfd("orlop-compiled"))
            opened.append(_memfd("orlop-compiler-talk"))
            with mine:
                with theirs:
                    process = self._send(kind, budget, [*opened, theirs.fileno()])
                try:
                    reply = mine.recv(1024)
                except ConnectionError:
                    reply = b""
                if not reply:
                    raise _Gone(self._reason(process))
            answer = json.loads(reply)
            return Answer(int(answer["status"]), bool(answer["late"]), read_whole(opened[1]), _talk(opened[2]))
        except OSError as error:
            raise CompilerUnavailableError(f"no room to compile a module: {error.strerror}") from error
        finally:
            for descriptor in opened:
                os.close(descriptor)

    def _send(self, kind: EngineKind, budget: Budget, descriptors: list[int]) -> "subprocess.Popen[bytes]":
        message = json.dumps(
            {
                "kind": kind,
                "cpu_s": budget.cpu_s,
                "wall_s": budget.wall_s,
                "data_bytes": budget.data_bytes,
                "out_bytes": budget.out_bytes,
            }
        ).encode()
        with self._lock:
            process, control = self._ensure()
            try:
                socket.send_fds(control, [message], descriptors)
            except (BrokenPipeError, ConnectionError):
                raise _Gone(self._last_words()) from None
            return process

    def _ensure(self) -> "tuple[subprocess.Popen[bytes], socket.socket]":
        if self._closed:
            raise CompilerUnavailableError("the compiler is closed")
        if self._process is not None and self._control is not None and self._process.poll() is None:
            return self._process, self._control
        self._discard()
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        talk = _memfd("orlop-compile-process")
        try:
            with theirs:
                process = subprocess.Popen(  # noqa: S603 - our own interpreter and module, no shell
                    [sys.executable, "-I", "-c", _PROGRAM, _ROOT, str(theirs.fileno())],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=talk,
                    env=_ENVIRONMENT,
                    cwd="/",
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,  # Ctrl-C at the terminal is for the console
                )
        except OSError as error:
            mine.close()
            os.close(talk)
            raise CompilerUnavailableError(f"the compile process does not start: {error.strerror}") from error
        self._process, self._control, self._talk = process, mine, talk
        return process, mine

    def _reason(self, process: "subprocess.Popen[bytes]") -> str:
        with self._lock:
            if self._closed:
                return "it was closed"
            if process is not self._process:
                return "it was replaced"
            process.wait()
            return self._last_words()

    def _last_words(self) -> str:
        lines = _talk(self._talk).strip().splitlines() if self._talk >= 0 else []
        return clean(lines[-1]) if lines else "it left no message"

    def _discard(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            self._process.wait()
            self._process = None
        if self._talk >= 0:
            os.close(self._talk)
            self._talk = -1
