"""The system calls that a worker may make, as a seccomp filter; every other one ends it.

A guest makes none by itself: the engine does for it. The filter is for a guest that has taken its worker over. It gets
no new process (EPERM), no socket, no other program and no other process's memory or signals (the kernel kills the
worker, which costs one job). Which files it may open is Landlock's to say.

`program` is pure: the filter as classic BPF (Linux, `Documentation/userspace-api/seccomp_filter.rst`). `clone3` hides
its flags behind a pointer, which no filter can follow; answered with ENOSYS, the C library falls back to `clone`, whose
flags are looked at.
"""

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from runtime.process import prctl

__all__ = ["MACHINES", "Instruction", "Machine", "apply", "available", "program"]

Instruction = tuple[int, int, int, int]
"""Code, jump if true, jump if false, operand: one `struct sock_filter`."""

_LOAD: Final = 0x20
_EQUAL: Final = 0x15
_AT_LEAST: Final = 0x35
_ANY_BIT: Final = 0x45
_AND: Final = 0x54
_RETURN: Final = 0x06

_NR_AT, _ARCH_AT, _ARGS_AT = 0, 4, 16

_ALLOW: Final = 0x7FFF0000
_KILL: Final = 0x80000000
_ERRNO: Final = 0x00050000

_X32_BIT: Final = 0x40000000
_CLONE_THREAD: Final = 0x00010000
_PR_SET_NAME, _PR_SET_VMA = 15, 0x53564D41
_AF_INET, _AF_INET6, _AF_NETLINK = 2, 10, 16
_STREAM, _DATAGRAM, _TYPE_BITS = 1, 2, 0xF
_OF_NETWORK: Final = (0, 6, 17)
"""Protocols: the usual one of a type, TCP and UDP. Landlock's ports do not hold for others over TCP."""
_ROUTES: Final = 0
_TERMINAL_GET, _NONBLOCKING, _READABLE, _CLOSE_ON_EXEC = 0x5401, 0x5421, 0x541B, 0x5451

_PR_SET_SECCOMP: Final = 22
_MODE_FILTER: Final = 2
_GET_ACTION_AVAILABLE: Final = 2


@dataclass(frozen=True, slots=True)
class Machine:
    """The numbers of one architecture.

    Attributes:
        audit: how the kernel names it (`AUDIT_ARCH_…`).
        seccomp: the number of `seccomp` itself.
        plain: calls that are allowed with any arguments, by name.
        clone: see `program`; likewise `clone3`, `prctl`, `ioctl`, `tgkill` and `prlimit64`.
    """

    audit: int
    seccomp: int
    plain: Mapping[str, int]
    clone: int
    clone3: int
    prctl: int
    ioctl: int
    tgkill: int
    prlimit64: int


