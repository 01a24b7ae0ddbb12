"""Modules of the kernel, in the order that was worked out when the image was built."""

import errno
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

from boot.stage1 import libc
from boot.trust.manifest import Arch

__all__ = ["FINIT_MODULE", "finit", "load_modules"]

FINIT_MODULE: Final[Mapping[Arch, int]] = {"x86_64": 313, "arm64": 273}
"""The number of the call."""


def finit(arch: Arch, descriptor: int) -> None:
    """Gives the kernel one module.

    Args:
        arch: of this machine.
        descriptor: of its file.

    Raises:
        OSError: the kernel says no.
    """
    libc.syscall(FINIT_MODULE[arch], descriptor, b"", 0)


def load_modules(names: Iterable[str], folder: Path, load: Callable[[int], None]) -> list[str]:
    """Loads modules; one that is loaded already is a success, and one that cannot be stops none of the others.

    Args:
        names: below the folder, in their order.
        folder: where they are.
        load: gives the kernel one.

    Returns:
        What could not be loaded, a line each.
    """
    failed: list[str] = []
    for name in names:
        try:
            descriptor = os.open(folder / name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                load(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            if error.errno != errno.EEXIST:
                failed.append(f"{Path(name).stem}: {(error.strerror or 'no').lower()}")
    return failed
