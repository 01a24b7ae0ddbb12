"""What all instances of a component keep in its own folders: one account, since they write into the same folders.

Two versions at a time, or calls of their own, are each in a process of their own. The account is a file in memory that
the core hands to each, with a descriptor for each alone: locks of the kernel keep them apart, and one who died has lost
his. Whatever changes a folder is done while the account is held, so that what it says is what there is; what somebody
did who died meanwhile is found by counting anew.
"""

import contextlib
import fcntl
import json
import os
import stat
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, cast

from runtime.canonical import Json
from runtime.components.host.temporary import is_left_over

__all__ = ["Account", "FolderUse", "identity"]

_HEADER: Final = struct.Struct("<II")
"""Where what holds begins, and how long it is: who dies while he writes leaves the one before, in the other half."""

_HALVES: Final = (8, 8 << 20)
_LOCK: Final = struct.Struct("hhqqi4x")
_TURN: Final = 0
_FIRST_MEMBER: Final = 1
_SETLK, _SETLKW, _GETLK = fcntl.F_OFD_SETLK, fcntl.F_OFD_SETLKW, fcntl.F_OFD_GETLK


def identity(status: os.stat_result) -> str:
    """Names a file or a folder as long as it is there."""
    return f"{status.st_dev}:{status.st_ino}"


@dataclass(slots=True)
class FolderUse:
    """What is in one folder.

    Attributes:
        used: bytes.
        entries: files, directories and links.
        nameless: bytes of files that were deleted and are still open, by identity; they are in `used`.
        unsure: somebody died who used it: it has to be counted.
    """

    used: int = 0
    entries: int = 0
    nameless: dict[str, int] = field(default_factory=dict)
    unsure: bool = True


@dataclass(slots=True)
class _Member:
    folders: list[str]
    opened: dict[str, int] = field(default_factory=dict)


