"""The JSON Schema of the event stream, derived from the event types; printed by `orlop schema`."""

import dataclasses
import types
from collections.abc import Mapping
from typing import Union, get_args, get_origin

from runtime.canonical import Json
from runtime.events import VERSION, Event

__all__ = ["build"]

_SCALARS: dict[object, str] = {
    type(None): "null", bool: "boolean", int: "integer", float: "number", str: "string",
}  # fmt: skip


def build(types_by_name: Mapping[str, type[Event]]) -> dict[str, Json]:
    """One definition for each type, and a line that is one of them.

    Args:
        types_by_name: event types by their dotted names.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"orlop event line, version {VERSION}",
        "description": "New fields and new types do not raise the version; readers pass over what they do not know.",
        "oneOf": [{"$ref": f"#/$defs/{name}"} for name in types_by_name],
        "$defs": {name: _line(cls) for name, cls in types_by_name.items()},
    }


def _line(cls: type[Event]) -> dict[str, Json]:
    head: dict[str, Json] = {
        "v": {"const": VERSION},
        "seq": {"type": "integer", "minimum": 0},
        "ts": {"type": "string", "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$"},
        "type": {"const": cls.TYPE},
        "cut": {"type": "array", "items": {"type": "string"}, "description": "Fields that were too long for the line."},
    }
    properties, required = _properties(cls)
    properties["cause"] = {"type": "integer", "description": "The seq of the event that led to this one."}
    return {
        "type": "object",
        "description": _words(cls),
        "x-live-only": cls.LIVE_ONLY,
        "properties": head | properties,
        "required": ["v", "seq", "ts", "type", *required],
    }


def _properties(cls: type) -> tuple[dict[str, Json], list[str]]:
    properties: dict[str, Json] = {}
    required: list[str] = []
    for field in dataclasses.fields(cls):
        if not field.metadata.get("wire", True):
            continue
        if field.metadata.get("content"):
            properties[field.name] = {"type": "string", "description": "Content; only live and only when asked for."}
            properties[f"{field.name}_bytes"] = {"type": "integer", "description": "Size of the content."}
            continue
        properties[field.name] = _shape(field.type)
        if field.name != "cause":
            required.append(field.name)
    return properties, required


def _shape(annotation: object) -> dict[str, Json]:
    if annotation in _SCALARS:
        return {"type": _SCALARS[annotation]}
    origin, args = get_origin(annotation), get_args(annotation)
    if origin in {Union, types.UnionType}:
        return {"type": [_SCALARS[arg] for arg in args]}
    if origin is tuple:
        return {"type": "array", "items": _shape(args[0])}
    if isinstance(annotation, type) and dataclasses.is_dataclass(annotation):
        properties, required = _properties(annotation)
        return {"type": "object", "properties": properties, "required": required, "description": _words(annotation)}
    message = f"no schema for {annotation!r}"
    raise TypeError(message)


def _words(cls: type) -> str:
    return " ".join((cls.__doc__ or "").split())
