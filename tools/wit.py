"""Makes what follows from the WIT, the resolved tree and the Python bindings, and checks that all of it fits together.

`write` writes the checked-in files; `check` fails on any difference, has `wasm-tools` read every package and world, and
compares them with those of the last release; `release` takes the WIT as the released one, when its version is given out.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from runtime.components.wit import WitError  # noqa: E402 - the checkout, wherever this is started from
from runtime.components.wit_reader import read  # noqa: E402 - as above
from tools import wit_check, wit_python  # noqa: E402 - as above

RESOLVED = f"{wit_check.WIT}/resolved.json"
BINDINGS = "runtime/components/bindings"


def resolved() -> str:
    """The resolved tree of the WIT."""
    return wit_check.wasm_tools("component", "wit", wit_check.WIT, "--json").decode().strip() + "\n"


def laid_out(modules: Mapping[str, str]) -> dict[str, str]:
    """Modules laid out like all others, without imports that nothing uses."""
    with tempfile.TemporaryDirectory() as name:
        for path, text in modules.items():
            Path(name, path).write_text(text)
        for rules in (["check", "--select", "I,F401", "--fix"], ["format"]):
            command = [
                sys.executable,
                "-m",
                "ruff",
                *rules,
                "--quiet",
                "--no-cache",
                "--config",
                "pyproject.toml",
                name,
            ]
            subprocess.run(command, cwd=ROOT, check=True)
        return {path: Path(name, path).read_text() for path in modules}


def files() -> dict[str, str]:
    """All generated files, by path."""
    tree = resolved()
    modules = laid_out(wit_python.modules(read(tree)))
    return {RESOLVED: tree} | {f"{BINDINGS}/{name}": text for name, text in modules.items()}


def settle(made: Mapping[str, str], *, write: bool, root: Path = ROOT) -> list[str]:
    """Compares files with the checked-in ones, or replaces them; gives the paths that differ."""
    stale = [path for path, text in made.items() if not (root / path).exists() or (root / path).read_text() != text]
    there = [str(path.relative_to(root)) for path in sorted((root / BINDINGS).glob("*.py"))]
    extra = [path for path in there if path not in made]
    if write:
        (root / BINDINGS).mkdir(parents=True, exist_ok=True)
        for path in stale:
            (root / path).write_text(made[path])
        for path in extra:
            (root / path).unlink()
    return stale + extra


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("verb", choices=["write", "check", "release"])
    verb = parser.parse_args(arguments).verb
    try:
        if verb == "release":
            (ROOT / wit_check.RELEASED).write_text(wit_check.released())
            return 0
        made = files()
        different = settle(made, write=verb == "write")
        for path in different:
            print(
                f"{path}: written" if verb == "write" else f"orlop: wit: {path} is not what the WIT says; run make wit"
            )
        return 0 if verb == "write" or (wit_check.report(read(made[RESOLVED])) and not different) else 1
    except (wit_check.ToolError, WitError) as error:
        print(f"orlop: wit: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
