"""The one schema of Component.toml: every key with its type, default, bounds and reader."""

import re
from collections.abc import Mapping
from typing import Final

from runtime.canonical import Json
from runtime.canonical import encode as canonical_bytes
from runtime.components.manifest.model import (
    SCHEMA,
    WORLDS,
    ComponentFile,
    Lifecycle,
    Limits,
    Manifest,
    Messaging,
    Mount,
    Package,
    Signature,
    Supervision,
)
from runtime.components.manifest.permission_keys import Asked, permissions_key
from runtime.components.manifest.readers import (
    BadValueError,
    Key,
    Place,
    boolean,
    choice,
    duration,
    group,
    integer,
    items,
    kind,
    matching,
    size,
    string,
    table,
)
from runtime.components.permissions.errors import InvalidRequestError
from runtime.components.permissions.paths import normalise
from runtime.quantities import format_duration_ms, format_size
from runtime.sanitise import clean

__all__ = ["KEYS", "documented", "read_document"]

_KIB: Final = 2**10
_MIB: Final = 2**20
_GIB: Final = 2**30
_SECOND: Final = 1000
_MINUTE: Final = 60_000
_HOUR: Final = 3_600_000
_MOUNTS: Final = 16
_CONFIG_BYTES: Final = 64 * _KIB
_METADATA_BYTES: Final = 4 * _KIB
_NAME: Final = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*", re.ASCII)
_NUMBER: Final = r"(?:0|[1-9][0-9]*)"
_PRE: Final = r"(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_SEMVER: Final = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-{_PRE}(?:\.{_PRE})*)?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?", re.ASCII
)
_URL: Final = re.compile(r"https://[!-~]+", re.ASCII)
_HEX64: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]{85}[AQgw]==", re.ASCII)
_SEGMENT: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*", re.ASCII)


def _schema(value: object, place: Place) -> int:
    if integer(-(2**63), 2**63 - 1)(value, place) != SCHEMA:
        raise BadValueError(f"{value} is not a schema that is known here; write {SCHEMA}")
    return SCHEMA


def _file(value: object, place: Place) -> str:
    text = string(255)(value, place)
    if not text.endswith(".wasm") or not all(map(_SEGMENT.fullmatch, text.split("/"))):
        raise BadValueError(f'"{clean(text, 60)}": a path beside this file is needed that ends in .wasm')
    return text


def _guest(value: object, place: Place) -> str:
    text = string(1024)(value, place)
    try:
        normal = normalise(text)
    except InvalidRequestError as error:
        raise BadValueError(f'"{clean(text, 60)}": {error.why.removeprefix("invalid path: ")}') from None
    if normal != text:
        raise BadValueError(f'"{clean(text, 60)}": an absolute path is needed; write {clean(normal, 60)}')
    return text


def _mounts(value: object, place: Place) -> tuple[Mount, ...]:
    mounts = items(table(Mount, _MOUNT), _MOUNTS)(value, place)
    for index, one in enumerate(mounts):
        for other in mounts[:index]:
            if f"{one.guest}/".replace("//", "/").startswith(f"{other.guest}/".replace("//", "/")) or (
                f"{other.guest}/".replace("//", "/").startswith(f"{one.guest}/".replace("//", "/"))
            ):
                place.at(index).at("guest").tell(f'"{clean(one.guest, 60)}" overlaps "{clean(other.guest, 60)}"')
    return mounts


def _config(value: object, place: Place) -> Mapping[str, Json]:
    if not isinstance(value, dict):
        raise BadValueError(f"a table is needed, found {kind(value)}")
    before = len(place.faults)
    _only_json(value, place)
    if len(place.faults) > before:
        raise BadValueError
    if len(canonical_bytes(value)) > _CONFIG_BYTES:
        raise BadValueError("more than 64KiB as JSON")
    return value


