"""The partition table of orlop's disks: GPT, written and read by ourselves, the same bytes every time.

Every disk has the same identifiers, so that stage 1 finds its own partitions by a constant, and two builds are equal.
Two such disks in one machine cannot be told apart: whoever looks takes the first.
"""

import struct
import uuid
import zlib
from dataclasses import dataclass
from typing import Final

from runtime.errors import RefusedError

__all__ = [
    "CACHE_PARTUUID",
    "ESP_PARTUUID",
    "ESP_SIZE",
    "ESP_TYPE",
    "LINUX_TYPE",
    "MIB",
    "SECTOR",
    "SEED_PARTUUID",
    "SEED_SIZE",
    "TABLE_SECTORS",
    "Partition",
    "Table",
    "disk_table",
    "read_table",
]

SECTOR: Final = 512
"""Bytes."""
MIB: Final = 1 << 20
TABLE_SECTORS: Final = 34
"""At the beginning: the protective MBR, the header, the entries; at the end one less."""

ESP_PARTUUID: Final = "6f726c6f-7000-4000-8000-000000000001"
SEED_PARTUUID: Final = "6f726c6f-7000-4000-8000-000000000002"
CACHE_PARTUUID: Final = "6f726c6f-7000-4000-8000-000000000003"
ESP_TYPE: Final = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
LINUX_TYPE: Final = "0fc63daf-8483-4772-8e79-3d69d8477de4"
_DISK_GUID: Final = "6f726c6f-7000-4000-8000-000000000000"

