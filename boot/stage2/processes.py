"""Children of PID 1: begun without its rights, reaped in one place."""

import ctypes
import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from runtime.errors import UnavailableError

__all__ = ["Account", "BackOff", "Program", "begin", "begin_call", "reap"]

_NO_NEW_PRIVILEGES: Final = 38
_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_BROKEN: Final = 127
_LASTS_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Account:
    """As whom a child runs.

    Attributes:
        user: number of the user.
        group: number of the group, the only one.
    """

    user: int
    group: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What is executed.

    Attributes:
        words: path and arguments.
        environment: all of it.
        account: as whom; None: as we are.
        output: a descriptor for its standard output; None: nowhere.
    """

    words: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    account: Account | None = None
    output: int | None = None


@dataclass(slots=True)
class BackOff:
    """How long is waited before something that ended is begun again: longer and longer, until it lasts.

    Attributes:
        first_s: the first time.
        most_s: at most.
    """

    first_s: float = 1.0
    most_s: float = 60.0
    _failures: int = 0

    def ended(self, lasted_s: float) -> float:
        """It ended after so long; gives the pause."""
        self._failures = 0 if lasted_s >= _LASTS_S else self._failures + 1
        return min(self.most_s, self.first_s * float(1 << max(0, self._failures - 1)))


def begin(program: Program) -> int:
    """Begins a program in a session of its own.

    Args:
        program: what.

    Returns:
        Its process id.

    Raises:
        UnavailableError: there is no process to be had.
    """

    def execute() -> int:
        nowhere = os.open(os.devnull, os.O_RDWR)
        os.dup2(nowhere, 0)
        os.dup2(nowhere if program.output is None else program.output, 1)
        os.execve(program.words[0], program.words, dict(program.environment))  # noqa: S606 - a path of the image

    return begin_call(execute, program.account)


def begin_call(call: Callable[[], int], account: Account | None) -> int:
    """Calls something in a child.

    Args:
        call: gives the exit status; what it raises is said on the standard error.
        account: as whom.

    Returns:
        The child's process id.

    Raises:
        UnavailableError: there is no process to be had.
    """
    try:
        pid = os.fork()
    except OSError as error:
        raise UnavailableError(f"no process: {(error.strerror or '?').lower()}", where="second stage") from error
    if pid:
        return pid
    status = _BROKEN
    try:
        os.setsid()
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        if account is not None:
            _become(account)
        status = call()
    except BaseException as error:  # noqa: BLE001 - nothing may go on in the copy of PID 1
        os.write(2, f"boot: failed: {type(error).__name__}: {error}\n".encode(errors="replace"))
    finally:
        os._exit(status)


def reap() -> list[tuple[int, int]]:
    """Every child that ended since the last call, ours or adopted: process id and status as `waitpid` gives it."""
    ended: list[tuple[int, int]] = []
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        ended.append((pid, status))


def _become(account: Account) -> None:
    """For good: nothing that is executed from here on gets a right back."""
    os.setgroups([])
    os.setresgid(account.group, account.group, account.group)
    os.setresuid(account.user, account.user, account.user)
    if _LIBC.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "rights could come back")
