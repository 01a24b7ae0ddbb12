"""How much a component keeps in its own folders: bytes and entries, against a ceiling."""

import os
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Final

from runtime.components.host.account import Account, FolderUse, identity
from runtime.components.host.file_errors import FileRefusedError

__all__ = ["ENTRIES_MAX", "Ledger", "held", "removing"]

ENTRIES_MAX: Final = 65_536
"""Files, directories and links: empty ones cost the host room too."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """What one folder holds, of the account of its component; whatever changes the folder is done while it is held.

    Bytes are lengths of files, as the guest sees them: a hole counts as if it were written. What was deleted counts
    until it is closed, whichever instance has it open.

    Attributes:
        account: of the component, for this instance.
        key: of the folder in it.
        ceiling: bytes, of all folders of the account together.
    """

    account: Account
    key: str
    ceiling: int

    def held(self) -> AbstractContextManager[None]:
        """As `Account.held`."""
        return self.account.held()

    def charge(self, size: int) -> None:
        """Takes room for bytes, before they are written.

        Raises:
            FileRefusedError: `quota-exceeded`; nothing was taken.
        """
        with self.held():
            if size > 0 and self.account.used + size > self.ceiling:
                self.account.bury()
                if (used := self.account.used) + size > self.ceiling:
                    raise FileRefusedError("quota-exceeded", f"{used} of {self.ceiling} bytes are used")
            self._folder.used += size

    def refund(self, size: int) -> None:
        """Gives room back that was not needed."""
        self.charge(-size)

    def add_entry(self) -> None:
        """Takes room for one more name, before it is made.

        Raises:
            FileRefusedError: `quota-exceeded`.
        """
        with self.held():
            if self.account.entries >= ENTRIES_MAX:
                self.account.bury()
                if self.account.entries >= ENTRIES_MAX:
                    raise FileRefusedError("quota-exceeded", f"{ENTRIES_MAX} files and directories are there")
            self._folder.entries += 1

    def drop_entry(self) -> None:
        """The name was not made."""
        with self.held():
            self._folder.entries -= 1

    def changed(self, status: os.stat_result, size: int) -> None:
        """An open file became longer than room was taken for, or shorter.

        Args:
            status: of the file.
            size: by how many bytes, beside those that room was taken for.
        """
        with self.held():
            folder, name = self._folder, identity(status)
            folder.used += size
            if name in folder.nameless:
                folder.nameless[name] = status.st_size

    def opened(self, status: os.stat_result) -> None:
        """A handle to a file was opened; it may have lost its last name just before."""
        with self.held():
            folder, name = self._folder, identity(status)
            if status.st_nlink == 0 and name not in folder.nameless:
                folder.nameless[name] = status.st_size
                folder.used += status.st_size
            self.account.opened(name)

    def closed(self, status: os.stat_result) -> None:
        """A handle to a file is being closed: the last one of a deleted file frees its bytes."""
        with self.held():
            name = identity(status)
            self.account.closed(name)
            if not self.account.is_open(name):
                self._folder.used -= self._folder.nameless.pop(name, 0)

    def removed(self, status: os.stat_result) -> None:
        """A name was removed.

        Args:
            status: of what it named, from before.
        """
        with self.held():
            folder, name = self._folder, identity(status)
            folder.entries -= 1
            if status.st_nlink != 1 or not stat.S_ISREG(status.st_mode):
                return
            if self.account.is_open(name):
                folder.nameless[name] = status.st_size
            else:
                folder.used -= status.st_size

    @property
    def _folder(self) -> FolderUse:
        return self.account.folder(self.key)


def held(ledger: Ledger | None) -> AbstractContextManager[None]:
    """Holds the account where there is one."""
    return nullcontext() if ledger is None else ledger.held()


@contextmanager
def removing(ledger: Ledger | None, status: os.stat_result) -> Iterator[None]:
    """Within, a name is removed.

    Args:
        ledger: where it counts; None where nothing counts.
        status: of what it names.
    """
    with held(ledger):
        yield
        if ledger is not None:
            ledger.removed(status)
