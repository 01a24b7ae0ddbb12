"""Configuration: option over environment over file over default, each value with its origin.

Files are `config.toml` and, after it, the files of the state directory's `config.d` in order of name. An unknown key, a
wrong type and bad TOML are refused with file, line and nearest key. The user's own file is never written;
`config set` writes `config.d/50-set.toml`.
"""

import os
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from console.client import Json
from console.component_groups import GROUPS, ComponentGroup, group_row, groups_table, read_groups
from console.component_settings import ComponentsConfig
from console.control_settings import ControlConfig
from console.job_settings import JobsConfig
from console.p2p_settings import P2pConfig
from console.setting_key import Key, Value
from console.settings import (
    KEYS,
    AgentsConfig,
    CoreConfig,
    JournalConfig,
    NodeConfig,
    ReceiptsConfig,
    StorageConfig,
    UiConfig,
)
from console.toml_file import TomlFile, read_toml
from runtime import durable
from runtime.errors import UsageError
from runtime.sanitise import clean

if TYPE_CHECKING:
    from console.notify_rules import NotifyRule

__all__ = [
    "Config",
    "Setting",
    "changed",
    "config_file",
    "describe",
    "find",
    "keeping",
    "key_map_file",
    "load",
    "rows",
    "set_value",
]

_SET = "50-set.toml"
_DEFAULT = "default"
_NOTIFY = "notify"

_Section = TypeVar("_Section")


@dataclass(frozen=True, slots=True)
class Setting:
    """One effective value and where it came from, such as `default`, `ORLOP_UI_THEME` or `config.toml:3`."""

    key: Key
    value: Value
    origin: str

    @property
    def shown(self) -> str:
        """The value as people write it."""
        return self.key.written(self.value)

    def row(self) -> dict[str, Json]:
        """As `orlop config --json` prints it: the bare value (bytes, milliseconds) and the written one."""
        return {
            "key": self.key.name,
            "value": self.value,
            "written": self.shown,
            "origin": self.origin,
            "default": self.key.written(self.key.default),
            "help": self.key.help,
        }


@dataclass(frozen=True, slots=True)
class Config:
    """All settings. `Config()` holds the defaults."""

    node: NodeConfig = field(default_factory=NodeConfig)
    core: CoreConfig = field(default_factory=CoreConfig)
    control: ControlConfig = field(default_factory=ControlConfig)
    agents: AgentsConfig = field(default_factory=AgentsConfig)
    jobs: JobsConfig = field(default_factory=JobsConfig)
    components: ComponentsConfig = field(default_factory=ComponentsConfig)
    journal: JournalConfig = field(default_factory=JournalConfig)
    receipts: ReceiptsConfig = field(default_factory=ReceiptsConfig)
    p2p: P2pConfig = field(default_factory=P2pConfig)
    storage: StorageConfig = field(default_factory=StorageConfig)
    ui: UiConfig = field(default_factory=UiConfig)
    notify: tuple["NotifyRule", ...] = ()
    """What is told of events, and how; in the order of the files."""
    groups: Mapping[str, ComponentGroup] = field(default_factory=lambda: MappingProxyType({}))
    """Components that are supervised together, by the name of their group."""
    origins: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Where each key that is not at its default came from."""

    def __iter__(self) -> Iterator[Setting]:
        """Every setting, in the order of the table."""
        for key in KEYS.values():
            section = getattr(self, key.name.partition(".")[0])
            yield Setting(key, getattr(section, key.attribute), self.origins.get(key.name, _DEFAULT))

    def given(self, name: str) -> bool:
        """Whether a key was set anywhere."""
        return name in self.origins

    @property
    def node_name(self) -> str:
        """What this node calls itself: `node.name`, else the machine's name."""
        return self.node.name or clean(socket.gethostname().partition(".")[0] or "orlop", 64)


def config_file(option: str | None, environ: Mapping[str, str]) -> Path | None:
    """The configuration file: `--config`, else `$ORLOP_CONFIG`, else the one in the user's configuration directory.

    Args:
        option: the value of `--config`.
        environ: the environment; a relative `XDG_CONFIG_HOME` is ignored, as its specification says.

    Returns:
        A path, or None when the default one does not exist.

    Raises:
        UsageError: a file was named and is not there.
    """
    named = option or environ.get("ORLOP_CONFIG")
    if named:
        if not os.path.isfile(named):  # noqa: PTH113 - `Path.is_file` raises for some names
            raise UsageError("no such file", what="configuration", where=clean(named))
        return Path(named)
    path = _folder(environ) / "config.toml"
    return path if os.path.isfile(path) else None  # noqa: PTH113 - as above


