"""The JSON Schemas of what jobs sign, in `assets/schemas/`, applied to every document that is read.

A refusal names the path inside the document. The schemas are the one description of a shape: a reader adds only what
draft-07 cannot say, such as a day that exists.
"""

import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Final, Literal

import assets
from runtime.canonical import Json
from runtime.errors import RefusedError
from runtime.sanitise import clean

if TYPE_CHECKING:
    from fastjsonschema import JsonSchemaValueException

__all__ = ["SchemaName", "SchemaRefusedError", "check"]

SchemaName = Literal["manifest.v0.1", "receipt.v0.1", "job-manifest.v1", "receipt.v1", "bundle.v1"]

_PATH_CHARS: Final = 160


class SchemaRefusedError(RefusedError):
    """A document does not fit its schema; `where` is the path inside it, empty for the document itself."""

    @property
    def line(self) -> str:
        """Path and reason."""
        return f"{self.where}: {self.why}" if self.where else self.why


def check(name: SchemaName, document: Json) -> None:
    """Holds a document against a schema.

    Args:
        name: the schema's file without its ending.
        document: what `runtime.canonical.decode` gave.

    Raises:
        SchemaRefusedError: it does not fit.
    """
    from fastjsonschema import JsonSchemaValueException

    try:
        _validator(name)(document)
    except JsonSchemaValueException as error:
        raise _refusal(error) from None


@cache
def _validator(name: SchemaName) -> Callable[[Json], object]:
    """The schema as a function; making it takes some milliseconds, so it is made once and when needed."""
    import fastjsonschema

    schema = json.loads(assets.path(f"schemas/{name}.json").read_bytes())
    compiled: Callable[[Json], object] = fastjsonschema.compile(schema, use_default=False, use_formats=False)
    return compiled


def _refusal(error: "JsonSchemaValueException") -> SchemaRefusedError:
    """The library's finding in the words of the house."""
    path = str(error.name).removeprefix("data").removeprefix(".")
    schema = error.definition if isinstance(error.definition, dict) else {}
    value = error.value
    if error.rule == "required":
        return _at(path, min(set(schema["required"]) - set(value)), "is missing")
    if error.rule == "additionalProperties" and isinstance(value, Mapping):
        return _at(path, min(set(value) - set(schema["properties"])), "is not a field of this version")
    if error.rule == "dependencies":
        return _at(path, "", f"{' and '.join(sorted(schema['dependencies']))} come together or not at all")
    expected = clean(str(schema.get("description") or "an object"), 160)
    return _at(path, "", f"expected {expected}, found {_found(value)}")


def _at(path: str, name: str, why: str) -> SchemaRefusedError:
    return SchemaRefusedError(why, where=clean(".".join(part for part in (path, name) if part), _PATH_CHARS))


def _found(value: object) -> str:
    """What stands there instead, without repeating it."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, str):
        return f"{len(value)} characters"
    if isinstance(value, list | dict):
        return f"{'an array' if isinstance(value, list) else 'an object'} of {len(value)}"
    return clean(str(value), 40)
