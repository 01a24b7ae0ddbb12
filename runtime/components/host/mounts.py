"""The directories that a component was given, by the guest paths at which it sees them."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from runtime.components.host.quota import Ledger

__all__ = ["Mount", "MountSource", "Mounts"]

MountSource = Literal["private", "temp", "operator"]
"""`private` is kept, `temp` is emptied at the stop, both are the component's own; `operator` was lent."""

_OWN: Final = frozenset({"private", "temp"})


@dataclass(frozen=True, slots=True)
class Mount:
    """One directory.

    Attributes:
        guest: its guest path in normal form.
        directory: a descriptor, also with `O_PATH`.
        source: whose it is.
        read_only: nothing in it may be changed.
        ledger: counts what is in it; None for a lent one, which has no quota.
    """

    guest: str
    directory: int
    source: MountSource
    read_only: bool
    ledger: Ledger | None

    def guest_path(self, relative: str) -> str:
        """The guest path of something in it, from its path beneath the directory; `.` is the directory."""
        if relative == ".":
            return self.guest
        return f"/{relative}" if self.guest == "/" else f"{self.guest}/{relative}"

    def relative(self, path: str) -> str | None:
        """The path beneath the directory of a guest path; None when it is not in it."""
        if path == self.guest:
            return "."
        prefix = "/" if self.guest == "/" else self.guest + "/"
        return path[len(prefix) :] if path.startswith(prefix) else None


class Mounts:
    """All of one instance. It owns their descriptors.

    Args:
        mounts: guest path, descriptor, whose it is, and whether it is read-only.
        quota: bytes that the component's own directories may hold together.
    """

    def __init__(self, mounts: Sequence[tuple[str, int, MountSource, bool]], quota: int) -> None:
        self.ledger = Ledger(quota)
        self._mounts = sorted(
            (
                Mount(guest, directory, source, read_only, self.ledger if source in _OWN else None)
                for guest, directory, source, read_only in mounts
            ),
            key=lambda mount: len(mount.guest),
            reverse=True,
        )
        for mount in self._mounts:
            if mount.ledger is not None:
                with _listable(mount.directory) as directory:
                    mount.ledger.count(directory)

    def find(self, path: str) -> tuple[Mount, str] | None:
        """The mount that a guest path lies in, and the path beneath it.

        Args:
            path: in normal form.
        """
        for mount in self._mounts:
            relative = mount.relative(path)
            if relative is not None:
                return mount, relative
        return None

    def close(self) -> None:
        """Lets go of the directories; temporary ones are emptied by who made them."""
        for mount in self._mounts:
            os.close(mount.directory)
        self._mounts = []


@contextlib.contextmanager
def _listable(directory: int) -> Iterator[int]:
    """A directory that only names one, opened for reading."""
    descriptor = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=directory)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
