"""`components check`, `inspect`, `sign` and the question before `install`: folders that this face reads by itself."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace

from console.client import Args, Json, Result
from console.cmdline.asking import needs_terminal
from console.cmdline.files import Files
from console.cmdline.render_components import asked_text
from console.cmdline.verbline import Line
from console.output import Item, items_of
from console.verbs.component_signing import signed
from console.verbs.components import NOTHING, checked, inspected
from runtime.errors import FailedError, UsageError

__all__ = ["check", "inspect", "install", "sign"]


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


def sign(line: Line) -> Result:
    """`components sign`.

    Args:
        line: the command line.
    """
    if line.command is None:
        raise UsageError("no command")
    with Files(line.command, line.paths) as files:
        return signed(line.args, files.descriptors)


def install(line: Line) -> Result | None:
    """Shows what a component asks for, and asks whether it may have it; the core installs exactly that then.

    Of another version only what is new is asked for.

    Args:
        line: the command line.

    Returns:
        None where nothing was to be asked.

    Raises:
        UsageError: there is nobody to ask.
        FailedError: the answer is no.
    """
    if line.yes or line.args.get("grant"):
        return None
    with _files(line) as files:
        seen = _seen(line, files)
    if not isinstance(seen, Mapping):
        return None
    asked = items_of(seen, "asked")
    if seen.get("before") is not None:
        asked = [one for one in asked if one.get("new")]
    if asked:
        _ask(seen, asked)
    # The folder is read again by the core, and another version may be installed by now: neither changes what is agreed.
    rules = [str(one["rule"]) for one in asked if one.get("new")]
    return _through_core(line, {"folder_hash": str(seen["folder_hash"]), "grant": rules or [NOTHING]})


def _ask(seen: Mapping[str, Json], asked: Sequence[Item]) -> None:
    hint = "--yes agrees to all that it asks for, --grant to a part; orlop components inspect shows it"
    needs_terminal("consent", hint=hint)
    sys.stderr.write(f"{asked_text({**seen, 'asked': list(asked)})}Install it with these permissions? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise FailedError("not confirmed, nothing was done", what="components install")


def _through_core(line: Line, agreed: Args) -> Result:
    """Installs what was agreed to."""
    from console.cmdline.execute import through_core

    if line.command is None:
        raise UsageError("no command")
    said = {name: value for name, value in agreed.items() if name not in line.args}
    with Files(line.command, line.paths) as files:
        return through_core(line.command, replace(line, args={**line.args, **said}), files)


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
