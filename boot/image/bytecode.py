"""Byte code that nobody has to write later, the same every time."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Final

from runtime.errors import FailedError, UnavailableError
from runtime.sanitise import clean

__all__ = ["PYTHON", "check_interpreter", "compile_tree"]

PYTHON: Final = (3, 11)
"""The version of Debian's Python, for which byte code is written."""


def check_interpreter() -> None:
    """Byte code is read by the version that wrote it, and by no other.

    Raises:
        UnavailableError: this interpreter is another one.
    """
    if sys.version_info[:2] != PYTHON or sys.implementation.name != "cpython":
        here = f"{sys.implementation.name} {sys.version_info.major}.{sys.version_info.minor}"
        why = f"byte code for Debian's Python is written by CPython 3.11, this is {here}"
        raise UnavailableError(why, where=sys.executable, hint="run orlop with a Python 3.11")


def compile_tree(tree: Path, place: str, *, alone: bool = False) -> None:
    """Compiles every module of a folder, with the path that it will have.

    Unchecked, since a program that root runs would otherwise write byte code that nobody knows of. One process in one
    order, and text hashed the same: what is in byte code depends on both.

    Args:
        tree: the folder.
        place: where it will be, without a leading slash; empty for a tree that becomes a root.
        alone: the byte code takes the place of the source, without its assertions and docstrings.

    Raises:
        UnavailableError: this interpreter writes other byte code.
        FailedError: a module is no Python.
    """
    check_interpreter()
    command = [sys.executable, "-S", "-B", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
    command += ["-s", str(tree), "-p", f"/{place}", *(["-b", "-o", "2"] if alone else []), str(tree)]
    # Nothing of the caller's: a setting such as PYTHONOPTIMIZE makes other byte code.
    done = subprocess.run(  # noqa: S603
        command, env={"PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"}, capture_output=True, check=False, umask=0o022
    )
    if done.returncode:
        said = (done.stdout + done.stderr).decode(errors="replace").strip().splitlines() or ["without a word"]
        raise FailedError(clean(said[-1], 300), where="byte code")
    if alone:
        for source in tree.rglob("*.py"):
            compiled = source.with_suffix(".pyc")
            if compiled.read_bytes()[:4] != importlib.util.MAGIC_NUMBER:
                raise FailedError("is no byte code of this interpreter", where=compiled.name)
            source.unlink()
