"""`[components.groups.NAME]` in the configuration: which components are supervised together, and how. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, get_args

from console.client import Json
from console.toml_file import TomlFile
from runtime.components.supervision import Group, Rules, Strategy
from runtime.errors import UsageError
from runtime.quantities import format_duration_ms, parse_duration_ms
from runtime.sanitise import clean

__all__ = ["GROUPS", "ComponentGroup", "group_row", "groups_table", "read_groups"]

GROUPS: Final = "components.groups"
_KEYS: Final = ("strategy", "members", "max_restarts", "window")
_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
_MEMBER: Final = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?/[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_MEMBERS_MAX: Final = 64
_RESTARTS_MAX: Final = 100
_WINDOW_MS: Final = (1_000, 24 * 3_600_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentGroup:
    """One `[components.groups.NAME]`.

    Attributes:
        name: of the group.
        origin: file and line, such as `config.toml:12`.
        members: `namespace/name` of components, in the order in which they start.
        strategy: who moves when one of them fails.
        max_restarts: in the window; one more, and the group is given up.
        window_ms: how long a restart counts.
    """

    name: str
    origin: str
    members: tuple[str, ...]
    strategy: Strategy = "one-for-one"
    max_restarts: int = Rules().max_restarts
    window_ms: int = round(Rules().window_s * 1000)

    def supervised(self) -> Group:
        """As supervision takes it."""
        return Group(self.members, self.strategy, Rules(max_restarts=self.max_restarts, window_s=self.window_ms / 1000))


def read_groups(file: TomlFile, before: Mapping[str, ComponentGroup]) -> dict[str, ComponentGroup]:
    """The groups of a file, beside those of the files before it; one of the same name takes the other's place.

    Args:
        file: of the configuration.
        before: of the files before.

    Raises:
        UsageError: a key or a value that is none, with file, line and key; a component that is in two groups.
    """
    found = groups_table(file)
    groups = dict(before)
    if found is None:
        return groups
    if not isinstance(found, Mapping):
        raise _fault(file, GROUPS, "expected tables", "write [components.groups.NAME]")
    for name, table in found.items():
        groups[str(name)] = _group(file, str(name), table)
    _check_apart(file, groups)
    return groups


def groups_table(file: TomlFile) -> object:
    """The groups as they stand in a file; None where there are none.

    Args:
        file: of the configuration.
    """
    section = file.tables.get("components")
    return section.get("groups") if isinstance(section, Mapping) else None


def group_row(group: ComponentGroup) -> dict[str, Json]:
    """As `orlop config --json` prints it, beside the settings.

    Args:
        group: one of the configuration.
    """
    window = format_duration_ms(group.window_ms)
    written = f"{group.strategy} {' '.join(group.members)}; {group.max_restarts} restarts in {window}"
    return {
        "key": f"{GROUPS}.{group.name}",
        "value": {
            "strategy": group.strategy,
            "members": list(group.members),
            "max_restarts": group.max_restarts,
            "window_ms": group.window_ms,
        },
        "written": written,
        "origin": group.origin,
        "default": "",
        "help": "components that are supervised together",
    }


def _group(file: TomlFile, name: str, table: object) -> ComponentGroup:
    path = f"{GROUPS}.{clean(name, 60)}"
    if not _NAME.fullmatch(name):
        raise _fault(file, path, "a group's name has 1 to 40 small letters, digits and hyphens")
    if not isinstance(table, Mapping):
        raise _fault(file, path, "expected a table", f"write [{path}]")
    for key in table:
        if key not in _KEYS:
            raise _fault(file, f"{path}.{clean(key, 60)}", "unknown key", f"there are {', '.join(_KEYS)}")
    return ComponentGroup(
        name=name,
        origin=f"{file.path.name}:{file.line_of(path)}",
        members=_members(file, f"{path}.members", table.get("members")),
        strategy=_strategy(file, f"{path}.strategy", table.get("strategy", "one-for-one")),
        max_restarts=_restarts(file, f"{path}.max_restarts", table.get("max_restarts", Rules().max_restarts)),
        window_ms=_window(file, f"{path}.window", table.get("window", "1m")),
    )


def _members(file: TomlFile, key: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= _MEMBERS_MAX:
        raise _fault(file, key, f'expected a list of 1 to {_MEMBERS_MAX} components, such as ["local/word-count"]')
    members: list[str] = []
    for one in value:
        if not isinstance(one, str) or not _MEMBER.fullmatch(one):
            raise _fault(file, key, f"`{clean(str(one), 80)}` is no name of a component", "write namespace/name")
        if one in members:
            raise _fault(file, key, f"{one} stands in it twice")
        members.append(one)
    return tuple(members)


def _strategy(file: TomlFile, key: str, value: object) -> Strategy:
    for strategy in get_args(Strategy):
        if value == strategy:
            found: Strategy = strategy
            return found
    raise _fault(file, key, f"`{clean(str(value), 60)}` is not {', '.join(get_args(Strategy))}")


def _restarts(file: TomlFile, key: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _RESTARTS_MAX:
        raise _fault(file, key, f"expected a number, 0 to {_RESTARTS_MAX}")
    return value


def _window(file: TomlFile, key: str, value: object) -> int:
    if not isinstance(value, str):
        raise _fault(file, key, 'expected a duration, such as "1m"')
    low, high = _WINDOW_MS
    try:
        return parse_duration_ms(value, minimum=low, maximum=high)
    except UsageError as error:
        raise _fault(file, key, error.why, error.hint) from None


def _check_apart(file: TomlFile, groups: Mapping[str, ComponentGroup]) -> None:
    of: dict[str, str] = {}
    for group in groups.values():
        for member in group.members:
            if member in of:
                raise _fault(file, f"{GROUPS}.{group.name}.members", f"{member} is in the group {of[member]} already")
            of[member] = group.name


def _fault(file: TomlFile, key: str, why: str, hint: str = "") -> UsageError:
    return UsageError(f"{key}: {why}", what="configuration", where=file.where(key), hint=hint)
