"""The steps between a fork and a program: a session of its own, nothing inherited, limits, and then the program."""

import errno
import os
import resource
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

from runtime.components.host.process_limits import apply_limits
from runtime.process import prctl

__all__ = ["Launch", "launch"]

_PR_SET_PDEATHSIG: Final = 1
_SCRIPT: Final = b"#!"
_FAILED: Final = 127


@dataclass(frozen=True, slots=True)
class Launch:
    """What to start.

    Attributes:
        id: the child's, as its component knows it.
        arguments: the command first.
        environment: all of it.
        limits: as `process_limits.CEILINGS`.
        timeout_ms: after which it is killed.
        captured: which of its standard streams lead somewhere.
    """

    id: int
    arguments: Sequence[str]
    environment: Mapping[str, str]
    limits: Mapping[str, int]
    timeout_ms: int
    captured: Sequence[int]

    @classmethod
    def read(cls, message: Mapping[str, object]) -> Self:
        """From a request that the worker's side wrote.

        Raises:
            OSError: EINVAL: it is none.
        """
        match message:
            case {"id": int(number), "arguments": list(arguments), "environment": dict(environment)}:
                match message:
                    case {"limits": dict(limits), "timeout_ms": int(timeout), "captured": list(captured)}:
                        return cls(number, arguments, environment, limits, timeout, captured)
        raise OSError(errno.EINVAL, "")


def launch(wanted: Launch, program: int, descriptors: Sequence[int]) -> int:
    """Starts a program.

    Args:
        wanted: what.
        program: a descriptor that names it.
        descriptors: its working directory and its captured streams.

    Returns:
        The process's number.

    Raises:
        OSError: it does not start; why.
    """
    told, telling = os.pipe2(os.O_CLOEXEC)
    try:
        pid = os.fork()
        if not pid:
            _become(wanted, program, descriptors, telling)
        os.close(telling)
        telling = -1
        with os.fdopen(told, "rb", closefd=False) as reading:
            said = reading.read()
    finally:
        os.close(told)
        if telling >= 0:
            os.close(telling)
    if said:
        os.waitpid(pid, 0)
        raise OSError(int(said), os.strerror(int(said)))
    return pid


def _become(wanted: Launch, program: int, descriptors: Sequence[int], telling: int) -> None:
    """Is the child from here on; never comes back."""
    try:
        spawner = os.getppid()
        os.setsid()
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != spawner:
            os._exit(_FAILED)
        _reset_signals()
        directory, *streams = descriptors
        os.fchdir(directory)
        for number, stream in zip(wanted.captured, streams, strict=True):
            os.dup2(stream, number, inheritable=True)
        arguments = [os.fsencode(argument) for argument in wanted.arguments]
        environment = {os.fsencode(name): os.fsencode(value) for name, value in wanted.environment.items()}
        os.umask(0o077)
        if _is_script(program):
            os.set_inheritable(program, True)  # its interpreter opens it again by its descriptor
        _close_all_but(program, telling)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        apply_limits(wanted.limits)
        os.execve(program, arguments, environment)  # noqa: S606 - without a shell is what is wanted
    except OSError as error:
        os.write(telling, str(error.errno or errno.EIO).encode())
    except BaseException:  # noqa: BLE001 - a copy of the spawner must not go on whatever happens
        os.write(telling, str(errno.EIO).encode())
    os._exit(_FAILED)


def _close_all_but(*kept: int) -> None:
    first = 3
    for descriptor in sorted(kept):
        os.closerange(first, descriptor)
        first = descriptor + 1
    os.closerange(first, 1 << 16)


def _reset_signals() -> None:
    """As a program expects them: nothing ignored, nothing blocked."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        if number not in {signal.SIGKILL, signal.SIGSTOP} and signal.getsignal(number) != signal.SIG_DFL:
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _is_script(program: int) -> bool:
    try:
        descriptor = os.open(f"/proc/self/fd/{program}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False  # a program may be executable and not readable; a script may not
    try:
        return os.pread(descriptor, len(_SCRIPT), 0) == _SCRIPT
    finally:
        os.close(descriptor)