def key_map_file(option: str | None, environ: Mapping[str, str]) -> Path | None:
    """The key map of the screen: `keys.toml`, where the configuration file is or would be.

    Args:
        option: the value of `--config`.
        environ: the environment.

    Returns:
        A path, or None when there is no such file.
    """
    named = option or environ.get("ORLOP_CONFIG")
    path = (Path(named).parent if named else _folder(environ)) / "keys.toml"
    return path if os.path.isfile(path) else None  # noqa: PTH113 - as above


def _folder(environ: Mapping[str, str]) -> Path:
    base = environ.get("XDG_CONFIG_HOME", "")
    home = environ.get("HOME") or "/nonexistent"
    return (Path(base) if Path(base).is_absolute() else Path(home) / ".config") / "orlop"


def load(
    file: Path | None,
    config_d: Path | None = None,
    environ: Mapping[str, str] = MappingProxyType({}),
    options: Mapping[str, str] = MappingProxyType({}),
) -> Config:
    """Reads every source of settings.

    Args:
        file: `config.toml`, or None.
        config_d: the state directory's folder of further files; need not exist.
        environ: the environment (`ORLOP_JOBS_MEMORY` for `jobs.memory`).
        options: values by key from the command line.

    Raises:
        UsageError: any of them is wrong; the message has file, line and key.
        UnavailableError: a file cannot be read.
    """
    values: dict[str, tuple[Value, str]] = {}
    rules: list[NotifyRule] = []
    groups: Mapping[str, ComponentGroup] = {}
    # Not `Path.is_dir`, which raises where a folder above cannot be searched: who needs the directory says so itself.
    extra = sorted(config_d.glob("*.toml")) if config_d is not None and os.path.isdir(config_d) else []  # noqa: PTH112
    for path in ([file] if file is not None else []) + extra:
        read = read_toml(path, what="configuration")
        values.update(_values(read))
        rules += _rules(read)
        groups = read_groups(read, groups)
    for key in KEYS.values():
        if key.variable in environ:
            values[key.name] = (_from_text(key, environ[key.variable], key.variable), key.variable)
    for name, text in options.items():
        values[name] = (_from_text(find(name), text, name), "option")
    return _build(values, tuple(rules), groups)


def set_value(config_d: Path, name: str, given: str) -> Setting:
    """Writes one value to `config.d/50-set.toml`, atomically; a running owner reads it at its next SIGHUP or start.

    Args:
        config_d: the state directory's folder; made when it is missing.
        name: the key.
        given: the value as people write it.

    Raises:
        UsageError: no such key or no such value, or the file that is there is damaged; nothing is written.
        UnavailableError: the file cannot be written.
    """
    import tomli_w

    key = find(name)
    value = key.from_text(given)
    path = config_d / _SET
    file = read_toml(path, what="configuration") if path.exists() else None
    held = {known: held for known, (held, _) in _values(file).items()} if file else {}
    held[name] = value
    tables: dict[str, object] = {_NOTIFY: file.tables[_NOTIFY]} if file and _NOTIFY in file.tables else {}
    groups = groups_table(file) if file else None
    sections: dict[str, object] = {"components": {"groups": groups}} if groups else {}
    for known in sorted(held):
        *groups, bare = known.split(".")
        _table(sections, groups)[bare] = KEYS[known].to_toml(held[known])
    text = tomli_w.dumps(sections | tables, multiline_strings=False)
    durable.make_directory(config_d)
    durable.replace(path, text.encode())
    return Setting(key, value, f"{_SET}:{read_toml(path, what='configuration').line_of(name)}")


def _table(tables: dict[str, object], names: Sequence[str]) -> dict[str, object]:
    """The table of these names, one in another."""
    for name in names:
        inner = tables.setdefault(name, {})
        if not isinstance(inner, dict):
            raise TypeError(f"{name} is a key and a group")
        tables = inner
    return tables


def find(name: str) -> Key:
    """The key of that name.

    Raises:
        UsageError: there is none; the hint names the nearest.
    """
    key = KEYS.get(name)
    if key is None:
        raise UsageError(f"no setting `{clean(name, 60)}`", hint=_nearest(name))
    return key


