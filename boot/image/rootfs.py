"""The root file system of the second stage: Debian's interpreter and libraries, the wheels and orlop, read-only.

No script of a package is run and no package manager is in it: files are unpacked, and what scripts would have written
is written here.
"""

import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from boot.image.bytecode import compile_tree
from boot.image.elf import closure, is_elf
from boot.image.programs import run
from boot.image.stage1_image import CERTIFICATES, certificates
from boot.image.vendored import LAUNCHER, PLACE, own_code

__all__ = ["RootfsParts", "check_libraries", "fill", "pack"]

_LIBRARY: Final = "usr/lib/python3.11"
_REMOVED: Final = (
    "usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/lintian", "usr/share/info", "usr/share/bug",
    "usr/share/doc-base", "usr/share/perl5", "usr/share/pixmaps", "usr/share/applications", "usr/share/debconf",
    "usr/lib/valgrind", "usr/sbin", "etc/cron.daily", "etc/default", "etc/logcheck",
    f"{_LIBRARY}/ensurepip", f"{_LIBRARY}/idlelib", f"{_LIBRARY}/lib2to3", f"{_LIBRARY}/pydoc_data",
    f"{_LIBRARY}/test", f"{_LIBRARY}/tkinter", f"{_LIBRARY}/turtledemo",
)  # fmt: skip
_NOT_LINKED: Final = ("_curses", "_curses_panel", "_dbm", "_tkinter", "nis", "readline", "ossaudiodev")
"""Extensions of Python whose libraries the image does not have."""
_FOLDERS: Final = (
    ("dev", 0o755), ("etc/orlop", 0o755), ("proc", 0o755), ("root", 0o700), ("run", 0o755), ("sys", 0o755),
    ("tmp", 0o1777), ("var/lib/orlop", 0o700), ("var/tmp", 0o1777),
)  # fmt: skip
_FILES: Final = {
    "etc/passwd": (
        "root:x:0:0:root:/root:/usr/sbin/nologin\n"
        "orlop:x:1000:1000:orlop:/var/lib/orlop:/usr/sbin/nologin\n"
        "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
    ),
    "etc/group": "root:x:0:\norlop:x:1000:\nnogroup:x:65534:\n",
    "etc/hostname": "orlop\n",
    "etc/hosts": "127.0.0.1 localhost orlop\n::1 localhost orlop\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
    "etc/resolv.conf": "",
}
_PROGRAM, _PLAIN, _FOLDER = 0o755, 0o644, 0o755


@dataclass(frozen=True, slots=True, kw_only=True)
class RootfsParts:
    """What it is made of.

    Attributes:
        tree: Debian's packages, unpacked; it becomes the root.
        site: the wheels for its architecture.
        arch: of the machines.
        release: its name.
    """

    tree: Path
    site: Path
    arch: str
    release: str


def fill(parts: RootfsParts) -> None:
    """Makes a root of unpacked packages.

    Args:
        parts: what it is made of.

    Raises:
        FailedError: something is missing, or a library that a program needs.
    """
    tree = parts.tree
    authorities = certificates(tree)
    for name in _REMOVED:
        shutil.rmtree(tree / name, ignore_errors=True)
    for folder in tree.glob("usr/lib/*-linux-gnu/gconv"):
        shutil.rmtree(folder)
    for name in _NOT_LINKED:
        for extension in (tree / _LIBRARY / "lib-dynload").glob(f"{name}.cpython-*.so"):
            extension.unlink()
    compile_tree(tree / _LIBRARY, _LIBRARY)
    shutil.copytree(parts.site, tree / PLACE, symlinks=True)
    ours = tree.with_name(f"{tree.name}-orlop")
    ours.mkdir()
    own_code(ours)
    shutil.copytree(ours, tree / PLACE, dirs_exist_ok=True)
    _write(tree, authorities, parts.release)
    check_libraries(tree, parts.arch)
    _settle(tree)


def check_libraries(tree: Path, arch: str) -> None:
    """Every program and library finds what it needs in the same tree.

    Args:
        tree: the root.
        arch: that all of them have to be made for.

    Raises:
        FailedError: one does not, or is for another machine.
    """
    beside = {file.name for file in _files(tree) if ".so" in file.name and PLACE in file.as_posix()}
    linked = ((file.relative_to(tree).as_posix(), file.read_bytes()) for file in _files(tree))
    closure(tree, arch, (each for each in linked if is_elf(each[1])), brought=beside)


def pack(tree: Path, out: Path, *, epoch: int, level: int) -> None:
    """Writes the squashfs; blocks.

    Args:
        tree: the root.
        out: the file; replaced.
        epoch: every time in it, in seconds.
        level: of zstd.

    Raises:
        UnavailableError: mksquashfs is missing.
        FailedError: it failed, such as for want of space.
    """
    command = ["mksquashfs", str(tree), str(out), "-noappend", "-quiet", "-no-progress", "-all-root", "-no-xattrs"]
    command += ["-mkfs-time", str(epoch), "-all-time", str(epoch), "-comp", "zstd", "-Xcompression-level", str(level)]
    run([*command, "-b", "1M"] if level > 15 else command)  # noqa: PLR2004 - small blocks are read quicker


def _write(tree: Path, authorities: bytes, release: str) -> None:
    said = f'ID=orlop\nNAME="orlop"\nPRETTY_NAME="orlop {release}"\nVERSION_ID="{release}"\n'
    texts = {**{name: text.encode() for name, text in _FILES.items()}, "etc/os-release": said.encode()}
    for name, mode in _FOLDERS:
        (tree / name).mkdir(parents=True, exist_ok=True)
        (tree / name).chmod(mode)
    for name, content in {**texts, CERTIFICATES: authorities, "usr/bin/orlop": LAUNCHER}.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(content)
    (tree / "usr/bin/orlop").chmod(_PROGRAM)
    (tree / "usr/lib/ssl").mkdir(parents=True, exist_ok=True)
    for name, target in (("cert.pem", f"/{CERTIFICATES}"), ("certs", "/etc/ssl/certs")):
        link = tree / "usr/lib/ssl" / name
        link.unlink(missing_ok=True)
        link.symlink_to(target)


def _settle(tree: Path) -> None:
    """Every mode is one of three, whatever umask this ran under."""
    special = {tree / name: mode for name, mode in _FOLDERS}
    for path in (tree, *tree.rglob("*")):
        if path.is_symlink():
            continue
        if path.is_dir():
            path.chmod(special.get(path, _FOLDER))
        else:
            path.chmod(_PROGRAM if path.stat().st_mode & stat.S_IXUSR else _PLAIN)


def _files(tree: Path) -> Iterator[Path]:
    return (path for path in sorted(tree.rglob("*")) if path.is_file() and not path.is_symlink())
