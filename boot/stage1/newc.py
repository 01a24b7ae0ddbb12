"""Heads of the entries of cpio archives in the format newc, written as their content comes. Pure."""

import stat
from typing import Final

__all__ = ["SIZE_MAX", "head", "padding", "trailer"]

SIZE_MAX: Final = 2**32 - 1
"""Bytes of one file."""

_MAGIC: Final = b"070701"
_END: Final = "TRAILER!!!"


def head(
    name: str,
    size: int,
    *,
    number: int,
    mode: int = stat.S_IFREG | 0o400,
    links: int = 1,
    device: tuple[int, int] = (0, 0),
) -> bytes:
    """What stands before the content of a file, up to a multiple of 4.

    Args:
        name: its path, without a leading slash.
        size: bytes of its content.
        number: of its inode.
        mode: its kind and permissions.
        links: how many names it has; two for a folder.
        device: major and minor number of a node.

    Raises:
        ValueError: a file of this size does not fit into the format.
    """
    if not 0 <= size <= SIZE_MAX:
        message = f"{name} does not fit into an archive"
        raise ValueError(message)
    raw = name.encode() + b"\0"
    fields = (number, mode, 0, 0, links, 0, size, 0, 0, *device, len(raw), 0)
    whole = _MAGIC + "".join(f"{field:08X}" for field in fields).encode() + raw
    return whole + padding(len(whole))


def padding(size: int) -> bytes:
    """The zeros after so many bytes, up to a multiple of 4."""
    return bytes(-size % 4)


def trailer() -> bytes:
    """What ends an archive."""
    return head(_END, 0, number=0, mode=0)
