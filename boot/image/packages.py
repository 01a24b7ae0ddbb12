"""The Debian packages that images are made of."""

from typing import Final

__all__ = ["kernel_name", "rootfs_packages", "stage1_packages"]

_BASE: Final = (
    "busybox-static",
    "ca-certificates",
    "libc6",
    "libexpat1",
    "libffi8",
    "libgcc-s1",
    "libpython3.11-minimal",
    "libpython3.11-stdlib",
    "libssl3",
    "python3.11-minimal",
    "zlib1g",
)
_KEXEC: Final = (
    "kexec-tools",
    "liblzma5",
    "libxencall1",
    "libxendevicemodel1",
    "libxenevtchn1",
    "libxenforeignmemory1",
    "libxengnttab1",
    "libxenmisc4.17",
    "libxentoolcore1",
    "libxentoollog1",
)
"""kexec and the libraries that it is linked with, Xen's among them."""
_ROOT: Final = (
    "libbz2-1.0",
    "libcrypt1",
    "liblzma5",
    "libsqlite3-0",
    "libstdc++6",
    "libuuid1",
)


def kernel_name(arch: str, kind: str) -> str:
    """The package that names the newest kernel.

    Args:
        arch: as Debian calls it.
        kind: `cloud` or `full`.
    """
    return f"linux-image-cloud-{arch}" if kind == "cloud" else f"linux-image-{arch}"


def stage1_packages(arch: str) -> tuple[str, ...]:
    """Those of the initramfs.

    Args:
        arch: as Debian calls it.
    """
    return (*_BASE, *_KEXEC) if arch == "arm64" else _BASE


def rootfs_packages() -> tuple[str, ...]:
    """Those of the root file system."""
    return (*_BASE, *_ROOT)
