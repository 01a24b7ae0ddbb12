"""What is known of a file, as guests see it."""

import ctypes
import os
import stat
from typing import Final

from runtime.components.bindings.core_types import Timestamp
from runtime.components.bindings.ext_filesystem_types import FileMetadata, FilePermissions, FileType

__all__ = ["metadata_of", "permissions_of", "timestamp", "type_of"]

_SECOND: Final = 1_000_000_000
_EMPTY_PATH, _NOFOLLOW = 0x1000, 0x100
_BTIME: Final = 0x800
_BTIME_OFFSET: Final = 80
_STATX_BYTES: Final = 256
_libc = ctypes.CDLL(None, use_errno=True)

_TYPES: Final[dict[int, FileType]] = {
    stat.S_IFREG: "regular",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "symlink",
    stat.S_IFBLK: "block-device",
    stat.S_IFCHR: "char-device",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
}


def type_of(mode: int) -> FileType:
    """What a file is, from its mode."""
    return _TYPES.get(stat.S_IFMT(mode), "unknown")


def timestamp(nanoseconds: int) -> Timestamp:
    """Nanoseconds since 1970 as guests see them; before that the seconds are negative."""
    return Timestamp(seconds=nanoseconds // _SECOND, nanoseconds=nanoseconds % _SECOND)


def permissions_of(status: os.stat_result) -> FilePermissions:
    """The bits that guests know."""
    return FilePermissions(mode=status.st_mode & 0o777)


def metadata_of(descriptor: int, status: os.stat_result, path: str, name: str = "") -> FileMetadata:
    """All of it.

    Args:
        descriptor: the file, or the directory that it is in.
        status: of the file.
        path: its guest path.
        name: in that directory; a link is the link itself.
    """
    return FileMetadata(
        path=path,
        file_type=type_of(status.st_mode),
        size=status.st_size,
        permissions=permissions_of(status),
        links=status.st_nlink,
        identity=f"{status.st_dev:x}-{status.st_ino:x}",
        accessed_time=timestamp(status.st_atime_ns),
        modified_time=timestamp(status.st_mtime_ns),
        changed_time=timestamp(status.st_ctime_ns),
        created_time=_created(descriptor, name),
    )


def _created(descriptor: int, name: str) -> Timestamp | None:
    """The time of birth, where the file system keeps it: `os.stat` does not tell it on Linux."""
    if not hasattr(_libc, "statx"):
        return None
    buffer = ctypes.create_string_buffer(_STATX_BYTES)
    if _libc.statx(descriptor, os.fsencode(name), _EMPTY_PATH | _NOFOLLOW, _BTIME, buffer) != 0:
        return None
    answer = buffer.raw
    if not int.from_bytes(answer[:4], "little") & _BTIME:
        return None
    seconds = int.from_bytes(answer[_BTIME_OFFSET : _BTIME_OFFSET + 8], "little", signed=True)
    return Timestamp(
        seconds=seconds, nanoseconds=int.from_bytes(answer[_BTIME_OFFSET + 8 : _BTIME_OFFSET + 12], "little")
    )
