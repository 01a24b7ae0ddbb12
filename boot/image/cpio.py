"""Archives in the format newc of cpio(5), which the kernel unpacks, written by ourselves.

So device nodes need no root, and nothing of the build machine gets into them: names are in the order of their bytes,
inodes are counted, every time and owner is 0. The same entries give the same bytes.
"""

import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from boot.stage1.newc import head, padding, trailer

__all__ = ["Entry", "archive", "device", "directory", "link", "plain", "program", "record"]

_END: Final = "TRAILER!!!"
_BLOCK: Final = 512


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing in an archive.

    Attributes:
        name: its path, without a leading slash.
        mode: its kind and permissions, as stat(2) has them.
        content: of a file, or where a link points.
        device: major and minor number of a node.
    """

    name: str
    mode: int
    content: bytes = b""
    device: tuple[int, int] = (0, 0)


def plain(name: str, content: bytes) -> Entry:
    """A file that everybody may read."""
    return Entry(name, stat.S_IFREG | 0o644, content)


def program(name: str, content: bytes) -> Entry:
    """A file that everybody may run."""
    return Entry(name, stat.S_IFREG | 0o755, content)


def directory(name: str, mode: int = 0o755) -> Entry:
    """A folder."""
    return Entry(name, stat.S_IFDIR | mode)


def link(name: str, target: str) -> Entry:
    """A symbolic link."""
    return Entry(name, stat.S_IFLNK | 0o777, target.encode())


def device(name: str, major: int, minor: int) -> Entry:
    """The node of a character device, for its owner."""
    return Entry(name, stat.S_IFCHR | 0o600, b"", (major, minor))


def archive(entries: Iterable[Entry]) -> Iterator[bytes]:
    """The parts of an archive; folders that entries need are made.

    Args:
        entries: in any order, each name once.

    Raises:
        ValueError: a name comes twice or is no path below the archive's root, or a file is too large.
    """
    by_name: dict[bytes, Entry] = {}
    for entry in entries:
        key = _checked(entry).name.encode()
        if key in by_name:
            message = f"{entry.name} comes twice"
            raise ValueError(message)
        by_name[key] = entry
    for name in list(by_name):
        for parent in PurePosixPath(name.decode()).parents:
            if str(parent) != ".":
                by_name.setdefault(str(parent).encode(), directory(str(parent)))
    written = 0
    for number, key in enumerate(sorted(by_name), start=1):
        part = record(by_name[key], number)
        written += len(part)
        yield part
    last = trailer()
    yield last + bytes(-(written + len(last)) % _BLOCK)


def record(entry: Entry, number: int) -> bytes:
    """One entry as it stands in an archive, from a multiple of 4 to the next.

    Args:
        entry: it.
        number: its inode's.
    """
    size, links = len(entry.content), 2 if stat.S_ISDIR(entry.mode) else 1
    before = head(entry.name, size, number=number, mode=entry.mode, links=links, device=entry.device)
    return before + entry.content + padding(size)


def _checked(entry: Entry) -> Entry:
    path = PurePosixPath(entry.name)
    if (
        path.is_absolute()
        or str(path) != entry.name
        or ".." in path.parts
        or "\0" in entry.name
        or entry.name in {".", _END}
    ):
        message = f"{entry.name!r} is no path in an archive"
        raise ValueError(message)
    return entry
