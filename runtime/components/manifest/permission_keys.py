"""The keys below `permissions`: every pattern is compiled when it is read, and refused with its place."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial, reduce
from typing import Final, TypeVar

from runtime.components.manifest.faults import KeyPath
from runtime.components.manifest.readers import (
    BadValueError,
    Key,
    Place,
    Reader,
    boolean,
    choice,
    group,
    integer,
    items,
    kind,
    matching,
    string,
    table,
)
from runtime.components.permissions import environment
from runtime.components.permissions.addresses import read_address
from runtime.components.permissions.errors import PatternError
from runtime.components.permissions.exchange import SegmentPattern, TailPattern, hash_pattern, target_pattern
from runtime.components.permissions.glob import Glob
from runtime.components.permissions.hosts import HostPattern
from runtime.components.permissions.paths import PathPattern
from runtime.components.permissions.ports import PortRange, read_ports
from runtime.components.permissions.processes import ArgumentPatterns
from runtime.components.permissions.rules import KILL, HostRule, PatternRule, Rules, SpawnRule, StorageRule
from runtime.components.permissions.signals import KILLING, read_signal, signal_name
from runtime.sanitise import clean

__all__ = ["LIST_MAX", "Asked", "environment_name", "permissions_key", "storage_name"]

LIST_MAX: Final = 256
_TEXT: Final = 4096
_SHOWN: Final = 80
_REASON: Final = 300
_FROM: Final = "permissions"
_STORAGE: Final = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*:(?:[A-Za-z0-9._-]{1,64}|[A-Za-z0-9._-]{0,64}\*)", re.ASCII)
_STORAGE_ACTIONS: Final = ("read", "write", "delete")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Asked:
    """What stands below `permissions`: rules, fixed variables, and reasons by group."""

    rules: Rules = field(default_factory=Rules)
    environment: Mapping[str, str] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)


def environment_name(text: str) -> Glob:
    """A pattern of names of variables; raises `PatternError`."""
    if re.fullmatch(r"[A-Za-z0-9_*?]{1,255}", text, re.ASCII) is None:
        raise PatternError("letters, digits, _, * and ? are needed")
    if pattern := environment.never(text):
        raise PatternError(f"always refused ({pattern})")
    return Glob(text)


def storage_name(text: str) -> TailPattern:
    """A pattern of storage namespaces, `prefix:name`; raises `PatternError`."""
    if _STORAGE.fullmatch(text) is None:
        raise PatternError("prefix:name is needed, with * only at the end")
    return TailPattern(text)


def _signal(text: str) -> int:
    number = read_signal(text)
    if number is None:
        raise PatternError("not a signal")
    if number in KILLING:
        raise PatternError("allowed by process.kill, not here")
    return number


def _compiled(compiled: Callable[[str], object], value: str) -> str:
    """The text of a pattern that compiles."""
    try:
        compiled(value)
    except PatternError as error:
        raise BadValueError(f'"{clean(value, _SHOWN)}": {error.why}') from None
    return value


def _pattern(compiled: Callable[[str], object]) -> Reader[str]:
    text = string(_TEXT)
    return lambda value, place: _compiled(compiled, text(value, place))


def _index(path: KeyPath) -> int:
    return path[-1] if isinstance(path[-1], int) else 0


def _patterns(name: str, compiled: Callable[[str], object], rule: str, one: Reader[str] | None = None) -> Key[Rules]:
    reader = items(one or _pattern(compiled), LIST_MAX)

    def read(value: object, place: Place) -> Rules:
        found = reader(value, place)
        return Rules(patterns=tuple(PatternRule(name, index, _FROM, text) for index, text in enumerate(found)))

    return Key(read, "list of strings", "`[]`", rule)


def _signal_text(value: object, place: Place) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    text = _compiled(_signal, string(8)(value, place))
    return signal_name(_signal(text))


def _ports(lowest: int) -> Reader[tuple[PortRange, ...]]:
    def one(value: object, place: Place) -> PortRange:  # noqa: ARG001 - a Reader
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise BadValueError(f"a port is needed, found {kind(value)}")
        try:
            return read_ports(value, lowest)
        except PatternError as error:
            raise BadValueError(f'"{clean(str(value), _SHOWN)}": {error.why}') from None

    several = items(one, LIST_MAX)

    def read(value: object, place: Place) -> tuple[PortRange, ...]:
        found = several(value, place)
        if not found:
            raise BadValueError("at least one port is needed")
        return found

    return read


def _address(text: str) -> None:
    if read_address(text.removeprefix("[").removesuffix("]")) is None:
        raise PatternError("an address is needed, not a name or network")


def _hosts(name: str, host_key: str, compiled: Callable[[str], object], rule: str, *, flags: bool) -> Key[Rules]:
    lowest = 0 if name == "network.inbound" else 1
    ports = _ports(lowest)
    keys: dict[str, Key[object]] = {
        host_key: Key(_pattern(compiled), "string", "required", rule),
        "ports": Key(ports, "list", "required", 'integers, `"8000-8100"`, `"*"`' + ("; 0 = any free" * (not lowest))),
    }
    if flags:
        keys["private"] = Key(boolean, "boolean", "`false`", "the name may lead to addresses that are not public")
        keys["tls_insecure"] = Key(boolean, "boolean", "`false`", "certificates need not be verified")
    whole: Reader[dict[str, object]] = table(dict, keys)

    def one(value: object, place: Place) -> HostRule:
        found = _short_host(value) if isinstance(value, str) else whole(value, place)
        host = _compiled(compiled, str(found[host_key] if host_key in found else found["host"]))
        given = found["ports"] if isinstance(found["ports"], tuple) else ports(found["ports"], place)
        private, insecure = found.get("private") is True, found.get("tls_insecure") is True
        return HostRule(name, _index(place.path), _FROM, host, given, private, insecure)

    reader = items(one, LIST_MAX)
    kinds = 'list of tables or `"host:port"`'
    return Key(lambda value, place: Rules(hosts=reader(value, place)), kinds, "`[]`", rule, keys, listed=True)


def _short_host(value: str) -> dict[str, object]:
    """`host:port` as a table."""
    host, _, port = value[:_TEXT].rpartition(":")
    if not host or not port:
        raise BadValueError(f'"{clean(value, _SHOWN)}": "host:port" or a table is needed')
    return {"host": host, "ports": [port]}


def _arguments(value: object, place: Place) -> tuple[str, ...]:
    found = items(string(_TEXT), LIST_MAX)(value, place)
    try:
        ArgumentPatterns(found)
    except PatternError as error:
        raise BadValueError(error.why) from None
    return found


_SPAWN: Final[dict[str, Key[object]]] = {
    "command": Key(_pattern(PathPattern), "string", "required", "a path pattern over paths of this machine"),
    "args": Key(_arguments, "list of strings", "`[]`", "a pattern for each argument; a last `**` is any rest"),
    "sha256": Key(
        matching(re.compile(r"[0-9a-f]{64}"), "64 lower-case hexadecimal characters are needed", 64),
        "string", "none", "what the program must hash to before each start",
    ),
    "environment": Key(
        items(_pattern(environment_name), LIST_MAX), "list of strings", "`[]`", "names that a child may be given"
    ),
    "max": Key(integer(1, 64), "integer", "4", "1 to 64 children of this rule at a time"),
}  # fmt: skip


def _spawn() -> Key[Rules]:
    whole: Reader[SpawnRule] = table(partial(SpawnRule, "process.spawn", 0, _FROM), _SPAWN)
    reader = items(lambda value, place: replace(whole(value, place), index=_index(place.path)), LIST_MAX)
    rule = "programs that may be started"
    return Key(
        lambda value, place: Rules(spawn=reader(value, place)), "list of tables", "`[]`", rule, _SPAWN, listed=True
    )


_NAMESPACE: Final[dict[str, Key[object]]] = {
    "name": Key(
        _pattern(storage_name), "string", "required", "`prefix:name`; the prefix is the package's name or `shared`"
    ),
    "actions": Key(
        items(choice(_STORAGE_ACTIONS), 3), "list of strings", '`["read"]`', "of `read`, `write`, `delete`"
    ),
}  # fmt: skip


def _storage() -> Key[Rules]:
    whole: Reader[StorageRule] = table(partial(StorageRule, "storage.namespaces", 0, _FROM), _NAMESPACE)

    def one(value: object, place: Place) -> StorageRule:
        index = _index(place.path)
        if isinstance(value, str):
            return StorageRule("storage.namespaces", index, _FROM, _pattern(storage_name)(value, place))
        return replace(whole(value, place), index=index)

    reader = items(one, LIST_MAX)
    rule = "namespaces of the component's storage"
    kinds = 'list of tables or `"prefix:name"`'
    return Key(lambda value, place: Rules(storage=reader(value, place)), kinds, "`[]`", rule, _NAMESPACE, listed=True)


def _together(**parts: Rules) -> Rules:
    return reduce(Rules.plus, parts.values(), Rules())


def _network(**parts: Rules) -> Rules:
    rules = _together(**parts)
    return Rules(rules.patterns, rules.hosts, rules.spawn, rules.storage, "resolve" not in parts)


def _process(*, kill: bool = True, **parts: Rules) -> Rules:
    rules = _together(**parts)
    killing = Rules(patterns=(PatternRule(KILL, 0, _FROM, "true"),)) if kill and rules.spawn else Rules()
    return rules.plus(killing)


def _values(value: object, place: Place) -> dict[str, str]:
    if not isinstance(value, dict):
        raise BadValueError(f"a table is needed, found {kind(value)}")
    if len(value) > LIST_MAX:
        raise BadValueError(f"{len(value)} entries are more than {LIST_MAX}")
    before = len(place.faults)
    found = {}
    for name, one in value.items():
        if not environment.is_name(name):
            place.at(name).tell("not a name of a variable")
        elif pattern := environment.never(name):
            place.at(name).tell(f"always refused ({pattern})")
        else:
            found[name] = place.at(name).read(string(_TEXT), one) or ""
            if "\0" in found[name]:
                place.at(name).tell("NUL is not allowed")
    if len(place.faults) > before:
        raise BadValueError
    return found


@dataclass(frozen=True, slots=True)
class _Environment:
    read: Rules = field(default_factory=Rules)
    set: Mapping[str, str] = field(default_factory=dict)


def _asked(
    *, environment: _Environment | None = None, network: Rules | None = None, reasons: Mapping[str, str] | None = None,
    **parts: Rules,
) -> Asked:  # fmt: skip
    variables = environment or _Environment()
    rules = _together(**parts, network=network or Rules(), environment=variables.read)
    follows = network is None or network.resolve_as_outbound
    rules = Rules(rules.patterns, rules.hosts, rules.spawn, rules.storage, follows)
    return Asked(rules, variables.set, reasons or {})


def permissions_key() -> Key[Asked]:
    """The key `permissions`, whole."""
    path = "absolute path patterns; `*`, `?` inside a segment, `**` for any number of segments"
    files = {name: _patterns(f"filesystem.{name}", PathPattern, path) for name in ("read", "write", "delete", "list")}
    denied = {
        name: _patterns(f"filesystem.deny.{name}", PathPattern, "wins over every allow rule")
        for name in ("read", "write", "delete", "list", "all")
    }
    talk = {
        name: _patterns(f"messaging.{name}", target_pattern, "`namespace/name`, `*` per segment")
        for name in ("send", "request", "broadcast", "receive")
    }
    topics = {
        name: _patterns(f"messaging.{name}", SegmentPattern, "topics; segments by `/`, `*` per segment")
        for name in ("publish", "subscribe")
    }
    host = "a name, `*.` and a name of two labels, `*`, an address or a network"
    groups: dict[str, Key[object]] = {
        "filesystem": group(
            _together, {**files, "deny": group(_together, denied, "what is never allowed")}, "files below mounts"
        ),
        "network": group(
            _network,
            {
                "outbound": _hosts("network.outbound", "host", HostPattern, host, flags=True),
                "inbound": _hosts(
                    "network.inbound", "address", _address, "an address; `0.0.0.0`, `::` only if spelled", flags=False
                ),
                "resolve": Key(
                    _patterns("network.resolve", HostPattern, "").reader,
                    "list of strings", "the names of `outbound`", "host patterns whose addresses may be asked for",
                ),
                "deny": _hosts("network.deny", "host", HostPattern, "wins over every allow rule", flags=False),
            },
            "hosts and ports",
        ),
        "process": group(
            _process,
            {
                "spawn": _spawn(),
                "kill": Key(boolean, "boolean", "`true`", "own children may be ended"),
                "signals": _patterns(
                    "process.signals", _signal,
                    "`int` `quit` `stop` `cont` `hup` `usr1` `usr2` or numbers; own children only", _signal_text,
                ),
                "deny": _patterns("process.deny", PathPattern, "commands that are never allowed"),
            },
            "programs of this machine",
        ),
        "environment": group(
            _Environment,
            {
                "read": _patterns("environment.read", environment_name, "names of this machine's variables; `*`, `?`"),
                "set": Key(_values, "table of strings", "empty", "fixed values that the component gets"),
            },
            "variables; given to `init`",
        ),
        "storage": group(_together, {"namespaces": _storage()}, "what it keeps"),
        "messaging": group(_together, {**talk, **topics}, "other components"),
        "jobs": group(
            _together,
            {"submit": _patterns("jobs.submit", hash_pattern, "SHA-256 of modules, a beginning and `*`, or `*`")},
            "jobs on this node",
        ),
        "rooms": group(
            _together,
            {"post": _patterns("rooms.post", TailPattern, "rooms; `*` only at the end")},
            "rooms of this node",
        ),
    }  # fmt: skip
    why = {
        name: Key(string(_REASON), "string", "empty", f"≤ {_REASON} characters, shown at install") for name in groups
    }
    return group(_asked, {**groups, "reasons": group(dict, why, "why each group is asked for")}, "what it asks for")
