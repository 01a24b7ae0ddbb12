"""Words of the run dialog: limits as the registry has them, presets for them, hints. Pure."""

import shlex
from collections.abc import Mapping
from types import MappingProxyType

from console.commands import Arg, Command

__all__ = ["LABELS", "PRESETS", "hint_of", "limits_of", "split"]

LABELS: Mapping[str, str] = MappingProxyType(
    {
        "memory": "Memory",
        "fuel": "Fuel",
        "timeout": "Time",
        "max_output": "Output",
        "cpu": "CPU time",
        "dir_quota": "Dir quota",
        "open_files": "Open files",
        "stack": "Stack",
        "table": "Table",
        "priority": "Priority",
        "retries": "Retries",
        "expires": "Start within",
    }
)
"""What the fields are called."""

PRESETS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "default": {},
        "small": {"memory": "64MiB", "timeout": "5s", "max_output": "1MiB"},
        "large": {"memory": "1GiB", "timeout": "10m", "max_output": "64MiB"},
    }
)
"""Limits by option; what a preset leaves out is as configured."""


def limits_of(command: Command) -> tuple[Arg, ...]:
    """The options of a command that are limits, in its own order."""
    return tuple(arg for arg in command.args if arg.group == "Limits")


def hint_of(arg: Arg) -> str:
    """What an empty field says: what holds when nothing is written, else what the option is."""
    _, found, default = arg.help.partition("(default: ")
    return default.removesuffix(")") if found else arg.help


def split(text: str) -> list[str]:
    """The words of a line that is quoted as in a shell; as one word while a quote is open."""
    try:
        return shlex.split(text)
    except ValueError:
        return [text]
