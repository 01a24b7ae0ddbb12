"""The initramfs of stage 1: an interpreter of Debian's, the verifier and what they need, and nothing else.

Which modules of Python it carries is found by importing; which libraries, by their headers; which kernel modules, by
what they say of themselves.
"""

import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from boot.image import cpio
from boot.image.bytecode import compile_tree
from boot.image.elf import closure, is_elf, resolve
from boot.image.imports import OURS, Loaded, loaded_modules
from boot.stage1.image import IMAGE, MODULES, ROOT, Image
from runtime.errors import FailedError

__all__ = ["CERTIFICATES", "FROM_THE_LIBRARY", "INIT", "PROGRAMS", "Stage1Parts", "certificates", "stage1_entries"]

INIT: Final = b"""\
#!/usr/bin/python3.11 -IBS
import sys

sys.path.insert(0, "/lib/orlop")
from boot.stage1.init import main

main()
"""
PROGRAMS: Final = ("boot.stage1.init",)
"""Modules that the image is there to run."""
FROM_THE_LIBRARY: Final = ("encodings.ascii", "encodings.idna", "encodings.latin_1", "ssl")
"""What the standard library imports only when it is used: names of hosts, https."""
CERTIFICATES: Final = "etc/ssl/certs/ca-certificates.crt"

_CODE: Final = "lib/orlop"
_LIBRARY: Final = "usr/lib/python3.11"
_PYTHON: Final = "usr/bin/python3.11"
_NOT_CARRIED: Final = frozenset({"_bz2", "_compression", "_hashlib", "_lzma", "_uuid", "bz2", "lzma"})
"""The library does without these: they need more libraries, and OpenSSL would be linked at every start."""
_FOLDERS: Final = ("dev", "etc", "newroot", "proc", "run", "sys", "tmp")
_NODES: Final = (("dev/console", 5, 1), ("dev/null", 1, 3), ("dev/urandom", 1, 9))
"""Without a console PID 1 starts mute; without urandom Python does not start where the CPU has no random numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage1Parts:
    """What an initramfs is made of.

    Attributes:
        image: what it says of itself.
        root: the pinned root, as its bytes.
        tree: Debian's packages, unpacked: interpreter, libraries, busybox, certificates.
        site: the wheels for its architecture.
        modules: of the kernel, by the names that `image` has.
        work: an empty folder.
    """

    image: Image
    root: bytes
    tree: Path
    site: Path
    modules: Mapping[str, bytes]
    work: Path


def stage1_entries(parts: Stage1Parts) -> list[cpio.Entry]:
    """Everything in the initramfs.

    Args:
        parts: what it is made of.

    Raises:
        FailedError: something is missing in them.
    """
    code = [*_python(parts)]
    programs = [*_programs(parts)]
    linked = [(entry.name, entry.content) for entry in (*programs, *code) if is_elf(entry.content)]
    libraries = closure(parts.tree, parts.image.arch, linked)
    return [
        cpio.program("init", INIT),
        *(cpio.directory(name, 0o1777 if name == "tmp" else 0o755) for name in _FOLDERS),
        *(cpio.device(*node) for node in _NODES),
        *programs,
        *code,
        *(cpio.program(path, content) for path, content in libraries.items()),
        cpio.plain(IMAGE.lstrip("/"), parts.image.document()),
        cpio.plain(ROOT.lstrip("/"), parts.root),
        *(cpio.plain(f"{MODULES.lstrip('/')}/{name}", parts.modules[name]) for name in parts.image.modules),
        cpio.plain(CERTIFICATES, certificates(parts.tree)),
        cpio.link("usr/lib/ssl/cert.pem", f"/{CERTIFICATES}"),
    ]


def certificates(tree: Path) -> bytes:
    """The certificates of the authorities that Debian trusts, as its own script would put them together.

    Args:
        tree: with the package `ca-certificates`.

    Raises:
        FailedError: there are none.
    """
    found = sorted((tree / "usr/share/ca-certificates/mozilla").glob("*.crt"))
    if not found:
        raise FailedError("has no certificates", where="ca-certificates")
    return b"".join(file.read_bytes().rstrip() + b"\n" for file in found)


def _programs(parts: Stage1Parts) -> Iterator[cpio.Entry]:
    wanted = [(_PYTHON, _PYTHON), ("bin/busybox", "bin/busybox")]
    if parts.image.arch == "arm64":
        wanted.append(("sbin/kexec", "sbin/kexec"))
    for name, path in wanted:
        file = resolve(parts.tree, path) or resolve(parts.tree, f"usr/{path}")
        if file is None:
            raise FailedError(f"no package of the image has {path}", where="initramfs")
        yield cpio.program(name, file.read_bytes())


def _python(parts: Stage1Parts) -> Iterator[cpio.Entry]:
    """Compiled modules and extensions, at their places."""
    root = Path(__file__).resolve().parents[2]
    library = parts.tree / _LIBRARY
    laid_out = parts.work / "python"
    for module in loaded_modules((*PROGRAMS, *FROM_THE_LIBRARY), [library, root, *_site_folders()]):
        for source, name in _files(module, root, library, parts.site):
            target = laid_out / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
    compile_tree(laid_out, "", alone=True)
    for file in sorted(laid_out.rglob("*")):
        if file.is_file():
            name = file.relative_to(laid_out).as_posix()
            yield (cpio.program if file.suffix == ".so" else cpio.plain)(name, file.read_bytes())
    yield cpio.directory(f"{_LIBRARY}/lib-dynload")


def _site_folders() -> list[Path]:
    """Where this interpreter finds what it did not bring itself."""
    folders = (Path(name) for name in sys.path if name)
    return [one for one in folders if one.is_dir() and not (one / "os.py").exists() and one.name != "lib-dynload"]


def _files(module: Loaded, root: Path, library: Path, site: Path) -> Iterator[tuple[Path, str]]:
    """Where a module's file lies in the packages, and where it goes; nothing for what is in the interpreter."""
    if module.name == "__main__" or module.name in _NOT_CARRIED:
        return
    top, path = module.name.partition(".")[0], module.name.replace(".", "/")
    form = f"{path}/__init__.py" if module.package else f"{path}.py"
    if top in OURS:
        yield root / form, f"{_CODE}/{form}"
    elif (library / form).exists():
        yield library / form, f"{_LIBRARY}/{form}"
    elif (extension := _only(library / "lib-dynload", (f"{path}.cpython-*.so",))) is not None:
        yield extension, f"{_LIBRARY}/lib-dynload/{extension.name}"
    elif top not in sys.stdlib_module_names and module.origin.endswith((".py", ".so")):
        yield _of_wheel(Path(module.origin), site)


def _of_wheel(origin: Path, site: Path) -> tuple[Path, str]:
    """The file of the target's wheel that is at the place of one of ours; an extension's name has the machine in it."""
    folders = [folder for folder in _site_folders() if origin.is_relative_to(folder)]
    if folders:
        name = origin.relative_to(max(folders, key=lambda folder: len(folder.parts)))
        stem = name.name.partition(".")[0]
        patterns = (f"{stem}.py",) if name.suffix == ".py" else (f"{stem}.cpython-*.so", f"{stem}.abi3.so")
        found = _only(site / name.parent, patterns)
        if found is not None:
            return found, f"{_CODE}/{found.relative_to(site).as_posix()}"
    raise FailedError(f"no wheel has {origin.name}", where="initramfs")


def _only(folder: Path, patterns: Iterable[str]) -> Path | None:
    found = [file for pattern in patterns for file in folder.glob(pattern)]
    return found[0] if found else None