def _only_json(value: object, place: Place) -> None:
    if isinstance(value, dict):
        for name, item in value.items():
            _only_json(item, place.at(name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _only_json(item, place.at(index))
    elif not isinstance(value, bool | int | str):
        place.tell(f"{kind(value)} is not allowed; write it as a string")


def _metadata(value: object, place: Place) -> Mapping[str, str]:
    if not isinstance(value, dict):
        raise BadValueError(f"a table is needed, found {kind(value)}")
    found = {name: place.at(name).read(string(_METADATA_BYTES), one) or "" for name, one in value.items()}
    if sum(len(name.encode()) + len(one.encode()) for name, one in found.items()) > _METADATA_BYTES:
        raise BadValueError("more than 4KiB together")
    return found


_HYPHENS: Final = "lower-case letters and digits are needed, with - between them"
_PACKAGE: Final[dict[str, Key[object]]] = {
    "name": Key(matching(_NAME, _HYPHENS, 64), "string", "required", "`[a-z][a-z0-9]*(-[a-z0-9]+)*`, ≤ 64"),
    "namespace": Key(matching(_NAME, _HYPHENS, 64), "string", '`"local"`', "same form"),
    "version": Key(
        matching(_SEMVER, "not a version as 1.2.3 (SemVer 2.0.0)", 64), "string", "required", "SemVer 2.0.0, ≤ 64"
    ),
    "description": Key(string(500), "string", "empty", "≤ 500 characters"),
    "authors": Key(items(string(128), 16), "list of strings", "`[]`", "≤ 16, ≤ 128 characters each"),
    "license": Key(string(64), "string", "empty", "≤ 64 characters"),
    "homepage": Key(matching(_URL, "a URL with https:// is needed", 512), "string", "empty", "`https://…`, ≤ 512"),
    "repository": Key(matching(_URL, "a URL with https:// is needed", 512), "string", "empty", "`https://…`, ≤ 512"),
    "keywords": Key(items(string(32), 10), "list of strings", "`[]`", "≤ 10, ≤ 32 characters each"),
}  # fmt: skip

_COMPONENT: Final[dict[str, Key[object]]] = {
    "file": Key(_file, "string", "required", "a path beside the manifest, no `..`, ends in `.wasm`; ≤ 64 MiB"),
    "sha256": Key(
        matching(_HEX64, "64 lower-case hexadecimal characters are needed", 64),
        "string", "none", "of the file; required to install",
    ),
    "world": Key(choice(WORLDS), "string", f'`"{WORLDS[0]}"`', ", ".join(f"`{world}`" for world in WORLDS)),
    "stateful": Key(boolean, "boolean", "`true`", "`false`: a fresh instance per `execute`"),
}  # fmt: skip

_MOUNT: Final[dict[str, Key[object]]] = {
    "guest": Key(_guest, "string", "required", "absolute; no mount inside another"),
    "source": Key(
        choice(("private", "temp", "operator")), "string", "required",
        "`private` is kept, `temp` emptied at stop, `operator` given at install by `--dir HOST:GUEST`",
    ),
    "read_only": Key(boolean, "boolean", "`false`", "nothing below can be changed"),
}  # fmt: skip


def _size(default: str, lowest: int, highest: int, rule: str) -> Key[object]:
    bounds = f"{format_size(lowest)} to {format_size(highest)}"
    return Key(size(lowest, highest), "size", f'`"{default}"`', f"{bounds}; {rule}")


def _time(default: str, lowest: int, highest: int, rule: str) -> Key[object]:
    bounds = f"{format_duration_ms(lowest)} to {format_duration_ms(highest)}"
    shown = "none" if default == "none" else f'`"{default}"`'
    return Key(duration(lowest, highest), "duration", shown, f"{bounds}; {rule}")


def _count(default: int, lowest: int, highest: int, rule: str) -> Key[object]:
    return Key(integer(lowest, highest), "integer", str(default), f"{lowest} to {highest}; {rule}")


_LIMITS: Final[dict[str, Key[object]]] = {
    "memory": _size("64MiB", _MIB, 4 * _GIB, "of the instance"),
    "table_elements": _count(20_000, 0, 10_000_000, "of all its tables"),
    "instances": _count(64, 1, 10_000, "core instances inside the component"),
    "fuel": Key(integer(1, 2**63 - 1), "integer", "none", "from 1; instructions per call"),
    "init_timeout": _time("10s", 10, _HOUR, "of `init`"),
    "call_timeout": _time("5s", 10, _HOUR, "of every other call"),
    "shutdown_timeout": _time("5s", 10, _HOUR, "of `shutdown`"),
    "cpu_per_minute": _time("20s", 100, _MINUTE, "beyond it calls wait"),
    "handles": _count(256, 1, 65_536, "open at a time"),
    "sockets": _count(64, 0, 1024, "open at a time"),
    "children": _count(4, 0, 64, "running at a time"),
    "open_files": _count(128, 0, 1024, "open at a time"),
    "storage": _size("16MiB", 0, _GIB, "kept by `storage`"),
    "filesystem": _size("256MiB", 0, 64 * _GIB, "of its private and temp mounts together, in all its instances"),
    "message": _size("256KiB", 1, _MIB, "one message"),
    "log_rate": _count(50, 1, 1000, "lines per second"),
}

_LIFECYCLE: Final[dict[str, Key[object]]] = {
    "autostart": Key(boolean, "boolean", "`false`", "start with the console"),
    "health_interval": _time("30s", _SECOND, _HOUR, "between two questions"),
    "health_timeout": _time("5s", 10, _MINUTE, "of one answer"),
    "health_failures": _count(3, 1, 100, "in a row, until it has failed"),
    "idle_timeout": _time("none", _SECOND, 12 * _HOUR, "without a call; then it is stopped"),
}

_SUPERVISION: Final[dict[str, Key[object]]] = {
    "restart": Key(
        choice(("always", "on-failure", "never")), "string", '`"on-failure"`', "`always`, `on-failure`, `never`"
    ),
    "max_restarts": _count(3, 0, 100, "within `window`"),
    "window": _time("60s", _SECOND, _HOUR, "in which restarts are counted"),
    "backoff_initial": _time("100ms", 10, _MINUTE, "doubled each time"),
    "backoff_max": _time("30s", 10, _HOUR, "not less than `backoff_initial`"),
}  # fmt: skip

_MESSAGING: Final[dict[str, Key[object]]] = {
    "mailbox": _count(256, 1, 4096, "messages that wait"),
    "overflow": Key(choice(("reject", "drop-oldest")), "string", '`"reject"`', "`reject` or `drop-oldest`"),
    "pending_requests": _count(64, 0, 1024, "requests without an answer yet"),
}

_SIGNATURE: Final[dict[str, Key[object]]] = {
    "public_key": Key(
        matching(_HEX64, "64 lower-case hexadecimal characters are needed", 64),
        "string", "required", "64 hexadecimal characters",
    ),
    "signature": Key(matching(_BASE64, "base64 of 64 bytes is needed", 88), "string", "required", "base64 of 64 bytes"),
}  # fmt: skip

KEYS: Final[Mapping[str, Key[object]]] = {
    "schema": Key(_schema, "integer", "required", "1"),
    "package": group(Package, _PACKAGE, "who it is", "required"),
    "component": group(ComponentFile, _COMPONENT, "what is run", "required"),
    "config": Key(_config, "table", "empty", "given to `init` as JSON, ≤ 64 KiB; no dates, no fractions"),
    "mounts": Key(_mounts, "list of tables", "`[]`", "≤ 16 directories that it sees; no host path", _MOUNT, True),
    "permissions": permissions_key(),
    "limits": group(Limits, _LIMITS, "ceilings; those of the operator cut them down"),
    "lifecycle": group(Lifecycle, _LIFECYCLE, "when it runs"),
    "supervision": group(Supervision, _SUPERVISION, "what follows a failure"),
    "messaging": group(Messaging, _MESSAGING, "its mailbox"),
    "signature": group(Signature, _SIGNATURE, "see below", "none"),
    "metadata": Key(_metadata, "table of strings", "empty", "not looked at; ≤ 4 KiB"),
}
"""The whole, by the names at the top."""


def _manifest(*, schema: int, permissions: Asked | None = None, **parts: object) -> Manifest:  # noqa: ARG001 - checked
    asked = permissions or Asked()
    return Manifest(
        permissions=asked.rules,
        environment=asked.environment,
        reasons=asked.reasons,
        **parts,  # type: ignore[arg-type]
    )


def read_document(document: Mapping[str, object], place: Place) -> Manifest | None:
    """Reads a parsed document; faults are gathered at `place`, and None comes back with them."""
    manifest = place.read(table(_manifest, KEYS), document)
    if manifest is None:
        return None
    _check_storage(manifest, place.at("permissions"))
    if manifest.supervision.backoff_initial > manifest.supervision.backoff_max:
        place.at("supervision").at("backoff_max").tell("less than backoff_initial")
    return None if place.faults else manifest


def _check_storage(manifest: Manifest, place: Place) -> None:
    """A namespace belongs to the package, or to all."""
    for rule in manifest.permissions.storage:
        if rule.name.partition(":")[0] not in {manifest.package.name, "shared"}:
            at = place.at("storage").at("namespaces").at(rule.index)
            at.tell(f'"{clean(rule.name, 80)}": the prefix is {manifest.package.name} or shared')


def documented() -> list[tuple[str, Key[object]]]:
    """Every key by its path, `[]` for the items of a list, in the order of the reference."""
    return list(_flat("", KEYS))


def _flat(prefix: str, keys: Mapping[str, Key[object]]) -> list[tuple[str, Key[object]]]:
    found = []
    for name, key in keys.items():
        path = f"{prefix}{name}"
        found.append((path, key))
        found += _flat(f"{path}[]." if key.listed else f"{path}.", key.keys)
    return found
