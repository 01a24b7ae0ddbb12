"""From the words behind `orlop` to a command with its arguments; argparse is built for that one command only."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from console import registry
from console.client import Args
from console.cmdline.options import EVERYWHERE, FACE, Options, Parser, add_options, options_of, takes_value
from console.commands import Arg, Command, Confirm, Kind
from runtime.errors import UsageError
from runtime.sanitise import clean

__all__ = ["Formatter", "Line", "command_parser", "read_line", "spelled", "split_line"]

_NAMES_OF_FILES = frozenset({Kind.PATH, Kind.OUT, Kind.DIRECTORY, Kind.FOLDER})


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A command line that was understood. `command` is None for `orlop` alone, which opens the screen."""

    command: Command | None
    args: Args
    paths: Mapping[str, str]
    """Texts of file arguments as they were given, by name (`dir.0` for repeated ones); they may be no UTF-8."""
    options: Options
    yes: bool = False
    help: bool = False
    version: bool = False
    words: tuple[str, ...] = ()
    """The words of the command's name, or those that `help` was asked about."""


def spelled(arg: Arg) -> str:
    """An option as it is typed: `--max-output`."""
    return "--" + arg.name.replace("_", "-")


def split_line(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """The options before the first word, and that word with all that follows.

    Args:
        argv: what stands behind `orlop`.
    """
    place = 0
    while place < len(argv):
        token = argv[place]
        if not token.startswith("-") or token in {"-", "--"}:
            break
        place += 2 if takes_value(token) else 1
    return list(argv[:place]), list(argv[place:])


class Formatter(Protocol):
    """Lays out help texts."""

    def __call__(self, *, prog: str) -> argparse.HelpFormatter:
        """A formatter for the program of that name."""
        ...


def command_parser(command: Command, formatter: Formatter = argparse.HelpFormatter) -> Parser:
    """The parser for the options of one command.

    Positional arguments are not in it: argparse cannot take them between options without guessing, so what it leaves
    over is handed out by `read_line`.

    Args:
        command: the registry's entry.
        formatter: for its help.
    """
    parser = Parser(
        prog=f"orlop {command.name}",
        add_help=False,
        allow_abbrev=False,
        usage=argparse.SUPPRESS,
        formatter_class=formatter,
    )
    groups: dict[str, argparse._ArgumentGroup] = {}
    for arg in command.args:
        if not arg.option:
            continue
        group = groups.get(arg.group) or groups.setdefault(arg.group, parser.add_argument_group(arg.group))
        text = f"{arg.help} (default: {arg.default})" if arg.default is not None else arg.help
        dest = f"arg_{arg.name}"
        if arg.kind is Kind.FLAG:
            names = [f"-{arg.short}", spelled(arg)] if arg.short else [spelled(arg)]
            group.add_argument(*names, dest=dest, action="store_true", help=text)
        else:
            group.add_argument(
                spelled(arg), dest=dest, metavar=arg.metavar or arg.name.upper(), action="append", help=text
            )
    if command.confirm is not Confirm.NONE:
        last = groups.get("Options") or parser.add_argument_group("Options")
        last.add_argument("--yes", dest="yes", action="store_true", help="do not ask")
    add_options(parser, EVERYWHERE, "Everywhere")
    parser.add_argument("-h", "--help", dest="help", action="store_true", help=argparse.SUPPRESS)
    return parser


def read_line(argv: Sequence[str]) -> Line:
    """Reads a whole command line.

    Args:
        argv: what stands behind `orlop`.

    Raises:
        UsageError: it is none; the line says what is wrong and what was probably meant.
    """
    head, tail = split_line(argv)
    top = Parser(prog="orlop", add_help=False, allow_abbrev=False, usage=argparse.SUPPRESS)
    add_options(top, EVERYWHERE, "Everywhere")
    add_options(top, FACE, "Screen")
    top.add_argument("-h", "--help", dest="help", action="store_true")
    top.add_argument("--version", dest="version", action="store_true")
    space, extra = top.parse_known_args(head)
    if extra:
        raise top.unknown(_shown(extra[0]))
    if space.version or not tail:
        return Line(command=None, args={}, paths={}, options=options_of(space), help=space.help, version=space.version)
    if tail[0] == "help":
        asked = tuple(word for word in tail[1:] if not word.startswith("-"))
        return Line(command=None, args={}, paths={}, options=options_of(space), help=True, words=asked)
    words = [word for word in tail[:2] if not word.startswith("-")] if not tail[0].startswith("-") else []
    command, size = registry.find(words)
    if command is None:
        return _group_help(tail, space)
    face = [name for name in vars(space) if name in {item.name for item in FACE}]
    if face:
        flag = next(item.flag for item in FACE if item.name == face[0])
        raise UsageError("stands only without a command", what=command.name, where=flag)
    return _read_command(command, tail[size:], space)


def _group_help(tail: list[str], space: argparse.Namespace) -> Line:
    """`orlop rooms --help`, or the error for words that name no command."""
    if tail[0] in registry.GROUPS and len(tail) > 1 and all(word in {"-h", "--help"} for word in tail[1:]):
        return Line(command=None, args={}, paths={}, options=options_of(space), help=True, words=(tail[0],))
    raise unknown_command(tail)


def unknown_command(words: Sequence[str]) -> UsageError:
    """The error for words that name no command.

    Args:
        words: what was typed behind `orlop`.
    """
    known = words[0] in registry.GROUPS
    near = registry.nearest(list(words))
    hint = f"did you mean {near}?" if near else f"see orlop {words[0] + ' ' if known else ''}--help"
    if known and len(words) == 1:
        inner = ", ".join(name.split()[1] for name in registry.COMMANDS if name.startswith(f"{words[0]} "))
        return UsageError("which command?", where=words[0], hint=f"one of {inner}")
    text = " ".join(words[:2]) if known else words[0]
    return UsageError("unknown command", where=_shown(text), hint=hint)


def _read_command(command: Command, words: list[str], before: argparse.Namespace) -> Line:
    parser = command_parser(command)
    cut = words.index("--") if "--" in words else len(words)
    try:
        space, extra = parser.parse_known_args(words[:cut])
        if space.help:
            return Line(command=command, args={}, paths={}, options=options_of(before, space), help=True)
        for word in extra:
            if word.startswith("-") and word != "-":
                raise parser.unknown(_shown(word))
        args, paths = _arguments(command, vars(space), extra, words[cut + 1 :])
    except UsageError as error:
        error.what = error.what or command.name
        raise
    return Line(
        command=command,
        args=args,
        paths=paths,
        options=options_of(before, space),
        yes=getattr(space, "yes", False),
        words=tuple(command.name.split()),
    )


def _arguments(
    command: Command, given: Mapping[str, object], words: list[str], behind: list[str]
) -> tuple[Args, Mapping[str, str]]:
    values: dict[str, list[str]] = {}
    rest = next((arg for arg in command.args if arg.rest), None)
    if rest is not None:
        values[rest.name] = behind
    else:
        words = [*words, *behind]
    for arg in command.args:
        if arg.option:
            value = given.get(f"arg_{arg.name}")
            values[arg.name] = list(value) if isinstance(value, list) else ["true"] if value else []
        elif not arg.rest:
            size = len(words) if arg.many else 1
            values[arg.name], words = words[:size], words[size:]
    if words:
        hint = f"arguments of the guest stand behind --: -- {_shown(words[0])}" if rest else ""
        raise UsageError("one argument too many", where=_shown(words[0]), hint=hint)
    args: dict[str, str | Sequence[str]] = {}
    paths: dict[str, str] = {}
    for arg in command.args:
        _take(arg, values[arg.name], args, paths)
    return args, paths


def _take(arg: Arg, items: list[str], args: dict[str, str | Sequence[str]], paths: dict[str, str]) -> None:
    """Checks the number and the text of one argument's values and puts them where they belong."""
    shown = spelled(arg) if arg.option else (arg.metavar or arg.name.upper())
    if not items:
        if arg.required:
            raise UsageError(f"{shown} is missing", hint=arg.help)
        return
    if len(items) > 1 and not arg.many:
        raise UsageError("given more than once", where=shown)
    if arg.most is not None and len(items) > arg.most:
        raise UsageError(f"given {len(items)} times", where=shown, hint=f"{arg.most} times at most")
    for number, item in enumerate(items):
        if arg.kind in _NAMES_OF_FILES or arg.kind is Kind.RECEIPT:
            paths[f"{arg.name}.{number}" if arg.many else arg.name] = item
        elif not _is_text(item):
            raise UsageError("not valid UTF-8", where=shown)
        if arg.choices and item not in arg.choices:
            raise UsageError(f"`{_shown(item)}` is none of {', '.join(arg.choices)}", where=shown)
    plain = [item if _is_text(item) else _shown(item) for item in items]
    args[arg.name] = plain if arg.many else plain[0]


def _is_text(word: str) -> bool:
    """False for words that hold bytes which are no UTF-8 (surrogates, as Python reads the command line)."""
    return not any("\ud800" <= char <= "\udfff" for char in word)


def _shown(word: str) -> str:
    return clean(word, 120)
