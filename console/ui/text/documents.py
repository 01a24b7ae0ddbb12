"""Reading the documents that commands answer with: tolerant of what is missing, and harmless to show."""

from collections.abc import Mapping, Sequence

from console.client import Json
from runtime.sanitise import clean

__all__ = ["Object", "flag", "integer", "item", "items", "newest_first", "objects", "text", "texts"]

Object = Mapping[str, Json]
"""A JSON object."""

_NONE: Object = {}


def item(value: Json, *path: str) -> Object:
    """The object at a path; an empty one when there is none."""
    found = _at(value, path)
    return found if isinstance(found, Mapping) else _NONE


def items(value: Json, *path: str) -> Sequence[Json]:
    """The array at a path; an empty one when there is none."""
    found = _at(value, path)
    return () if isinstance(found, str) or not isinstance(found, Sequence) else found


def objects(value: Json, *path: str) -> list[Object]:
    """The objects of the array at a path."""
    return [each for each in items(value, *path) if isinstance(each, Mapping)]


def texts(value: Json, *path: str) -> list[str]:
    """The strings of the array at a path, made harmless."""
    return [clean(each) for each in items(value, *path) if isinstance(each, str)]


def newest_first(found: list[Object]) -> list[Object]:
    """Objects with a `ts_ms`, the newest first, whichever way round they came."""
    oldest_first = bool(found) and (integer(found[0], "ts_ms") or 0) <= (integer(found[-1], "ts_ms") or 0)
    return found[::-1] if oldest_first else found


def text(value: Json, *path: str, limit: int = 500) -> str:
    """What stands at a path as one harmless line; empty when there is nothing."""
    found = _at(value, path)
    if found is None or isinstance(found, Mapping) or (isinstance(found, Sequence) and not isinstance(found, str)):
        return ""
    return clean(str(found), limit)


def integer(value: Json, *path: str) -> int | None:
    """The whole number at a path."""
    found = _at(value, path)
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def flag(value: Json, *path: str) -> bool | None:
    """The truth value at a path; None when it is null or absent."""
    found = _at(value, path)
    return found if isinstance(found, bool) else None


def _at(value: Json, path: Sequence[str]) -> Json:
    for name in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value
