"""A bound on the memory of a process, which the kernel keeps by killing it; where it may not be asked, by a signal.

The hierarchy of control groups is opened by the system call and mounted nowhere, so that nothing is left behind.
"""

import contextlib
import ctypes
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

__all__ = ["MemoryBound", "memory_bound"]

_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_FSOPEN, _FSCONFIG, _FSMOUNT = 430, 431, 432
_SET_FLAG, _CREATE = 0, 6


@dataclass(frozen=True, slots=True)
class _Kind:
    """One of the two generations of control groups: its file system, what is asked of it, and its files."""

    name: bytes
    option: bytes | None
    limit: str
    swap: tuple[str, int]
    events: str


_KINDS: Final = (
    _Kind(b"cgroup2", None, "memory.max", ("memory.swap.max", 0), "memory.events"),
    _Kind(b"cgroup", b"memory", "memory.limit_in_bytes", ("memory.swappiness", 0), "memory.oom_control"),
)


class MemoryBound:
    """A process under a bound, or one that waits for the signal.

    Args:
        pid: of the process.
        kind: of control groups; None where there are none to be had.
        group: descriptor of its group.
    """

    def __init__(self, pid: int, kind: _Kind | None = None, group: int = -1) -> None:
        self._pid = pid
        self._kind = kind
        self._group = group

    @property
    def by_the_kernel(self) -> bool:
        """Whether the kernel keeps it."""
        return self._kind is not None

    def was_exceeded(self) -> None:
        """The process took more than it may: where the kernel does not see to it, it is killed as the kernel does."""
        if self._kind is None:
            os.kill(self._pid, signal.SIGKILL)

    def kills(self) -> int:
        """How many the kernel has killed for it; 1 where it does not see to it."""
        if self._kind is None:
            return 1
        lines = _read(self._group, self._kind.events).splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))


@contextlib.contextmanager
def memory_bound(pid: int, size: int) -> Iterator[MemoryBound]:
    """Puts a process under a bound.

    Args:
        pid: of the process, which has ended when the block ends.
        size: bytes that it may take from now on, beside what it has.
    """
    for kind in _KINDS:
        with contextlib.ExitStack() as stack:
            try:
                group = stack.enter_context(_group(kind, f"orlop-test-{os.getpid()}-{pid}"))
                _write(group, kind.limit, size)
                with contextlib.suppress(OSError):  # no swap, then
                    _write(group, *kind.swap)
                _write(group, "cgroup.procs", pid)
            except OSError:
                continue
            yield MemoryBound(pid, kind, group)
            return
    yield MemoryBound(pid)


@contextlib.contextmanager
def _group(kind: _Kind, name: str) -> Iterator[int]:
    """A new group, by its descriptor."""
    top = _top(kind)
    try:
        if kind.option is None and "memory" not in _read(top, "cgroup.subtree_control").split():
            raise OSError("it bounds no memory")
        os.mkdir(name, dir_fd=top)
        try:
            group = os.open(name, os.O_RDONLY | os.O_DIRECTORY, dir_fd=top)
            try:
                yield group
            finally:
                os.close(group)
        finally:
            _removed(top, name)
    finally:
        os.close(top)


def _top(kind: _Kind) -> int:
    opened = _call(_FSOPEN, kind.name, 1)
    try:
        if kind.option is not None:
            _call(_FSCONFIG, opened, _SET_FLAG, kind.option, None, 0)
        _call(_FSCONFIG, opened, _CREATE, None, None, 0)
        mounted = _call(_FSMOUNT, opened, 1, 0)
    finally:
        os.close(opened)
    try:
        return os.open(".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=mounted)
    finally:
        os.close(mounted)


def _removed(top: int, name: str) -> None:
    """Takes a group away; one whose process is not reaped yet goes a moment later."""
    for _ in range(100_000):
        try:
            os.rmdir(name, dir_fd=top)
        except OSError:
            os.sched_yield()
        else:
            return
    raise OSError(f"the group {name} is still used")


def _call(number: int, *arguments: object) -> int:
    given = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    result = int(_LIBC.syscall(ctypes.c_long(number), *given))
    if result < 0:
        raise OSError(ctypes.get_errno(), "the kernel does not let us")
    return result


def _read(folder: int, name: str) -> str:
    with os.fdopen(os.open(name, os.O_RDONLY, dir_fd=folder)) as file:
        return file.read()


def _write(folder: int, name: str, value: int) -> None:
    with os.fdopen(os.open(name, os.O_WRONLY, dir_fd=folder), "w") as file:
        file.write(str(value))
