"""The calls to the kernel that Python does not have, by way of the C library."""

import ctypes
import errno
import os
from typing import Final

__all__ = [
    "MS_MOVE",
    "MS_NODEV",
    "MS_NOEXEC",
    "MS_NOSUID",
    "MS_RDONLY",
    "REBOOT_KEXEC",
    "REBOOT_OFF",
    "REBOOT_RESTART",
    "mount",
    "reboot",
    "syscall",
    "umount",
]

MS_RDONLY: Final = 1
MS_NOSUID: Final = 2
MS_NODEV: Final = 4
MS_NOEXEC: Final = 8
MS_MOVE: Final = 8192

REBOOT_RESTART: Final = 0x01234567
REBOOT_OFF: Final = 0x4321FEDC
REBOOT_KEXEC: Final = 0x45584543

_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_LIBC.syscall.restype = ctypes.c_long

Argument = int | bytes | None


def mount(source: str, target: str, kind: str, flags: int = 0, data: str = "") -> None:
    """Mounts a file system.

    Args:
        source: what.
        target: where; the folder is there.
        kind: such as `tmpfs`; empty where something is moved.
        flags: such as `MS_RDONLY`.
        data: options.

    Raises:
        OSError: the kernel says no; its file name is the target.
    """
    words = (source.encode(), os.fsencode(target), kind.encode() or None)
    done = _LIBC.mount(*words, ctypes.c_ulong(flags), data.encode() or None)
    _checked(int(done), target)


def umount(target: str) -> None:
    """Takes a file system away.

    Args:
        target: where it is.

    Raises:
        OSError: it is in use, or is none.
    """
    _checked(int(_LIBC.umount2(os.fsencode(target), 0)), target)


def reboot(command: int) -> None:
    """Ends this kernel, after what is in memory was written; returns only where the kernel says no.

    Args:
        command: one of `REBOOT_RESTART`, `REBOOT_OFF` and `REBOOT_KEXEC`.

    Raises:
        OSError: it says no.
    """
    os.sync()
    _checked(int(_LIBC.reboot(ctypes.c_int(command - (1 << 32) if command >= 1 << 31 else command))), "reboot")


def syscall(number: int, *arguments: Argument) -> int:
    """A call of the kernel by its number.

    Args:
        number: of this architecture.
        arguments: numbers, as wide as a register, and bytes, of which the address is given.

    Returns:
        What the kernel returns, never negative.

    Raises:
        OSError: the kernel says no.
    """
    words = [ctypes.c_long(one) if isinstance(one, int) else ctypes.c_char_p(one) for one in arguments]
    return _checked(int(_LIBC.syscall(ctypes.c_long(number), *words)), "")


def _checked(done: int, name: str) -> int:
    if done >= 0:
        return done
    number = ctypes.get_errno() or errno.EINVAL
    raise OSError(number, os.strerror(number), name or None)
