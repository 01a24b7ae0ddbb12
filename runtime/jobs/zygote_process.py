"""The console's side of the zygote, without a loop: start it, ask it for workers, read what it says."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from runtime.errors import UnavailableError
from runtime.jobs.confine import ENVIRONMENT
from runtime.quantities import format_duration_ms, format_size
from runtime.sanitise import clean

__all__ = ["Ended", "Forked", "ZygoteProcess", "sealed_module", "worker_channel"]

_ROOT: Final = str(Path(__file__).resolve().parents[2])
_PROGRAM: Final = (
    "import sys; sys.path.insert(0, sys.argv[1]); from runtime.jobs.zygote import main; main(int(sys.argv[2]))"
)
_MESSAGE_MAX: Final = 8192
_TALK_BYTES: Final = 4096
_EXIT_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Forked:
    """A worker is there; `pidfd` belongs to whoever reads this."""

    token: int
    pid: int
    pidfd: int


@dataclass(frozen=True, slots=True)
class Ended:
    """A worker ended and was reaped.

    Attributes:
        token: which one.
        status: its wait status.
        cpu_ms: processor time of its whole life.
        resident_kib: the most that it ever had resident.
    """

    token: int
    status: int
    cpu_ms: int
    resident_kib: int

    def __str__(self) -> str:
        """How it ended, in words."""
        if os.WIFSIGNALED(self.status):
            number = os.WTERMSIG(self.status)
            name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
            how = f"was ended by {name}"
        else:
            how = f"ended with status {os.WEXITSTATUS(self.status)}"
        resident = format_size(self.resident_kib * 1024)
        return f"{how}, after {format_duration_ms(self.cpu_ms)} of CPU time, with {resident} resident at most"


def worker_channel() -> tuple[socket.socket, socket.socket]:
    """A channel to a worker: the console's end and the worker's; messages keep their bounds."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def sealed_module(compiled: bytes) -> int:
    """Compiled code in memory that nobody can change any more, as a descriptor for workers.

    Raises:
        UnavailableError: there is no room for it.
    """
    import fcntl

    descriptor = -1
    try:
        descriptor = os.memfd_create("orlop-compiled", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        view = memoryview(compiled)
        while view:
            view = view[os.write(descriptor, view) :]
        fcntl.fcntl(
            descriptor,
            fcntl.F_ADD_SEALS,
            fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL,
        )
    except OSError as error:
        if descriptor >= 0:
            os.close(descriptor)
        raise UnavailableError(f"no room for a compiled module: {error.strerror}") from error
    return descriptor


class ZygoteProcess:
    """A running zygote. `control` becomes readable when it has something to say, and at its end.

    Args:
        process: the process.
        control: this end of its socket.
        talk: what it writes to descriptor 2, for the reason when it dies.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", control: socket.socket, talk: int) -> None:
        self.process = process
        self.control = control
        self._talk = talk

    @classmethod
    def start(cls, program: str = "") -> Self:
        """Starts one; returns before it is ready.

        Args:
            program: of another than that for jobs; it is given our root and its descriptor.

        Raises:
            UnavailableError: it cannot be started.
        """
        mine, theirs = worker_channel()
        talk = -1
        try:
            with theirs:
                talk = os.memfd_create("orlop-zygote", os.MFD_CLOEXEC)
                process = subprocess.Popen(  # noqa: S603 - our own interpreter and module, no shell
                    [sys.executable, "-I", "-c", program or _PROGRAM, _ROOT, str(theirs.fileno())],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=talk,
                    env=dict(ENVIRONMENT),
                    cwd="/",
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,  # Ctrl-C at the terminal is for the console
                )
        except OSError as error:
            mine.close()
            if talk >= 0:
                os.close(talk)
            raise UnavailableError(f"the process for workers does not start: {error.strerror}") from error
        return cls(process, mine, talk)

    def request(self, token: int, channel: socket.socket, fields: Mapping[str, str | int]) -> None:
        """Asks for a worker; `Forked` follows.

        Args:
            token: names the worker from now on.
            channel: the worker's end.
            fields: what else the module's workers need to know.

        Raises:
            OSError: the zygote is gone.
        """
        message = json.dumps({"fork": token, **fields}).encode()
        socket.send_fds(self.control, [message], [channel.fileno()])

    def read(self) -> Forked | Ended | None:
        """The next thing that it says; None when it is gone.

        Raises:
            BlockingIOError: nothing, on a non-blocking socket.
        """
        try:
            raw, descriptors, _, _ = socket.recv_fds(self.control, _MESSAGE_MAX, 1)
        except ConnectionError:
            return None
        if not raw:
            return None
        said = json.loads(raw)
        if "forked" in said:
            return Forked(said["forked"], said["pid"], _only(descriptors))
        return Ended(said["ended"], said["status"], said["cpu_ms"], said["resident_kib"])

    def last_words(self) -> str:
        """The last line that it wrote to descriptor 2, made harmless."""
        size = os.fstat(self._talk).st_size
        raw = os.pread(self._talk, _TALK_BYTES, max(0, size - _TALK_BYTES))
        lines = [line for line in raw.decode(errors="replace").splitlines() if line.strip()]
        return clean(lines[-1]) if lines else "it left no message"

    def close(self) -> None:
        """Ends the zygote and with it its workers, and reaps it."""
        self.control.close()
        try:
            self.process.wait(_EXIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self._talk)


def _only(descriptors: Sequence[int]) -> int:
    return descriptors[0] if descriptors else -1
