"""The partition table of any disk that is in the machine, read only as far as it is sound. Pure: bytes in, entries out.

Other than `boot.image.gpt`, which reads the disks that orlop wrote, this reads what anybody wrote: sectors of any size,
entries of any number, and a disk that is larger than its table says, as a stick is that an image was written to.
"""

import struct
import uuid
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

__all__ = ["Entry", "NoTableError", "read_entries"]

_HEADER: Final = struct.Struct("<8sIIIIQQQQ16sQIII")
_ENTRY: Final = struct.Struct("<16s16sQQQ72s")
_SIGNATURE: Final = b"EFI PART"
_ENTRIES_MAX: Final = 1024
_ENTRY_SIZE_MAX: Final = 4096
_SECTORS: Final = (512, 1024, 2048, 4096)


class NoTableError(ValueError):
    """The disk has no GPT, or a damaged one."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A partition as its table names it.

    Attributes:
        number: its place in the table, from 1: what the kernel calls `partition`.
        partuuid: its own identifier, in lower case.
        first: its first sector, of the disk's sector size.
        last: its last sector.
    """

    number: int
    partuuid: str
    first: int
    last: int


def read_entries(read: Callable[[int, int], bytes], sector: int, size: int) -> tuple[Entry, ...]:
    """The partitions of a disk.

    Args:
        read: gives so many bytes from an offset, or fewer where there are no more.
        sector: bytes of a logical sector.
        size: bytes of the disk.

    Raises:
        NoTableError: there is no sound table at its beginning.
    """
    if sector not in _SECTORS:
        raise NoTableError("sectors of a size that is not known")
    raw = read(sector, sector)
    if len(raw) != sector or not raw.startswith(_SIGNATURE):
        raise NoTableError("no GPT")
    (_, _, length, crc, _, here, _, low, high, _, at, count, width, entries_crc) = _HEADER.unpack_from(raw)
    if not _HEADER.size <= length <= sector or zlib.crc32(raw[:16] + bytes(4) + raw[20:length]) != crc or here != 1:
        raise NoTableError("the header of its GPT is damaged")
    sound = 0 < count <= _ENTRIES_MAX and _ENTRY.size <= width <= _ENTRY_SIZE_MAX and width % 8 == 0
    if not sound or at < 2 or at * sector + count * width > size or high * sector >= size:  # noqa: PLR2004 - MBR, header
        raise NoTableError("the header of its GPT says what cannot be")
    table = read(at * sector, count * width)
    if len(table) != count * width or zlib.crc32(table) != entries_crc:
        raise NoTableError("the entries of its GPT are damaged")
    found = (_entry(table[number * width :], number + 1) for number in range(count))
    return tuple(one for one in found if one is not None and low <= one.first <= one.last <= high)


def _entry(raw: bytes, number: int) -> Entry | None:
    kind, own, first, last, _, _ = _ENTRY.unpack_from(raw)
    return Entry(number, str(uuid.UUID(bytes_le=own)), first, last) if any(kind) else None
