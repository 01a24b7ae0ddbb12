"""A small file system of a test's own, mounted by the system call: the program `mount` is not everywhere."""

import ctypes
import os
from pathlib import Path

__all__ = ["mount", "unmount"]

_LIBC = ctypes.CDLL(None, use_errno=True)
_DETACH = 2


def mount(place: Path, options: str, *, kind: str = "tmpfs") -> bool:
    """Mounts a tmpfs, or another kind; False where that is not allowed.

    Args:
        place: an existing directory.
        options: such as `size=1m,mode=700`.
        kind: of file system.
    """
    return os.geteuid() == 0 and _LIBC.mount(b"tmpfs", os.fsencode(place), kind.encode(), 0, options.encode()) == 0


def unmount(place: Path) -> None:
    """Takes it away again, also when a file of it is still open somewhere."""
    if _LIBC.umount2(os.fsencode(place), _DETACH):
        raise OSError(ctypes.get_errno(), "cannot be unmounted", str(place))
