"""The registry: everything that an operator can do, by name, once.

Importing it loads tables only, no handler and nothing of the core.
"""

from collections.abc import Mapping
from difflib import get_close_matches
from types import MappingProxyType

from console.commands import Command
from console.syntax import (
    agents,
    boot,
    boot_images,
    boot_serving,
    components,
    jobs,
    kit,
    life,
    lock,
    node,
    peers,
    receipts,
    rooms,
    sharing,
)

__all__ = ["COMMANDS", "GROUPS", "VERBS", "find", "nearest"]

COMMANDS: Mapping[str, Command] = MappingProxyType(
    {
        command.name: command
        for table in (
            rooms.COMMANDS,
            sharing.COMMANDS,
            life.COMMANDS,
            agents.COMMANDS,
            kit.COMMANDS,
            jobs.COMMANDS,
            receipts.COMMANDS,
            peers.COMMANDS,
            components.COMMANDS,
            boot.COMMANDS,
            boot_images.COMMANDS,
            boot_serving.COMMANDS,
            lock.COMMANDS,
            node.COMMANDS,
        )
        for command in table
    }
)
"""All commands by name, in the order in which help shows them."""

GROUPS: Mapping[str, str] = MappingProxyType(
    {
        "rooms": "Rooms and their tasks.",
        "agents": "Sandboxed agents that live in rooms.",
        "jobs": "Jobs: WASI modules run in limits.",
        "receipts": "Signed receipts of jobs.",
        "peers": "Other nodes: who is known, and what they are trusted with.",
        "components": "WebAssembly components with permissions for files, network and processes.",
        "boot": "Releases that machines boot: keys, signatures, checks.",
        "pin": "The PIN that unlocks a running orlop.",
    }
)
"""The nouns, each with its one line."""

VERBS: tuple[str, ...] = tuple(dict.fromkeys(name.split()[0] for name in COMMANDS))
"""The first words of all commands."""


def find(words: list[str]) -> tuple[Command | None, int]:
    """The command that a list of words begins with, the longest name first.

    Args:
        words: such as `["config", "set", "node.name", "x"]`.

    Returns:
        The command and how many words its name took, or None and 0.
    """
    for size in (2, 1):
        command = COMMANDS.get(" ".join(words[:size])) if len(words) >= size else None
        if command is not None:
            return command, size
    return None, 0


def nearest(words: list[str]) -> str:
    """The name that was probably meant, or an empty text.

    Args:
        words: the words that name no command.
    """
    if words and words[0] in GROUPS:
        inner = [name for name in COMMANDS if name.startswith(f"{words[0]} ")]
        near = get_close_matches(" ".join(words[:2]), inner, 1, 0.75)
    else:
        near = get_close_matches(words[0] if words else "", list(VERBS), 1, 0.5)
    return near[0] if near else ""
