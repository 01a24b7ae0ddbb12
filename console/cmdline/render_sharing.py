"""How rooms with several members look to people: invitations, members, safety numbers."""

from collections.abc import Callable, Mapping

from console.output import Column, Item, facts, items_of, list_of, moment, short, table, text, text_of, word
from runtime.sanitise import clean

__all__ = ["SHARING", "link_line", "slash_help"]

_GROUPS_IN_A_LINE = 4

_MEMBERS = (
    Column("MEMBER", word("displayName"), limit=32),
    Column("", lambda item: "you" if item.get("self") else "creator" if item.get("creator") else ""),
    Column("THERE", lambda item: "yes" if item.get("present") else "no"),
    Column("VERIFIED", lambda item: "" if item.get("self") else "yes" if item.get("verified") else "no"),
    Column("SINCE", moment("since_ms")),
    Column("KEY", short("identityKey")),
)
_SLASH = (Column("COMMAND", word("command")), Column("WHAT IT DOES", word("does"), limit=100))


def link_line(value: Item) -> str:
    """One sentence about a room's way to the others; empty for a room without one, or where no orlop runs."""
    link = value.get("link")
    if not isinstance(link, Mapping):
        return ""
    state, problem, missing = (
        text(link, "state"),
        clean(text(link, "problem"), 200),
        len(list_of(link, "reestablishing")),
    )
    if missing:
        return f"{state}; re-establishing: {missing} of those who are there have not shared their keys again"
    return f"{state}: {problem}" if problem else state


def slash_help(value: Item) -> str:
    """The slash commands, as `/help` lists them."""
    return table(_SLASH, items_of(value, "help"))


def _members(value: Item) -> str:
    return table(_MEMBERS, items_of(value, "items"))


def _invitation(value: Item) -> str:
    return f"{text(value, 'invitation')}\n"


def _joined(value: Item) -> str:
    name = clean(text(value, "name"), 100)
    return f"joined {name}\n" if value.get("state") == "joined" else f"joining {name}\n"


def _number(value: Item) -> str:
    groups = [text_of(group) for group in list_of(value, "numbers")]
    rows = [groups[at : at + _GROUPS_IN_A_LINE] for at in range(0, len(groups), _GROUPS_IN_A_LINE)]
    words = [text_of(one) for one in list_of(value, "words")]
    lines = [f"  {' '.join(row)}" for row in rows]
    lines += [
        "",
        *(f"  {' '.join(words[at : at + _GROUPS_IN_A_LINE])}" for at in range(0, len(words), _GROUPS_IN_A_LINE)),
    ]
    name = clean(text(value, "name"), 40)
    mark = f"{name} is verified" if value.get("verified") else f"{name} is not verified"
    return f"the safety number with {name}:\n\n" + "\n".join(lines) + f"\n\n{mark}\n"


def _left(value: Item) -> str:
    return facts([("room", text(value, "room")), ("left", "yes")])


def _removed(value: Item) -> str:
    return facts([("removed", clean(text(value, "name"), 40)), ("key", text(value, "member"))])


def _rotated(_value: Item) -> str:
    return "the next words go out under a new key\n"


SHARING: Mapping[str, Callable[[Item], str]] = {
    "rooms invite": _invitation,
    "rooms join": _joined,
    "rooms members": _members,
    "rooms verify": _number,
    "rooms leave": _left,
    "rooms remove": _removed,
    "rooms rotate": _rotated,
}
"""By command."""
