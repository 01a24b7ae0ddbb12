"""What has to be mounted before anything can be known of the machine."""

import errno
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from boot.stage1 import libc
from runtime.errors import UnavailableError

__all__ = ["FIRST", "Mount", "mount_all"]


@dataclass(frozen=True, slots=True)
class Mount:
    """One file system of the kernel's own."""

    kind: str
    target: str
    flags: int
    data: str = ""


FIRST: Final = (
    Mount("proc", "/proc", libc.MS_NOSUID | libc.MS_NODEV | libc.MS_NOEXEC),
    Mount("sysfs", "/sys", libc.MS_NOSUID | libc.MS_NODEV | libc.MS_NOEXEC),
    Mount("devtmpfs", "/dev", libc.MS_NOSUID),
    Mount("tmpfs", "/run", libc.MS_NOSUID | libc.MS_NODEV, "mode=0755"),
)


def mount_all(mounts: tuple[Mount, ...] = FIRST, mount: Callable[[str, str, str, int, str], None] = libc.mount) -> None:
    """Mounts them in their order; one that is there already stays.

    Args:
        mounts: which.
        mount: the call.

    Raises:
        UnavailableError: one cannot be mounted.
    """
    for one in mounts:
        try:
            Path(one.target).mkdir(exist_ok=True)
            mount(one.kind, one.target, one.kind, one.flags, one.data)
        except OSError as error:
            if error.errno != errno.EBUSY:
                why = f"{one.kind} cannot be mounted: {error.strerror}"
                raise UnavailableError(why, where=one.target) from error
