"""Images that machines boot: how long one takes to be made, how large the first stage is, how soon it is checked."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bench.machines import BUILDS, without
from bench.measure import Figure, alternate, figure
from bench.processes import orlop, run
from tests.qemu.release import Release, built

__all__ = ["measure"]

_BUILD_S: Final = 120.0
_STAGE1_MB: Final = 20.0
_VERIFY_MS: Final = 300.0
_ARCHITECTURES: Final = ("x86_64", "arm64")
_NAMES: Final = ("kernel", "initramfs", "rootfs")
_TOLD: Final = ["--channel", "stable", "--arch", "x86_64"]


def measure(*, quick: bool) -> list[Figure]:
    """Measures it."""
    missing = without("images that machines boot", BUILDS)
    if missing:
        return missing
    with tempfile.TemporaryDirectory(prefix="orlop-bench-") as folder:
        place = Path(folder)
        lines = []
        for arch in _ARCHITECTURES[: 1 if quick else None]:
            lines += _built(place, arch, warm=not quick)
        return lines + _verified(Release(place / "x86_64", place / "home/keys"), 1 if quick else 10)


def _built(place: Path, arch: str, *, warm: bool) -> list[Figure]:
    """Built once, so that all is kept that a build keeps, and once more by the clock."""
    if warm:
        built(place / "home", place / f"{arch}-before", "--arch", arch)
    began = time.monotonic()
    release = built(place / "home", place / arch, "--arch", arch)
    took = time.monotonic() - began
    sizes = {name: (release.folder / name).stat().st_size / 1e6 for name in _NAMES}
    note = ", ".join(f"{name} {size:.1f} MB" for name, size in sizes.items())
    return [
        figure(f"{arch}: built and signed, all kept from before, zstd -3", "s", [took], bound=_BUILD_S, note=note),
        figure(f"{arch}: the first stage, compressed", "MB", [sizes["initramfs"]], bound=_STAGE1_MB),
    ]


def _verified(release: Release, rounds: int) -> list[Figure]:
    """The bound is for what is not hashing: the manifest alone."""
    home, files = release.keys.parent, [str(release.folder / name) for name in _NAMES]
    check = orlop("boot", "verify", str(release.folder / "manifest.json"), "--root-key", str(release.keys / "root.pub"))
    alone = _wall_ms([*check, *_TOLD], home)
    whole = _wall_ms([*check, *_TOLD, "--artifacts", str(release.folder)], home)
    sums = _wall_ms(["sha256sum", *files], home)
    of_manifest, of_all, hashed = alternate(rounds, alone, whole, sums)
    size = sum(Path(name).stat().st_size for name in files) / 1e6
    bare = (f"`sha256sum` of {size:.0f} MB", hashed)
    return [
        figure("`boot verify` of a manifest", "ms", of_manifest, bound=_VERIFY_MS),
        figure("`boot verify` of a whole release", "ms", of_all, against=bare),
        figure(
            "`boot verify` of a whole release, without hashing",
            "ms",
            [ours - theirs for ours, theirs in zip(of_all, hashed, strict=True)],
            bound=_VERIFY_MS,
        ),
    ]


def _wall_ms(command: list[str], home: Path) -> Callable[[], float]:
    return lambda: run(command, home).wall_ms
