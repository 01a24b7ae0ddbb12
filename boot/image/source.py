"""A signed release that images are made of: copied, then verified as the machines verify it that will boot it."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from boot.errors import BootRefusedError
from boot.folder import ARTIFACTS, MANIFEST, check_artifacts, newest_root, read_document_file
from boot.image.inside import files_inside
from boot.image.inventory import INVENTORY, Inventory
from boot.image.uki import arch_of
from boot.stage1.image import IMAGE, ROOT, Image
from boot.trust.manifest import BootManifest
from boot.trust.root import Trusted, pinned
from boot.trust.verifier import Times, Wanted, verify_manifest
from runtime import durable
from runtime.errors import RefusedError, UsageError
from runtime.sanitise import clean

__all__ = ["Source", "copied", "verified"]

_IMAGE: Final = "image.json"
_ROOTS: Final = "root"
_ROOTS_MAX: Final = 1024
_EFI_HEAD: Final = 64 << 10


@dataclass(frozen=True, slots=True)
class Source:
    """A release that may be made images of.

    Attributes:
        folder: with its files, which nobody else changes.
        image: what its initramfs says of itself.
        manifest: what was signed.
        trusted: the newest root that follows from the one in the initramfs.
        inventory: what is in it.
    """

    folder: Path
    image: Image
    manifest: BootManifest
    trusted: Trusted
    inventory: Inventory

    @property
    def has_usb(self) -> bool:
        """Whether its kernel finds USB disks, which those for virtual machines do not."""
        return any("usb-storage" in module for module in self.image.modules)

    @property
    def size(self) -> int:
        """Bytes of all artifacts."""
        return sum(artifact.size for artifact in self.manifest.artifacts.values())


def copied(release: Path, target: Path) -> None:
    """Copies a release, so that what is verified is what is written; blocks.

    Args:
        release: its folder.
        target: a folder that does not exist yet.

    Raises:
        OrlopError: a file is missing, is something else than a regular file, or there is no space.
    """
    durable.make_directory(target, mode=0o755)
    for name in (MANIFEST, *ARTIFACTS, _IMAGE, INVENTORY):
        _copy(release / name, target / name, needed=name != "rootfs")
    durable.make_directory(target / _ROOTS, mode=0o755)
    for version in range(2, _ROOTS_MAX):
        if not _copy(release / _ROOTS / f"{version}.json", target / _ROOTS / f"{version}.json", needed=False):
            break


def verified(folder: Path, shown: Path, now_ms: int) -> Source:
    """Verifies a release as its own image does, and holds what the image says against it; blocks.

    Args:
        folder: of the release, as `copied` made it.
        shown: the folder that errors name.
        now_ms: the time, milliseconds since 1970.

    Raises:
        BootRefusedError: its image would refuse it.
        RefusedError: the image is of a kind that is not released, or says something else.
    """
    where = clean(str(shown), 300)
    inside = files_inside(folder / "initramfs", IMAGE.lstrip("/"), ROOT.lstrip("/"))
    if len(inside) < len((IMAGE, ROOT)):
        raise RefusedError("its initramfs is none of orlop's", where=where, hint="orlop boot build makes one")
    if inside[IMAGE.lstrip("/")] != (folder / _IMAGE).read_bytes():
        raise RefusedError(f"{_IMAGE} is not that of the initramfs", where=where, hint="build it anew")
    image = Image.parse(inside[IMAGE.lstrip("/")])
    trusted = newest_root(folder, pinned(inside[ROOT.lstrip("/")]))
    wanted = Wanted(image.channel, image.arch, image.floor, Times(now_ms, image.built_ms))
    manifest = verify_manifest(trusted, read_document_file(folder / MANIFEST), wanted).manifest
    check_artifacts(folder, manifest.artifacts)
    _check_kind(image, manifest, folder, where)
    return Source(folder, image, manifest, trusted, Inventory.parse((folder / INVENTORY).read_bytes()))


def _check_kind(image: Image, manifest: BootManifest, folder: Path, where: str) -> None:
    if image.debug_shell:
        hint = "build it without --debug-shell"
        raise RefusedError("it has a shell for development, which is not released", where=where, hint=hint)
    if image.floor != manifest.manifest_version:
        why = f"the image has version {image.floor}, the manifest says {manifest.manifest_version}"
        raise RefusedError(why, where=where, hint="build and sign with the same --version")
    if "rootfs" not in manifest.artifacts:
        raise RefusedError("no rootfs is signed, so nothing would run", where=where)
    with (folder / "kernel").open("rb") as kernel:
        found = arch_of(kernel.read(_EFI_HEAD))
    if found != image.arch:
        raise RefusedError(f"its kernel is no EFI program for {image.arch}", where=where)


def _copy(source: Path, target: Path, *, needed: bool) -> bool:
    descriptor = durable.open_regular(source)
    if descriptor is None:
        if needed:
            hint = "orlop boot build and boot sign make a release"
            raise UsageError("is missing", where=clean(str(source), 300), hint=hint)
        return False
    try:
        with os.fdopen(descriptor, "rb") as opened, target.open("xb") as copy:
            if not os.fstat(descriptor).st_size:
                raise BootRefusedError("length", f"{target.name} is empty", where=clean(str(source), 300))
            shutil.copyfileobj(opened, copy, 1 << 20)
    except OSError as error:
        raise durable.unavailable(target, error) from error
    return True
