"""The registry is complete and unambiguous."""

import re

import pytest

from console import registry
from console.cmdline.options import EVERYWHERE, FACE
from console.cmdline.verbline import read_line, spelled
from console.commands import Command, Kind
from console.wire import DESCRIPTORS_MAX

COMMANDS = list(registry.COMMANDS.values())


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_a_command_is_described(command: Command) -> None:
    assert re.fullmatch(r"[A-Z].*\.", command.help)
    assert len(command.help) <= 88
    assert command.examples
    assert re.fullmatch(r"console\.verbs\.[a-z_]+:[a-z_]+", command.handler)
    assert all(arg.help and not arg.help.endswith(".") for arg in command.args)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_arguments_are_unambiguous(command: Command) -> None:
    names = [arg.name for arg in command.args]
    assert len(set(names)) == len(names)
    everywhere = {item.flag for item in (*EVERYWHERE, *FACE)} - {"--version", "--for", "--until", "--events", "--since"}
    assert not {spelled(arg) for arg in command.args if arg.option} & (everywhere | {"--help", "--yes"}) - {"--yes"}
    places = [arg for arg in command.args if not arg.option and not arg.rest]
    required = [arg.required for arg in places]
    assert required == sorted(required, reverse=True), "an optional place before a required one"
    assert not any(arg.many for arg in places[:-1])
    for arg in command.args:
        assert (arg.kind is Kind.CHOICE) == bool(arg.choices)
        assert arg.kind in {Kind.SIZE, Kind.DURATION, Kind.INTEGER} or (arg.low is None and arg.high is None)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_all_files_of_a_command_fit_into_one_message_to_an_owner(command: Command) -> None:
    files = [arg for arg in command.args if arg.kind in {Kind.PATH, Kind.DIRECTORY, Kind.RECEIPT}]
    assert all(arg.most is not None for arg in files if arg.many and arg.kind is not Kind.RECEIPT)
    own_streams = 2
    assert sum(arg.most or 1 for arg in files) + own_streams <= DESCRIPTORS_MAX


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_example_is_a_line_that_is_understood(command: Command) -> None:
    import shlex

    for example in command.examples:
        words = shlex.split(example.partition(" > ")[0])
        line = read_line(words[words.index("orlop") + 1 :])
        assert line.command is command


def test_the_longest_name_wins() -> None:
    assert registry.find(["config", "set", "x"]) == (registry.COMMANDS["config set"], 2)
    assert registry.find(["config", "x"]) == (registry.COMMANDS["config"], 1)
    assert registry.find([]) == (None, 0)


def test_the_nearest_name_is_found() -> None:
    assert registry.nearest(["rooms", "lst"]) == "rooms list"
    assert registry.nearest(["doktor"]) == "doctor"
    assert registry.nearest(["xyzzy"]) == ""
