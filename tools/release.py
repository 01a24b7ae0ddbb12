"""Everything that is given out of one release: packages, images of both architectures, signed lists of their hashes.

`python tools/release.py --keys DIR --version N --name NAME [--out DIR] [--compression 19] [--only ARCH-KERNEL …]`

It makes no keys: `orlop boot keygen` does, and whoever releases keeps them elsewhere. Where something goes wrong there
is a line that says what, exit 1, and no folder.
"""

import argparse
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from boot.image.sums import sha256_of, write_sums
from console.verbs.boot_trust import read_key
from runtime.errors import OrlopError

ROOT = Path(__file__).resolve().parents[1]
KINDS = ("x86_64-cloud", "x86_64-full", "arm64-cloud", "arm64-full")
"""Architecture and kernel of each image."""


class _StoppedError(Exception):
    """A step failed; what it said stands above."""


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="tools/release.py", description=__doc__)
    parser.add_argument("--keys", type=Path, required=True, help="folder with root.key and root.pub")
    parser.add_argument("--version", type=int, required=True, help="of the manifests: higher than that of any before")
    parser.add_argument("--name", required=True, help="of the release, such as 2026.11")
    parser.add_argument("--channel", default="stable", help="of the manifests (default: stable)")
    parser.add_argument("--out", type=Path, help="a new folder (default: dist/NAME)")
    parser.add_argument("--compression", type=int, choices=(3, 19), default=19, help="of zstd (default: 19)")
    parser.add_argument("--only", choices=KINDS, action="append", help="may be repeated; otherwise all")
    given = parser.parse_args()
    out = (given.out or ROOT / "dist" / given.name).absolute()
    if out.exists():
        print(f"orlop: release: {out}: is there already", file=sys.stderr)
        return 1
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        with TemporaryDirectory(dir=out.parent, prefix=".release-") as work:
            _make(Path(work), given)
            Path(work).chmod(0o755)
            shutil.copytree(work, out)
    except (_StoppedError, OrlopError, OSError) as error:
        shutil.rmtree(out, ignore_errors=True)
        print(f"orlop: release: {error}", file=sys.stderr)
        return 1
    print(out)
    return 0


def _make(work: Path, given: argparse.Namespace) -> None:
    key = read_key(given.keys / "root.key")  # before the minutes that the rest takes
    packages, releases = work / "packages", work / "releases"
    _step(sys.executable, "-m", "tools.deb", "--out", str(packages))
    made = sorted(packages.glob("*.deb"))
    _step("lintian", "--fail-on", "error,warning", *(str(path) for path in made))
    write_sums(packages, {path.name: sha256_of(path) for path in made}, key)
    folders = [_release(releases / kind, kind, given) for kind in given.only or KINDS]
    _orlop("release", *folders, "--out", str(work / "images"), "--key", str(given.keys / "root.key"))
    for sums in (packages, work / "images"):
        _orlop("verify", str(sums / "SHA256SUMS"), "--root-key", str(given.keys / "root.pub"))


def _release(folder: Path, kind: str, given: argparse.Namespace) -> str:
    arch, _, kernel = kind.partition("-")
    named = ["--arch", arch, "--channel", given.channel, "--version", str(given.version), "--name", given.name]
    how = ["--kernel", kernel, "--compression", str(given.compression), "--cache", str(ROOT / "build/boot")]
    _orlop("build", "--out", str(folder), "--root-key", str(given.keys / "root.pub"), *named, *how)
    _orlop("sign", str(folder), "--key", str(given.keys / "root.key"), *named)
    return str(folder)


def _orlop(*words: str) -> None:
    _step(sys.executable, "-m", "console", "boot", *words)


def _step(*command: str) -> None:
    print(f"── {' '.join(_shown(command))}", flush=True)
    try:
        done = subprocess.run(command, cwd=ROOT, check=False)
    except FileNotFoundError as error:
        message = f"{command[0]}: not found; install it by apt"
        raise _StoppedError(message) from error
    if done.returncode:
        message = f"{command[0]} ended with {done.returncode}"
        raise _StoppedError(message)


def _shown(command: Sequence[str]) -> list[str]:
    return ["python" if word == sys.executable else word for word in command]


if __name__ == "__main__":
    sys.exit(main())
