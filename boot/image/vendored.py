"""`/usr/lib/orlop`: the locked wheels of one architecture and our own, with byte code that nobody has to write later."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from tools.deb.lockfile import needed_at_runtime

__all__ = ["PLACE", "own_code", "wheels"]

PLACE = "usr/lib/orlop"
"""Where it goes."""

_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
# pip does not infer that an older platform is as good: each one is named.
_PLATFORMS = ("manylinux1", "manylinux2014", "manylinux_2_17", "manylinux_2_24", "manylinux_2_28", "manylinux_2_34")
_OF_PIP = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")
"""Written by pip into each package's metadata; two of them know the build machine's paths."""
_NOT_WANTED = ("bin", "share", "kademlia/tests", "certifi/tests")
_RECIPE = "1"
"""Changes when what is done to the wheels below changes."""


def wheels(root: Path, cache: Path, arch: str) -> Path:
    """A folder with the wheels of the lock, for one architecture; made once and kept.

    Args:
        root: the checkout.
        cache: where it is kept.
        arch: as Debian calls it.
    """
    lock = needed_at_runtime((root / "requirements.lock").read_text())
    key = hashlib.sha256(f"{_RECIPE}\n{sys.version}\n{lock}".encode()).hexdigest()[:16]
    kept = cache / f"{arch}-{key}"
    if kept.is_dir():
        return kept
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as work:
        site, names = Path(work, "site"), Path(work, "lock")
        names.write_text(lock)
        _install(names, site, _MACHINES[arch])
        _leave_out(site)
        _compile(site)
        site.rename(kept)
    return kept


def own_code(root: Path, folder: Path, epoch: int) -> Path:
    """Our own wheel, unpacked and compiled, in a folder.

    Args:
        root: the checkout.
        folder: an empty one.
        epoch: the time that the wheel bears.
    """
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder / "wheel")]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch)}
    subprocess.run(command, cwd=root, env=environment, check=True, capture_output=True)
    (wheel,) = (folder / "wheel").glob("*.whl")
    site = folder / "site"
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(site)
    _leave_out(site)
    _compile(site)
    return site


def _install(lock: Path, site: Path, machine: str) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", str(site)]
    command += ["--only-binary", ":all:", "--no-compile", "--no-deps", "--require-hashes", "-r", str(lock)]
    for platform in _PLATFORMS:
        command += ["--platform", f"{platform}_{machine}"]
    command += [
        "--python-version",
        "3.11",
        "--implementation",
        "cp",
        "--abi",
        "cp311",
        "--abi",
        "abi3",
        "--abi",
        "none",
    ]
    subprocess.run(command, check=True, stdout=sys.stderr)


def _leave_out(site: Path) -> None:
    for name in _NOT_WANTED:
        shutil.rmtree(site / name, ignore_errors=True)
    for metadata in site.glob("*.dist-info"):
        for name in _OF_PIP:
            (metadata / name).unlink(missing_ok=True)


def _compile(site: Path) -> None:
    """Compiles everything, with the paths that it will have.

    Unchecked, since a program that root runs would otherwise write byte code that purging cannot know of. One process
    in one order, and text hashed the same: what is in byte code depends on both.
    """
    command = [sys.executable, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
    command += ["-s", str(site), "-p", f"/{PLACE}", str(site)]
    subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": "0"}, check=True, stdout=sys.stderr)
