"""Has `wasm-tools` read our WIT: every package alone and all together, a component of every world, and the released WIT.

The released WIT is one file, written when its version was given out. A later one may add to it and must not change it: a
component that was built with it has to fit.
"""

import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

from runtime.components.wit import Wit

ROOT = Path(__file__).resolve().parent.parent
WIT = "assets/wit"
RELEASED = "tests/assets/wit/released.wit"
VERSION = "1.262.0"
LATER = "9999.0"
"""Stands for the minor version and the patch of what is compared with the released WIT, which has the same names."""


class ToolError(Exception):
    """wasm-tools does not do what it was asked; the text is its own."""


def wasm_tools(*arguments: str) -> bytes:
    """Runs wasm-tools; gives its output."""
    command = [str(Path(sysconfig.get_path("scripts"), "wasm-tools")), *arguments]
    try:
        run = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    except FileNotFoundError:
        raise ToolError(f"wasm-tools {VERSION} is needed: it is not installed; run make wit") from None
    if run.returncode:
        raise ToolError(run.stderr.decode(errors="replace").strip())
    return run.stdout


def released() -> str:
    """Our WIT as one file without its documentation."""
    lines = wasm_tools("component", "wit", WIT).decode().splitlines()
    return "".join(f"{line}\n" for line in lines if not line.lstrip().startswith("///"))


def check(wit: Wit, folder: Path = ROOT / WIT, before: Path = ROOT / RELEASED) -> Iterator[str]:
    """What is wrong with a WIT, if anything.

    Args:
        wit: the same, resolved.
        folder: where it is.
        before: the released one.
    """
    if (version := wasm_tools("--version").decode().split()[1]) != VERSION:
        yield f"wasm-tools {VERSION} is needed: it is {version}"
    with tempfile.TemporaryDirectory() as name:
        for number, package in enumerate(sorted((folder / "deps").iterdir())):
            yield from trouble(package.name, alone, package, Path(name, str(number)))
        for world in wit.worlds:
            yield from trouble(world.id, in_component, folder, world.id, Path(name))
        later = set_beside(folder, before, Path(name, "both"))
        for world in sorted(set(re.findall(r"(?<=\nworld )[a-z-]+", before.read_text()))):
            yield from trouble(f"orlop:worlds/{world} and the released one", compatible, later, world)


def trouble(what: str, reads: object, *arguments: object) -> Iterator[str]:
    """What a reader has to say."""
    assert callable(reads)
    try:
        reads(*arguments)
    except ToolError as error:
        yield f"{what}: {error}"


def alone(package: Path, folder: Path) -> None:
    """Resolves one package with nothing but those that it uses."""
    shutil.copytree(package, folder)
    used = set(re.findall(r"use orlop:([a-z-]+)/", "".join(path.read_text() for path in package.glob("*.wit"))))
    for name in used:
        shutil.copytree(package.parent / name, folder / "deps" / name)
    wasm_tools("component", "wit", str(folder))


def in_component(folder: Path, world: str, scratch: Path) -> None:
    """Makes a component that uses a whole world, and finds that it does."""
    embedded, made = str(scratch / "embedded.wasm"), str(scratch / "component.wasm")
    wasm_tools("component", "embed", "--dummy", "-w", world, str(folder), "-o", embedded)
    wasm_tools("component", "new", embedded, "-o", made)
    wasm_tools("validate", made)
    wasm_tools("component", "targets", "-w", world, str(folder), made)


def set_beside(folder: Path, before: Path, scratch: Path) -> Path:
    """Both WITs in one folder, ours with a later version."""
    scratch.mkdir()
    shutil.copy(before, scratch / "released.wit")
    parts = [*(folder / "deps").iterdir(), folder]
    for number, part in enumerate(parts):
        target = scratch / "deps" / str(number)
        target.mkdir(parents=True)
        for path in part.glob("*.wit"):
            text = re.sub(r"@(\d+)\.\d+\.\d+", rf"@\1.{LATER}", path.read_text())
            (target / path.name).write_text(text)
    return scratch


def compatible(both: Path, world: str) -> None:
    """Compares a world with the released one."""
    version = re.search(r"package orlop:worlds@((\d+)\.[\d.]+);", (both / "released.wit").read_text())
    assert version
    later = f"orlop:worlds/{world}@{version[2]}.{LATER}"
    wasm_tools("component", "semver-check", "--prev", f"orlop:worlds/{world}@{version[1]}", "--new", later, str(both))


def report(wit: Wit) -> bool:
    """Writes what is wrong; False when something is."""
    found = list(check(wit))
    for line in found:
        print(f"orlop: wit: {line}", file=sys.stderr)
    return not found
