"""What a worker may open, as a Landlock ruleset: the directories of its guest, and nothing else.

What is open already, and pipes and memory that are opened again by descriptor, are not affected; a path of the host is
refused by the kernel, whoever asks. From ABI 4 on no TCP port can be bound or reached but those that are named, from
ABI 6 on no process outside can be signalled (Linux, `Documentation/userspace-api/landlock.rst`). Rules only tighten:
the worker of a job with directories is used once.
"""

import ctypes
import os
import stat
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["PORTS_ABI", "Reach", "abi", "handled", "restrict", "rights"]

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_VERSION_FLAG: Final = 1
_PATH_BENEATH: Final = 1

_WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 1, 1 << 2, 1 << 3
_REMOVE_DIR, _REMOVE_FILE, _MAKE_DIR, _MAKE_REG, _MAKE_SYM = 1 << 4, 1 << 5, 1 << 7, 1 << 8, 1 << 12
_REFER, _TRUNCATE = 1 << 13, 1 << 14
_READ: Final = _READ_FILE | _READ_DIR
_WRITE: Final = (
    _WRITE_FILE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG | _MAKE_SYM | _REFER | _TRUNCATE
)  # no devices, sockets or pipes, and nothing to execute

_OF_FILES: Final = _WRITE_FILE | _READ_FILE | _TRUNCATE
"""What can be said of a file itself."""

_FIRST_BITS: Final = 13
_BITS_SINCE: Final = ((2, 14), (3, 15), (5, 16))
"""From which ABI on how many rights on files there are."""

_BIND, _CONNECT = 1, 2
_TCP: Final = _BIND | _CONNECT
_NET_PORT: Final = 2
PORTS_ABI: Final = 4
_OUTSIDE: Final = 3
_OUTSIDE_SINCE: Final = 6
"""Abstract sockets and signals of processes outside."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What of the network a worker may reach.

    Attributes:
        connect: TCP ports; None for any.
        listen: likewise.
    """

    connect: tuple[int, ...] | None = ()
    listen: tuple[int, ...] | None = ()


_NOTHING: Final = Reach()


def abi() -> int:
    """The version of Landlock that this kernel speaks; 0 when it does not."""
    version = _syscall(_CREATE, None, 0, _VERSION_FLAG)
    return max(0, version)


def handled(version: int) -> tuple[int, int, int]:
    """What a ruleset of an ABI forbids unless a rule allows it: rights on files, on TCP ports, and to reach outside."""
    bits = max((bits for since, bits in _BITS_SINCE if version >= since), default=_FIRST_BITS)
    tcp = _TCP if version >= PORTS_ABI else 0
    return (1 << bits) - 1, tcp, _OUTSIDE if version >= _OUTSIDE_SINCE else 0


def rights(version: int, *, writable: bool) -> int:
    """What a job may do beneath one of its directories."""
    files, _, _ = handled(version)
    return (_READ | _WRITE if writable else _READ) & files


def restrict(paths: Sequence[tuple[int, bool]], reach: Reach = _NOTHING) -> None:
    """Takes from this thread, and from those that it starts later, everything but some files and ports.

    Args:
        paths: descriptors of directories or files, and whether what is there may be changed.
        reach: what is left of the network.

    Raises:
        OSError: the kernel refused.
    """
    version = abi()
    files, tcp, outside = handled(version)
    if reach.connect is None:
        tcp &= ~_CONNECT
    if reach.listen is None:
        tcp &= ~_BIND
    size = 8 if version < PORTS_ABI else 16 if version < _OUTSIDE_SINCE else 24
    ruleset = _checked(_CREATE, struct.pack("=QQQ", files, tcp, outside), size, 0)
    try:
        for descriptor, writable in paths:
            allowed = rights(version, writable=writable)
            if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
                allowed &= _OF_FILES
            _checked(_ADD, ruleset, _PATH_BENEATH, struct.pack("=Qi", allowed, descriptor), 0)
        for right, ports in ((_CONNECT, reach.connect), (_BIND, reach.listen)):
            for port in ports or () if tcp & right else ():
                _checked(_ADD, ruleset, _NET_PORT, struct.pack("=QQ", right, port), 0)
        _checked(_RESTRICT, ruleset, 0)
    finally:
        os.close(ruleset)


def _syscall(number: int, *arguments: int | bytes | None) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    return int(libc.syscall(number, *arguments))


def _checked(number: int, *arguments: int | bytes | None) -> int:
    result = _syscall(number, *arguments)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"landlock: {os.strerror(code)}")
    return result
