"""The operator's key map, `keys.toml`: an action's id, and the key or list of keys that it is to have.

The file is checked whole before the screen opens, because Textual passes over what it does not know: an unknown id, a
key that no keyboard has, a key that two actions of one place would share.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType

from textual.binding import Binding
from textual.keys import Keys as TextualKeys

from console.toml_file import TomlFile, read_toml
from console.ui.bound import Bound, Keys
from console.ui.keys import KEYS_BY_NAME, char_of, key_name
from console.ui.places import REACHES, SECTIONS, TYPING, bindings_of
from runtime.errors import UsageError
from runtime.sanitise import clean

__all__ = ["read_key_map"]

_WHAT = "key map"
_MOST = 8
_NAMED = frozenset(key.value for key in TextualKeys if "<" not in key.value)
_SAME = MappingProxyType({"ctrl+i": "tab", "ctrl+m": "enter", "ctrl+left_square_bracket": "escape"})
"""Keys for which a terminal sends what it sends for another."""

_NAMED_CHARS = MappingProxyType({" ": "space", ",": "comma"})
"""What separates keys in a binding has to be named."""

_WAY_OUT = "ui.interrupt"


@dataclass(frozen=True, slots=True)
class _Action:
    """One id, wherever it is bound."""

    keys: frozenset[str]
    types: bool
    """Whether it must take keys that type nothing."""


def read_key_map(path: Path) -> Keys:
    """Reads the file.

    Args:
        path: of the file.

    Raises:
        UsageError: it is wrong; the message has file, line, action and what is allowed.
        UnavailableError: it cannot be read.
    """
    file = read_toml(path, what=_WHAT)
    actions = _actions()
    chosen: dict[str, tuple[str, ...]] = {}
    for name, value in _flat(file.tables):
        action = actions.get(name)
        if action is None:
            raise _wrong(file, name, f"unknown action `{clean(name, 60)}`", _nearest(name, actions))
        chosen[name] = _checked(file, name, action, value)
    _check_shared(file, chosen)
    return Keys(MappingProxyType({name: _bound(keys) for name, keys in chosen.items()}))


def _actions() -> dict[str, _Action]:
    found: dict[str, _Action] = {}
    for place in SECTIONS.values():
        for binding in bindings_of(place):
            if binding.id:
                known = found.get(binding.id, _Action(frozenset(), types=False))
                types = known.types or binding.priority or place in TYPING
                found[binding.id] = _Action(known.keys | {binding.key}, types)
    return found


def _flat(tables: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Values by dotted name: `"ui.quit"`, `ui.quit` and `quit` below `[ui]` are the same."""
    for name, value in tables.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _checked(file: TomlFile, name: str, action: _Action, value: object) -> tuple[str, ...]:
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, list) or not all(isinstance(key, str) for key in given) or len(given) > _MOST:
        hint = f'a key, such as "P", a list of at most {_MOST} keys, or [] for none'
        raise _wrong(file, name, f"{name}: expected keys", hint)
    if not given and name == _WAY_OUT:
        raise _wrong(file, name, f"{name}: must have a key", "it is the way out of every dialog")
    keys = tuple(_key(file, name, key) for key in given)
    for key in keys:
        if action.types and key not in action.keys and char_of(key):
            hint = "it works while one types: take a key that types nothing, such as ctrl+k or f5"
            raise _wrong(file, name, f"{name}: `{key_name(key)}` types something", hint)
    return tuple(dict.fromkeys(keys))


def _key(file: TomlFile, name: str, given: str) -> str:
    """The key as Textual calls it."""
    key = KEYS_BY_NAME.get(given, given)
    char = char_of(key)
    if char and (key == key.lower() or len(key) == 1):
        return _NAMED_CHARS.get(char) or _of_char(char)
    if key in _SAME:
        raise _wrong(file, name, f"{name}: a terminal sends the same for `{given}` as for {_SAME[key]}", "take another")
    bare = key.removeprefix("alt+")
    letter = key != bare and len(bare) == 1 and bare.isascii() and bare.isalnum()
    if bare not in _NAMED and not letter:
        hint = "a character, or a name such as ctrl+k, alt+k, f5, space, enter, esc, pgdn, home"
        raise _wrong(file, name, f"{name}: `{clean(given, 40)}` is no key", hint)
    return key


def _of_char(char: str) -> str:
    return next(iter(Binding.make_bindings([Binding(char, "")]))).key


def _check_shared(file: TomlFile, chosen: Mapping[str, tuple[str, ...]]) -> None:
    """Refuses a key that two actions would share where the file named at least one of them."""
    for where, places in REACHES.items():
        taken: dict[str, str] = {}
        for binding in (each for place in places for each in bindings_of(place)):
            name = binding.id or binding.action
            for key in chosen.get(name, (binding.key,)):
                other = taken.setdefault(key, name)
                if other != name and (name in chosen or other in chosen):
                    mine, its = (name, other) if name in chosen else (other, name)
                    why = f"{mine}: `{key_name(key)}` is the key of {its} in {where}"
                    raise _wrong(file, mine, why, "give one of them another key, or [] for none")


def _bound(keys: tuple[str, ...]) -> Bound:
    return Bound(keys, key_name(keys[0])) if keys else Bound()


def _nearest(name: str, actions: Mapping[str, _Action]) -> str:
    near = get_close_matches(name, actions, 1, 0.6)
    return f"did you mean `{near[0]}`?" if near else "an action's id, as the reference page Keys lists them: `ui.quit`"


def _wrong(file: TomlFile, name: str, why: str, hint: str) -> UsageError:
    return UsageError(why, what=_WHAT, where=file.where(name), hint=hint)
