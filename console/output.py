"""Plain text for terminals and pipes: tables, blocks of facts, times; every cell made harmless first."""

import json
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from console.client import Json
from runtime.quantities import format_duration_ms, format_size
from runtime.sanitise import clean

__all__ = [
    "NOTHING",
    "Column",
    "Item",
    "cells",
    "damaged",
    "document",
    "duration",
    "facts",
    "items_of",
    "list_of",
    "listing",
    "micros",
    "moment",
    "short",
    "size",
    "status",
    "table",
    "text",
    "text_of",
    "word",
]

NOTHING = "-"
"""Stands in a cell that has no value."""

_SHORT_ID = 12

Item = Mapping[str, Json]
"""One row, a JSON object."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its heading and how a row becomes its cell."""

    title: str
    cell: Callable[[Item], str]
    right: bool = False
    limit: int = 60
    """Characters at most."""


def table(columns: Sequence[Column], items: Sequence[Item], *, empty: str = "") -> str:
    """A table with a heading, or one sentence when there are no rows.

    Args:
        columns: the columns, left to right.
        items: the rows, top to bottom.
        empty: what is said instead of an empty table.
    """
    if not items:
        return f"{empty}\n" if empty else ""
    rows = [[column.title for column in columns]]
    rows += [[clean(column.cell(item), column.limit) or NOTHING for column in columns] for item in items]
    widths = [max(cells(row[place]) for row in rows) for place in range(len(columns))]
    lines = []
    for row in rows:
        parts = []
        for said, width, column in zip(row, widths, columns, strict=True):
            gap = " " * (width - cells(said))
            parts.append(gap + said if column.right else said + gap)
        lines.append("  ".join(parts).rstrip())
    return "\n".join(lines) + "\n"


def listing(columns: Sequence[Column], empty: str) -> Callable[[Item], str]:
    """What shows a document whose rows are its `items`.

    Args:
        columns: the columns, left to right.
        empty: what is said when there is none.
    """
    return lambda value: table(columns, items_of(value, "items"), empty=empty)


def damaged(value: Item, name: str, why: str) -> str:
    """A line for each row that cannot be read.

    Args:
        value: a document with `items`.
        name: the field that names a row.
        why: the field that says what is wrong with it.
    """
    found = [item for item in items_of(value, "items") if text(item, "state") == "damaged"]
    return "".join(f"{clean(text(item, name) or NOTHING, 60)}: {clean(text(item, why))}\n" for item in found)


def document(value: Item) -> str:
    """A document as it is."""
    return json.dumps(value, indent=2, ensure_ascii=True) + "\n"


def facts(pairs: Sequence[tuple[str, str]], *, indent: int = 0) -> str:
    """Names with values, one a line, the values in one column.

    Args:
        pairs: names and values.
        indent: spaces before each line.
    """
    width = max((len(name) for name, _ in pairs), default=0) + 2
    return "".join(f"{' ' * indent}{name.ljust(width)}{clean(said, 400) or NOTHING}\n" for name, said in pairs)


def cells(line: str) -> int:
    """How many columns of a terminal a text takes."""
    if line.isascii():
        return len(line)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in line
    )


def word(key: str) -> Callable[[Item], str]:
    """A cell that is a field's text; lists are joined by commas."""

    def cell(item: Item) -> str:
        value = item.get(key)
        if value is None or value == "":
            return NOTHING
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, Sequence) and not isinstance(value, str):
            return ", ".join(str(part) for part in value) or NOTHING
        return str(value)

    return cell


def short(key: str) -> Callable[[Item], str]:
    """A cell that is the beginning of an id."""
    return lambda item: word(key)(item).removeprefix("sha256:")[:_SHORT_ID]


def size(key: str) -> Callable[[Item], str]:
    """A cell that is a number of bytes."""
    return lambda item: _number(item, key, format_size)


def duration(key: str) -> Callable[[Item], str]:
    """A cell that is a number of milliseconds."""
    return lambda item: _number(item, key, format_duration_ms)


def micros(key: str) -> Callable[[Item], str]:
    """A cell that is a number of microseconds."""
    return lambda item: _number(item, key, _micros)


def moment(key: str) -> Callable[[Item], str]:
    """A cell that is a time, Unix milliseconds, shown as UTC to the second."""
    return lambda item: _number(item, key, _moment)


def status(item: Item) -> str:
    """A cell that is a task's status, and whether it waits for others."""
    said = text(item, "status").replace("_", " ")
    return f"{said}, blocked" if item.get("blocked") and said != "completed" else said


def text(item: Item, key: str) -> str:
    """A field as text; empty when it is null or absent."""
    return text_of(item.get(key))


def text_of(value: Json) -> str:
    """A JSON value as text; empty for null."""
    return "" if value is None else str(value)


def list_of(item: Item, key: str) -> Sequence[Json]:
    """A field that is an array; empty when it is none."""
    value = item.get(key)
    return value if isinstance(value, Sequence) and not isinstance(value, str) else ()


def items_of(item: Item, key: str) -> list[Item]:
    """The objects in a field that is an array."""
    return [part for part in list_of(item, key) if isinstance(part, Mapping)]


def _number(item: Item, key: str, shown: Callable[[int], str]) -> str:
    value = item.get(key)
    return shown(value) if isinstance(value, int) else NOTHING


def _micros(value: int) -> str:
    return f"{value / 1000:.1f}ms" if value < 1_000_000 else format_duration_ms(value // 1000)  # noqa: PLR2004 - a second


def _moment(value: int) -> str:
    from datetime import UTC, datetime

    try:
        return datetime.fromtimestamp(value / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, ValueError, OSError):
        return str(value)
