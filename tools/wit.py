"""Makes what follows from the WIT: the resolved tree and the Python bindings; and checks that all of it fits together.

`generate --write` writes the checked-in files, `generate --check` fails on any difference, `check` has `wasm-tools` read
every package and build, link and compare a component of every world.
"""

import argparse
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import wit_python  # noqa: E402 - beside this file

from runtime.components.wit import WitError, read  # noqa: E402 - the checkout, wherever this is started from

WIT = "assets/wit"
RESOLVED = f"{WIT}/resolved.json"
BINDINGS = "runtime/components/bindings"
VERSION = "1.262.0"


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


def resolved() -> str:
    """The resolved tree of the WIT."""
    return wasm_tools("component", "wit", WIT, "--json").decode().strip() + "\n"


def formatted(text: str, name: str) -> str:
    """A module, laid out like all others."""
    command = [sys.executable, "-m", "ruff", "format", "--quiet", "--stdin-filename", name, "-"]
    return subprocess.run(command, cwd=ROOT, input=text, capture_output=True, text=True, check=True).stdout


def sorted_imports(text: str, name: str) -> str:
    """A module with its imports in order, and without those that nothing uses."""
    command = [
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--quiet",
        "--select",
        "I,F401",
        "--fix",
        "--stdin-filename",
        name,
        "-",
    ]
    return subprocess.run(command, cwd=ROOT, input=text, capture_output=True, text=True, check=True).stdout


def files() -> dict[str, str]:
    """All generated files, by path."""
    text = resolved()
    made = {RESOLVED: text}
    for name, module in wit_python.modules(read(text)).items():
        path = f"{BINDINGS}/{name}"
        made[path] = formatted(sorted_imports(module, path), path)
    return made


def settle(made: Mapping[str, str], *, write: bool) -> bool:
    """Compares files with the checked-in ones, or replaces them; False when some differ and were left."""
    stale = [path for path in made if not (ROOT / path).exists() or (ROOT / path).read_text() != made[path]]
    extra = [
        str(path.relative_to(ROOT))
        for path in (ROOT / BINDINGS).glob("*.py")
        if str(path.relative_to(ROOT)) not in made
    ]
    for path in stale if write else ():
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(made[path])
    for path in extra if write else ():
        (ROOT / path).unlink()
    for path in stale + extra:
        print(
            f"{path}: written" if write else f"orlop: wit: {path} is not what the WIT says; run make wit",
            file=sys.stdout if write else sys.stderr,
        )
    return write or not stale + extra


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    verbs = parser.add_subparsers(required=True, dest="verb")
    mode = verbs.add_parser("generate").add_mutually_exclusive_group(required=True)
    mode.add_argument("--check", action="store_true", help="fail on a difference")
    mode.add_argument("--write", action="store_true", help="replace what differs")
    options = parser.parse_args(arguments)
    try:
        return 0 if settle(files(), write=options.write) else 1
    except (ToolError, WitError) as error:
        print(f"orlop: wit: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
