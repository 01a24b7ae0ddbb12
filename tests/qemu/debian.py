"""A Debian with systemd in which the package is unpacked, not yet configured, as one archive that is all of its disc.

Made without root where mmdebstrap can: owners and devices go from its archive of tar into one that the kernel unpacks.
"""

import subprocess
import sys
import tarfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

from tests.cli.program import ROOT

__all__ = ["debian"]

_PACKAGES = "systemd-sysv,python3,libstdc++6,passwd"
_NOT_NEEDED = ("doc", "locale", "man")
_PROGRAM, _FILE = 0o755, 0o644


def debian(folder: Path, files: Mapping[str, str], links: Mapping[str, str]) -> Path:
    """Makes it.

    Args:
        folder: where, with some hundred megabytes.
        files: further ones by their names; what begins with `#!` is a program.
        links: where those of each name point.
    """
    package, base, more, whole = _package(folder), folder / "base.tar", folder / "more.tar", folder / "debian.cpio"
    leave_out = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in _NOT_NEEDED]
    unpack = f'--customize-hook=dpkg --root="$1" --unpack {package}'
    what = ["--variant=essential", f"--include={_PACKAGES}", *leave_out, unpack, "bookworm", str(base)]
    _done("mmdebstrap", "--quiet", *what)
    _write(more, files, links)
    _done("bsdtar", "--format=newc", "-cf", str(whole), f"@{base}", f"@{more}")
    base.unlink()
    return whole


def _package(folder: Path) -> Path:
    _done(sys.executable, "-m", "tools.deb", "--arch", "amd64", "--level", "0", "--out", str(folder))
    (package,) = folder.glob("*_amd64.deb")
    return package


def _write(path: Path, files: Mapping[str, str], links: Mapping[str, str]) -> None:
    with tarfile.open(path, "w") as tar:
        for name, content in files.items():
            entry, raw = tarfile.TarInfo(name), content.encode()
            entry.size, entry.mode = len(raw), _PROGRAM if raw.startswith(b"#!") else _FILE
            tar.addfile(entry, BytesIO(raw))
        for name, target in links.items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            tar.addfile(entry)


def _done(*command: str) -> None:
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-3000:]
