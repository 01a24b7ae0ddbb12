"""Columns and rows of tables, and the orders rows can stand in: sorted, as a tree, in columns that fit. Pure.

Cells are finished, sanitised text; `values` are what they are sorted by and compared with. Rows are immutable, so that
a drawn line is valid as long as its row is the same object.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from console.filter import Unit, Value

__all__ = ["Column", "Key", "Row", "TreeOrder", "fit_columns", "sorted_rows", "tree_order"]

Key = str


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table."""

    name: str
    """As in filters and the sort menu; lower case."""
    title: str
    width: int
    """In cells, without the gap behind it; the least width of a column that grows."""
    grow: int = 0
    """Its share of the width that is left over."""
    right: bool = False
    """Whether its cells stand at the right, as figures do."""
    priority: int = 0
    """Dropped first when the table is narrow: the highest; 0 is never dropped."""
    unit: Unit = ""
    """Of its values, for filters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row. `inks` names a style for each cell, or is empty for plain text."""

    key: Key
    cells: tuple[str, ...]
    values: tuple[Value, ...]
    inks: tuple[str, ...] = ()
    parent: Key = ""
    """Key of the row under which this one hangs; empty at the root."""
    band: int = 0
    """Rows of a lower one stand first, however the table is sorted: urgent tasks before others, done ones last."""


@dataclass(frozen=True, slots=True)
class TreeOrder:
    """Rows depth-first, how deep each of them hangs, and those under which others hang."""

    order: list[Key]
    depths: Mapping[Key, int]
    parents: frozenset[Key]


def sorted_rows(rows: Iterable[Row], place: int | None, *, descending: bool) -> list[Row]:
    """Rows by band, then by the value of a column, stable, what has no value last; without a column as they come.

    Args:
        rows: in the order in which they came.
        place: of the column.
        descending: the greatest first; without a column the reverse of how they came.
    """
    found = _by_value(rows, place, descending=descending)
    if any(row.band for row in found):
        found.sort(key=lambda row: row.band)
    return found


def _by_value(rows: Iterable[Row], place: int | None, *, descending: bool) -> list[Row]:
    if place is None:
        return list(rows)[::-1] if descending else list(rows)
    filled: list[tuple[tuple[int, float | str], Row]] = []
    blank: list[Row] = []
    for row in rows:
        value = row.values[place]
        if value is None:
            blank.append(row)
        else:
            filled.append((_sort_key(value), row))
    filled.sort(key=lambda pair: pair[0], reverse=descending)
    return [*(row for _, row in filled), *blank]


def tree_order(
    rows: Mapping[Key, Row], passing: Iterable[Row], closed: frozenset[Key], place: int | None, *, descending: bool
) -> TreeOrder:
    """Rows depth-first: siblings sorted, matches with their ancestors, closed rows without what hangs under them.

    Args:
        rows: all there are.
        passing: those that the filter lets through.
        closed: keys of rows that are folded.
        place: of the column to sort by.
        descending: the greatest first.
    """
    wanted = _with_ancestors(rows, passing)
    below: dict[Key, list[Row]] = {}
    for row in rows.values():
        if row.key in wanted:
            below.setdefault(row.parent if row.parent in rows else "", []).append(row)
    order: list[Key] = []
    depths: dict[Key, int] = {}
    visited: set[Key] = set()
    # The rows of a ring of parents hang under no root: the ring is entered at its first row.
    rings = [row for row in rows.values() if row.key in wanted]
    for roots in (sorted_rows(below.get("", ()), place, descending=descending), rings):
        stack = [(row, 0, True) for row in reversed(roots)]
        while stack:
            row, depth, shown = stack.pop()
            if row.key in visited:
                continue
            visited.add(row.key)
            if shown:
                order.append(row.key)
                if depth:
                    depths[row.key] = depth
            children = sorted_rows(below.get(row.key, ()), place, descending=descending)
            stack.extend((child, depth + 1, shown and row.key not in closed) for child in reversed(children))
    return TreeOrder(order, depths, frozenset(key for key in below if key))


def _with_ancestors(rows: Mapping[Key, Row], passing: Iterable[Row]) -> set[Key]:
    wanted: set[Key] = set()
    for row in passing:
        key: Key | None = row.key
        while key and key not in wanted:
            wanted.add(key)
            parent = rows[key].parent
            key = parent if parent in rows else None
    return wanted


def _sort_key(value: str | float) -> tuple[int, float | str]:
    """Numbers before words, each among themselves, so that no column can fail to sort."""
    return (1, value.casefold()) if isinstance(value, str) else (0, value)


def fit_columns(columns: Sequence[Column], width: int, gap: int = 1) -> tuple[tuple[int, int], ...]:
    """Which columns fit, and how wide each is drawn.

    Args:
        columns: all of them, in order.
        width: cells there are.
        gap: cells between two columns.

    Returns:
        `(place of the column, its width)`; columns are dropped by priority, of equal ones the last first, never those
        of priority 0. What is left over goes to columns that grow, by their shares.
    """
    kept = list(range(len(columns)))
    need = sum(column.width + gap for column in columns) - gap
    for place in sorted(kept, key=lambda place: (columns[place].priority, place), reverse=True):
        if need <= width or columns[place].priority == 0:
            break
        kept.remove(place)
        need -= columns[place].width + gap
    widths = {place: columns[place].width for place in kept}
    spare = width - need
    shares = sum(columns[place].grow for place in kept)
    for place in kept:
        if spare > 0 and columns[place].grow:
            part = spare * columns[place].grow // shares
            spare -= part
            shares -= columns[place].grow
            widths[place] += part
    return tuple((place, widths[place]) for place in kept)
