"""What the console measures of a worker from outside, while its guest runs: CPU time, and the growth of directories.

The engine knows neither. A meter is asked again and again and strikes once; between two looks the guest may go on, so a
directory can grow past its quota by what is written within a quarter of a second and the time of one look.
"""

import asyncio
import errno
import os
import stat
import time
from collections.abc import Callable, Sequence
from typing import Final

from runtime.errors import UnavailableError
from runtime.jobs.limits import LimitRefusedError

__all__ = ["NAMES_MAX", "CpuClock", "CpuMeter", "DirMeter", "cpu_ms", "measured"]

NAMES_MAX: Final = 100_000
"""Names in writable directories, all together: what holds more cannot be looked through four times a second."""

_CPU_S: Final = 0.1
_CPU_LEAST_S: Final = 0.005
_DIRS_S: Final = 0.25
_PROCESS_CLOCK: Final = 2
_BLOCK: Final = 512
_DEPTH_MAX: Final = 100
"""Folders within folders; each holds a descriptor while its inside is measured."""


def cpu_ms(pid: int) -> float:
    """CPU time of a process with all its threads, in milliseconds.

    The clock of another process, which needs no permission and no `/proc`.

    Raises:
        OSError: there is no such process.
    """
    return time.clock_gettime_ns((~pid) << 3 | _PROCESS_CLOCK) / 1_000_000


class CpuClock:
    """The CPU time of a process since now, as far as it could be read.

    Args:
        pid: of the process.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._began = self._now()
        self.used_ms: int | None = None
        """As it was read last."""

    def read(self) -> None:
        """Reads it, if the process is still there."""
        now = self._now()
        if now is not None and self._began is not None:
            self.used_ms = round(now - self._began)

    def _now(self) -> float | None:
        try:
            return cpu_ms(self._pid)
        except OSError:
            return None


class CpuMeter:
    """Calls once when a process has used so much CPU time since now.

    Args:
        pid: of the process, which exists.
        limit_ms: CPU milliseconds.
        struck: called on the loop.
    """

    def __init__(self, pid: int, limit_ms: int, struck: Callable[[], None]) -> None:
        self._pid = pid
        self._struck = struck
        self._timer: asyncio.TimerHandle | None = None
        try:
            self._end = cpu_ms(pid) + limit_ms
        except OSError:
            return  # it ended, and its socket says so
        self._look()

    def stop(self) -> None:
        """Looks no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        try:
            left_ms = self._end - cpu_ms(self._pid)
        except OSError:
            return
        if left_ms <= 0:
            self._struck()
            return
        # It cannot use its time up sooner than by computing all the while.
        wait_s = min(_CPU_S, max(_CPU_LEAST_S, left_ms / 1000))
        self._timer = asyncio.get_running_loop().call_later(wait_s, self._look)


class DirMeter:
    """Calls once when directories have grown by more than a quota.

    Args:
        directories: descriptors, which stay open until `stop` has returned.
        before: from `measured`.
        limit: bytes by which they may grow.
        struck: called on the loop.

    Attributes:
        grown: bytes by which they have grown, by the last look; None when they could not be looked through.
    """

    def __init__(self, directories: Sequence[int], before: int, limit: int, struck: Callable[[], None]) -> None:
        self.grown: int | None = None
        self._directories = directories
        self._before = before
        self._limit = limit
        self._struck = struck
        self._stopping = False
        self._task = asyncio.ensure_future(self._watch())

    async def stop(self) -> bool:
        """Looks a last time and no more.

        Returns:
            Whether the quota was passed, also if only now.
        """
        self._stopping = True
        self._task.cancel()
        await asyncio.wait({self._task})
        return await self._passed(lambda: False)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_DIRS_S)
            if await self._passed(lambda: self._stopping):
                self._struck()
                return

    async def _passed(self, enough: Callable[[], bool]) -> bool:
        """Whether they are too large; what cannot be read any more counts as too large."""
        look = asyncio.ensure_future(asyncio.to_thread(_looked, self._directories, enough))
        try:
            size = await asyncio.shield(look)
        except asyncio.CancelledError:
            await asyncio.wait({look})  # the thread uses our descriptors
            raise
        self.grown = None if size is None else max(size - self._before, 0)
        return size is None or size - self._before > self._limit


def measured(directories: Sequence[int]) -> int:
    """Bytes on the disk that directories take before a guest may change them. Blocks.

    Args:
        directories: descriptors.

    Raises:
        LimitRefusedError: there is more in them than can be watched.
        UnavailableError: one cannot be read.
    """
    try:
        before = _size(directories, lambda: False)
    except OSError as error:
        raise UnavailableError(f"a writable directory cannot be read: {error.strerror}") from error
    if before is None:
        raise LimitRefusedError("dir_bytes", f"writable directories hold more than {NAMES_MAX:,} names")
    return before


def _looked(directories: Sequence[int], enough: Callable[[], bool]) -> int | None:
    """As `_size`; None also for what cannot be read any more."""
    try:
        return _size(directories, enough)
    except OSError:
        return None


def _size(directories: Sequence[int], enough: Callable[[], bool]) -> int | None:
    """Bytes on the disk; None for too many names. Never follows a link, and each folder is opened below its parent.

    Args:
        directories: descriptors.
        enough: asked now and then; when it is true the answer does not matter any more.
    """
    walk = _Walk(enough)
    for descriptor in directories:
        opened = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=descriptor)
        walk.folder(opened, 0)
    return None if walk.names > NAMES_MAX else walk.size


class _Walk:
    def __init__(self, enough: Callable[[], bool]) -> None:
        self._enough = enough
        self._seen: set[tuple[int, int]] = set()
        self.names = 0
        self.size = 0

    def folder(self, descriptor: int, depth: int) -> None:
        """Adds what is in a folder, and closes it; a guest may change anything meanwhile."""
        try:
            with os.scandir(descriptor) as found:
                for entry in found:
                    self.names += 1
                    if self.names > NAMES_MAX or self._enough():
                        return
                    self._entry(descriptor, entry.name, depth)
        finally:
            os.close(descriptor)

    def _entry(self, parent: int, name: str, depth: int) -> None:
        try:
            status = os.stat(name, dir_fd=parent, follow_symlinks=False)
            if (status.st_dev, status.st_ino) in self._seen:
                return
            if status.st_nlink > 1:
                self._seen.add((status.st_dev, status.st_ino))
            self.size += status.st_blocks * _BLOCK
            if not stat.S_ISDIR(status.st_mode):
                return
            if depth >= _DEPTH_MAX:
                self.names = NAMES_MAX + 1
                return
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            inner = os.open(name, flags, dir_fd=parent)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return  # it went away meanwhile, or nobody of ours may look or write there
        except OSError as error:
            if error.errno == errno.ELOOP:
                return  # it became a link meanwhile
            raise
        self.folder(inner, depth + 1)
