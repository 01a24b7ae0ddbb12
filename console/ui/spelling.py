"""A command with its arguments as the command line that does the same. Pure."""

import shlex
from collections.abc import Sequence

from console.client import Args
from console.commands import Command, Kind
from runtime.sanitise import clean

__all__ = ["command_line", "summary"]


def command_line(command: Command, args: Args) -> str:
    """`orlop agents delete faulty --room demo`, quoted for a shell, harmless to look at, and without secrets.

    Args:
        command: the registry's entry.
        args: by name; files by the names under which they were opened.
    """
    words = ["orlop", *command.name.split()]
    options: list[str] = []
    rest: list[str] = []
    for arg in command.args:
        value = args.get(arg.name)
        if value is None or value == arg.default:
            continue
        items = [value] if isinstance(value, str) else list(value)
        if arg.secret:
            items = ["-"] * len(items)
        if not arg.option:
            (rest if arg.rest else words).extend(_quoted(item) for item in items)
            continue
        flag = "--" + arg.name.replace("_", "-")
        for item in items:
            options.extend([flag] if arg.kind is Kind.FLAG else [flag, _quoted(item)])
    return " ".join([*words, *options, *(["--", *rest] if rest else [])])


def _quoted(word: str) -> str:
    return shlex.quote(clean(word, 200))


def summary(names: Sequence[str], most: int = 8) -> list[str]:
    """Up to `most` names, then how many more there are."""
    shown = [clean(name, 60) for name in names[:most]]
    return [*shown, f"and {len(names) - most} more"] if len(names) > most else shown