class Account:
    """The account as one instance has it. For one thread.

    Args:
        descriptor: of the file, shared with no other instance; belongs to this from now on.
        folders: descriptors of the component's own folders, by identity; for reading names they are opened anew.
    """

    def __init__(self, descriptor: int, folders: Mapping[str, int]) -> None:
        self._descriptor = descriptor
        self._mine = dict(folders)
        self._depth = self._half = 0
        self._folders: dict[str, FolderUse] = {}
        self._members: dict[int, _Member] = {}
        self._me = _FIRST_MEMBER
        while not self._try_lock(self._me):
            self._me += 1
        with self.held():
            self._bury(self._me)  # the last one of that number, which is free: he died
            self.bury()
            self._members[self._me] = _Member(list(folders))
            self._folders |= {key: FolderUse() for key in folders if key not in self._folders}
            self._count_unsure()

    @property
    def used(self) -> int:
        """Bytes in all folders of the component that somebody uses."""
        with self.held():
            return sum(folder.used for folder in self._folders.values())

    @property
    def entries(self) -> int:
        """Likewise files, directories and links."""
        with self.held():
            return sum(folder.entries for folder in self._folders.values())

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Nobody else changes the account, or what it counts, within; may be entered again."""
        if not self._depth:
            self._lock(_SETLKW, _TURN, fcntl.F_WRLCK)
            self._read()
        self._depth += 1
        try:
            self._count_unsure()
            yield
        finally:
            self._depth -= 1
            if not self._depth:
                self._write()
                self._lock(_SETLK, _TURN, fcntl.F_UNLCK)

    def folder(self, key: str) -> FolderUse:
        """What is in a folder; to be changed only while the account is held."""
        return self._folders[key]

    def bury(self) -> None:
        """Forgets who died, and counts what they used; while the account is held."""
        self._bury(*(one for one in self._members if one != self._me and not self._lives(one)))
        self._drop_unused()
        self._count_unsure()

    def opened(self, name: str) -> None:
        """A handle to a file was opened here."""
        mine = self._members[self._me].opened
        mine[name] = mine.get(name, 0) + 1

    def closed(self, name: str) -> None:
        """A handle to a file is being closed here."""
        mine = self._members[self._me].opened
        mine[name] -= 1
        if not mine[name]:
            del mine[name]

    def is_open(self, name: str) -> bool:
        """Whether anybody has a handle to a file."""
        return any(name in member.opened for member in self._members.values())

    def close(self) -> None:
        """Leaves the account."""
        with self.held():
            del self._members[self._me]
            self._drop_unused()
        os.close(self._descriptor)

    def _bury(self, *numbers: int) -> None:
        for number in numbers:
            dead = self._members.pop(number, None)
            for key in () if dead is None else dead.folders:
                self._folders[key].unsure = True

    def _drop_unused(self) -> None:
        used = {key for member in self._members.values() for key in member.folders}
        self._folders = {key: folder for key, folder in self._folders.items() if key in used}

    def _count_unsure(self) -> None:
        for key, directory in self._mine.items():
            folder = self._folders.get(key)
            if folder is not None and folder.unsure:
                folder.nameless = {name: size for name, size in folder.nameless.items() if self.is_open(name)}
                folder.used, folder.entries = _counted(directory)
                folder.used += sum(folder.nameless.values())
                folder.unsure = False

    # --- the file ---------------------------------------------------------------------------------------------------

    def _read(self) -> None:
        self._half, length = _HEADER.unpack(os.pread(self._descriptor, _HEADER.size, 0) or bytes(_HEADER.size))
        said = json.loads(os.pread(self._descriptor, length, self._half) or b"[{},{}]")
        folders = cast("dict[str, tuple[int, int, dict[str, int], bool]]", said[0])
        members = cast("dict[str, tuple[list[str], dict[str, int]]]", said[1])
        self._folders = {key: FolderUse(*each) for key, each in folders.items()}
        self._members = {int(number): _Member(*each) for number, each in members.items()}

    def _write(self) -> None:
        folders: Json = {
            key: [one.used, one.entries, dict(one.nameless), one.unsure] for key, one in self._folders.items()
        }
        members: Json = {str(number): [list(one.folders), dict(one.opened)] for number, one in self._members.items()}
        body = json.dumps([folders, members], separators=(",", ":")).encode()
        half = _HALVES[self._half == _HALVES[0]]
        os.pwrite(self._descriptor, body, half)
        os.pwrite(self._descriptor, _HEADER.pack(half, len(body)), 0)

    # --- locks ------------------------------------------------------------------------------------------------------

    def _lock(self, command: int, at: int, kind: int) -> int:
        """A lock of one byte that belongs to the descriptor; the kind of the one that is in the way, for `_GETLK`."""
        said = fcntl.fcntl(self._descriptor, command, _LOCK.pack(kind, os.SEEK_SET, at, 1, 0))
        return int(_LOCK.unpack(said)[0])

    def _try_lock(self, at: int) -> bool:
        try:
            self._lock(_SETLK, at, fcntl.F_WRLCK)
        except BlockingIOError:
            return False
        return True

    def _lives(self, number: int) -> bool:
        return self._lock(_GETLK, number, fcntl.F_WRLCK) != fcntl.F_UNLCK


def _counted(directory: int) -> tuple[int, int]:
    """Bytes and entries of a folder; what is left of a write that a crash cut short is removed.

    Other file systems beneath it count too, and a file of several names once.
    """
    used = entries = 0
    seen: set[str] = set()
    top = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=directory)
    try:
        for _, directories, files, parent in os.fwalk(".", dir_fd=top, follow_symlinks=False):
            entries += len(directories)
            for name in files:
                status = os.lstat(name, dir_fd=parent)
                if is_left_over(name, status):
                    os.unlink(name, dir_fd=parent)
                    continue
                entries += 1
                if stat.S_ISREG(status.st_mode) and identity(status) not in seen:
                    seen.add(identity(status))
                    used += status.st_size
    finally:
        os.close(top)
    return used, entries
