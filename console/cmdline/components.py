"""`components check`, `inspect` and the question before `install`: folders that this face reads by itself."""

import sys
from collections.abc import Mapping

from console.client import Json, Result
from console.cmdline.asking import needs_terminal
from console.cmdline.files import Files
from console.cmdline.render_components import asked_text
from console.cmdline.verbline import Line
from console.verbs.components import checked, inspected
from runtime.errors import FailedError, UsageError

__all__ = ["agree", "check", "inspect"]


def check(line: Line) -> Result:
    """`components check`.

    Args:
        line: the command line.
    """
    with _files(line) as files:
        return checked(files.descriptors["folder"], migrating=line.args.get("migrate") == "true")


def inspect(line: Line) -> Result:
    """`components inspect`.

    Args:
        line: the command line.
    """
    with _files(line) as files:
        return inspected(files.descriptors["folder"])


def agree(line: Line) -> None:
    """Shows what a component asks for, and asks whether it may have it; the core installs it then.

    Args:
        line: the command line.

    Raises:
        UsageError: there is nobody to ask.
        FailedError: the answer is no.
    """
    if line.yes:
        return
    with _files(line) as files:
        seen = inspected(files.descriptors["folder"]).value
    if not isinstance(seen, Mapping):
        return
    if not _asks(seen):
        return
    needs_terminal("consent", hint="--yes agrees to all that it asks for; orlop components inspect shows it")
    sys.stderr.write(f"{asked_text(seen)}Install it with these permissions? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise FailedError("not confirmed, nothing was done", what="components install")


def _asks(seen: Mapping[str, Json]) -> bool:
    asked = seen.get("asked")
    return isinstance(asked, list) and bool(asked)


def _files(line: Line) -> Files:
    if line.command is None:
        raise UsageError("no command")
    return Files(line.command, {name: path for name, path in line.paths.items() if name == "folder"})
