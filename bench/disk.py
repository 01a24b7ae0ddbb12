"""What the disk takes for a commit: an append and its fsync, which no durable store can undercut."""

import os
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

__all__ = ["Disk"]

_PAGE: Final = bytes(4096)


class Disk:
    """A file that grows page by page, as a write-ahead log does.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb", buffering=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def append_ms(self) -> float:
        """Appends a page and waits until it is on the disk; milliseconds."""
        began = time.perf_counter()
        self._file.write(_PAGE)
        os.fsync(self._file.fileno())
        return (time.perf_counter() - began) * 1000
