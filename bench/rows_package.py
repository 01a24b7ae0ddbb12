"""The Debian package: how large it is, and what the service that it installs has in memory while nothing happens."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from bench.machines import lacking
from bench.measure import Figure, absent, figure
from bench.processes import ROOT, cpu_s, environment, memory_kib, pss_kib, tree

__all__ = ["measure"]

_SIZE_MB: Final = 60.0
_RESIDENT_MB: Final = 110.0
_KIB_PER_MB: Final = 1000 / 1.024
_PYTHON: Final = "/usr/bin/python3.11"
_IDLE: Final = "resident, idle, of the installed service without workers"
_LOOP: Final = "import asyncio; asyncio.run(asyncio.Event().wait())"
_LAUNCH: Final = """
import runpy, sys
sys.path.insert(0, sys.argv.pop(1))
sys.argv[0] = "orlop"
runpy.run_module("console", run_name="__main__", alter_sys=True)
"""


def measure(*, quick: bool) -> list[Figure]:
    """Measures it."""
    with tempfile.TemporaryDirectory(prefix="orlop-bench-") as folder:
        place = Path(folder)
        architectures = ["amd64"] if quick else ["amd64", "arm64"]
        lines = [_size(place, arch, quick=quick) for arch in architectures]
        why = lacking(["dpkg-deb", _PYTHON]) or ("" if os.uname().machine == "x86_64" else "not measured: not x86-64")
        return [*lines, absent(_IDLE, why) if why else _resident(place, 3.0 if quick else 15.0)]


def _size(place: Path, arch: str, *, quick: bool) -> Figure:
    level = ["--level", "0"] if quick else []
    command = [sys.executable, "-m", "tools.deb", "--arch", arch, "--out", str(place), *level]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (package,) = place.glob(f"*_{arch}.deb")
    return figure(f"the package for {arch}", "MB", [package.stat().st_size / 1e6], bound=_SIZE_MB)


def _resident(place: Path, seconds: float) -> Figure:
    """As the unit starts it, but for the walls of systemd."""
    (package,) = place.glob("*_amd64.deb")
    subprocess.run(["dpkg-deb", "--extract", str(package), str(place / "tree")], check=True)
    code, config = place / "tree/usr/lib/orlop", place / "tree/etc/orlop/config.toml"
    config.write_text("")  # who runs this is no member of the group that the shipped one names
    words = ["--no-ui", "--state-dir", str(place / "state"), "--config", str(config)]
    ours = _started(place, "-IB", "-c", _LAUNCH, str(code), *words)
    bare = _started(place, "-IB", "-c", _LOOP)
    try:
        socket = place / "state/control.sock"
        while not socket.exists():
            if ours.poll() is not None:
                raise RuntimeError(f"the service ended with status {ours.returncode}")
            time.sleep(0.1)
        time.sleep(seconds)
        began = cpu_s(ours.pid)
        time.sleep(seconds)
        cpu = (cpu_s(ours.pid) - began) / seconds * 100
        beside = [pss_kib(child) for child in tree(ours.pid)]
        return figure(
            _IDLE,
            "MB",
            [memory_kib(ours.pid)[0] / _KIB_PER_MB],
            against=("python3 with an empty loop of asyncio", [memory_kib(bare.pid)[0] / _KIB_PER_MB]),
            bound=_RESIDENT_MB,
            note=f"{len(beside)} processes beside it with {sum(beside) / _KIB_PER_MB:.0f} MB, shared pages divided; "
            f"{cpu:.1f} % of a core",
        )
    finally:
        for process in (ours, bare):
            process.terminate()
            process.wait()


def _started(place: Path, *words: str) -> "subprocess.Popen[bytes]":
    talk = subprocess.DEVNULL
    return subprocess.Popen([_PYTHON, *words], stdin=talk, stdout=talk, stderr=talk, env=environment(place), cwd=place)
