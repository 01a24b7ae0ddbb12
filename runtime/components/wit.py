"""Our WIT as data: packages, interfaces, types, functions and worlds.

Bindings, C headers and the reference page are all made from this; `wit_reader` makes it from the resolved tree.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from runtime.components.errors import ComponentError

__all__ = [
    "Alias",
    "Definition",
    "Enum",
    "Flags",
    "Function",
    "Handle",
    "Interface",
    "ListOf",
    "Named",
    "OptionOf",
    "Package",
    "Part",
    "Primitive",
    "Record",
    "ResourceType",
    "ResultOf",
    "Shape",
    "TupleOf",
    "Type",
    "Variant",
    "Wit",
    "WitError",
    "World",
]


class WitError(ComponentError):
    """The WIT breaks a rule of ours, or uses something that its bindings do not know."""


@dataclass(frozen=True, slots=True)
class Primitive:
    """A number, `bool` or `string`."""

    name: str


@dataclass(frozen=True, slots=True)
class Named:
    """A type by its name, in the interface that defines it."""

    package: str
    interface: str
    name: str


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list."""

    element: "Type"


@dataclass(frozen=True, slots=True)
class OptionOf:
    """An option."""

    some: "Type"


@dataclass(frozen=True, slots=True)
class TupleOf:
    """A tuple."""

    elements: tuple["Type", ...]


@dataclass(frozen=True, slots=True)
class ResultOf:
    """A result; None stands for `_`."""

    ok: "Type | None"
    error: "Type | None"


@dataclass(frozen=True, slots=True)
class Handle:
    """An `own` or a `borrow` of a resource."""

    resource: Named
    owned: bool


Type: TypeAlias = Primitive | Named | ListOf | OptionOf | TupleOf | ResultOf | Handle


@dataclass(frozen=True, slots=True)
class Part:
    """A field of a record, or a case of a variant, which may have no type."""

    name: str
    type: Type | None
    docs: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """A record."""

    fields: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Variant:
    """A variant."""

    cases: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Enum:
    """An enum."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Flags:
    """Flags."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Alias:
    """Another name of a type."""

    type: Type


@dataclass(frozen=True, slots=True)
class ResourceType:
    """A resource."""


Shape: TypeAlias = Record | Variant | Enum | Flags | Alias | ResourceType


@dataclass(frozen=True, slots=True)
class Definition:
    """A type that an interface defines."""

    name: str
    shape: Shape
    docs: str


@dataclass(frozen=True, slots=True)
class Function:
    """A function, or a method of a resource.

    Attributes:
        name: such as `open`, or `file.read` for a method.
        resource: of a method; None for a function.
        parameters: names and types, without the method's `self`.
        result: None for none.
        docs: what it does.
        permission: what it needs: terms with `or` and `and`.
        note: when and for what.
        fix: what it repairs.
    """

    name: str
    resource: str | None
    parameters: tuple[tuple[str, Type], ...]
    result: Type | None
    docs: str
    permission: str
    note: str
    fix: str

    @property
    def core_name(self) -> str:
        """As a component names it: `[method]file.read`."""
        return f"[method]{self.name}" if self.resource else self.name


@dataclass(frozen=True, slots=True)
class Interface:
    """An interface.

    Attributes:
        package: such as `orlop:core`, without version.
        version: of the package.
        definitions: its own types, in the order of the WIT; those that it uses are not among them.
    """

    package: str
    version: str
    name: str
    docs: str
    definitions: tuple[Definition, ...]
    functions: tuple[Function, ...]

    @property
    def id(self) -> str:
        """With version: `orlop:core/storage@1.0.0`."""
        return f"{self.package}/{self.name}@{self.version}"

    @property
    def resources(self) -> tuple[Definition, ...]:
        """Those of its types that are resources."""
        return tuple(one for one in self.definitions if isinstance(one.shape, ResourceType))


@dataclass(frozen=True, slots=True)
class World:
    """A world, with everything that it includes.

    Attributes:
        imports: interfaces without version, those included that only give types.
        exports: interfaces without version.
    """

    package: str
    name: str
    docs: str
    imports: tuple[str, ...]
    exports: tuple[str, ...]

    @property
    def id(self) -> str:
        """In full: `orlop:worlds/full`."""
        return f"{self.package}/{self.name}"


@dataclass(frozen=True, slots=True)
class Package:
    """A package."""

    name: str
    version: str
    interfaces: tuple[Interface, ...]


@dataclass(frozen=True, slots=True)
class Wit:
    """All packages."""

    packages: tuple[Package, ...]
    worlds: tuple[World, ...]
    _definitions: Mapping[Named, Definition] = field(repr=False, compare=False, default_factory=dict)

    @property
    def interfaces(self) -> Iterator[Interface]:
        """Of all packages."""
        return (interface for package in self.packages for interface in package.interfaces)

    @property
    def exported(self) -> frozenset[str]:
        """Interfaces, without version, that some world exports."""
        return frozenset(name for world in self.worlds for name in world.exports)

    def world(self, name: str) -> World:
        """A world by its full name.

        Raises:
            WitError: there is none.
        """
        for world in self.worlds:
            if world.id == name:
                return world
        raise WitError(f"the worlds are {', '.join(world.id for world in self.worlds)}", where=name)

    def definition(self, name: Named) -> Definition:
        """What a name stands for."""
        return self._definitions[name]

    def resolved(self, kind: Type) -> Type:
        """A type with aliases followed to the end."""
        while isinstance(kind, Named) and isinstance(shape := self.definition(kind).shape, Alias):
            kind = shape.type
        return kind
