"""Reads our WIT from the resolved tree of `wasm-tools`, which is checked in: nobody needs the tool for that."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final, Literal

from runtime.components.wit import (
    Alias,
    Definition,
    Enum,
    Flags,
    Function,
    Handle,
    Interface,
    ListOf,
    Named,
    OptionOf,
    Package,
    Part,
    Primitive,
    Record,
    ResourceType,
    ResultOf,
    TupleOf,
    Type,
    Variant,
    Wit,
    WitError,
    World,
)

__all__ = ["read"]

_DOCS: Final = re.compile(r"(?P<text>.*?)\s*@perm\s+(?P<perm>.*?)\s*@fix\s+(?P<fix>.*)", re.DOTALL)
_PERMISSION: Final = re.compile(r"(?P<terms>[^()]+?)(?: \((?P<note>.*)\))?", re.DOTALL)
_TERM: Final = re.compile(r"none|own|env|(?:fs|net|proc|storage|msg|jobs|rooms)\.[a-z-]+")


def read(text: str) -> Wit:
    """Reads the resolved tree.

    Args:
        text: what `wasm-tools component wit --json` writes.

    Raises:
        WitError: a function's documentation lacks its permission, or there is a type that we do not use.
    """
    return _Reader(json.loads(text)).wit()


class _Reader:
    def __init__(self, tree: Mapping[str, Any]) -> None:
        self._types, self._interfaces = tree["types"], tree["interfaces"]
        self._packages, self._worlds = tree["packages"], tree["worlds"]

    def wit(self) -> Wit:
        packages = tuple(self._package(number) for number in range(len(self._packages)))
        packages = tuple(package for package in packages if package.interfaces)
        definitions = {
            Named(interface.package, interface.name, one.name): one
            for package in packages
            for interface in package.interfaces
            for one in interface.definitions
        }
        return Wit(packages, tuple(self._world(world) for world in self._worlds), definitions)

    def _package(self, number: int) -> Package:
        name, _, version = self._packages[number]["name"].partition("@")
        interfaces = [self._interface(index) for index in self._packages[number]["interfaces"].values()]
        return Package(name, version, tuple(interfaces))

    def _place(self, interface: int) -> tuple[str, str]:
        found = self._interfaces[interface]
        return self._packages[found["package"]]["name"].partition("@")[0], found["name"]

    def _world(self, world: Mapping[str, Any]) -> World:
        def places(items: Mapping[str, Any]) -> tuple[str, ...]:
            return tuple(sorted("/".join(self._place(item["interface"]["id"])) for item in items.values()))

        package = self._packages[world["package"]]["name"].partition("@")[0]
        return World(package, world["name"], _docs(world), places(world["imports"]), places(world["exports"]))

    def _interface(self, number: int) -> Interface:
        found = self._interfaces[number]
        package, name = self._place(number)
        own = [index for index in found["types"].values() if self._defined_here(index, number)]
        return Interface(
            package,
            self._packages[found["package"]]["name"].partition("@")[2],
            name,
            _docs(found),
            tuple(self._definition(index) for index in own),
            tuple(self._function(function, f"{package}/{name}") for function in found["functions"].values()),
        )

    def _defined_here(self, index: int, interface: int) -> bool:
        """False for a `use`, which is an alias to a named type of another owner."""
        kind = self._types[index]["kind"]
        target = kind.get("type") if isinstance(kind, dict) else None
        return not (
            isinstance(target, int) and self._types[target].get("owner") not in (None, {"interface": interface})
        )

    def _definition(self, index: int) -> Definition:  # noqa: PLR0911 - one for each kind
        found = self._types[index]
        kind = found["kind"]
        name, docs = found["name"], _docs(found)
        if kind == "resource":
            return Definition(name, ResourceType(), docs)
        ((sort, content),) = kind.items()
        match sort:
            case "record":
                fields = tuple(Part(part["name"], self._type(part["type"]), _docs(part)) for part in content["fields"])
                return Definition(name, Record(fields), docs)
            case "variant":
                cases = (Part(part["name"], self._optional(part["type"]), _docs(part)) for part in content["cases"])
                return Definition(name, Variant(tuple(cases)), docs)
            case "enum":
                return Definition(name, Enum(tuple(part["name"] for part in content["cases"])), docs)
            case "flags":
                return Definition(name, Flags(tuple(part["name"] for part in content["flags"])), docs)
            case "type":
                return Definition(name, Alias(self._type(content)), docs)
            case _:
                return Definition(name, Alias(self._structure(sort, content, name)), docs)

    def _optional(self, index: int | str | None) -> Type | None:
        return None if index is None else self._type(index)

    def _type(self, index: int | str) -> Type:
        if isinstance(index, str):
            return Primitive(index)
        found = self._types[index]
        if found["name"] is not None:
            return self._named(index)
        ((sort, content),) = found["kind"].items()
        return self._structure(sort, content, "a type without a name")

    def _named(self, index: int) -> Named:
        found = self._types[index]
        target = found["kind"].get("type") if isinstance(found["kind"], dict) else None
        if isinstance(target, int) and self._types[target].get("owner") not in (None, found["owner"]):
            return self._named(target)
        return Named(*self._place(found["owner"]["interface"]), found["name"])

    def _structure(self, sort: str, content: Any, where: str) -> Type:  # noqa: ANN401 - JSON
        match sort:
            case "list":
                return ListOf(self._type(content))
            case "option":
                return OptionOf(self._type(content))
            case "tuple":
                return TupleOf(tuple(self._type(one) for one in content["types"]))
            case "result":
                return ResultOf(self._optional(content["ok"]), self._optional(content["err"]))
            case "handle":
                ((mode, index),) = content.items()
                return Handle(self._named(index), mode == "own")
            case _:
                raise WitError(f"`{sort}` cannot be converted", where=where)

    def _function(self, found: Mapping[str, Any], interface: str) -> Function:
        name = found["name"].removeprefix("[method]")
        kind: Literal["freestanding"] | Mapping[str, int] = found["kind"]
        method = not isinstance(kind, str)
        if not isinstance(kind, str) and "method" not in kind:
            raise WitError("only functions and methods have bindings", where=f"{interface}#{name}")
        parts = _DOCS.fullmatch(_docs(found))
        permission = parts and _PERMISSION.fullmatch(parts["perm"].replace("\n", " "))
        if parts is None or permission is None:
            raise WitError("its documentation has no @perm and @fix", where=f"{interface}#{name}")
        for term in re.split(r" or | and ", permission["terms"]):
            if not _TERM.fullmatch(term):
                raise WitError(f"@perm names no permission: {term}", where=f"{interface}#{name}")
        return Function(
            name,
            name.partition(".")[0] if method else None,
            tuple((one["name"], self._type(one["type"])) for one in found["params"][1 if method else 0 :]),
            self._optional(found.get("result")),
            parts["text"].replace("\n", " "),
            permission["terms"],
            permission["note"] or "",
            parts["fix"].replace("\n", " "),
        )


def _docs(found: Mapping[str, Any]) -> str:
    contents: str = (found.get("docs") or {}).get("contents") or ""
    return contents
