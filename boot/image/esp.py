"""The EFI system partition: what a firmware and its boot menu read, and nothing else; the same bytes every time.

A menu of three entries, one for each mode. Nothing in it is believed by a machine that does Secure Boot but what is
signed: there, each entry is one file with kernel, initramfs and command line in it (`boot.image.uki`).
"""

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Final

from boot.image.gpt import SECTOR
from boot.image.programs import run
from boot.modes import MODES, Mode
from boot.trust.manifest import Arch, Channel
from runtime.errors import RefusedError
from runtime.quantities import format_size

__all__ = ["LOADER", "UKI", "Content", "entries", "loader_conf", "mode_cmdline", "size_for", "write_esp"]

Content = bytes | Path
"""Bytes, or the file that has them."""

LOADER: Final[Mapping[Arch, str]] = {"x86_64": "EFI/BOOT/BOOTX64.EFI", "arm64": "EFI/BOOT/BOOTAA64.EFI"}
"""Where a firmware looks for what it starts from a disk that it does not know."""
UKI: Final = "EFI/Linux"
"""Where the boot menu looks for unified kernel images."""

_SERIAL: Final[Mapping[Arch, str]] = {"x86_64": "ttyS0,115200", "arm64": "ttyAMA0,115200"}
_TITLES: Final[Mapping[Mode, str]] = {
    "internet": "orlop: Internet mode",
    "local": "orlop: Local mode",
    "private": "orlop: Private mode",
}
_LABEL: Final = "ORLOP_ESP"
_SERIAL_NUMBER: Final = "0a0b0c0d"
_RESERVE: Final = 2 << 20
_LEAST: Final = 64 << 20
"""Below 34 MiB there is no FAT32."""
_STEP: Final = 16 << 20


def mode_cmdline(mode: Mode, arch: Arch, channel: Channel) -> str:
    """The command line of the first kernel in one mode.

    Args:
        mode: which.
        arch: of the machine.
        channel: which line of releases; private mode names none and takes that of its image.
    """
    words = {
        "internet": f"orlop.mode=internet orlop.channel={channel}",
        "local": f"orlop.mode=local orlop.channel={channel} orlop.cache=on",
        "private": "orlop.mode=private orlop.cache=off orlop.nowrite=on",
    }
    # On a busy host, an emulated timer is late, and the kernel would panic over it. Machines with UEFI have a good one.
    timer = " no_timer_check" if arch == "x86_64" else ""
    return f"{words[mode]} rdinit=/init console=tty0 console={_SERIAL[arch]} quiet panic=-1{timer}"


def loader_conf(default: str, timeout: int) -> bytes:
    """The settings of the boot menu.

    Args:
        default: name of the entry that is taken.
        timeout: after so many seconds.
    """
    return f"timeout {timeout}\ndefault {default}\nconsole-mode max\neditor no\n".encode()


def entries(arch: Arch, channel: Channel, kernel: Content, initramfs: Content) -> dict[str, Content]:
    """Kernel, initramfs and the menu's three entries, none of them signed.

    Args:
        arch: of the machine.
        channel: which line of releases.
        kernel: of the first boot.
        initramfs: of the first boot.
    """
    names = f"vmlinuz-{arch}", f"initramfs-{arch}.img"
    files: dict[str, Content] = dict(zip(names, (kernel, initramfs), strict=True))
    for mode in MODES:
        text = (
            f"title {_TITLES[mode]}\n"
            f"linux /{names[0]}\ninitrd /{names[1]}\n"
            f"options {mode_cmdline(mode, arch, channel)}\n"
        )
        files[f"loader/entries/{mode}.conf"] = text.encode()
    return files


def size_for(files: Mapping[str, Content]) -> int:
    """A size of a file system that these files fit into, bytes.

    Args:
        files: by path.
    """
    return max(_LEAST, -(-_needed(files) // _STEP) * _STEP)


def write_esp(image: Path, offset: int, size: int, files: Mapping[str, Content], epoch: int) -> None:
    """Makes a FAT32 file system with files inside an image that exists; blocks.

    Args:
        image: the file.
        offset: where the file system begins in it, bytes.
        size: of the file system, bytes.
        files: by path, without a leading slash.
        epoch: the time of every file, in seconds since 1970.

    Raises:
        RefusedError: the files do not fit.
        OrlopError: a program is missing or failed.
    """
    needed = _needed(files)
    if needed > size:
        why = f"the boot files need {format_size(needed)}, the EFI partition has {format_size(size)}"
        raise RefusedError(why, hint="build a smaller initramfs")
    drive = f"{image}@@{offset}"
    geometry = ["-h", "255", "-s", "63", "-H", str(offset // SECTOR), "-T", str(size // SECTOR)]
    _mtools(epoch, "mformat", "-i", drive, "-F", *geometry, "-N", _SERIAL_NUMBER, "-v", _LABEL, "::")
    for folder in _folders(files):
        _mtools(epoch, "mmd", "-i", drive, f"::/{folder}")
    with tempfile.TemporaryDirectory(dir=image.parent) as work:
        for path, content in sorted(files.items()):
            source = _staged(Path(work, "file"), content)
            os.utime(source, (epoch, epoch))
            _mtools(epoch, "mcopy", "-m", "-i", drive, str(source), f"::/{path}")


def _staged(source: Path, content: Content) -> Path:
    if isinstance(content, Path):
        shutil.copyfile(content, source)
    else:
        source.write_bytes(content)
    return source


def _mtools(epoch: int, *command: str) -> None:
    # Nobody's own table of drives is read, and no complaint about a geometry that means nothing.
    run(command, epoch=epoch, MTOOLSRC="/dev/null", MTOOLS_SKIP_CHECK="1")


def _folders(files: Mapping[str, Content]) -> list[str]:
    """The folders of the files, those that contain others first."""
    parents = {str(parent) for path in files for parent in PurePosixPath(path).parents}
    return sorted(parents - {"."})


def _needed(files: Mapping[str, Content]) -> int:
    return sum(_size(content) for content in files.values()) + _RESERVE


def _size(content: Content) -> int:
    return content.stat().st_size if isinstance(content, Path) else len(content)
