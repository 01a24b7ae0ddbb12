"""A JSON document as a sheet in three inks."""

import json
from collections.abc import Mapping, Sequence

from console.client import Json
from console.ui.sheet import Line, Span
from runtime.sanitise import clean

__all__ = ["json_sheet"]

_MOST_LINES = 2_000
_LONGEST = 2_000


def json_sheet(value: Json) -> list[Line]:
    """The document, indented by two, cut after 2,000 lines."""
    lines: list[Line] = []
    _write(value, 0, [], "", lines)
    if len(lines) > _MOST_LINES:
        more = len(lines) - _MOST_LINES
        return [*lines[:_MOST_LINES], Line(((f"… and {more:,} more lines", "dim"),))]
    return lines


def _write(value: Json, depth: int, head: list[Span], tail: str, lines: list[Line]) -> None:
    if len(lines) > 2 * _MOST_LINES:
        return
    pad: Span = ("  " * depth, "")
    hang = 2 * depth + 4
    if isinstance(value, Mapping) and value:
        lines.append(Line((pad, *head, ("{", "dim")), hang))
        for place, (key, inner) in enumerate(value.items()):
            name: list[Span] = [(f'"{clean(str(key), 120)}"', "name"), (": ", "dim")]
            _write(inner, depth + 1, name, "," if place < len(value) - 1 else "", lines)
        lines.append(Line((pad, (f"}}{tail}", "dim"))))
    elif (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and any(isinstance(v, Mapping | list | tuple) for v in value)
    ):
        lines.append(Line((pad, *head, ("[", "dim")), hang))
        for place, inner in enumerate(value):
            _write(inner, depth + 1, [], "," if place < len(value) - 1 else "", lines)
        lines.append(Line((pad, (f"]{tail}", "dim"))))
    else:
        lines.append(Line((pad, *head, _scalar(value), (tail, "dim")), hang))


def _scalar(value: Json) -> Span:
    if isinstance(value, str):
        return json.dumps(clean(value, _LONGEST), ensure_ascii=False), "string"
    return clean(json.dumps(value, ensure_ascii=False), _LONGEST), "number"
