"""Both packages, built once, in a copy of the tree: what somebody changes meanwhile is in none of them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EPOCH = "1700000000"


def build(tree: Path, out: Path, umask: int = 0o022, **environment: str) -> None:
    """Builds in a tree, quickly rather than small."""
    command = [sys.executable, "-m", "tools.deb", "--level", "0", "--out", str(out)]
    subprocess.run(
        command,
        cwd=tree,
        env={**os.environ, "SOURCE_DATE_EPOCH": EPOCH, "PYTHONDONTWRITEBYTECODE": "1", **environment},
        umask=umask,
        check=True,
        timeout=600,
    )


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what git knows or would take."""
    copy = tmp_path_factory.mktemp("deb") / "source"
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in names.split("\0"):
        if name and (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, copy / name)
    return copy


@pytest.fixture(scope="session")
def packages(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The file of each architecture's package."""
    out = tmp_path_factory.mktemp("packages")
    build(source, out)
    return {arch: next(out.glob(f"*_{arch}.deb")) for arch in ("amd64", "arm64")}
