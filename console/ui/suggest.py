"""What can follow in a command line that is being typed: names of commands, options, things. Pure."""

import shlex
from collections.abc import Iterable
from dataclasses import dataclass

from console.client import Json
from console.commands import Arg, Command, Kind
from console.registry import COMMANDS, find
from console.ui.text.components import short_name
from console.view import View
from runtime.sanitise import clean

__all__ = ["Suggestion", "expects_path", "recalled", "suggestions"]

_MOST = 200
_LONGEST = 300
_FILES = frozenset({Kind.PATH, Kind.OUT, Kind.DIRECTORY, Kind.FOLDER})


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One way to go on."""

    line: str
    """The whole line with it."""
    shown: str
    note: str


def suggestions(text: str, view: View, tasks: Json = None) -> list[Suggestion]:
    """Ways to go on from a line, the best first; empty where a file's name or free text is expected.

    Args:
        text: the line so far, without `:`.
        view: for names of rooms, agents, jobs, receipts, peers and components.
        tasks: tasks of the room that is looked at, as `rooms show` has them.
    """
    words = text.split(" ")
    last = words[-1]
    before = [word for word in words[:-1] if word]
    command, size = find(before)
    if command is None:
        return _commands(text.lstrip())
    prefix = text[: len(text) - len(last)]
    arg = _expected(command, before[size:])
    if last.startswith("-") or arg is None:
        return _options(command, before, prefix, last)
    return [
        Suggestion(f"{prefix}{shlex.quote(name)} ", name, note)
        for name, note in _names(arg, view, tasks)
        if name.startswith(last)
    ][:_MOST]


def recalled(text: str, history: Iterable[str]) -> list[Suggestion]:
    """Earlier lines in which a text stands, in capitals or not: each once, oldest first.

    Args:
        text: what is looked for; every line has the empty one.
        history: oldest first.
    """
    newest_first = dict.fromkeys(reversed([*history]))
    found = [Suggestion(each, clean(each, _LONGEST), "") for each in newest_first if text.lower() in each.lower()]
    return found[::-1]


def expects_path(text: str) -> str | None:
    """The beginning of a file's name, where the line ends in one; else None."""
    words = text.split(" ")
    before = [word for word in words[:-1] if word]
    command, size = find(before)
    arg = _expected(command, before[size:]) if command is not None else None
    return words[-1] if arg is not None and arg.kind in _FILES and not words[-1].startswith("-") else None


def _commands(text: str) -> list[Suggestion]:
    starts = [command for name, command in COMMANDS.items() if name.startswith(text)]
    words = text.split()
    inside = [
        command
        for name, command in COMMANDS.items()
        if words and not name.startswith(text) and all(word in name for word in words)
    ]
    return [Suggestion(f"{command.name} ", command.name, command.help) for command in (*starts, *inside)]


def _expected(command: Command, words: list[str]) -> Arg | None:
    """The argument whose value comes next; None when only options can come."""
    options = {"--" + arg.name.replace("_", "-"): arg for arg in command.args if arg.option}
    places = [arg for arg in command.args if not arg.option and not arg.rest]
    waiting: Arg | None = None
    taken = 0
    for word in words:
        if waiting is not None:
            waiting = None
        elif word in options:
            waiting = options[word] if options[word].kind is not Kind.FLAG else None
        elif not word.startswith("-"):
            taken += 1
    if waiting is not None:
        return waiting
    if taken < len(places):
        return places[taken]
    return places[-1] if places and places[-1].many else None


def _options(command: Command, before: list[str], prefix: str, last: str) -> list[Suggestion]:
    return [
        Suggestion(f"{prefix}{flag} ", flag, arg.help)
        for arg in command.args
        if arg.option
        and (flag := "--" + arg.name.replace("_", "-")).startswith(last)
        and (arg.many or flag not in before)
    ]


def _names(arg: Arg, view: View, tasks: Json) -> Iterable[tuple[str, str]]:
    if arg.kind is Kind.TASK:
        return _tasks(tasks)
    if arg.choices:
        return [(choice, "") for choice in arg.choices]
    return [*_rows(arg.kind, view)]


def _rows(kind: Kind, view: View) -> Iterable[tuple[str, str]]:  # noqa: PLR0911 - one line for each kind
    match kind:
        case Kind.ROOM:
            return [(clean(row.name, 64), f"room, {row.open} open") for row in view.rooms.values()]
        case Kind.AGENT:
            return [
                (clean(row.agent, 40), f"{row.state}, in {clean(row.room_name, 40)}") for row in view.agents.values()
            ]
        case Kind.JOB:
            return [(row.job[:12], f"{clean(row.name, 40)}, {row.state}") for row in reversed([*view.jobs.values()])]
        case Kind.RECEIPT:
            return [(row.receipt[:12], f"#{row.number}, {row.outcome}") for row in reversed([*view.receipts.values()])]
        case Kind.PEER:
            return [(clean(row.name, 40) or row.peer, f"peer, {row.state}") for row in view.peers.values()]
        case Kind.COMPONENT:
            return [(short_name(row.component), f"component, {row.state}") for row in view.components.values()]
        case _:
            return []


def _tasks(tasks: Json) -> list[tuple[str, str]]:
    if isinstance(tasks, str) or not isinstance(tasks, list | tuple):
        return []
    return [
        (str(task.get("id", "")), clean(str(task.get("title", "")), 60)) for task in tasks if isinstance(task, dict)
    ]
