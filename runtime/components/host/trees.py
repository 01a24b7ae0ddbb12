"""What lies beneath a directory, name by name in the order of their bytes, never through a link.

A walk holds one descriptor for each level and opens what it goes into by name in the directory above: renaming things
meanwhile leads nowhere else. It ends at 64 levels, 10 000 entries, or the call's time.
"""

import contextlib
import heapq
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

from runtime.components.bindings.ext_filesystem_types import FileType
from runtime.components.host.context import Context
from runtime.components.host.file_errors import FileRefusedError
from runtime.components.host.paths import Paths, Want

__all__ = ["DEPTH_MAX", "ENTRIES_MAX", "Name", "TreeItem", "Walk", "check_time", "names_after"]

DEPTH_MAX: Final = 64
ENTRIES_MAX: Final = 10_000
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_BETWEEN_LOOKS: Final = 512


@dataclass(frozen=True, slots=True, order=True)
class Name:
    """One name of a directory, in the order of the bytes that guests see.

    Attributes:
        shown: as guests see it: what is not UTF-8 became U+FFFD.
        raw: as the system knows it.
        kind: what it is.
    """

    key: bytes
    raw: str
    shown: str = field(compare=False)
    kind: FileType = field(compare=False)

    @property
    def is_text(self) -> bool:
        """Whether a guest can name it."""
        return self.raw == self.shown


@dataclass(frozen=True, slots=True)
class TreeItem:
    """One entry of a tree.

    Attributes:
        name: its name.
        relative: its path below the directory where the walk began.
        path: its guest path.
        depth: 1 for what is in that directory itself.
        parent: a descriptor of the directory that it is in, until the walk goes on.
    """

    name: Name
    relative: str
    path: str
    depth: int
    parent: int


@dataclass(slots=True)
class _Level:
    descriptor: int
    relative: str
    path: str
    names: Iterator[Name]


class Walk:
    """A walk through a tree.

    Args:
        context: whose call it is.
        paths: to ask about each directory.
        parent: a directory.
        path: the guest path of where the walk begins, without links.
        want: needed for each directory: without it a branch is left out. None: nothing is asked, and a branch that
            cannot be read refuses the whole.
        name: of where it begins, in `parent`; `.` for itself.
        depth: levels at most.

    Attributes:
        truncated: a limit was reached: not everything was seen.
    """

    def __init__(
        self,
        context: Context,
        paths: Paths,
        parent: int,
        path: str,
        want: Want | None,
        *,
        name: str = ".",
        depth: int = DEPTH_MAX,
    ) -> None:
        self._context = context
        self._paths = paths
        self._want = want
        self._depth = depth
        self.truncated = False
        self._levels = [self._level(os.open(name, _DIRECTORY, dir_fd=parent), "", path)]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for level in self._levels:
            os.close(level.descriptor)
        self._levels = []

    def entries(self) -> Iterator[TreeItem]:
        """Each entry before what is in it.

        Raises:
            FileRefusedError: `timeout` at the end of the call's time.
        """
        seen = 0
        while self._levels:
            level = self._levels[-1]
            name = next(level.names, None)
            if name is None:
                os.close(self._levels.pop().descriptor)
                continue
            if seen >= ENTRIES_MAX:
                self.truncated = True
                return
            if seen % _BETWEEN_LOOKS == 0:
                check_time(self._context)
            seen += 1
            item = TreeItem(
                name,
                f"{level.relative}{name.shown}",
                f"{level.path.rstrip('/')}/{name.shown}",
                len(self._levels),
                level.descriptor,
            )
            yield item
            if name.kind == "directory":
                self._go_into(item)

    def must_be_whole(self) -> None:
        """Checks that no limit was reached.

        Raises:
            FileRefusedError: `resource-exhausted`.
        """
        if self.truncated:
            raise FileRefusedError(
                "resource-exhausted", f"more than {ENTRIES_MAX} entries, or deeper than {DEPTH_MAX} levels"
            )

    def _go_into(self, item: TreeItem) -> None:
        if item.depth >= self._depth:
            self.truncated = self.truncated or self._depth == DEPTH_MAX
            return
        if self._want is not None and not (item.name.is_text and self._may(item.path)):
            return
        try:
            descriptor = os.open(item.name.raw, _DIRECTORY, dir_fd=item.parent)
        except OSError:
            if self._want is None:
                raise
            return
        self._levels.append(self._level(descriptor, item.relative + "/", item.path))

    def _may(self, path: str) -> bool:
        with self._context.probing(), contextlib.suppress(FileRefusedError):
            assert self._want is not None  # noqa: S101 - the caller looked
            self._paths.decide(self._want, path)
            return True
        return False

    def _level(self, descriptor: int, relative: str, path: str) -> _Level:
        try:
            names = names_after(self._context, descriptor, None, ENTRIES_MAX + 1)
        except BaseException:
            os.close(descriptor)
            raise
        return _Level(descriptor, relative, path, iter(names))


def names_after(context: Context, descriptor: int, after: str | None, count: int) -> list[Name]:
    """The first names of a directory in the order of their bytes.

    Args:
        context: whose call it is.
        descriptor: open for reading.
        after: only those that follow this one.
        count: how many at most.

    Raises:
        FileRefusedError: `timeout` at the end of the call's time.
        OSError: as for any listing.
    """
    border = None if after is None else after.encode(errors="surrogatepass")

    def names() -> Iterator[Name]:
        with os.scandir(descriptor) as entries:
            for number, entry in enumerate(entries):
                if number % _BETWEEN_LOOKS == 0:
                    check_time(context)
                name = _name(entry)
                if border is None or name.key > border:
                    yield name

    return heapq.nsmallest(count, names())


def check_time(context: Context) -> None:
    """Checks that the call may go on.

    Raises:
        FileRefusedError: `timeout`.
    """
    if context.time_left(None) <= 0 or context.stopping():
        raise FileRefusedError("timeout", "the call's time is over")


def _name(entry: os.DirEntry[str]) -> Name:
    shown = os.fsencode(entry.name).decode(errors="replace")
    return Name(shown.encode(), entry.name, shown, _kind(entry))


def _kind(entry: os.DirEntry[str]) -> FileType:
    """What an entry is, without asking the disk where the directory says it."""
    if entry.is_symlink():
        return "symlink"
    if entry.is_dir(follow_symlinks=False):
        return "directory"
    if entry.is_file(follow_symlinks=False):
        return "regular"
    from runtime.components.host.file_metadata import type_of

    try:
        return type_of(entry.stat(follow_symlinks=False).st_mode)
    except OSError:
        return "unknown"
