"""What the operating system holds a worker process to: limits, no new privileges, a clean environment.

The engine bounds a guest; these bound the process around it, should the engine fail: limits of its own, and where the
kernel has them a filter of system calls (`runtime.jobs.seccomp`) and a wall around files (`runtime.jobs.landlock`).
"""

import os
import resource
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Final

from runtime.canonical import Json
from runtime.jobs import landlock, seccomp
from runtime.process import prctl

__all__ = [
    "ENVIRONMENT",
    "HEADROOM",
    "Confinement",
    "confinement",
    "die_with_parent",
    "ignore_terminal_signals",
    "limit_files",
    "limit_job",
    "limit_worker",
]


@dataclass(frozen=True, slots=True)
class Confinement:
    """Which of the kernel's walls stand around workers on this machine.

    Attributes:
        seccomp: a filter of system calls.
        landlock: the version of Landlock; 0 without it.
    """

    seccomp: bool
    landlock: int

    @property
    def missing(self) -> tuple[str, ...]:
        """What could not be had, in words."""
        walls = {"seccomp (a filter of system calls)": self.seccomp, "Landlock (a wall around files)": self.landlock}
        return tuple(name for name, stands in walls.items() if not stands)

    def document(self) -> dict[str, Json]:
        """As receipts state it."""
        return {"landlock": self.landlock, "no_new_privs": True, "seccomp": self.seccomp}


@cache
def confinement() -> Confinement:
    """What this kernel offers; a worker that then cannot have it ends instead of running a guest without."""
    return Confinement(seccomp.available(), landlock.abi())


ENVIRONMENT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "LC_ALL": "C.UTF-8",
        # With backtraces an abort for want of memory hangs in collecting them.
        "RUST_BACKTRACE": "0",
        # One thread for WASI, whatever the machine: each thread's stack counts towards the limit of a worker's memory.
        "TOKIO_WORKER_THREADS": "1",
    }
)
"""All that a worker process inherits."""

HEADROOM: Final = 64 << 20
"""Private memory that a worker may have beside its guest's, in bytes."""

_FILE_MAX: Final = 1 << 30
_IMAGE_MAX: Final = 64 << 20
"""The engine keeps a module's data in a file in memory, of 32 MiB at most."""

_DESCRIPTORS: Final = 64
_DESCRIPTORS_MAX: Final = 1200
"""What the largest limit of a job leaves room for."""
_ENGINE_FILES: Final = 8
"""What the engine opens for itself while a guest runs (seen)."""

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NO_NEW_PRIVS: Final = 38


def ignore_terminal_signals() -> None:
    """Leaves stopping to the parent: a signal to the whole session or service must not look like a lost worker."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def die_with_parent() -> None:
    """Has the kernel kill this process when the thread that forked it ends; the caller then looks whether it has.

    Raises:
        OSError: the kernel refused.
    """
    prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def limit_worker(memory_ceiling: int) -> None:
    """Puts this process under what no job of its may exceed.

    Args:
        memory_ceiling: bytes of guest memory that the operator allows at most.

    Raises:
        OSError: the kernel refused.
    """
    prctl(_PR_SET_NO_NEW_PRIVS, 1)
    ceiling = memory_ceiling + HEADROOM
    for limit, soft, hard in (
        (resource.RLIMIT_DATA, ceiling, ceiling),
        (resource.RLIMIT_FSIZE, _IMAGE_MAX, _FILE_MAX),
        (resource.RLIMIT_NOFILE, _DESCRIPTORS, _DESCRIPTORS_MAX),
    ):
        resource.setrlimit(limit, (soft, hard))


def limit_job(memory_bytes: int, largest_file: int | None) -> None:
    """Sets what differs from job to job.

    Args:
        memory_bytes: the guest's limit.
        largest_file: bytes that a file in its writable directories may have; None when it has no such directory.
    """
    _, ceiling = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (min(memory_bytes + HEADROOM, ceiling), ceiling))
    longest = _IMAGE_MAX if largest_file is None else min(largest_file, _FILE_MAX)
    resource.setrlimit(resource.RLIMIT_FSIZE, (longest, _FILE_MAX))


def limit_files(count: int | None) -> None:
    """Bounds the files that are open at a time; the guest is told of an error (29, `io`).

    The kernel bounds the numbers of descriptors, and gives the lowest that is free.

    Args:
        count: how many beside those that are open now; None between jobs.
    """
    if count is None:
        soft = _DESCRIPTORS
    else:
        lowest = os.dup(0)
        os.close(lowest)
        soft = min(lowest + _ENGINE_FILES + count, _DESCRIPTORS_MAX)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, _DESCRIPTORS_MAX))
