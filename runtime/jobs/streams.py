"""What is connected to a job from outside, and holding on to it while the job runs."""

import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from runtime.errors import UnavailableError, UsageError
from runtime.jobs.spec import DirGrant

__all__ = ["HeldStreams", "Streams"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Streams:
    """What is connected to a job. Descriptors are duplicated and stay the caller's.

    Attributes:
        stdin: bytes, a descriptor, or None for an empty input.
        stdout: a descriptor that gets a copy as it is written, or None.
        stderr: likewise.
        dirs: one descriptor for each of the request's directories, in the same order.
        on_progress: called on the loop when the guest starts, and whenever more of its output was kept.
    """

    stdin: int | bytes | None = None
    stdout: int | None = None
    stderr: int | None = None
    dirs: Sequence[int] = ()
    on_progress: Callable[[], None] | None = None


class HeldStreams:
    """Duplicates of a job's descriptors, until `close`.

    Args:
        streams: the caller's.
        grants: the request's directories.

    Raises:
        UsageError: a directory has no descriptor, or one of something else.
        UnavailableError: a descriptor is closed, or there is no room for more of them.
    """

    def __init__(self, streams: Streams, grants: Sequence[DirGrant]) -> None:
        if len(streams.dirs) != len(grants):
            raise UsageError("each directory needs a descriptor")
        self._descriptors: list[int] = []
        self.on_progress = streams.on_progress
        try:
            self.stdin = self._hold(streams.stdin) if isinstance(streams.stdin, int) else streams.stdin
            self.stdout = self._hold(streams.stdout) if streams.stdout is not None else None
            self.stderr = self._hold(streams.stderr) if streams.stderr is not None else None
            self.dirs = tuple(self._hold(number) for number in streams.dirs)
            for number, grant in zip(self.dirs, grants, strict=True):
                if not stat.S_ISDIR(os.fstat(number).st_mode):
                    raise UsageError("not a directory", where=grant.guest)
        except OSError as error:
            self.close()
            raise UnavailableError(f"a job's stream cannot be used: {error.strerror}") from error
        except UsageError:
            self.close()
            raise

    def close(self) -> None:
        """Lets go of them; a second time does nothing."""
        while self._descriptors:
            os.close(self._descriptors.pop())

    def _hold(self, descriptor: int) -> int:
        held = os.dup(descriptor)
        self._descriptors.append(held)
        return held
