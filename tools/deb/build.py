"""Puts a package together: what it installs, what dpkg reads of it, and its name."""

import gzip
import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from datetime import UTC, datetime
from email.parser import HeaderParser
from email.utils import format_datetime
from pathlib import Path

from boot.image import vendored
from boot.image.bytecode import compile_tree
from boot.image.lockfile import needed_at_runtime, the_lock
from console import completion
from console._version import __version__
from tools.deb import manual
from tools.deb.archive import package
from tools.deb.tree import File, read_folder

__all__ = ["ARCHITECTURES", "build"]

ARCHITECTURES = ("amd64", "arm64")

_FILES = Path(__file__).parent / "files"
_CONFFILE = "etc/orlop/config.toml"
_DOC = "usr/share/doc/orlop"
_SCRIPTS = ("postinst", "prerm", "postrm")
_MAINTAINER = "The orlop authors <orlop@example.org>"
_CONTROL = """\
Package: orlop
Version: {version}
Architecture: {arch}
Maintainer: {maintainer}
Installed-Size: {kib}
Depends: python3 (>= 3.11), python3 (<< 3.12), python3.11, libc6 (>= 2.34), libgcc-s1, libstdc++6, passwd, systemd | systemd-standalone-sysusers, systemd | systemd-standalone-tmpfiles
Section: net
Priority: optional
Description: console for sandboxed agents, jobs in limits and signed receipts
 One person sees, trusts and steers WebAssembly agents in encrypted rooms, and
 runs jobs in limits, here or at other nodes whose keys are proven. Every run
 leaves a signed receipt that anyone can check.
 .
 The package brings the program with its screen and its command line, and a
 service that runs it as a user of its own.
"""
_CHANGELOG = """\
orlop ({version}) unstable; urgency=medium

  * What changed is in {doc}/CHANGELOG.md.gz.

 -- {maintainer}  {date}
"""


def build(root: Path, cache: Path, arch: str, *, epoch: int, level: int) -> tuple[str, bytes]:
    """The name and the bytes of the package for one architecture.

    Args:
        root: the checkout.
        cache: where downloaded wheels are kept.
        arch: one of `ARCHITECTURES`.
        epoch: the time that all of it bears, in seconds.
        level: of xz, 0 (quick) to 9 (small).
    """
    with tempfile.TemporaryDirectory() as work:
        site = read_folder(vendored.wheels(needed_at_runtime(the_lock()), cache, arch).site, vendored.PLACE)
        site += read_folder(_own_wheel(root, Path(work), epoch), vendored.PLACE)
    data = [*site, *_program(), *_service(), *_documents(root, site, epoch)]
    return f"orlop_{__version__}_{arch}.deb", package(_control(data, arch), data, epoch=epoch, level=level)


def _own_wheel(root: Path, folder: Path, epoch: int) -> Path:
    """Our own wheel, unpacked and compiled, in an empty folder."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder / "wheel")]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch)}
    subprocess.run(command, cwd=root, env=environment, check=True, capture_output=True)
    (wheel,) = (folder / "wheel").glob("*.whl")
    site = folder / "site"
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(site)
    vendored.leave_out(site)
    compile_tree(site, vendored.PLACE)
    return site


def _program() -> list[File]:
    scripts = {
        "usr/share/bash-completion/completions/orlop": "bash",
        "usr/share/zsh/vendor-completions/_orlop": "zsh",
        "usr/share/fish/vendor_completions.d/orlop.fish": "fish",
    }
    completions = [File(path, completion.script(shell).encode()) for path, shell in scripts.items()]
    return [File.program("usr/bin/orlop", vendored.LAUNCHER), *completions]


def _service() -> list[File]:
    return [
        File("usr/lib/systemd/system/orlop.service", _shipped("orlop.service")),
        File("usr/lib/sysusers.d/orlop.conf", _shipped("sysusers.conf")),
        File("usr/lib/tmpfiles.d/orlop.conf", _shipped("tmpfiles.conf")),
        File(_CONFFILE, _shipped("config.toml")),
    ]


def _documents(root: Path, site: list[File], epoch: int) -> list[File]:
    date = format_datetime(datetime.fromtimestamp(epoch, UTC))
    changelog = _CHANGELOG.format(version=__version__, doc=f"/{_DOC}", maintainer=_MAINTAINER, date=date)
    return [
        File(f"{_DOC}/changelog.gz", _packed(changelog)),
        File(f"{_DOC}/CHANGELOG.md.gz", _packed((root / "CHANGELOG.md").read_text())),
        File(f"{_DOC}/copyright", (_shipped("copyright.head").decode() + _licences(site)).encode()),
        File("usr/share/lintian/overrides/orlop", _shipped("lintian-overrides")),
        *(File(f"usr/share/man/man1/{name}.1.gz", _packed(page)) for name, page in manual.pages(__version__, epoch)),
    ]


def _licences(site: list[File]) -> str:
    """A line for each library: its name, its version and the licence that it names."""
    lines = []
    for file in site:
        if file.path.endswith(".dist-info/METADATA"):
            said = HeaderParser().parsestr(file.content.decode())
            classified = [each.rpartition(" :: ")[2] for each in said.get_all("Classifier", []) if "License ::" in each]
            first_line = (said["License"] or "").strip().partition("\n")[0]
            licence = said["License-Expression"] or ", ".join(classified) or first_line or "see its folder"
            lines.append(f"{said['Name']} {said['Version']}: {licence}\n")
    return "".join(sorted(lines, key=str.lower))


def _control(data: list[File], arch: str) -> list[File]:
    kib = sum(-(-len(file.content) // 1024) for file in data)
    fields = _CONTROL.format(version=__version__, arch=arch, maintainer=_MAINTAINER, kib=kib)
    by_path = sorted(data, key=lambda file: file.path)
    sums = (f"{hashlib.md5(file.content, usedforsecurity=False).hexdigest()}  {file.path}\n" for file in by_path)
    return [
        File("control", fields.encode()),
        File("md5sums", "".join(line for line in sums if not line.endswith(f"  {_CONFFILE}\n")).encode()),
        File("conffiles", f"/{_CONFFILE}\n".encode()),
        *(File.program(name, _shipped(name)) for name in _SCRIPTS),
    ]


def _shipped(name: str) -> bytes:
    return (_FILES / name).read_bytes()


def _packed(text: str) -> bytes:
    return gzip.compress(text.encode(), 9, mtime=0)
