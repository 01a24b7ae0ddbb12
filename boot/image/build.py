"""Builds kernel, initramfs and rootfs of a release, without root, the same bytes every time."""

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from boot.image import cpio
from boot.image.apt import DEBIAN, Apt, Package, package_in, unpack
from boot.image.bytecode import check_interpreter
from boot.image.gpt import CACHE_PARTUUID, SEED_PARTUUID
from boot.image.inventory import INVENTORY, Inventory, Wheel
from boot.image.kernel import Kernel, read_kernel
from boot.image.kernel_modules import ModuleTree, wanted_modules
from boot.image.lockfile import needed_at_runtime, the_lock
from boot.image.packages import kernel_name, rootfs_packages, stage1_packages
from boot.image.programs import run
from boot.image.rootfs import RootfsParts, fill, pack
from boot.image.saying import Say
from boot.image.secure import SigningKey, sign_pe
from boot.image.stage1_image import Stage1Parts, stage1_entries
from boot.image.vendored import wheels
from boot.stage1.image import Image
from boot.trust.manifest import Arch, Channel
from runtime import durable
from runtime.errors import UnavailableError
from runtime.quantities import format_size, parse_count
from runtime.sanitise import clean

__all__ = ["LEVELS", "Built", "Order", "build"]

LEVELS: Final = (3, 19)
"""Of zstd: quick for tests, small for releases."""
_NAMES: Final = ("kernel", "initramfs", "rootfs", "image.json", INVENTORY)
_EPOCH_MAX: Final = 253_402_300_799
"""The last second of the year 9999."""
_SPACE: Final = 600_000_000
"""Bytes that a build needs while it runs, the largest kernel's package being unpacked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be built.

    Attributes:
        out: the folder of the release; made if it is missing.
        cache: where downloads are kept.
        arch: of the machines.
        channel: that the image takes where the command line names none.
        root: the pinned root, as its bytes.
        version: of the manifest that it will have: the lowest that the image boots.
        release: its name.
        kernel: `cloud`, `full`, or the path of a kernel's package.
        bootstrap: multiaddresses with which the DHT is begun.
        level: of zstd.
        debug_shell: whether it starts a shell on failure.
        signer: whose signature for Secure Boot the kernel bears; without one it keeps Debian's.
    """

    out: Path
    cache: Path
    arch: Arch
    channel: Channel
    root: bytes
    version: int
    release: str
    kernel: str = "cloud"
    bootstrap: tuple[str, ...] = ()
    level: int = 3
    debug_shell: bool = False
    signer: SigningKey | None = None


@dataclass(frozen=True, slots=True)
class Built:
    """What was built.

    Attributes:
        image: as the initramfs says it.
        sizes: bytes of each file, by name.
    """

    image: Image
    sizes: Mapping[str, int]


def build(order: Order, say: Say) -> Built:
    """Builds it; blocks, for a minute or so.

    Args:
        order: what.
        say: told what is done.

    Raises:
        OrlopError: what is missing or wrong; then the folder is as it was.
    """
    check_interpreter()
    try:
        order.cache.mkdir(parents=True, exist_ok=True)
        order.out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=order.out, prefix=".build-") as work:
            _check_space(Path(work))
            return _Build(order, Path(work), say).run()
    except OSError as error:
        place = Path(error.filename) if isinstance(error.filename, str) else order.out
        # What is below the folder has a name that nobody gave, and is gone by now.
        raise durable.unavailable(order.out if place.is_relative_to(order.out) else place, error) from error


