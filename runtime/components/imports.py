"""Whether a component asks for no more than its world gives, and offers what every component must.

Names only, and before anything is compiled. Nobody compares the types of functions: the engine takes what a component
says of an import, and values that are none of ours end the call in which they come. Versions follow the engine's rule:
what has the same major version fits.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from runtime.sandbox.componentcheck import ComponentFacts
from runtime.sanitise import clean

__all__ = ["Worlds", "misfits"]

Worlds = Mapping[str, frozenset[str]]
"""By a world's name, such as `orlop:core/component`: the interfaces that it imports, without version."""

_NAME: Final = re.compile(r"(?P<interface>[a-z0-9:-]+/[a-z0-9-]+)@(?P<major>[0-9]+)\.[0-9]+\.[0-9]+", re.ASCII)
_NAME_CHARS: Final = 120
_WASI: Final = "wasi:"


def misfits(facts: ComponentFacts, world: str, worlds: Worlds, required: Iterable[str], version: str) -> Sequence[str]:
    """What keeps a component from being one of a world.

    Args:
        facts: of the component.
        world: its world's name in full.
        worlds: all that there are.
        required: interfaces that it must export, without version.
        version: of all interfaces here.

    Returns:
        Clauses that follow the file's name, such as `imports orlop:ext-process/lifecycle@1.0.0, which this world does
        not include`; none for a component that fits. Names in them are harmless to show.
    """
    if world not in worlds:
        return [f"is for the world {clean(world, _NAME_CHARS)}, and the worlds are {', '.join(sorted(worlds))}"]
    wasi = [name for name in facts.imports if name.startswith(_WASI)]
    others = [name for name in facts.imports if not name.startswith(_WASI)]
    found = [_of_wasi(wasi)] if wasi else []
    found += (why for name in others if (why := _import(name, worlds[world], worlds, version)))
    found += (why for interface in sorted(required) if (why := _export(interface, facts.exports, version)))
    return found


def _of_wasi(names: Sequence[str]) -> str:
    more = f" and {len(names) - 1} more of wasi" if len(names) > 1 else ""
    return f"imports {clean(names[0], _NAME_CHARS)}{more}, which no world includes (componentize-py: --stub-wasi)"


def _import(name: str, given: frozenset[str], worlds: Worlds, version: str) -> str:
    shown = clean(name, _NAME_CHARS)
    parts = _NAME.fullmatch(name)
    if parts is None or parts["interface"] not in given:
        known = parts is not None and any(parts["interface"] in interfaces for interfaces in worlds.values())
        return f"imports {shown}, which {'this' if known else 'no'} world {'does not include' if known else 'includes'}"
    if parts["major"] != version.partition(".")[0]:
        return f"imports {shown}, and orlop has {parts['interface']}@{version}"
    return ""


def _export(interface: str, exports: Sequence[str], version: str) -> str:
    candidates = [name for name in exports if name.partition("@")[0] == interface]
    if not candidates:
        return f"does not export {interface}@{version}"
    major = version.partition(".")[0]
    if not any((parts := _NAME.fullmatch(name)) and parts["major"] == major for name in candidates):
        return f"exports {clean(candidates[0], _NAME_CHARS)}, and {interface}@{version} is needed"
    return ""
