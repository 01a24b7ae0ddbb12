"""Room on the disk: how much there is, and whether it is too little for new work."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from runtime.errors import UnavailableError
from runtime.sanitise import clean

__all__ = ["Space", "SpaceWatch", "free_bytes"]

_SLACK = 16


@dataclass(frozen=True, slots=True)
class Space:
    """What there is and what is wanted, in bytes."""

    free: int
    wanted: int
    low: bool


class SpaceWatch:
    """Remembers whether room was short, so that a disk at the edge is not short and well many times a minute.

    Args:
        measure: gives the free bytes.
    """

    def __init__(self, measure: Callable[[], int]) -> None:
        self._measure = measure
        self._low = False

    def look(self, wanted: int) -> tuple[Space, bool]:
        """How it is now.

        It is short below `wanted`, and well again a sixteenth above it.

        Args:
            wanted: bytes that should be free; 0 for no matter how many.

        Returns:
            What there is, and whether that differs from the last look.

        Raises:
            UnavailableError: it cannot be told.
        """
        free = self._measure()
        enough = wanted + wanted // _SLACK if self._low else wanted
        before, self._low = self._low, free < enough
        return Space(free, wanted, self._low), self._low != before


def free_bytes(folder: Path) -> int:
    """Bytes that we may still write to the file system of a directory.

    Args:
        folder: it.

    Raises:
        UnavailableError: it cannot be told.
    """
    try:
        disk = os.statvfs(folder)
    except OSError as error:
        words = (error.strerror or type(error).__name__).lower()
        raise UnavailableError(words, where=clean(str(folder), 200)) from error
    return disk.f_bavail * disk.f_frsize
