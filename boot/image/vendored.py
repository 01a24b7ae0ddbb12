"""`/usr/lib/orlop`: the locked wheels of one architecture and our own code, as packages and images have them."""

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from boot.image.bytecode import check_interpreter, compile_tree
from boot.image.inventory import INVENTORY, Inventory, Wheel
from runtime.errors import NetworkError, UnavailableError
from runtime.sanitise import clean

__all__ = ["LAUNCHER", "PLACE", "Vendored", "leave_out", "own_code", "wheels"]

PLACE: Final = "usr/lib/orlop"
"""Where it goes."""
LAUNCHER: Final = b"""\
#!/usr/bin/python3.11 -IB
import runpy
import sys

sys.path.insert(0, "/usr/lib/orlop")
runpy.run_module("console", run_name="__main__", alter_sys=True)
"""
"""`/usr/bin/orlop`."""

_OURS: Final = ("assets", "boot", "console", "net", "runtime")
_MACHINES: Final = {"amd64": "x86_64", "arm64": "aarch64"}
# pip does not infer that an older platform is as good: each one is named.
_PLATFORMS: Final = ("manylinux1", "manylinux2014", *(f"manylinux_2_{minor}" for minor in (17, 24, 28, 34)))
_ABIS: Final = ("cp311", "abi3", "none")
_SITE: Final = "site"
_OF_PIP: Final = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")
"""Written by pip into each package's metadata; two of them know the build machine's paths."""
_NOT_WANTED: Final = ("bin", "share", "kademlia/tests", "certifi/tests")
_RECIPE: Final = "3"
"""Changes when what is done to the wheels below changes."""


@dataclass(frozen=True, slots=True)
class Vendored:
    """Wheels as they are installed.

    Attributes:
        site: the folder with their modules, which nobody changes.
        listed: each of them, as an inventory has it.
    """

    site: Path
    listed: tuple[Wheel, ...]


def wheels(lock: str, cache: Path, arch: str) -> Vendored:
    """The wheels of a lock, for one architecture, with byte code; made once and kept.

    Args:
        lock: names, versions and hashes.
        cache: where it is kept.
        arch: as Debian calls it.

    Raises:
        UnavailableError: pip is missing, or this interpreter writes other byte code.
        NetworkError: a wheel cannot be had.
    """
    check_interpreter()
    key = hashlib.sha256(f"{_RECIPE}\n{sys.version}\n{lock}".encode()).hexdigest()[:16]
    kept = cache / f"{arch}-{key}"
    if not kept.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as work:
            made = Path(work, "made")
            _make(lock, made, _MACHINES[arch])
            try:
                made.rename(kept)
            except OSError:
                if not kept.is_dir():  # else another build was quicker
                    raise
    return Vendored(kept / _SITE, Inventory.parse((kept / INVENTORY).read_bytes()).wheels)


def own_code(site: Path) -> None:
    """Our own packages as they run here, without what the interpreter wrote beside them, compiled.

    Args:
        site: a folder that they are copied into; they are compiled with the paths that they will have in `PLACE`.
    """
    root = Path(__file__).resolve().parents[2]
    for name in _OURS:
        shutil.copytree(root / name, site / name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    compile_tree(site, PLACE)


def leave_out(site: Path) -> None:
    """Takes away what wheels bring and nobody needs who runs them.

    Args:
        site: the folder of the wheels.
    """
    for name in _NOT_WANTED:
        shutil.rmtree(site / name, ignore_errors=True)
    for metadata in site.glob("*.dist-info"):
        for name in _OF_PIP:
            (metadata / name).unlink(missing_ok=True)


def _make(lock: str, folder: Path, machine: str) -> None:
    folder.mkdir()
    names, report, site = folder / "lock", folder / "report", folder / _SITE
    names.write_text(lock)
    _install(names, site, report, machine)
    leave_out(site)
    compile_tree(site, PLACE)
    (folder / INVENTORY).write_bytes(Inventory(wheels=_reported(report.read_text())).document())
    names.unlink()
    report.unlink()


def _install(lock: Path, site: Path, report: Path, machine: str) -> None:
    if importlib.util.find_spec("pip") is None:
        raise UnavailableError("is not installed", where="pip", hint="apt-get install python3-pip")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", str(site)]
    command += ["--only-binary", ":all:", "--no-compile", "--no-deps", "--require-hashes", "-r", str(lock)]
    command += [part for name in _PLATFORMS for part in ("--platform", f"{name}_{machine}")]
    command += ["--python-version", "3.11", "--implementation", "cp", "--report", str(report)]
    command += [part for name in _ABIS for part in ("--abi", name)]
    done = subprocess.run(command, env={**os.environ, "PYTHONWARNINGS": "ignore"}, capture_output=True, check=False)  # noqa: S603
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["without a word"]
        raise NetworkError(clean(said[-1], 300), where="pip")


def _reported(report: str) -> tuple[Wheel, ...]:
    """What pip says that it installed."""
    installed = cast("list[dict[str, dict[str, Any]]]", json.loads(report)["install"])
    return tuple(
        Wheel(
            str(one["metadata"]["name"]),
            str(one["metadata"]["version"]),
            str(one["download_info"]["archive_info"]["hashes"]["sha256"]),
        )
        for one in installed
    )
