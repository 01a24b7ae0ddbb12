"""What the standard library has no name for: exchanging two names, taking a free name only, making a disk durable.

Linux, by the C library: `renameat2` and `syncfs`.
"""

import ctypes
import errno
import os
from pathlib import Path

__all__ = ["exchange", "place", "sync_disk"]

_HERE = -100
"""`AT_FDCWD`."""
_NO_REPLACE, _EXCHANGE = 1, 2
_UNSUPPORTED = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})

_libc = ctypes.CDLL(None, use_errno=True)


def exchange(one: Path, other: Path) -> None:
    """Two things of one file system take each other's name, in one step.

    Args:
        one: exists.
        other: exists.

    Raises:
        OSError: nothing was changed; `EINVAL` where the file system cannot do it.
    """
    _rename(one, other, _EXCHANGE)


def place(path: Path, name: Path) -> None:
    """Renames, and replaces nothing.

    Args:
        path: what gets the name.
        name: its new name, in the same file system.

    Raises:
        FileExistsError: the name is taken.
        OSError: anything else; nothing was changed.
    """
    try:
        _rename(path, name, _NO_REPLACE)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
        os.link(path, name)  # some network file systems know links, and not that flag
        path.unlink()


def sync_disk(descriptor: int) -> None:
    """Makes durable what was written to the file system of a descriptor, in one step for many files.

    Raises:
        OSError: the disk failed.
    """
    if _libc.syncfs(descriptor):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _rename(one: Path, other: Path, flag: int) -> None:
    if _libc.renameat2(_HERE, os.fsencode(one), _HERE, os.fsencode(other), ctypes.c_uint(flag)):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(one), None, str(other))
