"""What the operating system holds a component's worker to, taken up in one order before the engine exists.

The engine bounds a guest, and host operations decide what it may; these walls stand around the process, should one of
them fail: limits, a filter of system calls, and Landlock's rules for the mounts and ports of the component. Shared
workers, whose components have neither files nor network nor processes, get the narrowest of all.
"""

import contextlib
import os
import platform
import resource
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from runtime.components.placement import SHARED_MEMORY, SHARED_SLOTS
from runtime.components.worker.wire import Load, LoadLimits
from runtime.jobs import landlock, seccomp
from runtime.jobs.confine import confinement
from runtime.process import prctl

__all__ = [
    "SHARED_MEMORY",
    "SHARED_SLOTS",
    "become_worker",
    "close_in",
    "close_in_shared",
    "limit_alone",
    "limit_shared",
]

_HEADROOM: Final = 256 << 20
"""Private memory beside the guest's: conversions of lists take 32 bytes for each of theirs, and threads have stacks."""

_DESCRIPTORS: Final = 96
_PER_CHILD: Final = 8
_IMAGE_MAX: Final = 64 << 20
"""The engine keeps a component's data in a file in memory."""

_PR_SET_NO_NEW_PRIVS: Final = 38


_CALLS: Final[Mapping[str, Mapping[str, Mapping[str, int]]]] = {
    "x86_64": {
        "always": {
            "dup": 32, "recvfrom": 45, "getsockname": 51, "socketpair": 53, "getsockopt": 55, "uname": 63,
            "getppid": 110, "pselect6": 270, "pipe2": 293,
        },
        "files": {
            "access": 21, "sendfile": 40, "flock": 73, "getcwd": 79, "fchmod": 91, "statfs": 137, "fstatfs": 138,
            "fchmodat": 268, "faccessat": 269, "copy_file_range": 326, "faccessat2": 439, "fchmodat2": 452,
        },
        "network": {
            "access": 21, "connect": 42, "accept": 43, "shutdown": 48, "bind": 49, "listen": 50,
            "getpeername": 52, "setsockopt": 54, "faccessat": 269, "accept4": 288,
            "recvmmsg": 299, "sendmmsg": 307, "faccessat2": 439,
        },
        "sockets": {"socket": 41},
    },
    "aarch64": {
        "always": {
            "dup": 23, "pipe2": 59, "pselect6": 72, "uname": 160, "getppid": 173, "socketpair": 199,
            "getsockname": 204, "recvfrom": 207, "getsockopt": 209,
        },
        "files": {
            "getcwd": 17, "flock": 32, "statfs": 43, "fstatfs": 44, "faccessat": 48, "fchmod": 52, "fchmodat": 53,
            "sendfile": 71, "copy_file_range": 285, "faccessat2": 439, "fchmodat2": 452,
        },
        "network": {
            "faccessat": 48, "bind": 200, "listen": 201, "accept": 202, "connect": 203,
            "getpeername": 205, "setsockopt": 208, "shutdown": 210,
            "accept4": 242, "recvmmsg": 243, "sendmmsg": 269, "faccessat2": 439,
        },
        "sockets": {"socket": 198},
    },
}  # fmt: skip
"""By `platform.machine()` and purpose: system calls beyond those that every worker has (`runtime.jobs.seccomp`).

Those of `sockets` are looked at more closely there."""

_FOR_NAMES: Final = (
    "/etc/hosts",
    "/etc/resolv.conf",
    "/etc/nsswitch.conf",
    "/etc/host.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/ssl",
    "/etc/pki",
    "/usr/share/ca-certificates",
    "/usr/lib",
    "/lib",
)
"""What resolving names and checking certificates reads; the C library loads its parts when they are first needed."""


def become_worker() -> None:
    """The first steps: a session of its own, private files, no new privileges, no terminal.

    The parent has set the death signal and closed what is not the worker's.

    Raises:
        OSError: the kernel refused.
    """
    os.setsid()
    os.umask(0o077)
    prctl(_PR_SET_NO_NEW_PRIVS, 1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def limit_alone(limits: LoadLimits, mounts: int) -> None:
    """Limits of a worker with one component.

    Args:
        limits: the component's.
        mounts: how many it has.
    """
    descriptors = _DESCRIPTORS + mounts + limits.open_files + limits.sockets + _PER_CHILD * limits.children
    _limit(limits.memory * limits.memories, descriptors, max(limits.filesystem, _IMAGE_MAX))


def limit_shared() -> None:
    """Limits of a worker that several components share."""
    _limit(SHARED_SLOTS * SHARED_MEMORY, _DESCRIPTORS, _IMAGE_MAX)


def _limit(memory: int, descriptors: int, largest_file: int) -> None:
    for limit, value in (
        (resource.RLIMIT_DATA, memory + _HEADROOM),
        (resource.RLIMIT_NOFILE, descriptors),
        (resource.RLIMIT_FSIZE, largest_file),
    ):
        _, hard = resource.getrlimit(limit)
        ceiling = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (ceiling, ceiling))


def close_in_shared() -> None:
    """Takes files, network and other processes from this process, for good.

    Raises:
        OSError: the kernel refused what it said it has.
    """
    walls = confinement()
    if walls.landlock:
        landlock.restrict(())
    if walls.seccomp:
        seccomp.apply(_calls("always"))


def close_in(load: Load, mounts: Sequence[int]) -> None:
    """Leaves this process the mounts, ports and calls of its one component, and nothing else, for good.

    Args:
        load: the component.
        mounts: descriptors, in its order.

    Raises:
        OSError: the kernel refused what it said it has.
    """
    walls = confinement()
    if walls.landlock:
        with _readable(_FOR_NAMES if load.network else ()) as system:
            paths = [(fd, not mount.read_only) for fd, mount in zip(mounts, load.mounts, strict=True)]
            reach = landlock.Reach(load.connect_ports, load.listen_ports)
            landlock.restrict([*paths, *((fd, False) for fd in system)], reach)
    if walls.seccomp:
        if load.network:
            (sockets,) = _calls("sockets")
            seccomp.apply(_calls("always", "files", "network"), sockets)
        else:
            seccomp.apply(_calls("always", "files"))


def _calls(*purposes: str) -> set[int]:
    tables = _CALLS[platform.machine()]
    return {number for purpose in purposes for number in tables[purpose].values()}


@contextlib.contextmanager
def _readable(paths: Sequence[str]) -> Iterator[list[int]]:
    """Descriptors of those that there are."""
    opened: list[int] = []
    try:
        for path in paths:
            with contextlib.suppress(OSError):
                opened.append(os.open(path, os.O_PATH | os.O_CLOEXEC))
        yield opened
    finally:
        for descriptor in opened:
            os.close(descriptor)
