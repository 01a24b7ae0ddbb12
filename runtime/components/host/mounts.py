"""The directories that a component was given, by the guest paths at which it sees them."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from runtime.components.host.account import Account, identity
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
        account: descriptor of what all instances of the component keep there, for this instance alone; without one,
            there is no other instance.

    Attributes:
        account: the account.
        quota: as given.
    """

    def __init__(
        self, mounts: Sequence[tuple[str, int, MountSource, bool]], quota: int, account: int | None = None
    ) -> None:
        own = {identity(os.fstat(directory)): directory for _, directory, source, _ in mounts if source in _OWN}
        self.account = Account(os.memfd_create("account") if account is None else account, own)
        self.quota = quota
        self._mounts = sorted(
            (
                Mount(guest, directory, source, read_only, self._ledger(directory) if source in _OWN else None)
                for guest, directory, source, read_only in mounts
            ),
            key=lambda mount: len(mount.guest),
            reverse=True,
        )

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
        self.account.close()
        for mount in self._mounts:
            os.close(mount.directory)
        self._mounts = []

    def _ledger(self, directory: int) -> Ledger:
        return Ledger(self.account, identity(os.fstat(directory)), self.quota)
