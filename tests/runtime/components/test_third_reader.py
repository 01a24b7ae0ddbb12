"""A third reader of the WIT, jco, writes types of every world for JavaScript. npm gets it: run by `make test-lang`."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.components.authoring.languages import write_bindings
from runtime.components.bindings.operations import EXPORTS, IMPORTS, WORLDS

pytestmark = [pytest.mark.languages, pytest.mark.timeout(900)]

PACKAGE = "@bytecodealliance/jco@1.10.2"
"""The newest that can read a folder: 1.35.0 finds none."""
PROGRAMS = Path("node_modules/.bin")


@pytest.fixture(scope="module", autouse=True)
def jco(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Installed as an author would, and found by its name."""
    place = tmp_path_factory.mktemp("jco")
    command = ["npm", "install", "--no-audit", "--no-fund", "--silent", PACKAGE]
    run = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{place / PROGRAMS}{os.pathsep}{os.environ['PATH']}")
        yield


def camel(name: str) -> str:
    """As JavaScript has the name of an operation: `[method]file.read-at` is `readAt`, and `delete` is `_delete`."""
    first, *rest = name.rpartition(".")[2].split("-")
    return first + "".join(part.capitalize() for part in rest)


@pytest.mark.parametrize("world", sorted(WORLDS))
def test_it_reads_every_world_and_finds_every_operation(world: str, tmp_path: Path) -> None:
    write_bindings("js", world, tmp_path / "out")
    written = {path.stem.removesuffix(".d"): path.read_text() for path in (tmp_path / "out/interfaces").glob("*.d.ts")}
    operations = [one for one in IMPORTS if f"{one.package}/{one.interface}" in WORLDS[world]]
    if not world.endswith("/imports"):
        operations += EXPORTS
    missing = [
        one.label
        for one in operations
        if not re.search(rf"\b_?{camel(one.name)}\(", written[f"{one.package}-{one.interface}".replace(":", "-")])
    ]
    assert operations
    assert missing == []