MACHINES: Final[Mapping[str, Machine]] = {
    "x86_64": Machine(
        audit=0xC000003E,
        seccomp=317,
        plain={
            "read": 0, "write": 1, "close": 3, "fstat": 5, "poll": 7, "lseek": 8, "mmap": 9, "mprotect": 10,
            "munmap": 11, "brk": 12, "rt_sigaction": 13, "rt_sigprocmask": 14, "rt_sigreturn": 15, "pread64": 17,
            "pwrite64": 18, "readv": 19, "writev": 20, "sched_yield": 24, "mremap": 25, "madvise": 28,
            "nanosleep": 35, "setitimer": 38, "getpid": 39, "sendto": 44, "sendmsg": 46, "recvmsg": 47, "exit": 60,
            "fcntl": 72, "fsync": 74, "fdatasync": 75, "ftruncate": 77, "readlink": 89, "gettimeofday": 96,
            "getrusage": 98, "rt_sigtimedwait": 128, "sigaltstack": 131, "gettid": 186, "futex": 202,
            "sched_getaffinity": 204, "getdents64": 217, "restart_syscall": 219, "fadvise64": 221,
            "clock_gettime": 228, "clock_getres": 229, "clock_nanosleep": 230, "exit_group": 231, "epoll_wait": 232,
            "epoll_ctl": 233, "openat": 257, "mkdirat": 258, "newfstatat": 262, "unlinkat": 263, "renameat": 264,
            "linkat": 265, "symlinkat": 266, "readlinkat": 267, "ppoll": 271, "set_robust_list": 273,
            "sync_file_range": 277, "utimensat": 280, "epoll_pwait": 281, "fallocate": 285, "eventfd2": 290,
            "epoll_create1": 291, "preadv": 295, "pwritev": 296, "renameat2": 316, "getrandom": 318,
            "memfd_create": 319, "membarrier": 324, "preadv2": 327, "pwritev2": 328, "statx": 332, "rseq": 334,
            "close_range": 436, "openat2": 437, "landlock_create_ruleset": 444, "landlock_add_rule": 445,
            "landlock_restrict_self": 446,
        },
        clone=56, clone3=435, prctl=157, ioctl=16, tgkill=234, prlimit64=302,
    ),
    "aarch64": Machine(
        audit=0xC00000B7,
        seccomp=277,
        plain={
            "eventfd2": 19, "epoll_create1": 20, "epoll_ctl": 21, "epoll_pwait": 22, "fcntl": 25, "mkdirat": 34,
            "unlinkat": 35, "symlinkat": 36, "linkat": 37, "renameat": 38, "ftruncate": 46, "fallocate": 47,
            "openat": 56, "close": 57, "getdents64": 61, "lseek": 62, "read": 63, "write": 64, "readv": 65,
            "writev": 66, "pread64": 67, "pwrite64": 68, "preadv": 69, "pwritev": 70, "ppoll": 73, "readlinkat": 78,
            "newfstatat": 79, "fstat": 80, "fsync": 82, "fdatasync": 83, "sync_file_range": 84, "utimensat": 88,
            "exit": 93, "exit_group": 94, "futex": 98, "set_robust_list": 99, "nanosleep": 101, "setitimer": 103,
            "clock_gettime": 113, "clock_getres": 114, "clock_nanosleep": 115, "sched_getaffinity": 123,
            "sched_yield": 124, "restart_syscall": 128, "sigaltstack": 132, "rt_sigaction": 134,
            "rt_sigprocmask": 135, "rt_sigtimedwait": 137, "rt_sigreturn": 139, "getrusage": 165,
            "gettimeofday": 169, "getpid": 172, "gettid": 178, "sendto": 206, "sendmsg": 211, "recvmsg": 212,
            "brk": 214, "munmap": 215, "mremap": 216, "mmap": 222, "fadvise64": 223, "mprotect": 226,
            "madvise": 233, "renameat2": 276, "getrandom": 278, "memfd_create": 279, "membarrier": 283,
            "preadv2": 286, "pwritev2": 287, "statx": 291, "rseq": 293, "close_range": 436, "openat2": 437,
            "landlock_create_ruleset": 444, "landlock_add_rule": 445, "landlock_restrict_self": 446,
        },
        clone=220, clone3=435, prctl=167, ioctl=29, tgkill=131, prlimit64=261,
    ),
}  # fmt: skip
"""By `platform.machine()`. The landlock calls only ever tighten."""


