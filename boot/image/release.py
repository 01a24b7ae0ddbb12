"""Images of signed releases: made in a folder beside, verified again, and there all at once or not at all."""

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from boot.image.boot_files import boot_files, netboot_files
from boot.image.checking import check_disk, check_qcow2
from boot.image.disk import write_disk, write_qcow2
from boot.image.esp import Content
from boot.image.gpt import Table, disk_table
from boot.image.inventory import Inventory
from boot.image.iso import write_iso
from boot.image.loader import Loader
from boot.image.notes import release_notes
from boot.image.planning import Kind, planned
from boot.image.saying import Say, say_nothing
from boot.image.sbom import sbom
from boot.image.secure import SigningKey
from boot.image.seed import write_seed
from boot.image.source import Source, copied, verified
from boot.image.sums import SUMS, check_sums, sha256_of, write_sums
from boot.trust.manifest import Arch
from runtime import durable
from runtime.errors import RefusedError, UnavailableError, UsageError
from runtime.identity import Identity
from runtime.quantities import format_size
from runtime.sanitise import clean

__all__ = ["Images", "Released", "make_release"]

_NOTES: Final = "RELEASE_NOTES.md"
_SLACK: Final = 64 << 20
"""What file systems need beside the files in them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """What is to be made.

    Attributes:
        kinds: of images; none for all that the releases can be.
        size: of a disk, bytes.
        timeout: of the boot menu, seconds.
        signer: the owner's key for Secure Boot; None for none.
        now_ms: the time, milliseconds since 1970.
    """

    kinds: tuple[Kind, ...] = ()
    size: int
    timeout: int
    signer: SigningKey | None
    now_ms: int


@dataclass(frozen=True, slots=True)
class Released:
    """What was made.

    Attributes:
        release: its name.
        key: that signed the list of hashes, in hexadecimal.
        files: sizes and hashes by name.
    """

    release: str
    key: str
    files: dict[str, tuple[int, str]]


def make_release(
    releases: Sequence[Path],
    out: Path,
    images: Images,
    *,
    key: Identity,
    loaders: Callable[[Arch], Loader],
    say: Say = say_nothing,
) -> Released:
    """Makes images of signed releases; blocks for minutes.

    Args:
        releases: their folders.
        out: the folder of the images, which does not exist yet.
        images: which ones.
        key: who signs the list of hashes: one of the root's keys.
        loaders: gives the boot menu for an architecture.
        say: told what is done.

    Raises:
        OrlopError: what is wrong; then there is no such folder.
    """
    if out.exists() or out.is_symlink():
        raise UsageError("exists already", where=clean(str(out), 300), hint="name another folder")
    _check_room(releases, out, images)
    try:
        work = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}."))
        try:
            sources = _verified(work, releases, images, key, say)
            return _made(work / "made", sources, out, images, key=key, loaders=loaders, say=say)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        raise durable.unavailable(out, error) from error


def _verified(work: Path, releases: Sequence[Path], images: Images, key: Identity, say: Say) -> list[Source]:
    sources = []
    for number, release in enumerate(releases):
        say(f"verifying {clean(str(release), 300)}")
        copied(release, work / f"source-{number}")
        sources.append(verified(work / f"source-{number}", release, images.now_ms))
        _check_key(key, sources[-1], release)
    return sources


def _made(
    made: Path,
    sources: Sequence[Source],
    out: Path,
    images: Images,
    *,
    key: Identity,
    loaders: Callable[[Arch], Loader],
    say: Say,
) -> Released:
    durable.make_directory(made, mode=0o755)
    plan = planned(sources, images.kinds)
    press = _Press(made, images, {arch: loaders(arch) for arch in {one.image.arch for one in sources}}, say)
    for kind, source in plan:
        press.make(kind, source)
    press.list_contents(sources)
    release = sources[0].manifest.release
    files = {path.name: (path.stat().st_size, sha256_of(path)) for path in sorted(made.iterdir())}
    notes = release_notes(release, sources, files, key.public_hex, signed=images.signer is not None)
    (made / _NOTES).write_bytes(notes)
    files[_NOTES] = (len(notes), sha256_of(made / _NOTES))
    write_sums(made, {name: digest for name, (_, digest) in files.items()}, key)
    say("verifying what was written")
    check_sums(made / SUMS, sources[0].trusted)
    for path in made.iterdir():
        path.chmod(0o644)
    made.rename(out)
    durable.sync_directory(out.parent)
    return Released(release, key.public_hex, files)


class _Press:
    """Writes images into a folder; what several need is made once."""

    def __init__(self, out: Path, images: Images, loaders: dict[Arch, Loader], say: Say) -> None:
        self._out = out
        self._images = images
        self._loaders = loaders
        self._say = say
        self._table: Table = disk_table(images.size)
        self._files: dict[Path, dict[str, Content]] = {}

    def make(self, kind: Kind, source: Source) -> None:
        name = f"orlop-boot-{source.manifest.release}-{source.image.arch}"
        self._say(f"writing {name}: {kind}")
        epoch = source.image.built_ms // 1000
        match kind:
            case "disk":
                (self._out / f"{name}.img").hardlink_to(self._disk(source, epoch))
            case "usb":
                (self._out / f"{name}.usb.img").hardlink_to(self._disk(source, epoch))
            case "qcow2":
                disk, out = self._disk(source, epoch), self._out / f"{name}.qcow2"
                write_qcow2(disk, out)
                check_qcow2(disk, out)
            case "iso":
                write_iso(self._out / f"{name}.iso", self._boot_files(source), epoch)
            case "netboot":
                loader = self._loaders[source.image.arch]
                for file, content in netboot_files(source, name, loader, self._images.signer).items():
                    _write(self._out / file, content)

    def list_contents(self, sources: Sequence[Source]) -> None:
        """One bill of materials for each architecture."""
        for arch, loader in self._loaders.items():
            here = [one for one in sources if one.image.arch == arch]
            first = here[0]
            name = f"orlop-boot-{first.manifest.release}-{arch}"
            inventories = [*(one.inventory for one in here), Inventory((loader.package,))]
            raw = sbom(name, first.manifest.release, inventories, max(one.image.built_ms for one in here))
            (self._out / f"{name}.cdx.json").write_bytes(raw)

    def _disk(self, source: Source, epoch: int) -> Path:
        disk, seed = source.folder / "disk.img", source.folder / "seed.squashfs"
        if not disk.exists():
            write_seed(source.folder, seed, epoch, most=self._table.partitions[1].size)
            write_disk(disk, self._table, self._boot_files(source), seed, epoch)
            check_disk(disk, self._table, source, seed, self._images.signer)
        return disk

    def _boot_files(self, source: Source) -> dict[str, Content]:
        if source.folder not in self._files:
            loader, images = self._loaders[source.image.arch], self._images
            self._files[source.folder] = boot_files(source, loader, images.signer, images.timeout)
        return self._files[source.folder]


def _check_key(key: Identity, source: Source, shown: Path) -> None:
    if key.public_hex not in source.trusted.root.keys:
        why = f"key {key.public_hex[:16]} is none of the keys of its root"
        raise RefusedError(why, where=clean(str(shown), 300), hint="sign with a key that those who verify it trust")


def _check_room(releases: Sequence[Path], out: Path, images: Images) -> None:
    """Before minutes are spent: every image has the artifacts in it, twice as a disk."""
    try:
        artifacts = sum(file.stat().st_size for release in releases for file in release.iterdir() if file.is_file())
        free = shutil.disk_usage(out.parent).free
    except OSError as error:
        raise durable.unavailable(out.parent, error) from error
    needed = artifacts * (2 + 2 * (len(images.kinds) or 5)) + _SLACK
    if free < needed:
        why = f"there are {format_size(free)} free and up to {format_size(needed)} are needed"
        raise UnavailableError(why, where=clean(str(out.parent), 300))


def _write(out: Path, content: Content) -> None:
    if isinstance(content, Path):
        shutil.copyfile(content, out)
    else:
        out.write_bytes(content)
