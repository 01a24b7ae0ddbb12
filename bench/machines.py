"""What the rows of booting need: programs of Debian, a release of our own, and a machine that does nothing."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.measure import Figure, absent
from boot.image import cpio

__all__ = ["BUILDS", "EMULATES", "FIRMWARE", "lacking", "off", "without"]

_PACKAGES: Final = {
    "qemu-system-x86_64": "qemu-system-x86",
    "/usr/share/OVMF": "ovmf",
    "mksquashfs": "squashfs-tools",
    "mcopy": "mtools",
    "mkfs.ext4": "e2fsprogs",
    "zstd": "zstd",
    "/usr/bin/python3.11": "python3.11",
    "dpkg-deb": "dpkg",
}
BUILDS: Final = ("mksquashfs", "zstd", "dpkg-deb", "/usr/bin/python3.11")
EMULATES: Final = (*BUILDS, "qemu-system-x86_64")
FIRMWARE: Final = (*EMULATES, "/usr/share/OVMF", "mcopy", "mkfs.ext4")

_OFF: Final = (
    b"\xbf\xad\xde\xe1\xfe"  # mov edi, LINUX_REBOOT_MAGIC1
    b"\xbe\x69\x19\x12\x28"  # mov esi, LINUX_REBOOT_MAGIC2
    b"\xba\xdc\xfe\x21\x43"  # mov edx, LINUX_REBOOT_CMD_POWER_OFF
    b"\xb8\xa9\x00\x00\x00"  # mov eax, the number of reboot(2)
    b"\x0f\x05\xeb\xfe"  # syscall, and wait
)


def lacking(programs: Sequence[str]) -> str:
    """Which packages of Debian have to be installed first; empty where all is there.

    Args:
        programs: keys of the table; what begins with / is a file or a folder.
    """
    there = {name: Path(name).exists() if name.startswith("/") else shutil.which(name) for name in programs}
    packages = [_PACKAGES[name] for name in programs if not there[name]]
    return f"not measured: apt-get install {' '.join(packages)}" if packages else ""


def without(what: str, programs: Sequence[str]) -> list[Figure]:
    """The line of a row that cannot be measured here; none where it can be.

    Args:
        what: would be measured.
        programs: that it needs.
    """
    why = lacking(programs)
    return [absent(what, why)] if why else []


def off(folder: Path) -> Path:
    """An initramfs for x86-64 whose init powers the machine off.

    Args:
        folder: where it is written.
    """
    path = folder / "off"
    path.write_bytes(b"".join(cpio.archive([cpio.device("dev/console", 5, 1), cpio.program("init", _elf(_OFF))])))
    return path


def _elf(code: bytes) -> bytes:
    """A program that is nothing but this code, elf(5)."""
    start, base = 64 + 56, 0x400000
    size = start + len(code)
    ident = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    fields = ((2, 2), (62, 2), (1, 4), (base + start, 8), (64, 8), (0, 8), (0, 4), (64, 2), (56, 2), (1, 2), (0, 6))
    segment = ((1, 4), (5, 4), (0, 8), (base, 8), (base, 8), (size, 8), (size, 8), (0x1000, 8))
    packed = (value.to_bytes(count, "little") for value, count in (*fields, *segment))
    return ident + b"".join(packed) + code
