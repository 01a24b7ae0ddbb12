"""Bindings of a world in an author's language: C by ourselves, Python and JavaScript by tools that their authors have.

Those tools read the WIT that is shipped; nothing of them is needed for anything else.
"""

import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import assets
from runtime.components.authoring.c_header import c_header
from runtime.components.errors import ComponentError
from runtime.components.wit import Wit
from runtime.components.wit_reader import read
from runtime.errors import FailedError, UnavailableError, UsageError
from runtime.sanitise import clean

__all__ = [
    "LANGUAGES",
    "BindingsError",
    "ToolMissingError",
    "bindings_in_c",
    "fresh_folder",
    "our_wit",
    "write_bindings",
]

_SAID_CHARS: Final = 500


class ToolMissingError(ComponentError, UnavailableError):
    """The tool of a language is not installed."""


class BindingsError(ComponentError, FailedError):
    """The tool of a language has failed."""


@dataclass(frozen=True, slots=True)
class _Tool:
    """A program that writes bindings.

    Attributes:
        package: how to get it.
        command: its arguments, with `{wit}`, `{world}` and `{folder}`.
    """

    program: str
    package: str
    command: Sequence[str]


_TOOLS: Final[Mapping[str, _Tool]] = {
    "python": _Tool(
        "componentize-py",
        "pip install componentize-py",
        ("-d", "{wit}", "-w", "{world}", "bindings", "{folder}"),
    ),
    "js": _Tool(
        "jco",
        "npm install -g @bytecodealliance/jco@1.10.2",
        ("types", "{wit}", "--world-name", "{world}", "-o", "{folder}", "-q"),
    ),
}

LANGUAGES: Final = ("c", *_TOOLS)
"""Those there are bindings in."""


def our_wit() -> Wit:
    """The WIT of this version of orlop."""
    return read(assets.path("wit/resolved.json").read_text(encoding="utf-8"))


def bindings_in_c(world: str) -> str:
    """The header of a world.

    Args:
        world: in full, such as `orlop:worlds/full`.

    Raises:
        WitError: there is no such world.
    """
    return c_header(our_wit(), world)


def write_bindings(language: str, world: str, folder: Path) -> None:
    """Has the tool of another language write bindings.

    Args:
        language: one of `LANGUAGES` but C.
        world: in full.
        folder: where to; it must be empty or not be there.

    Raises:
        WitError: there is no such world.
        UsageError: there is no such language, or the folder holds something.
        ToolMissingError: the tool is not installed.
        BindingsError: it has failed.
    """
    tool = _TOOLS.get(language)
    if tool is None:
        raise UsageError(f"there are bindings in {', '.join(LANGUAGES)}", where=language)
    our_wit().world(world)
    program = shutil.which(tool.program) or shutil.which(tool.program, path=str(Path(sys.executable).parent))
    if program is None:
        raise ToolMissingError(f"{tool.program} is not installed", hint=f"{tool.package}, and again")
    parts = {"wit": str(assets.path("wit")), "world": world, "folder": str(fresh_folder(folder))}
    command = [program, *(part.format(**parts) for part in tool.command)]
    run = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)  # noqa: S603 - found above
    if run.returncode:
        shutil.rmtree(folder, ignore_errors=True)  # it was empty, so what is there now is half of something
        raise BindingsError(_said(run.stderr + run.stdout), where=tool.program)


def fresh_folder(folder: Path) -> Path:
    """Makes a folder for files that take the place of no others.

    Args:
        folder: which; an empty one may be there.

    Raises:
        UsageError: it holds something, or cannot be made.
    """
    where = clean(str(folder), _SAID_CHARS)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        holds = any(folder.iterdir())
    except OSError as error:
        raise UsageError(f"is no folder: {(error.strerror or 'it cannot be made').lower()}", where=where) from error
    if holds:
        raise UsageError("the folder is not empty", where=where, hint="name a new one")
    return folder


def _said(output: bytes) -> str:
    """What a tool says about its failure, on one line: the cause, where it writes stacks as well."""
    text = output.decode("utf-8", "replace")
    cause = text.partition("Caused by:")[2].partition("Stack backtrace:")[0] or text
    return clean(" ".join(cause.split()), _SAID_CHARS) or "it failed and said nothing"
