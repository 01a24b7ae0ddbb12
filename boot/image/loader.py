"""The boot menu and the stub of unified kernel images: systemd's, from Debian's package for the architecture."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from boot.image.apt import Apt, unpack
from boot.image.inventory import Package
from boot.image.saying import Say
from boot.trust.manifest import Arch

__all__ = ["Loader", "loader_for"]

_PACKAGE: Final = "systemd-boot-efi"
_FOLDER: Final = "usr/lib/systemd/boot/efi"
_SUFFIX: Final[dict[Arch, str]] = {"x86_64": "x64", "arm64": "aa64"}


@dataclass(frozen=True, slots=True)
class Loader:
    """EFI programs of others that an image needs.

    Attributes:
        menu: systemd-boot.
        stub: what a unified kernel image begins with.
        package: that they are from.
    """

    menu: bytes
    stub: bytes
    package: Package


def loader_for(arch: Arch, cache: Path, say: Say) -> Loader:
    """Fetches them; the package is unpacked and never installed, for installing it writes to the EFI partition.

    Args:
        arch: of the machine.
        cache: a folder where packages are kept.
        say: told what is done.

    Raises:
        NetworkError: the package is not in the cache and cannot be downloaded.
    """
    apt = Apt(cache, arch, say)
    apt.update()
    (package,) = apt.find([_PACKAGE])
    with tempfile.TemporaryDirectory() as work:
        tree = Path(work, "tree")
        unpack([apt.fetched(package)], tree)
        menu = (tree / _FOLDER / f"systemd-boot{_SUFFIX[arch]}.efi").read_bytes()
        stub = (tree / _FOLDER / f"linux{_SUFFIX[arch]}.efi.stub").read_bytes()
    return Loader(menu, stub, package.listed)