def changed(before: Config, after: Config) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The keys whose values differ, and those of them that take effect at the next start only."""
    keys = [new.key for old, new in zip(before, after, strict=True) if old.value != new.value]
    rules = (_NOTIFY,) if before.notify != after.notify else ()
    groups = (GROUPS,) if before.groups != after.groups else ()
    return (*(key.name for key in keys), *rules, *groups), (*(key.name for key in keys if key.restart), *groups)


def keeping(before: Config, after: Config, names: Iterable[str]) -> Config:
    """The newer configuration with the older values of some keys.

    Args:
        before: gives the values of these keys.
        after: gives all others.
        names: the keys.
    """
    kept = frozenset(names)
    values: dict[str, tuple[Value, str]] = {}
    for old, new in zip(before, after, strict=True):
        setting = old if old.key.name in kept else new
        if setting.origin != _DEFAULT:
            values[setting.key.name] = (setting.value, setting.origin)
    return _build(values, after.notify, before.groups if GROUPS in kept else after.groups)


def rows(config: Config) -> list[Json]:
    """Every setting and every group of components, as `orlop config --json` prints them.

    Args:
        config: the effective one.
    """
    return [*(setting.row() for setting in config), *(group_row(group) for group in config.groups.values())]


def describe() -> list[dict[str, Json]]:
    """Every key for the reference page: name, what may be written, default, environment variable, sentence."""
    return [
        {
            "key": key.name,
            "allowed": key.allowed,
            "default": key.written(key.default),
            "variable": key.variable,
            "help": key.help,
            "restart": key.restart,
        }
        for key in KEYS.values()
    ]


def _from_text(key: Key, text: str, origin: str) -> Value:
    try:
        return key.from_text(text)
    except UsageError as error:
        raise UsageError(error.why, what="configuration", where=origin, hint=error.hint) from error


def _rules(file: TomlFile) -> "list[NotifyRule]":
    """The `[[notify]]` of a file."""
    found = file.tables.get(_NOTIFY)
    if found is None:
        return []
    from console.notify_rules import NotifyKeyError, read_rule

    shown = clean(str(file.path))
    if not isinstance(found, list) or not all(isinstance(table, dict) for table in found):
        where = file.where(_NOTIFY)
        raise UsageError("notify: expected tables", what="configuration", where=where, hint="write [[notify]]")
    rules: list[NotifyRule] = []
    for number, table in enumerate(found):
        try:
            rules.append(read_rule(table, f"{file.path.name}:{file.line_in(_NOTIFY, number)}"))
        except NotifyKeyError as error:
            where = f"{shown}:{file.line_in(_NOTIFY, number, error.key)}"
            name = f"{_NOTIFY}.{clean(error.key, 60)}" if error.key else _NOTIFY
            raise UsageError(f"{name}: {error.why}", what="configuration", where=where, hint=error.hint) from error
    return rules


def _values(file: TomlFile) -> dict[str, tuple[Value, str]]:
    path = file.path
    values: dict[str, tuple[Value, str]] = {}
    for name, value in _flat({name: table for name, table in file.tables.items() if name != _NOTIFY}):
        if name == GROUPS:
            continue
        where = file.where(name)
        key = KEYS.get(name)
        if key is None:
            raise UsageError(f"unknown key `{clean(name, 60)}`", what="configuration", where=where, hint=_nearest(name))
        try:
            values[name] = (key.from_toml(value), f"{path.name}:{file.line_of(name)}")
        except UsageError as error:
            raise UsageError(f"{name}: {error.why}", what="configuration", where=where, hint=error.hint) from error
    return values


def _flat(tables: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Values by dotted name; what is no known section is a value, tables included."""
    for name, value in tables.items():
        dotted = f"{prefix}{name}"
        if isinstance(value, dict) and any(key.startswith(f"{dotted}.") for key in KEYS):
            yield from _flat(value, f"{dotted}.")
        else:
            yield dotted, value


def _section(shape: Callable[..., _Section], values: Mapping[str, tuple[Value, str]]) -> _Section:
    prefix = f"{shape.__name__.removesuffix('Config').lower()}."
    return shape(**{KEYS[name].attribute: value for name, (value, _) in values.items() if name.startswith(prefix)})


def _build(
    values: Mapping[str, tuple[Value, str]], rules: "tuple[NotifyRule, ...]", groups: Mapping[str, ComponentGroup]
) -> Config:
    return Config(
        node=_section(NodeConfig, values),
        core=_section(CoreConfig, values),
        control=_section(ControlConfig, values),
        agents=_section(AgentsConfig, values),
        jobs=_section(JobsConfig, values),
        components=_section(ComponentsConfig, values),
        journal=_section(JournalConfig, values),
        receipts=_section(ReceiptsConfig, values),
        p2p=_section(P2pConfig, values),
        storage=_section(StorageConfig, values),
        ui=_section(UiConfig, values),
        notify=rules,
        groups=MappingProxyType(dict(groups)),
        origins=MappingProxyType({name: origin for name, (_, origin) in values.items()}),
    )


def _nearest(name: str) -> str:
    """What was probably meant, also when the section was left out or the wrong one."""
    near = get_close_matches(name, KEYS, 1, 0.7)
    if not near:
        ends = {key.rpartition(".")[2]: key for key in KEYS}
        near = [ends[end] for end in get_close_matches(name.rpartition(".")[2], ends, 1, 0.8)]
    return f"did you mean `{near[0]}`?" if near else "`orlop config` lists all keys"
