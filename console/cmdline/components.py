"""`components check`, `inspect` and the question before `install`: folders that this face reads by itself."""

import sys
from collections.abc import Mapping
from dataclasses import replace

from console.client import Json, Result
from console.cmdline.asking import needs_terminal
from console.cmdline.files import Files
from console.cmdline.render_components import asked_text
from console.cmdline.verbline import Line
from console.output import items_of
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

    Of another version only what is new is asked for.

    Args:
        line: the command line.

    Raises:
        UsageError: there is nobody to ask.
        FailedError: the answer is no.
    """
    if line.yes or line.args.get("grant"):
        return
    with _files(line) as files:
        seen = _seen(line, files)
    if not isinstance(seen, Mapping):
        return
    asked = items_of(seen, "asked")
    if seen.get("before") is not None:
        asked = [one for one in asked if one.get("new")]
    if not asked:
        return
    hint = "--yes agrees to all that it asks for, --grant to a part; orlop components inspect shows it"
    needs_terminal("consent", hint=hint)
    sys.stderr.write(f"{asked_text({**seen, 'asked': list(asked)})}Install it with these permissions? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise FailedError("not confirmed, nothing was done", what="components install")


def _seen(line: Line, files: Files) -> Json:
    """What the folder holds; where it is to take the place of another version, compared with that."""
    alone = inspected(files.descriptors["folder"])
    if not line.args.get("upgrade"):
        return alone.value
    from console.cmdline.execute import through_core
    from console.registry import COMMANDS

    command = COMMANDS["components inspect"]
    result = through_core(command, replace(line, command=command, args={}), files)
    if result.fault is not None:
        raise FailedError(result.fault.text, where=result.fault.where, hint=result.fault.hint)
    return result.value


def _files(line: Line) -> Files:
    if line.command is None:
        raise UsageError("no command")
    return Files(line.command, {name: path for name, path in line.paths.items() if name == "folder"})
