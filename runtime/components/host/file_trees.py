"""`orlop:ext-filesystem/metadata`: directories, trees, and what is known of many paths."""

import ctypes
import os
import stat
from collections.abc import Callable, Sequence
from typing import Final

from runtime.components.bindings.core_types import Timestamp
from runtime.components.bindings.ext_filesystem_types import (
    DirectoryEntry,
    DirectoryListing,
    DirectoryUsage,
    FileMetadata,
    FileType,
    TreeEntry,
    TreeListing,
)
from runtime.components.host.context import Context
from runtime.components.host.file_answers import FileAnswer, answering
from runtime.components.host.file_errors import FileRefusedError
from runtime.components.host.file_metadata import metadata_of
from runtime.components.host.files import must_be_regular
from runtime.components.host.paths import LIST, SEE, WRITE, Paths, must_be_writable
from runtime.components.host.trees import DEPTH_MAX, ENTRIES_MAX, TreeItem, Walk, names_after
from runtime.components.permissions.errors import PatternError
from runtime.components.permissions.paths import PathPattern

__all__ = ["Metadata"]

_PAGE: Final = 1000
_SECOND: Final = 1_000_000_000
_OMIT: Final = (1 << 30) - 2
"""`UTIME_OMIT`: this time stays."""
_AT_FDCWD: Final = -100
_libc = ctypes.CDLL(None, use_errno=True)


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class Metadata:
    """The operations of one instance.

    Args:
        context: whose they are.
        paths: what it was given.
    """

    def __init__(self, context: Context, paths: Paths) -> None:
        self._context = context
        self._paths = paths

    @answering
    def list_directory(self, path: str, after: str | None) -> DirectoryListing:
        """A page of names."""
        with self._paths.find(path, LIST) as found:
            _check_directory(found.is_directory)
            descriptor = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=found.descriptor)
            try:
                names = names_after(self._context, descriptor, after, _PAGE + 1)
            finally:
                os.close(descriptor)
            foreign = sum(not name.is_text for name in names[:_PAGE])
            if foreign:
                self._context.note(target=f"{found.path} ({foreign} names are not UTF-8)")
            entries = tuple(DirectoryEntry(name=name.shown, entry_type=name.kind) for name in names[:_PAGE])
            more = entries[-1].name if len(names) > _PAGE else None
            return DirectoryListing(directory_path=found.path, entries=entries, next=more)

    @answering
    def list_recursive(self, path: str, max_depth: int, limit: int) -> TreeListing:
        """A tree."""
        return self._search(path, lambda _: True, limit, min(max_depth, DEPTH_MAX))

    @answering
    def find_files(self, directory: str, pattern: str, limit: int) -> TreeListing:
        """What fits a pattern over the path below the directory."""
        try:
            wanted = PathPattern(f"/{pattern}")
        except PatternError as error:
            raise FileRefusedError("invalid-argument", f"pattern: {error.why}") from None
        return self._search(directory, lambda item: wanted.matches(f"/{item.relative}"), limit)

    @answering
    def find_by_type(self, directory: str, file_type: FileType, limit: int) -> TreeListing:
        """What is of a type."""
        return self._search(directory, lambda item: item.name.kind == file_type, limit)

    @answering
    def directory_size(self, path: str) -> DirectoryUsage:
        """How much a tree holds."""
        size = files = directories = 0
        seen: set[tuple[int, int]] = set()
        with self._paths.find(path, LIST) as found:
            _check_directory(found.is_directory)
            with Walk(self._context, self._paths, found.descriptor, found.path, LIST) as walk:
                for item in walk.entries():
                    if item.name.kind == "directory":
                        directories += 1
                        continue
                    files += 1
                    status = _status(item)
                    if status is not None and (status.st_dev, status.st_ino) not in seen:
                        seen.add((status.st_dev, status.st_ino))
                        size += status.st_size if stat.S_ISREG(status.st_mode) else 0
                return DirectoryUsage(bytes=size, files=files, directories=directories, truncated=walk.truncated)

    @answering
    def same_file(self, path1: str, path2: str) -> bool:
        """Whether two paths lead to one thing."""
        with self._paths.find(path1, SEE) as first, self._paths.find(path2, SEE) as second:
            return os.path.samestat(first.status, second.status)

    @answering
    def canonical_path(self, path: str) -> str:
        """Where a path leads."""
        with self._paths.find(path, SEE) as found:
            return found.path

    @answering
    def batch_metadata(self, paths: Sequence[str]) -> tuple[FileAnswer[FileMetadata], ...]:
        """Of many paths."""
        _check_number(paths)
        return tuple(self._metadata(path) for path in paths)

    @answering
    def all_exist(self, paths: Sequence[str]) -> bool:
        """Whether all resolve; all are asked about, so that a refusal is not hidden by an absent one."""
        _check_number(paths)
        return all([self._paths.exists(path) for path in paths])  # noqa: C419 - a list: all are asked about

    @answering
    def any_exist(self, paths: Sequence[str]) -> bool:
        """Whether one resolves; all are asked about."""
        _check_number(paths)
        return any([self._paths.exists(path) for path in paths])  # noqa: C419

    @answering
    def set_times(self, path: str, accessed_time: Timestamp | None, modified_time: Timestamp | None) -> None:
        """Sets the times that are given."""
        times = (_Timespec * 2)(_timespec(accessed_time), _timespec(modified_time))
        with self._paths.find(path, WRITE) as found:
            must_be_writable(found.mount)
            if not found.is_directory:
                must_be_regular(found.status)
            place = f"/proc/self/fd/{found.descriptor}".encode()
            if _libc.utimensat(_AT_FDCWD, place, times, 0) != 0:
                code = ctypes.get_errno()
                raise OSError(code, os.strerror(code))

    @answering
    def get_working_directory(self) -> str:
        """The instance's own."""
        return self._paths.directory

    @answering
    def set_working_directory(self, path: str) -> None:
        """Where relative paths begin from now on."""
        with self._paths.find(path, LIST) as found:
            _check_directory(found.is_directory)
            self._paths.directory = found.path

    @answering
    def _metadata(self, path: str) -> FileMetadata:
        with self._paths.find(path, SEE) as found:
            return metadata_of(found.descriptor, found.status, found.path)

    def _search(self, path: str, wanted: Callable[[TreeItem], bool], limit: int, depth: int = DEPTH_MAX) -> TreeListing:
        limit = min(limit, ENTRIES_MAX)
        entries: list[TreeEntry] = []
        with self._paths.find(path, LIST) as found:
            _check_directory(found.is_directory)
            if depth == 0:
                return TreeListing(entries=(), truncated=False)
            with Walk(self._context, self._paths, found.descriptor, found.path, LIST, depth=depth) as walk:
                for item in walk.entries():
                    if not wanted(item):
                        continue
                    if len(entries) >= limit:
                        return TreeListing(entries=tuple(entries), truncated=True)
                    entries.append(TreeEntry(path=item.relative, entry_type=item.name.kind, depth=item.depth))
                return TreeListing(entries=tuple(entries), truncated=walk.truncated)


def _status(item: TreeItem) -> os.stat_result | None:
    try:
        return os.lstat(item.name.raw, dir_fd=item.parent)
    except FileNotFoundError:
        return None


def _timespec(time: Timestamp | None) -> _Timespec:
    if time is None:
        return _Timespec(0, _OMIT)
    if time.nanoseconds >= _SECOND:
        raise FileRefusedError("invalid-argument", "nanoseconds must be below a thousand million")
    return _Timespec(time.seconds, time.nanoseconds)


def _check_directory(is_directory: bool) -> None:
    if not is_directory:
        raise FileRefusedError("not-a-directory", "not a directory")


def _check_number(paths: Sequence[str]) -> None:
    if len(paths) > _PAGE:
        raise FileRefusedError("invalid-argument", f"more than {_PAGE} paths")
