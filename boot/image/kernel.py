"""A kernel as its package has it: looked at before anything is built on it."""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from runtime.errors import RefusedError

__all__ = ["Kernel", "arch_of", "read_kernel"]

_NEEDED: Final = {"x86_64": "CONFIG_KEXEC_FILE", "arm64": "CONFIG_KEXEC"}
"""What starts the second stage; Debian's kernels for arm64 have only the older call."""
_ARM64_MAGIC: Final = (56, b"ARM\x64")
_BOOT_FLAG: Final = (510, b"\x55\xaa")
_SETUP_MAGIC: Final = (514, b"HdrS")
_XLF_64: Final = 1
_XLOADFLAGS: Final = 0x236


@dataclass(frozen=True, slots=True)
class Kernel:
    """What an image takes of a kernel's package.

    Attributes:
        image: the bytes that are booted.
        modules: the folder of its modules.
        release: as `uname -r` says it.
    """

    image: bytes
    modules: Path
    release: str


def read_kernel(tree: Path, arch: str) -> Kernel:
    """The kernel of an unpacked package.

    Args:
        tree: of the package.
        arch: that it has to be for.

    Raises:
        RefusedError: there is none, it is for another machine, or it cannot start another kernel.
    """
    images = sorted((tree / "boot").glob("vmlinuz-*")) if (tree / "boot").is_dir() else []
    if not images:
        raise RefusedError("has no kernel: no boot/vmlinuz-* is in it", where="kernel package")
    image = images[-1].read_bytes()
    release = images[-1].name.removeprefix("vmlinuz-")
    found = arch_of(image)
    if found != arch:
        raise RefusedError(
            f"is for {found or 'a machine that is not known'}, not for {arch}", where=f"kernel {release}"
        )
    config = tree / "boot" / f"config-{release}"
    lines = config.read_text(errors="replace").splitlines() if config.is_file() else []
    if f"{_NEEDED[arch]}=y" not in lines:
        why = f"cannot start the second stage: it is built without {_NEEDED[arch]}"
        raise RefusedError(why, where=f"kernel {release}")
    modules = tree / "lib/modules" / release
    if not modules.is_dir():
        raise RefusedError("has no modules", where=f"kernel {release}")
    return Kernel(image, modules, release)


def arch_of(image: bytes) -> str:
    """Which machine a kernel is for, by its header: one of ours, or "".

    Args:
        image: a bzImage, or an Image of arm64.
    """
    if _has(image, _ARM64_MAGIC):
        return "arm64"
    if _has(image, _BOOT_FLAG) and _has(image, _SETUP_MAGIC) and len(image) > _XLOADFLAGS + 2:
        (flags,) = struct.unpack_from("<H", image, _XLOADFLAGS)
        return "x86_64" if flags & _XLF_64 else ""
    return ""


def _has(image: bytes, magic: tuple[int, bytes]) -> bool:
    at, value = magic
    return image[at : at + len(value)] == value
