"""The seed: a signed release as a read-only file system, which a machine boots that reaches no server."""

import shutil
import tempfile
from pathlib import Path
from typing import Final

from boot.folder import ARTIFACTS, MANIFEST
from boot.image.gpt import SEED_SIZE
from boot.image.programs import run
from runtime import durable
from runtime.errors import RefusedError
from runtime.quantities import format_size

__all__ = ["write_seed"]

_LEVEL: Final = 3
_ROOTS: Final = "root"


def write_seed(release: Path, out: Path, epoch: int, *, most: int = SEED_SIZE) -> None:
    """Makes a squashfs of a release; blocks.

    Args:
        release: its folder, verified.
        out: the file that is written.
        epoch: the time of everything in it, in seconds since 1970.
        most: bytes that there is room for.

    Raises:
        RefusedError: it has more.
        OrlopError: mksquashfs is missing or failed.
    """
    with tempfile.TemporaryDirectory(dir=out.parent) as work:
        tree = Path(work, "seed")
        durable.make_directory(tree, mode=0o755)
        for name in (MANIFEST, *ARTIFACTS):
            if (release / name).exists():
                shutil.copyfile(release / name, tree / name)
                (tree / name).chmod(0o644)
        _copy_roots(release / _ROOTS, tree / _ROOTS)
        _squash(tree, out, epoch)
    size = out.stat().st_size
    if size > most:
        out.unlink()
        why = f"the release needs {format_size(size)} as a seed, the partition has {format_size(most)}"
        raise RefusedError(why, hint="build it with a higher --compression")


def _copy_roots(source: Path, target: Path) -> None:
    if source.is_dir():
        durable.make_directory(target, mode=0o755)
        for root in sorted(source.glob("*.json")):
            shutil.copyfile(root, target / root.name)
            (target / root.name).chmod(0o644)


def _squash(tree: Path, out: Path, epoch: int) -> None:
    out.unlink(missing_ok=True)
    # Both the variable and the option for a time are an error to mksquashfs: the environment has none here.
    times = ["-mkfs-time", str(epoch), "-all-time", str(epoch)]
    compression = ["-comp", "zstd", "-Xcompression-level", str(_LEVEL)]
    run(["mksquashfs", str(tree), str(out), "-noappend", "-quiet", "-all-root", "-no-xattrs", *times, *compression])