_ENTRIES: Final = 128
_ENTRY: Final = struct.Struct("<16s16sQQQ72s")
_HEADER: Final = struct.Struct("<8sIIIIQQQQ16sQIII")
_SIGNATURE: Final = b"EFI PART"
_REVISION: Final = 0x10000
_FIRST: Final = 2048
ESP_SIZE: Final = 256 * MIB
SEED_SIZE: Final = 512 * MIB


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition.

    Attributes:
        name: at most 36 characters.
        kind: GUID of what it is for.
        guid: its own, which Linux calls PARTUUID.
        first: its first sector.
        last: its last sector.
    """

    name: str
    kind: str
    guid: str
    first: int
    last: int

    @property
    def offset(self) -> int:
        """Where it begins, in bytes."""
        return self.first * SECTOR

    @property
    def size(self) -> int:
        """Bytes."""
        return (self.last - self.first + 1) * SECTOR


@dataclass(frozen=True, slots=True)
class Table:
    """A disk and its partitions.

    Attributes:
        sectors: of the whole disk.
        guid: of the disk.
        partitions: in the order of their entries.
    """

    sectors: int
    guid: str
    partitions: tuple[Partition, ...]

    @property
    def size(self) -> int:
        """Bytes of the whole disk."""
        return self.sectors * SECTOR

    def head(self) -> bytes:
        """What stands at the beginning of the disk."""
        entries = self._entries()
        header = self._header(1, self.sectors - 1, 2, zlib.crc32(entries))
        return self._protective_mbr() + header.ljust(SECTOR, b"\0") + entries

    def tail(self) -> bytes:
        """What stands at its very end, and is read when the beginning is damaged."""
        entries = self._entries()
        header = self._header(self.sectors - 1, 1, self.sectors - TABLE_SECTORS + 1, zlib.crc32(entries))
        return entries + header.ljust(SECTOR, b"\0")

    def _entries(self) -> bytes:
        packed = b"".join(
            _ENTRY.pack(
                uuid.UUID(one.kind).bytes_le,
                uuid.UUID(one.guid).bytes_le,
                one.first,
                one.last,
                0,
                one.name.encode("utf-16-le"),
            )
            for one in self.partitions
        )
        return packed.ljust(_ENTRIES * _ENTRY.size, b"\0")

    def _header(self, here: int, other: int, entries_at: int, entries_crc: int) -> bytes:
        def packed(crc: int) -> bytes:
            return _HEADER.pack(
                _SIGNATURE,
                _REVISION,
                _HEADER.size,
                crc,
                0,
                here,
                other,
                TABLE_SECTORS,
                self.sectors - TABLE_SECTORS,
                uuid.UUID(self.guid).bytes_le,
                entries_at,
                _ENTRIES,
                _ENTRY.size,
                entries_crc,
            )

        return packed(zlib.crc32(packed(0)))

    def _protective_mbr(self) -> bytes:
        """Says to programs that know no GPT that the whole disk is in use."""
        entry = struct.pack("<B3sB3sII", 0, b"\0\2\0", 0xEE, b"\xff\xff\xff", 1, min(self.sectors - 1, 0xFFFFFFFF))
        return bytes(446) + entry + bytes(48) + b"\x55\xaa"


def disk_table(size: int, *, esp: int = ESP_SIZE, seed: int = SEED_SIZE) -> Table:
    """How a disk of orlop is divided: ESP, seed, and the rest for the cache.

    Args:
        size: of the disk in bytes, a whole number of MiB.
        esp: of the ESP in bytes, as `size`.
        seed: of the seed in bytes, as `size`.
    """
    sectors = size // SECTOR
    seed_at = _FIRST + esp // SECTOR
    cache_at = seed_at + seed // SECTOR
    # The cache ends at a whole MiB too: the backup table needs the last 33 sectors of the disk.
    end = (size // MIB - 1) * MIB // SECTOR
    return Table(
        sectors,
        _DISK_GUID,
        (
            Partition("ORLOP_ESP", ESP_TYPE, ESP_PARTUUID, _FIRST, seed_at - 1),
            Partition("ORLOP_SEED", LINUX_TYPE, SEED_PARTUUID, seed_at, cache_at - 1),
            Partition("ORLOP_CACHE", LINUX_TYPE, CACHE_PARTUUID, cache_at, end - 1),
        ),
    )


def read_table(head: bytes, tail: bytes, sectors: int) -> Table:
    """Reads a table, and holds its two copies against each other.

    Args:
        head: the first `TABLE_SECTORS` sectors of a disk.
        tail: its last ones, one less.
        sectors: of the whole disk.

    Raises:
        RefusedError: it is none, or it is damaged.
    """
    if len(head) != TABLE_SECTORS * SECTOR or len(tail) != (TABLE_SECTORS - 1) * SECTOR:
        raise RefusedError("too short for a partition table")
    first = _checked(head[SECTOR : 2 * SECTOR], head[2 * SECTOR :], 1)
    second = _checked(tail[-SECTOR:], tail[:-SECTOR], sectors - 1)
    if first != second:
        raise RefusedError("the two copies of its partition table differ")
    guid, partitions = first
    return Table(sectors, guid, partitions)


def _checked(header: bytes, entries: bytes, here: int) -> tuple[str, tuple[Partition, ...]]:
    values = _HEADER.unpack_from(header)
    without_crc = header[:16] + bytes(4) + header[20 : _HEADER.size]
    sound = (
        values[0] == _SIGNATURE
        and values[2] == _HEADER.size
        and values[3] == zlib.crc32(without_crc)
        and values[5] == here
        and values[11:13] == (_ENTRIES, _ENTRY.size)
        and values[13] == zlib.crc32(entries)
    )
    if not sound:
        raise RefusedError("no GPT partition table, or a damaged one")
    return str(uuid.UUID(bytes_le=values[9])), _partitions(entries)


def _partitions(entries: bytes) -> tuple[Partition, ...]:
    found = []
    for kind, guid, first, last, _, name in _ENTRY.iter_unpack(entries):
        if any(kind):
            text = name.decode("utf-16-le", errors="replace").rstrip("\0")
            found.append(Partition(text, _uuid(kind), _uuid(guid), first, last))
    return tuple(found)


def _uuid(raw: bytes) -> str:
    return str(uuid.UUID(bytes_le=raw))
