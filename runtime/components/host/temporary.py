"""Names of files that are being written and will take another's place."""

import os
import secrets
import time
from typing import Final

__all__ = ["is_left_over", "temporary_file"]

_PREFIX, _SUFFIX = ".orlop-", ".part"
_OLD_S: Final = 3600
"""No write takes as long; a younger one may be another instance's, which is being replaced by this one."""


def is_left_over(name: str, status: os.stat_result) -> bool:
    """Whether a file is what a write left that never ended."""
    return name.startswith(_PREFIX) and name.endswith(_SUFFIX) and status.st_mtime < time.time() - _OLD_S


def temporary_file(parent: int, mode: int) -> tuple[int, str]:
    """Makes a new file in a directory.

    Args:
        parent: the directory.
        mode: its permissions, exactly.

    Returns:
        A descriptor for writing, and its name.

    Raises:
        OSError: it cannot be made.
    """
    name = f"{_PREFIX}{secrets.token_hex(8)}{_SUFFIX}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(name, flags, 0o600, dir_fd=parent)
    os.fchmod(descriptor, mode)
    return descriptor, name
