"""Keys as people read them, and what of them to show: the keys row and the help, both made of the bindings."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from textual.binding import ActiveBinding, Binding
from textual.keys import REPLACED_KEYS, key_to_character

from console.ui.frame import Key
from console.ui.screens.help import HelpEntry

if TYPE_CHECKING:
    from textual.dom import DOMNode
    from textual.screen import Screen

__all__ = ["KEYS_BY_NAME", "PLACES", "char_of", "help_entries", "key_name", "visible_keys"]

_NAMES = {
    "question_mark": "?",
    "colon": ":",
    "slash": "/",
    "asterisk": "*",
    "tilde": "~",
    "at": "@",
    "less_than_sign": "<",
    "greater_than_sign": ">",
    "escape": "esc",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
    "pageup": "pgup",
    "pagedown": "pgdn",
}
KEYS_BY_NAME: Mapping[str, str] = MappingProxyType({name: key for key, name in _NAMES.items()})
"""`?` for `question_mark`: the other way round."""

_LAST = ("ui.filter", "ui.prompt", "ui.help")
PLACES = frozenset({"ui.next-part", "ui.previous-part", "ui.back"})
"""Keys of a pane that go somewhere rather than do something."""

_BACK = "ui.back"
_NEXT_HIT = "ui.next-hit"
_SEARCHING = 2
"""Keys of a search, which stand first: next and previous."""
_MOVING = "Moving"
_EVERYWHERE = "Everywhere"


def key_name(key: str) -> str:
    """`question_mark` as `?`, `ctrl+x` as it is; nothing for an action that was unbound."""
    if key.startswith("<"):
        return ""
    return _NAMES.get(key) or char_of(key).strip() or key


def char_of(key: str) -> str:
    """What a key types; empty for those that type nothing."""
    char = key_to_character(REPLACED_KEYS.get(key, key)) or ""
    return char if char.isprintable() else ""


def visible_keys(screen: "Screen[object]", label: Callable[[str], str | None]) -> tuple[list[Key], list[Key]]:
    """The keys that work where the focus is, and those that work everywhere and stand last.

    Args:
        screen: the one that is shown.
        label: words for a binding that depend on the place; empty to leave it out, None for its own.
    """
    here: list[Key] = []
    last: dict[str, Key] = {}
    seen: set[str] = set()
    for key, active in _ordered(screen):
        binding = active.binding
        name = binding.id or binding.action
        words = label(name)
        hidden = not binding.show or not active.enabled or not key_name(key)
        if hidden or name in seen or words == "" or _typed(screen, key):
            continue
        seen.add(name)
        shown = Key(key_name(key), words or binding.description)
        if name in _LAST or name == _BACK:
            last[name] = shown
        else:
            here.append(shown)
    if _BACK in last:
        # Out of a search there is one way: it must not be the key for which there is no room.
        here.insert(_SEARCHING if _NEXT_HIT in seen else len(here), last[_BACK])
    always = [last[name] for name in _LAST if name in last]
    if _LAST[0] in last:
        always.insert(1, Key(f"{last[_LAST[0]].key}/", "search", spare=True))
    return here, always


def _ordered(screen: "Screen[object]") -> list[tuple[str, ActiveBinding]]:
    """The keys that work, each place's in the order in which it binds them: Textual puts those of a key map last."""
    active = screen.active_bindings
    ranks: dict[tuple[DOMNode, str | None], int] = {}
    for node in dict.fromkeys(each.node for each in active.values()):
        for base in reversed(type(node).__mro__):
            for binding in Binding.make_bindings(vars(base).get("BINDINGS", ())):
                ranks.setdefault((node, binding.id), len(ranks))
    return sorted(active.items(), key=lambda item: ranks.get((item[1].node, item[1].binding.id), len(ranks)))


def _typed(screen: "Screen[object]", key: str) -> bool:
    """Whether the key would be typed into the line that has the focus; Textual does not know every key's character."""
    char = key_name(key)
    return screen.focused is not None and len(char) == 1 and screen.focused.check_consume_key(key, char)


def help_entries(screen: "Screen[object]", pane: "DOMNode", title: str) -> list[HelpEntry]:
    """All keys that work where the focus is: those of the pane first, then moving, then everywhere.

    Args:
        screen: the one that is shown.
        pane: the pane on it.
        title: the pane's name.
    """
    sections: dict[str, dict[str, tuple[list[str], str]]] = {title: {}, _MOVING: {}, _EVERYWHERE: {}}
    for key, active in _ordered(screen):
        binding = active.binding
        if binding.id is None or _typed(screen, key):
            continue
        outer = active.node is screen or active.node is screen.app
        own = active.node is pane and binding.id not in PLACES
        section = title if own else _EVERYWHERE if outer else _MOVING
        keys, _ = sections[section].setdefault(binding.id, ([], binding.description))
        keys.append(key_name(key))
    return [
        HelpEntry(section, " ".join(keys) or "—", does[:1].upper() + does[1:], name)
        for section, entries in sections.items()
        for name, (keys, does) in entries.items()
    ]
