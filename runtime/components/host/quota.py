"""How much a component keeps in its own directories: bytes and entries, against a ceiling."""

import os
import stat
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from runtime.components.host.file_errors import FileRefusedError
from runtime.components.host.temporary import is_left_over

__all__ = ["ENTRIES_MAX", "Ledger"]

ENTRIES_MAX: Final = 65_536
"""Files, directories and links: empty ones cost the host room too."""

_Identity = tuple[int, int]


@dataclass(slots=True)
class Ledger:
    """What the private and temporary directories of one instance hold. For one thread.

    Bytes are lengths of files, as the guest sees them: a hole counts as if it were written. What was deleted counts
    until it is closed.

    Attributes:
        ceiling: bytes.
        used: bytes.
        entries: files, directories and links.
    """

    ceiling: int
    used: int = 0
    entries: int = 0
    _open: Counter[_Identity] = field(default_factory=Counter)

    def count(self, directory: int) -> None:
        """Adds what a directory holds already; what is left of a write that a crash cut short is removed.

        Args:
            directory: open for reading; other file systems beneath it count too.
        """
        seen: set[_Identity] = set()
        for _, directories, files, parent in os.fwalk(".", dir_fd=directory, follow_symlinks=False):
            self.entries += len(directories)
            for name in files:
                status = os.lstat(name, dir_fd=parent)
                if is_left_over(name, status):
                    os.unlink(name, dir_fd=parent)
                    continue
                self.entries += 1
                identity = (status.st_dev, status.st_ino)
                if stat.S_ISREG(status.st_mode) and identity not in seen:
                    seen.add(identity)
                    self.used += status.st_size

    def charge(self, size: int) -> None:
        """Takes room for bytes, before they are written.

        Raises:
            FileRefusedError: `quota-exceeded`; nothing was taken.
        """
        if size > 0 and self.used + size > self.ceiling:
            raise FileRefusedError("quota-exceeded", f"{self.used} of {self.ceiling} bytes are used")
        self.used += size

    def add_entry(self) -> None:
        """Takes room for one more name, before it is made.

        Raises:
            FileRefusedError: `quota-exceeded`.
        """
        if self.entries >= ENTRIES_MAX:
            raise FileRefusedError("quota-exceeded", f"{ENTRIES_MAX} files and directories are there")
        self.entries += 1

    def opened(self, status: os.stat_result) -> None:
        """A handle to a file was opened."""
        self._open[(status.st_dev, status.st_ino)] += 1

    def closed(self, status: os.stat_result) -> None:
        """A handle to a file is being closed: the last one of a deleted file frees its bytes."""
        identity = (status.st_dev, status.st_ino)
        self._open[identity] -= 1
        if self._open[identity] <= 0:
            del self._open[identity]
            if status.st_nlink == 0:
                self.used -= status.st_size

    def removed(self, status: os.stat_result) -> None:
        """A name was removed.

        Args:
            status: of what it named, from before.
        """
        self.entries -= 1
        last = status.st_nlink == 1 and (status.st_dev, status.st_ino) not in self._open
        if last and stat.S_ISREG(status.st_mode):
            self.used -= status.st_size
