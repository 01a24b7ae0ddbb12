"""A kernel as its package has it: looked at before anything is built on it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from boot.image.uki import arch_of
from runtime.errors import RefusedError

__all__ = ["Kernel", "read_kernel"]

_NEEDED: Final = {"x86_64": "CONFIG_KEXEC_FILE", "arm64": "CONFIG_KEXEC"}
"""What starts the second stage; Debian's kernels for arm64 have only the older call."""


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
