"""Help texts, made from the registry: of the program, of a noun, of a command. At most 100 columns wide."""

import argparse
import shutil
import textwrap

from console import registry
from console.cmdline.options import EVERYWHERE, FACE, add_options
from console.cmdline.verbline import Formatter, command_parser, spelled
from console.commands import Arg, Command

__all__ = ["help_for", "usage_of"]

_WIDTH = 100
_NARROWEST = 40

_TOP = "A terminal console for sandboxed agents, jobs in limits and their signed receipts."
_TOP_EXAMPLES = (
    "orlop --demo",
    "orlop --no-ui --until 'receipt.issued' --for 30s",
    "orlop help jobs run",
)


def help_for(words: tuple[str, ...]) -> str | None:
    """The help text for a command, a noun, or the program (no words); None when there is no such command.

    Args:
        words: the words behind `orlop help`.
    """
    if not words:
        return _top_help()
    command, size = registry.find(list(words))
    if command is not None and size == len(words):
        return command_help(command)
    if len(words) == 1 and words[0] in registry.GROUPS:
        return _group_help(words[0])
    return None


def usage_of(command: Command) -> str:
    """`orlop jobs run MODULE [options] [-- ARGS]`."""
    parts = [f"orlop {command.name}", *(_place(arg) for arg in command.args if not arg.option)]
    required = [f"{spelled(arg)} {arg.metavar}" for arg in command.args if arg.option and arg.required]
    rest = [part for part in parts if part.startswith("[--")]
    return " ".join([*(part for part in parts if part not in rest), *required, "[options]", *rest])


def command_help(command: Command) -> str:
    """The help text of one command.

    Args:
        command: the registry's entry.
    """
    lines = [f"usage: {usage_of(command)}", "", *_wrapped(command.help)]
    if command.detail:
        lines += ["", *_wrapped(command.detail)]
    places = [arg for arg in command.args if not arg.option]
    if places:
        column = max(len(arg.name) for arg in places) + 4
        lines += ["", "Arguments:"]
        for arg in places:
            lines += _entry(arg.metavar or arg.name.upper(), _said(arg), column)
    return "\n".join([*lines, "", _formatted(command_parser(command, _formatter())), "", *_examples(command.examples)])


def _top_help() -> str:
    lines = ["usage: orlop [options]", "       orlop COMMAND …", "", *_wrapped(_TOP), ""]
    lines += ["Without a command it opens the screen. orlop help COMMAND says more about one.", "", "Commands:"]
    column = max(len(name) for name in (*registry.GROUPS, *registry.VERBS)) + 4
    for noun, text in registry.GROUPS.items():
        inner = ", ".join(name.split()[1] for name in registry.COMMANDS if name.startswith(f"{noun} "))
        lines += _entry(noun, f"{text} ({inner})", column)
    for command in registry.COMMANDS.values():
        if " " not in command.name:
            lines += _entry(command.name, command.help, column)
    parser = argparse.ArgumentParser(add_help=False, usage=argparse.SUPPRESS, formatter_class=_formatter())
    add_options(parser, FACE, "Screen")
    add_options(parser, EVERYWHERE, "Everywhere")
    parser.add_argument_group("Help").add_argument("--version", action="store_true", help="print the version")
    return "\n".join([*lines, "", _formatted(parser), "", *_examples(_TOP_EXAMPLES)])


def _group_help(noun: str) -> str:
    lines = [f"usage: orlop {noun} COMMAND …", "", registry.GROUPS[noun], "", "Commands:"]
    inner = [command for name, command in registry.COMMANDS.items() if name.startswith(f"{noun} ")]
    column = max(len(command.name) for command in inner) - len(noun) + 3
    for command in inner:
        lines += _entry(command.name.split()[1], command.help, column)
    return "\n".join([*lines, "", f"orlop help {noun} COMMAND says more about one.", ""])


def _place(arg: Arg) -> str:
    name = arg.metavar or arg.name.upper()
    if arg.rest:
        return f"[-- {name}…]"
    shown = f"{name}…" if arg.many else name
    return shown if arg.required else f"[{shown}]"


def _said(arg: Arg) -> str:
    return f"{arg.help}: {', '.join(arg.choices)}" if arg.choices else arg.help


def _examples(lines: tuple[str, ...]) -> list[str]:
    return ["Examples:", *(f"  {line}" for line in lines), ""]


def _formatted(parser: argparse.ArgumentParser) -> str:
    return parser.format_help().strip("\n")


def _formatter() -> Formatter:
    def make(*, prog: str) -> argparse.HelpFormatter:
        return argparse.RawDescriptionHelpFormatter(prog, max_help_position=30, width=_columns())

    return make


def _columns() -> int:
    return max(_NARROWEST, min(_WIDTH, shutil.get_terminal_size().columns))


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _columns())


def _entry(name: str, text: str, column: int) -> list[str]:
    first = f"  {name}".ljust(column)
    return textwrap.wrap(text, _columns(), initial_indent=f"{first} ", subsequent_indent=" " * (column + 1))
