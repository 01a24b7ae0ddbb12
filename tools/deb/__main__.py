"""`python -m tools.deb [--arch ARCH] [--out DIR]`: builds the Debian packages, without root, the same bytes each time.

The time in them is `SOURCE_DATE_EPOCH`, else that of the last commit, else a fixed one.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from tools.deb.build import ARCHITECTURES, build

ROOT = Path(__file__).resolve().parents[2]
_FIXED = 1_767_225_600
"""The beginning of 2026, for a tree without a history."""


def epoch() -> int:
    """The time that the packages bear, in seconds."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given is not None:
        return int(given)
    command = ["git", "-C", str(ROOT), "log", "-1", "--format=%ct"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except FileNotFoundError:
        said = ""
    return int(said) if said else _FIXED


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m tools.deb", description=__doc__)
    parser.add_argument("--arch", choices=ARCHITECTURES, action="append", help="may be repeated; otherwise all")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="folder of the packages (default: dist)")
    parser.add_argument("--level", type=int, choices=range(10), default=6, help="of xz: 0 is quick, 9 small")
    given = parser.parse_args()
    if sys.version_info[:2] != (3, 11):
        print("orlop: deb: byte code for Debian's Python is written by a Python 3.11", file=sys.stderr)
        return 1
    given.out.mkdir(parents=True, exist_ok=True)
    for arch in given.arch or ARCHITECTURES:
        name, content = build(ROOT, ROOT / "build/deb", arch, epoch=epoch(), level=given.level)
        (given.out / name).write_bytes(content)
        print(f"{given.out / name}: {len(content) / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
