"""Which modules of Python a program loads, found by loading them in an interpreter that knows nothing else.

Its standard library is the target's, so that nothing depends on the version of the one that builds. What our own code
imports only when it needs it is loaded too.
"""

import ast
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from runtime.errors import FailedError
from runtime.sanitise import clean

__all__ = ["OURS", "Loaded", "deferred", "loaded_modules"]

OURS: Final = ("boot", "net", "runtime", "assets")
"""Packages of ours that an image may need; `console` is none of them."""

# The names come before the path is changed: what the probe itself needs is loaded from the builder's library.
_PROBE: Final = """
import sys
wanted, path = sys.argv[1].split(","), sys.argv[2:]
before = set(sys.modules)
sys.path[:] = path
sys.dont_write_bytecode = True
import importlib
for name in wanted:
    importlib.import_module(name)
for name, module in sorted(sys.modules.items()):
    spec = getattr(module, "__spec__", None)
    origin = getattr(spec, "origin", None) or "built-in"
    print(name, "package" if hasattr(module, "__path__") else "module", origin, sep="\\t")
"""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A module that was loaded.

    Attributes:
        name: with dots.
        package: whether it may have others below it.
        origin: its file in the interpreter that looked, or a word such as `built-in`.
    """

    name: str
    package: bool
    origin: str


def loaded_modules(wanted: Iterable[str], path: Sequence[Path]) -> tuple[Loaded, ...]:
    """Everything that is loaded when some modules are, and when ours defer nothing.

    Args:
        wanted: names of modules.
        path: where they are looked for, and nowhere else; extensions of the builder's own interpreter excepted.

    Raises:
        FailedError: one cannot be loaded.
    """
    names = sorted(set(wanted))
    while True:
        found = _probe(names, path)
        ours = (one for one in found if one.name.partition(".")[0] in OURS and one.origin.endswith(".py"))
        more = {name for one in ours for name in deferred(Path(one.origin).read_text())}
        if more <= {one.name for one in found} or more <= set(names):
            return found
        names = sorted({*names, *more})


def deferred(source: str) -> Iterator[str]:
    """The modules that a source imports inside functions, by name.

    Args:
        source: of a module.
    """
    for function in ast.walk(ast.parse(source)):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.Import):
                    yield from (name.name for name in node.names)
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    yield node.module


def _probe(names: Sequence[str], path: Sequence[Path]) -> tuple[Loaded, ...]:
    folders = [*map(str, path), *(part for part in sys.path if part.endswith("lib-dynload"))]
    command = [sys.executable, "-I", "-S", "-B", "-c", _PROBE, ",".join(names), *folders]
    done = subprocess.run(command, capture_output=True, check=False, text=True, stdin=subprocess.DEVNULL)  # noqa: S603
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["without a word"]
        raise FailedError(clean(lines[-1], 300), where="modules of the image")
    rows = (line.split("\t") for line in done.stdout.splitlines())
    return tuple(Loaded(name, kind == "package", origin) for name, kind, origin in rows)
