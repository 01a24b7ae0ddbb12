"""What a worker may open, as a Landlock ruleset: the directories of its job, and nothing else.

What is open already, and pipes and memory that are opened again by descriptor, are not affected; a path of the host is
refused by the kernel, whoever asks. From ABI 4 on no TCP port can be bound or reached, from ABI 6 on no process outside
can be signalled (Linux, `Documentation/userspace-api/landlock.rst`). Rules only tighten: the worker of a job with
directories is used once.
"""

import ctypes
import os
import struct
from collections.abc import Sequence
from typing import Final

__all__ = ["abi", "handled", "restrict", "rights"]

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

_FIRST_BITS: Final = 13
_BITS_SINCE: Final = ((2, 14), (3, 15), (5, 16))
"""From which ABI on how many rights on files there are."""

_TCP: Final = 3
_TCP_SINCE: Final = 4
_OUTSIDE: Final = 3
_OUTSIDE_SINCE: Final = 6
"""Abstract sockets and signals of processes outside."""


def abi() -> int:
    """The version of Landlock that this kernel speaks; 0 when it does not."""
    version = _syscall(_CREATE, None, 0, _VERSION_FLAG)
    return max(0, version)


def handled(version: int) -> tuple[int, int, int]:
    """What a ruleset of an ABI forbids unless a rule allows it: rights on files, on TCP ports, and to reach outside."""
    bits = max((bits for since, bits in _BITS_SINCE if version >= since), default=_FIRST_BITS)
    tcp = _TCP if version >= _TCP_SINCE else 0
    return (1 << bits) - 1, tcp, _OUTSIDE if version >= _OUTSIDE_SINCE else 0


def rights(version: int, *, writable: bool) -> int:
    """What a job may do beneath one of its directories."""
    files, _, _ = handled(version)
    return (_READ | _WRITE if writable else _READ) & files


def restrict(directories: Sequence[tuple[int, bool]]) -> None:
    """Takes from this thread, and from those that it starts later, everything but some directories.

    Args:
        directories: descriptors, and whether what is beneath may be changed.

    Raises:
        OSError: the kernel refused.
    """
    version = abi()
    attributes = struct.pack("=QQQ", *handled(version))
    size = 8 if version < _TCP_SINCE else 16 if version < _OUTSIDE_SINCE else 24
    ruleset = _checked(_CREATE, attributes, size, 0)
    try:
        for descriptor, writable in directories:
            rule = struct.pack("=Qi", rights(version, writable=writable), descriptor)
            _checked(_ADD, ruleset, _PATH_BENEATH, rule, 0)
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
