"""Unified kernel images: kernel, initramfs and command line in one EFI program, so that one signature covers all.

The format of the program is PE; sections are appended by ourselves, which serves every architecture alike.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from boot.trust.manifest import Arch
from runtime.errors import RefusedError

__all__ = ["Section", "arch_of", "read_sections", "uki"]

_MACHINES: Final[dict[int, Arch]] = {0x8664: "x86_64", 0xAA64: "arm64"}
_PE_AT: Final = 0x3C
_COFF: Final = struct.Struct("<HHIIIHH")
_PE64: Final = 0x20B
_SECTION: Final = struct.Struct("<8sIIIIIIHHI")
_READ_ONLY_DATA: Final = 0x40000040
_PAGE: Final = 4096
_NAME_MOST: Final = 8
# Offsets in the optional header.
_ALIGNMENTS: Final = 32
_SIZE_OF_IMAGE: Final = 56
_SIZE_OF_HEADERS: Final = 60
_CHECKSUM: Final = 64


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a program.

    Attributes:
        name: at most 8 characters.
        data: its bytes.
    """

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class _Head:
    """What has to be known of a program to append to it."""

    machine: int
    coff: int
    optional: int
    table: int
    sections: tuple[tuple[str, int, int, int, int], ...]
    """Name, virtual size, address, size and place in the file."""
    section_alignment: int
    file_alignment: int
    headers: int


def arch_of(raw: bytes) -> Arch | None:
    """Of which architecture an EFI program is, such as a kernel with its EFI stub; None where it is none.

    Args:
        raw: its bytes, or the first kilobytes of them.
    """
    try:
        return _MACHINES.get(_head(raw).machine)
    except RefusedError:
        return None


def read_sections(raw: bytes) -> list[Section]:
    """The parts of a program.

    Args:
        raw: its bytes.

    Raises:
        RefusedError: it is none.
    """
    return [Section(name, raw[at : at + min(virtual, size)]) for name, virtual, _, size, at in _head(raw).sections]


def uki(stub: bytes, *, os_release: str, cmdline: str, kernel: bytes, initramfs: bytes) -> bytes:
    """One EFI program of everything that starts a machine in one mode.

    Args:
        stub: that unpacks the others, from systemd-boot-efi.
        os_release: what the boot menu shows.
        cmdline: of the kernel.
        kernel: with its EFI stub.
        initramfs: of the first boot.

    Raises:
        RefusedError: the stub is no EFI program, or the kernel is none of its architecture.
    """
    if arch_of(kernel) is None or arch_of(kernel) != arch_of(stub):
        raise RefusedError("the kernel is no EFI program of this architecture")
    parts = (
        Section(".osrel", os_release.encode()),
        Section(".cmdline", cmdline.encode()),
        Section(".linux", kernel),
        Section(".initrd", initramfs),
    )
    return _appended(stub, parts)


def _appended(raw: bytes, parts: Sequence[Section]) -> bytes:
    head = _head(raw)
    if head.table + _SECTION.size * (len(head.sections) + len(parts)) > head.headers:
        raise RefusedError("no room for more sections in the EFI stub")
    # What lies behind the last section are symbols, which nothing reads.
    end = max(at + size for *_, size, at in head.sections)
    body, rows = bytearray(raw[:end]), b""
    address = max(address + virtual for _, virtual, address, _, _ in head.sections)
    for part in parts:
        address, at = _up(address, max(_PAGE, head.section_alignment)), _up(len(body), head.file_alignment)
        size = _up(len(part.data), head.file_alignment)
        rows += _SECTION.pack(part.name.encode(), len(part.data), address, size, at, 0, 0, 0, 0, _READ_ONLY_DATA)
        body = body.ljust(at, b"\0") + part.data.ljust(size, b"\0")
        address += len(part.data)
    at = head.table + _SECTION.size * len(head.sections)
    body[at : at + len(rows)] = rows
    struct.pack_into("<H", body, head.coff + 2, len(head.sections) + len(parts))
    struct.pack_into("<II", body, head.coff + 8, 0, 0)
    struct.pack_into("<I", body, head.optional + _SIZE_OF_IMAGE, _up(address, head.section_alignment))
    struct.pack_into("<I", body, head.optional + _CHECKSUM, 0)
    return bytes(body)


def _head(raw: bytes) -> _Head:
    try:
        (pe,) = struct.unpack_from("<I", raw, _PE_AT)
        machine, count, _, _, _, optional_size, _ = _COFF.unpack_from(raw, pe + 4)
        optional = pe + 4 + _COFF.size
        (magic,) = struct.unpack_from("<H", raw, optional)
        section_alignment, file_alignment = struct.unpack_from("<II", raw, optional + _ALIGNMENTS)
        (headers,) = struct.unpack_from("<I", raw, optional + _SIZE_OF_HEADERS)
        table = optional + optional_size
        rows = [_SECTION.unpack_from(raw, table + _SECTION.size * number) for number in range(count)]
    except struct.error:
        raise RefusedError("no EFI program") from None
    sound = (
        raw[:2] == b"MZ"
        and raw[pe : pe + 4] == b"PE\0\0"
        and magic == _PE64
        and rows
        and section_alignment
        and file_alignment
    )
    if not sound:
        raise RefusedError("no EFI program")
    sections = tuple((_text(row[0]), row[1], row[2], row[3], row[4]) for row in rows)
    return _Head(machine, pe + 4, optional, table, sections, section_alignment, file_alignment, headers)


def _text(name: bytes) -> str:
    return name[:_NAME_MOST].rstrip(b"\0").decode("ascii", errors="replace")


def _up(value: int, to: int) -> int:
    return -(-value // to) * to
