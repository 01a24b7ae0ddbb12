"""Frozen dataclasses to JSON values and back, strictly: what is read back has the declared types, or names its place.

The annotations are the schema. Understood are None, bool, int, float, str, enums of text, dataclasses, `X | None` and
other unions, `tuple[X, ...]`, `Mapping[str, X]` and `Json`.
"""

import dataclasses
import enum
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from runtime.canonical import Json
from runtime.errors import RefusedError

__all__ = ["ShapeError", "fields_of", "from_wire", "read_fields", "to_wire"]

T = TypeVar("T")
Reader = Callable[[object, str], object]
"""Checks a JSON value found at a path and returns it in its declared type."""


class ShapeError(RefusedError):
    """A JSON value does not have the declared shape; `where` is the path."""


def to_wire(value: object) -> dict[str, Json]:
    """A dataclass as a JSON object: every field by its name, tuples as lists, nested dataclasses as objects."""
    return {name: _plain(getattr(value, name)) for name, _, _ in fields_of(type(value))}


def _plain(value: object) -> Json:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return to_wire(value)


def from_wire(cls: type[T], value: object, *, where: str = "$") -> T:
    """Builds a dataclass from a JSON object.

    Args:
        cls: the dataclass.
        value: what `json.loads` gave.
        where: the path of the value, for the message.

    Raises:
        ShapeError: not an object, an unknown key, a missing key or a value of another type.
    """
    if not isinstance(value, dict):
        raise ShapeError(f"an object is wanted, not {_kind(value)}", where=where)
    names = {name for name, _, _ in fields_of(cls)}
    for key in value:
        if key not in names:
            raise ShapeError("is not known", where=f"{where}.{ascii(key)[1:-1][:60]}")
    return read_fields(cls, value, where)


def read_fields(cls: type[T], value: Mapping[str, object], where: str) -> T:
    """As `from_wire`, but unknown keys are passed over."""
    found: dict[str, object] = {}
    for name, reader, required in fields_of(cls):
        if name in value:
            found[name] = reader(value[name], f"{where}.{name}")
        elif required:
            raise ShapeError("is missing", where=f"{where}.{name}")
    return cls(**found)


def fields_of(cls: type) -> tuple[tuple[str, Reader, bool], ...]:
    """Name, reader and whether it is required, of each field that goes over the wire.

    Raises:
        TypeError: not a dataclass, or a field's type is not understood: a mistake in the program.
    """
    known = _FIELDS.get(cls)
    if known is None:
        known = _FIELDS[cls] = _derive(cls)
    return known


_FIELDS: dict[type, tuple[tuple[str, Reader, bool], ...]] = {}


def _derive(cls: type) -> tuple[tuple[str, Reader, bool], ...]:
    hints = get_type_hints(cls) if any(isinstance(f.type, str) for f in dataclasses.fields(cls)) else {}
    return tuple(
        (
            field.name,
            _reader(hints[field.name] if isinstance(field.type, str) else field.type),
            field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING,
        )
        for field in dataclasses.fields(cls)
        if field.init and field.metadata.get("wire", True)
    )


def _reader(annotation: object) -> Reader:
    if annotation is Json:
        return _json
    if annotation in _SCALARS:
        return _SCALARS[annotation]
    if isinstance(annotation, type) and issubclass(annotation, enum.StrEnum):
        return _choice(annotation)
    if isinstance(annotation, type) and dataclasses.is_dataclass(annotation):
        return lambda value, where: from_wire(cast("type[object]", annotation), value, where=where)
    return _compound(annotation, get_origin(annotation), get_args(annotation))


def _compound(annotation: object, origin: object, args: tuple[object, ...]) -> Reader:
    if origin in {Union, types.UnionType}:
        return _union(tuple(_reader(arg) for arg in args), " or ".join(_name(arg) for arg in args))
    if origin is tuple and len(args) == 2 and args[1] is Ellipsis:  # noqa: PLR2004 - tuple[X, ...]
        return _sequence(_reader(args[0]))
    if origin in {Mapping, dict} and args[0] is str:
        return _mapping(_reader(args[1]))
    message = f"no wire form for {annotation!r}"
    raise TypeError(message)


def _scalar(kind: type, name: str) -> Reader:
    def read(value: object, where: str) -> object:
        if type(value) is not kind and not (kind is float and type(value) is int):
            raise ShapeError(f"{name} is wanted, not {_kind(value)}", where=where)
        return value

    return read


def _union(readers: Sequence[Reader], names: str) -> Reader:
    def read(value: object, where: str) -> object:
        deeper: ShapeError | None = None
        for reader in readers:
            try:
                return reader(value, where)
            except ShapeError as error:
                deeper = error if error.where != where else deeper
        raise deeper or ShapeError(f"{names} is wanted, not {_kind(value)}", where=where)

    return read


def _sequence(reader: Reader) -> Reader:
    def read(value: object, where: str) -> object:
        if not isinstance(value, list):
            raise ShapeError(f"a list is wanted, not {_kind(value)}", where=where)
        return tuple(reader(item, f"{where}[{index}]") for index, item in enumerate(value))

    return read


def _mapping(reader: Reader) -> Reader:
    def read(value: object, where: str) -> object:
        if not isinstance(value, dict):
            raise ShapeError(f"an object is wanted, not {_kind(value)}", where=where)
        return {key: reader(item, f"{where}.{ascii(key)[1:-1][:60]}") for key, item in value.items()}

    return read


def _choice(kind: type[enum.StrEnum]) -> Reader:
    def read(value: object, where: str) -> object:
        try:
            return kind(str(value))
        except ValueError:
            raise ShapeError(f"one of {', '.join(kind)} is wanted", where=where) from None

    return read


def _json(value: object, where: str) -> object:  # noqa: ARG001 - a Reader
    return value


_SCALARS: dict[Any, Reader] = {
    None: _scalar(type(None), "null"),
    type(None): _scalar(type(None), "null"),
    bool: _scalar(bool, "true or false"),
    int: _scalar(int, "an integer"),
    float: _scalar(float, "a number"),
    str: _scalar(str, "text"),
}

_KINDS = {
    type(None): "null", bool: "a boolean", int: "an integer", float: "a fraction",
    str: "text", list: "a list", dict: "an object",
}  # fmt: skip


def _kind(value: object) -> str:
    return _KINDS.get(type(value), type(value).__name__)


def _name(annotation: object) -> str:
    return {type(None): "null", bool: "a boolean", int: "an integer", float: "a number", str: "text"}.get(
        cast("type", annotation), "another shape"
    )
