"""Translation of the five schemas of old into the one of today: what comes out always loads.

A candidate is made of whatever is there; what the schema of today refuses in it is taken out again and named in the
comments at the head of the text.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final, cast

from runtime.canonical import Json
from runtime.components.manifest.faults import FILE_NAME, KeyPath, ManifestError, spoken
from runtime.components.manifest.model import WORLDS
from runtime.components.manifest.old_schemas import old_faults
from runtime.components.manifest.read import parse, read_manifest
from runtime.errors import UsageError
from runtime.sanitise import clean

__all__ = ["migrate"]

_ACTIONS: Final = {
    "read": "read", "write": "write", "delete": "delete", "list": "list", "list-dir": "list", "create": "write",
    "execute": "",
}  # fmt: skip
_PACKAGE: Final = ("version", "description", "authors", "license", "homepage", "repository", "keywords")
_NEVER: Final = ("build", "development", "dependencies", "security", "signature")
_ROUNDS: Final = 30

Doc = dict[str, Json]


def migrate(raw: bytes, name: str = FILE_NAME) -> str:
    """Translates a manifest of an older schema.

    Args:
        raw: the file.
        name: of the file, for messages.

    Returns:
        A Component.toml that loads; its head names what was not carried over.

    Raises:
        ManifestError: it cannot be read as TOML.
        UsageError: it is of no older schema.
    """
    import tomli_w

    old, _ = parse(raw, name)
    if not old_faults(old):
        raise UsageError("is of no older schema", where=clean(name, 200), hint="there is nothing to translate")
    translation = _Translation(old)
    new = translation.document()
    for _ in range(_ROUNDS):
        try:
            read_manifest(tomli_w.dumps(new).encode(), name)
            break
        except ManifestError as error:
            translation.notes += [f"{spoken(fault.path)}: {fault.reason}" for fault in error.faults]
            for path in reversed(dict.fromkeys(_item(fault.path) for fault in error.faults)):
                _remove(new, path)
    else:
        raise UsageError("cannot be translated", where=clean(name, 200), hint="write it anew from the reference")
    head = "# Translated from an older schema; look at every line, and at mounts first.\n"
    head += "".join(f"# Not carried over: {clean(note, 300)}\n" for note in dict.fromkeys(translation.notes))
    return f"{head}\n{tomli_w.dumps(new)}"


def _item(path: KeyPath) -> KeyPath:
    """The innermost list item that holds a path; the path itself outside lists."""
    last = max((place for place, part in enumerate(path) if isinstance(part, int)), default=len(path) - 1)
    return path[: last + 1]


def _remove(document: Doc, path: KeyPath) -> None:
    """Takes out what stands at a path."""
    if not path:
        return
    holder: object = document
    for part in path[:-1]:
        holder = _below(holder, part)
    if isinstance(holder, dict):
        holder.pop(path[-1], None)
    elif isinstance(holder, list) and isinstance(path[-1], int) and path[-1] < len(holder):
        del holder[path[-1]]


def _below(holder: object, part: str | int) -> object:
    if isinstance(holder, dict):
        return holder.get(str(part))
    return holder[part] if isinstance(holder, list) and isinstance(part, int) and part < len(holder) else None


class _Translation:
    """One document on its way."""

    def __init__(self, old: Mapping[str, Json]) -> None:
        self._old = old
        self.notes: list[str] = []
        self._files: dict[str, list[str]] = {}
        self._outbound: list[Json] = []
        self._inbound: list[Json] = []
        self._spawn: list[Json] = []
        self._messages: dict[str, list[str]] = {}

    def document(self) -> Doc:
        """The candidate."""
        self._permissions()
        permissions = self._asked()
        world = self._world()
        component = _table(self._old, "component")
        name = self._name()
        new: Doc = {
            "schema": 1,
            "package": self._package(name),
            "component": {"file": self._file(component, name), "world": world},
        }
        if mounts := list(self._mounts()):
            new["mounts"] = mounts
        if permissions:
            new["permissions"] = permissions
        if limits := self._limits():
            new["limits"] = limits
        if _table(self._old, "deployment").get("auto_restart") is False:
            new["supervision"] = {"restart": "never"}
        self.notes += [key for key in (*_NEVER, "deployment", "metadata") if key in self._old]
        self.notes += [f"{key}: unknown" for key in self._old if key not in _KNOWN]
        return new

    def _name(self) -> str:
        found = _table(self._old, "package").get("name") or _table(self._old, "component").get("name")
        slug = re.sub(r"[^a-z0-9]+", "-", str(found or "").lower()).strip("-").lstrip("0123456789-")[:64].strip("-")
        return slug or "component"

    def _package(self, name: str) -> Doc:
        given = {**_table(self._old, "component"), **_table(self._old, "package")}
        if isinstance(given.get("author"), str):
            given.setdefault("authors", [given["author"]])
        package: Doc = {"name": name, **{key: given[key] for key in _PACKAGE if key in given}}
        version = package.get("version")
        if not isinstance(version, str) or not re.fullmatch(r"\d{1,9}\.\d{1,9}\.\d{1,9}", version, re.ASCII):
            version = "0.1.0"
        return {**package, "version": re.sub(r"(^|\.)0+(?=\d)", r"\1", version)}

    def _file(self, component: Mapping[str, Json], name: str) -> str:
        places = (component.get("file"), component.get("path"), component.get("wasm"))
        build = _table(self._old, "build").get("artifact_path")
        found = next((str(one) for one in (*places, build) if isinstance(one, str)), "")
        file = found.rpartition("/")[2]
        return file if re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,200}\.wasm", file, re.ASCII) else f"{name}.wasm"

    def _permissions(self) -> None:
        component = _table(self._old, "component")
        for holder in (component.get("permissions"), self._old.get("permissions")):
            if isinstance(holder, list):
                self._listed("filesystem", holder)
            elif isinstance(holder, dict):
                for area, value in holder.items():
                    self._area(area, value)
        for area, value in _table(self._old, "capabilities").items():
            self._area(area.replace("file_system", "filesystem"), value)

    def _area(self, area: str, value: Json) -> None:
        if isinstance(value, list):
            self._listed(area, value)
        elif isinstance(value, dict):
            for action, items in value.items():
                self._grouped(area, action, items)
        else:
            self.notes.append(f"{area}")

    def _listed(self, area: str, items: list[Json]) -> None:
        """`[{action, path}]` and `["read:/x/**"]`."""
        for item in items:
            if isinstance(item, dict):
                target = next((item[key] for key in _TARGETS if key in item), None)
                host = f"{target}:{item['port']}" if "port" in item else target
                self._one(area, str(item.get("action", "")), host)
            elif isinstance(item, str):
                action, found, target = item.partition(":")
                known = found and action in {
                    *_ACTIONS,
                    "outbound",
                    "connect",
                    "inbound",
                    "listen",
                    "spawn",
                    "exec",
                    *_TALK,
                }
                self._one(area, *((action, target) if known else ("", item)))
            else:
                self.notes.append(f"{area}: {item}")

    def _grouped(self, area: str, action: str, items: Json) -> None:
        for item in items if isinstance(items, list) else [items]:
            if isinstance(item, dict):
                self._listed(area, [{"action": action, **item}])
            else:
                self._one(area, action, item)

    def _one(self, area: str, action: str, target: Json) -> None:
        """One permission, whatever it was written as."""
        if isinstance(target, bool) or not isinstance(target, str | int):
            self.notes.append(f"{area}.{action}")
        elif area == "filesystem" and isinstance(target, str) and _ACTIONS.get(action or "read"):
            self._files.setdefault(_ACTIONS[action or "read"], []).append(target)
        elif area == "network" and action in {"outbound", "connect", "", "hosts", "allowed_hosts"}:
            host, found, port = str(target).rpartition(":")
            self._outbound.append({"host": host, "ports": [_port(port)]} if found else {"host": target, "ports": [443]})
        elif area == "network" and action in {"inbound", "listen"}:
            host, _, port = str(target).rpartition(":")
            self._inbound.append({"address": host or "127.0.0.1", "ports": [_port(port)]})
        elif area == "process" and action in {"spawn", "exec", "", "commands"}:
            self._spawn.append({"command": target, "args": ["**"]})
        elif area == "messaging" and action in _TALK:
            other = str(target)
            self._messages.setdefault(_TALK[action], []).append(other if "/" in other else f"*/{other}")
        elif area != "storage":
            self.notes.append(f"{area}.{action}: {target}")

    def _asked(self) -> Doc:
        asked: Doc = {}
        if self._files:
            asked["filesystem"] = {action: list(dict.fromkeys(paths)) for action, paths in self._files.items()}
        network: Doc = {}
        if self._outbound:
            network["outbound"] = self._outbound
        if self._inbound:
            network["inbound"] = self._inbound
        if network:
            asked["network"] = network
        if self._spawn:
            asked["process"] = {"spawn": self._spawn}
        if self._messages:
            asked["messaging"] = dict(self._messages)
        return asked

    def _world(self) -> str:
        used = [bool(self._files), bool(self._outbound or self._inbound), bool(self._spawn)]
        if sum(used) > 1:
            return WORLDS[-1]
        return WORLDS[used.index(True) + 1] if any(used) else WORLDS[0]

    def _mounts(self) -> Iterator[Doc]:
        """The directories of the machine that patterns meant, as mounts that the operator gives."""
        changed = {_top(path) for action in ("write", "delete") for path in self._files.get(action, [])}
        tops = dict.fromkeys(_top(path) for paths in self._files.values() for path in paths)
        for top in sorted(filter(None, tops))[:16]:
            yield {"guest": top, "source": "operator", "read_only": top not in changed}

    def _limits(self) -> Doc:
        limits: Doc = {}
        resources, runtime = _table(self._old, "resources"), _table(self._old, "runtime")
        memory, cpu = _table(resources, "memory"), _table(resources, "cpu")
        storage = _table(_table(self._old, "capabilities"), "storage")
        for key, unit, value in (
            ("memory", 2**20, runtime.get("memory_max_mb")), ("memory", 2**20, resources.get("max_memory_mb")),
            ("memory", 1, memory.get("max_bytes")), ("fuel", 1, cpu.get("max_fuel")),
            ("call_timeout", 1, cpu.get("timeout_ms")), ("call_timeout", 1, runtime.get("timeout_ms")),
            ("call_timeout", 1000, resources.get("max_execution_time_seconds")),
            ("storage", 2**20, storage.get("quota_mb")),
        ):  # fmt: skip
            if isinstance(value, int) and not isinstance(value, bool):
                limits[key] = value * unit
        for name, holder in (("resources", resources), ("runtime", runtime)):
            self.notes += [f"{name}.{key}" for key in holder if key not in _CARRIED]
        return limits


_TARGETS: Final = ("path", "path-pattern", "host", "host-pattern", "command", "command-pattern", "target", "name")
_TALK: Final = {"can_send_to": "send", "can_receive_from": "receive", "send": "send", "receive": "receive"}
_KNOWN: Final = (
    "schema", "package", "component", "permissions", "capabilities", "runtime", "resources", "deployment", "metadata",
    *_NEVER,
)  # fmt: skip
_CARRIED: Final = ("memory", "cpu", "memory_max_mb", "max_memory_mb", "timeout_ms", "max_execution_time_seconds")


def _table(holder: Mapping[str, Json], name: str) -> Doc:
    value = holder.get(name)
    return dict(cast("Mapping[str, Json]", value)) if isinstance(value, dict) else {}


def _top(path: str) -> str:
    """The first directory of a pattern; empty when a wildcard could be any."""
    first = path.split("/")[1] if path.startswith("/") and path != "/" else ""
    return f"/{first}" if first and not set(first) & set("*?\\[]{}") else ""


def _port(text: str) -> Json:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 5 else text  # noqa: PLR2004 - digits of a port