def _check_space(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < _SPACE:
        why = f"has {format_size(free)} of space, a build needs {format_size(_SPACE)}"
        raise UnavailableError(why, where=clean(str(folder.parent), 300))


class _Build:
    """One run."""

    def __init__(self, order: Order, work: Path, say: Say) -> None:
        self._order, self._work, self._say = order, work, say
        self._apt = Apt(order.cache, order.arch, say)
        self._debian = DEBIAN[order.arch]
        self._made = work / "made"
        self._packages: dict[str, Package] = {}
        self._tools = [(name, _version(*command)) for name, command in _tools(signs=order.signer is not None)]

    def run(self) -> Built:
        """All of it, step by step; files come to their places last."""
        self._made.mkdir()
        own = None if self._order.kernel in {"cloud", "full"} else self._read(Path(self._order.kernel))
        self._say(f"packages of Debian for {self._debian}")
        self._apt.update()
        kernel, version = own or self._read(self._newest())
        self._say("wheels of the lock")
        vendored = wheels(needed_at_runtime(the_lock()), self._order.cache / "wheels", self._debian)
        base = self._unpacked("base", stage1_packages(self._debian))
        root = self._unpacked("root", rootfs_packages())
        epoch = _epoch((base, root, kernel.modules))
        image = self._image(kernel, version, epoch)
        self._stage1(image, kernel, base, vendored.site)
        self._rootfs(root, vendored.site, epoch)
        signer = self._order.signer
        signed = kernel.image if signer is None else sign_pe(kernel.image, signer, epoch)
        (self._made / "kernel").write_bytes(signed)
        (self._made / "image.json").write_bytes(image.document())
        (self._made / INVENTORY).write_bytes(self._inventory(vendored.listed).document())
        sizes = {name: (self._made / name).stat().st_size for name in _NAMES}
        self._keep()
        return Built(image, sizes)

    def _newest(self) -> Path:
        """The file of Debian's newest kernel."""
        (newest,) = self._apt.find([kernel_name(self._debian, self._order.kernel)])
        (package,) = self._apt.find([name for name in newest.depends if name.startswith("linux-image-")])
        return self._apt.fetched(package)

    def _read(self, file: Path) -> tuple[Kernel, str]:
        """The kernel in a package, and the package's version."""
        tree, package = self._work / "kernel", package_in(file)
        self._packages[package.name] = package
        self._say(f"kernel {package.version}")
        unpack([file], tree)
        return read_kernel(tree, self._order.arch), package.version

    def _unpacked(self, name: str, names: Iterable[str]) -> Path:
        tree = self._work / name
        found = self._apt.find([*names])
        self._packages |= {package.name: package for package in found}
        unpack([self._apt.fetched(package) for package in found], tree)
        return tree

    def _image(self, kernel: Kernel, version: str, epoch: int) -> Image:
        order, modules = self._order, ModuleTree(kernel.modules)
        return Image(
            arch=order.arch,
            channel=order.channel,
            floor=order.version,
            built_ms=epoch * 1000,
            release=order.release,
            kernel=version,
            modules=modules.order(wanted_modules(order.arch, order.kernel, modules)),
            bootstrap=order.bootstrap,
            debug_shell=order.debug_shell,
            cache=CACHE_PARTUUID,
            seed=SEED_PARTUUID,
        )

    def _stage1(self, image: Image, kernel: Kernel, tree: Path, site: Path) -> None:
        self._say("initramfs")
        modules = ModuleTree(kernel.modules)
        parts = Stage1Parts(
            image=image,
            root=self._order.root,
            tree=tree,
            site=site,
            modules={name: modules.read(name) for name in image.modules},
            work=self._work,
        )
        plain = self._work / "initramfs.cpio"
        with plain.open("wb") as file:
            file.writelines(cpio.archive(stage1_entries(parts)))
        # One thread: with more the bytes would be the same, with --single-thread others.
        run(["zstd", "-q", f"-{self._order.level}", "-T1", str(plain), "-o", str(self._made / "initramfs")])

    def _rootfs(self, tree: Path, site: Path, epoch: int) -> None:
        self._say("rootfs")
        fill(RootfsParts(tree=tree, site=site, arch=self._order.arch, release=self._order.release))
        pack(tree, self._made / "rootfs", epoch=epoch, level=self._order.level)

    def _inventory(self, wheels: tuple[Wheel, ...]) -> Inventory:
        packages = tuple(package.listed for package in self._packages.values())
        return Inventory(packages, wheels, (("python", ".".join(map(str, sys.version_info[:3]))), *self._tools))

    def _keep(self) -> None:
        for name in _NAMES:
            made = self._made / name
            made.chmod(0o644)
            with made.open("rb") as file:
                os.fsync(file.fileno())
        for name in _NAMES:
            (self._made / name).replace(self._order.out / name)
        durable.sync_directory(self._order.out)


def _tools(*, signs: bool) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The programs on whose versions the bytes depend, and how each is asked; one that is missing is missed early."""
    yield "zstd", ("zstd", "--version")
    yield "mksquashfs", ("mksquashfs", "-version")
    if signs:
        yield "sbsign", ("sbsign", "--version")


def _version(*command: str) -> str:
    """The version that a program says of itself."""
    found = re.search(rb"\d+(\.\d+)+", run(command))
    return found[0].decode() if found else "unknown"


def _epoch(trees: Iterable[Path]) -> int:
    """`SOURCE_DATE_EPOCH`, else the newest of the packages' files and of our last commit, in seconds."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given is not None:
        return parse_count(given, minimum=0, maximum=_EPOCH_MAX, what="SOURCE_DATE_EPOCH")
    newest = max(int(path.lstat().st_mtime) for tree in trees for path in tree.rglob("*") if path.is_file())
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return newest
    said = run(["git", "-C", str(root), "log", "-1", "--format=%ct"]).strip()
    return max(newest, int(said or 0))