def program(
    machine: Machine, pid: int, more: Collection[int] = (), sockets: int | None = None
) -> tuple[Instruction, ...]:
    """The filter of one worker.

    Args:
        machine: where it runs.
        pid: the worker's; signals and limits may be for itself only.
        more: numbers of calls that are allowed beyond those of the machine.
        sockets: the number of `socket`, where TCP and UDP over IP are allowed, and asking the kernel for its addresses,
            as resolvers do; None where no socket is.
    """
    code: list[Instruction] = [(_LOAD, 0, 0, _ARCH_AT), (_EQUAL, 1, 0, machine.audit), (_RETURN, 0, 0, _KILL)]
    # On x86-64 the same numbers with this bit are the calls of another ABI.
    code += [(_LOAD, 0, 0, _NR_AT), (_AT_LEAST, 0, 1, _X32_BIT), (_RETURN, 0, 0, _KILL)]
    for number in sorted({*machine.plain.values(), *more}):
        code += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ALLOW)]
    code += [(_EQUAL, 0, 1, machine.clone3), (_RETURN, 0, 0, _ERRNO | errno.ENOSYS)]
    code += _when(machine.clone, (_load_low(0), (_ANY_BIT, 0, 1, _CLONE_THREAD), (_RETURN, 0, 0, _ALLOW)))
    code += _when(machine.prctl, _among(0, (_PR_SET_NAME, _PR_SET_VMA)))
    code += _when(machine.ioctl, _among(1, (_TERMINAL_GET, _NONBLOCKING, _READABLE, _CLOSE_ON_EXEC)))
    code += _when(machine.tgkill, _among(0, (pid,)))
    code += _when(machine.prlimit64, _among(0, (0, pid)))
    if sockets is not None:
        code += _when(sockets, _sockets())
    return (*code, (_RETURN, 0, 0, _KILL))


def _when(number: int, body: tuple[Instruction, ...]) -> list[Instruction]:
    """What is asked of one call's arguments; EPERM when nothing in it has allowed the call."""
    return [(_EQUAL, 0, len(body) + 1, number), *body, (_RETURN, 0, 0, _ERRNO | errno.EPERM)]


def _load_low(argument: int) -> Instruction:
    """The lower half: these arguments are `int` or `unsigned long` of which only the lower half has a meaning."""
    return (_LOAD, 0, 0, _ARGS_AT + 8 * argument)


def _sockets() -> tuple[Instruction, ...]:
    """The family, then the type without its flags, then the protocol; numbers are steps to go."""
    protocols = len(_OF_NETWORK)
    return (
        _load_low(0),
        (_EQUAL, 2, 0, _AF_INET),
        (_EQUAL, 1, 0, _AF_INET6),
        (_EQUAL, 5 + protocols, 8 + protocols, _AF_NETLINK),
        _load_low(1),
        (_AND, 0, 0, _TYPE_BITS),
        (_EQUAL, 1, 0, _STREAM),
        (_EQUAL, 0, 4 + protocols, _DATAGRAM),
        _load_low(2),
        *((_EQUAL, protocols + 1 - at, 0 if at < protocols - 1 else 3, one) for at, one in enumerate(_OF_NETWORK)),
        _load_low(2),
        (_EQUAL, 0, 1, _ROUTES),
        (_RETURN, 0, 0, _ALLOW),
    )


def _among(argument: int, values: tuple[int, ...]) -> tuple[Instruction, ...]:
    checks = [step for value in values for step in ((_EQUAL, 0, 1, value), (_RETURN, 0, 0, _ALLOW))]
    return (_load_low(argument), *checks)


def available() -> bool:
    """Whether this kernel takes such filters, and this machine's numbers are known."""
    machine = MACHINES.get(platform.machine())
    if machine is None:
        return False
    action = ctypes.c_uint32(_KILL)
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(libc.syscall(machine.seccomp, _GET_ACTION_AVAILABLE, 0, ctypes.byref(action)) == 0)


def apply(more: Collection[int] = (), sockets: int | None = None) -> None:
    """Puts this process, and every thread that it starts from now on, under the filter; there is no way back.

    It must have given up new privileges, and have only one thread.

    Args:
        more: numbers of calls that this worker needs beyond what jobs need.
        sockets: the number of `socket`, for workers with the network; see `program`.

    Raises:
        OSError: the kernel refused.
    """
    code = program(MACHINES[platform.machine()], os.getpid(), more, sockets)
    steps = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in code))
    whole = ctypes.create_string_buffer(struct.pack("@HP", len(code), ctypes.addressof(steps)))
    prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.addressof(whole))
