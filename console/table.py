"""The model of a table on the screen: rows by key, their order, sort, filter, tree, marks and the cursor.

Pure and without a screen: a widget shows the window of `order` that fits. The cursor is a key, never a place: it stays
on its row however the order changes.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from console.filter import FieldSpec, Filter, parse_filter
from console.table_rows import Column, Key, Row, TreeOrder, sorted_rows, tree_order

__all__ = ["Column", "Row", "TableModel"]

_FLAT = TreeOrder([], {}, frozenset())


@dataclass(slots=True)
class Marks:
    """Which rows an action is meant for, beside the one under the cursor."""

    keys: set[Key] = field(default_factory=set)
    anchor: Key | None = None
    """Where a range starts: the row that was marked last."""


class TableModel:
    """Rows and how they are shown. All methods run on one thread.

    `put` and `remove` change rows at once; where that may change the order, `stale` becomes true and `arrange` brings
    the order up to date when the screen has time for it.
    """

    def __init__(self, columns: Sequence[Column], *, sort: str = "", descending: bool = False) -> None:
        self.columns = tuple(columns)
        self.fields = tuple(FieldSpec(name=column.name, unit=column.unit) for column in self.columns)
        self.order: list[Key] = []
        self.sort = sort
        self.descending = descending
        self.filter = Filter("", ())
        self.marks = Marks()
        self.folded: set[Key] = set()
        self.cursor: Key | None = None
        self.stale = False
        self._rows: dict[Key, Row] = {}
        self._texts: dict[Key, tuple[Row, str]] = {}
        self._index: dict[Key, int] | None = {}
        self._tree = _FLAT
        self._nested = 0
        self._banded = 0

    # --- reading ----------------------------------------------------------------------------------------------------

    @property
    def rows(self) -> Mapping[Key, Row]:
        """All rows, also those that the filter hides, in the order in which they came."""
        return MappingProxyType(self._rows)

    @property
    def index(self) -> Mapping[Key, int]:
        """The place of each shown row."""
        if self._index is None:
            self._index = {key: place for place, key in enumerate(self.order)}
        return self._index

    @property
    def current(self) -> Row | None:
        """The row under the cursor."""
        return None if self.cursor is None else self._rows.get(self.cursor)

    @property
    def place(self) -> int:
        """The place of the cursor, or -1."""
        return -1 if self.cursor is None else self.index.get(self.cursor, -1)

    def depth(self, key: Key) -> int:
        """How deep a shown row hangs in the tree; 0 at the root."""
        return self._tree.depths.get(key, 0)

    def has_children(self, key: Key) -> bool:
        """Whether rows hang under this one."""
        return key in self._tree.parents

    def at(self, place: int) -> Row:
        """The row shown at a place."""
        return self._rows[self.order[place]]

    def targets(self) -> tuple[Row, ...]:
        """What an action is for: the marked rows that are shown, else the one under the cursor."""
        marked = tuple(self._rows[key] for key in self.order if key in self.marks.keys)
        return marked or (() if self.current is None else (self.current,))

    # --- rows -------------------------------------------------------------------------------------------------------

    def put(self, rows: Iterable[Row]) -> set[Key]:
        """Adds rows, or takes them in place of those with the same key.

        Returns:
            Keys of shown rows that look different now. `stale` says whether the order may be another one.
        """
        touched: set[Key] = set()
        plain = not (self.sort or self.descending or self.filter.tests or self._nested or self._banded)
        for row in rows:
            before = self._rows.get(row.key)
            if before == row:
                continue
            self._rows[row.key] = row
            self._nested += bool(row.parent) - bool(before is not None and before.parent)
            self._banded += bool(row.band) - bool(before is not None and before.band)
            if before is None:
                if plain and not row.parent and not row.band and not self.stale:
                    self._append(row.key)
                else:
                    self.stale = True
                touched.add(row.key)
                continue
            if row.key in self.index:
                touched.add(row.key)
            self.stale = self.stale or self._moves(before, row)
        return touched

    def remove(self, keys: Iterable[Key]) -> bool:
        """Takes rows away; a cursor on one of them goes to the neighbour.

        Returns:
            Whether a shown row went.
        """
        gone = {key for key in keys if key in self._rows}
        for key in gone:
            row = self._rows.pop(key)
            self._nested -= bool(row.parent)
            self._banded -= bool(row.band)
            self._texts.pop(key, None)
            self.marks.keys.discard(key)
            self.folded.discard(key)
        shown = any(key in self.index for key in gone)
        if shown:
            self._reorder([key for key in self.order if key not in gone])
        if self._nested:
            self.stale = True
        return shown

    def replace(self, rows: Iterable[Row]) -> set[Key]:
        """Makes these all the rows there are, in this order, keeping unchanged ones as they are."""
        fresh = {row.key: row for row in rows}
        self.remove([key for key in self._rows if key not in fresh])
        touched = self.put(fresh.values())
        if list(self._rows) != list(fresh):
            self._rows = {key: self._rows[key] for key in fresh}
            self.stale = True
        return touched

    def trim(self, most: int) -> bool:
        """Takes the oldest rows away until at most this many are left."""
        surplus = len(self._rows) - most
        if surplus <= 0:
            return False
        return self.remove([key for key, _ in zip(self._rows, range(surplus), strict=False)])

    def arrange(self) -> bool:
        """Brings the order up to date: filter, then sort, then the tree.

        Returns:
            Whether it changed.
        """
        self.stale = False
        rows = [row for row in self._rows.values() if self._passes(row)] if self.filter.tests else self._rows.values()
        if self._nested:
            closed = frozenset() if self.filter.tests else frozenset(self.folded)
            self._tree = tree_order(self._rows, rows, closed, self._sort_place, descending=self.descending)
            order = self._tree.order
        else:
            self._tree = _FLAT
            order = [row.key for row in sorted_rows(rows, self._sort_place, descending=self.descending)]
        if order == self.order:
            return False
        self._reorder(order)
        return True

    # --- sort, filter, tree -----------------------------------------------------------------------------------------

    def sort_by(self, name: str, *, descending: bool = False) -> None:
        """Sorts by a column; an empty name is the order in which the rows came.

        Raises:
            KeyError: there is no such column.
        """
        if name:
            self._column(name)
        self.sort, self.descending = name, descending
        self.arrange()

    def filter_by(self, text: str) -> None:
        """Shows only the rows that pass.

        Raises:
            FilterError: the text cannot be read; the filter before stays.
        """
        self.filter = parse_filter(text, self.fields)
        if not self.filter.tests:
            self._texts.clear()
        self.arrange()

    def fold(self, key: Key, *, closed: bool) -> bool:
        """Hides or shows what hangs under a row; whether that changed anything."""
        if not self.has_children(key) or (key in self.folded) == closed:
            return False
        (self.folded.add if closed else self.folded.discard)(key)
        return self.arrange()

    # --- cursor and marks -------------------------------------------------------------------------------------------

    def move_to(self, place: int) -> bool:
        """Puts the cursor on the row at a place, at the nearest there is; whether it moved."""
        before = self.cursor
        if self.order:
            self.cursor = self.order[min(max(place, 0), len(self.order) - 1)]
        return self.cursor != before

    def select(self, key: Key) -> bool:
        """Puts the cursor on a row by its key; whether such a row is shown."""
        if key not in self.index:
            return False
        self.cursor = key
        return True

    def toggle_mark(self) -> None:
        """Marks the row under the cursor, or takes its mark away."""
        if self.cursor is not None:
            self.marks.keys ^= {self.cursor}
            self.marks.anchor = self.cursor

    def mark_range(self) -> None:
        """Marks from the row that was marked last to the cursor."""
        start = self.place if self.marks.anchor is None else self.index.get(self.marks.anchor, self.place)
        low, high = sorted((start, self.place))
        if low >= 0:
            self.marks.keys.update(self.order[low : high + 1])
            self.marks.anchor = self.cursor

    def mark_all(self) -> None:
        """Marks every shown row; takes the marks away when all are marked."""
        shown = set(self.order)
        if shown <= self.marks.keys:
            self.marks.keys -= shown
        else:
            self.marks.keys |= shown

    def invert_marks(self) -> None:
        """Marks the shown rows that are not marked, and the reverse."""
        self.marks.keys ^= set(self.order)

    def clear_marks(self) -> bool:
        """Takes all marks away; whether there were any."""
        had = bool(self.marks.keys)
        self.marks = Marks()
        return had

    # --- inside -----------------------------------------------------------------------------------------------------

    def _column(self, name: str) -> int:
        for place, column in enumerate(self.columns):
            if column.name == name:
                return place
        raise KeyError(name)

    def _append(self, key: Key) -> None:
        if self._index is not None:
            self._index[key] = len(self.order)
        self.order.append(key)
        if self.cursor is None:
            self.cursor = key

    @property
    def _sort_place(self) -> int | None:
        return self._column(self.sort) if self.sort else None

    def _moves(self, before: Row, row: Row) -> bool:
        """Whether the change of a row may change the order."""
        if before.parent != row.parent or before.band != row.band:
            return True
        place = self._sort_place
        if place is not None and before.values[place] != row.values[place]:
            return True
        return bool(self.filter.tests) and self._passes(row) != (row.key in self.index)

    def _passes(self, row: Row) -> bool:
        known = self._texts.get(row.key)
        if known is None or known[0] is not row:
            known = (row, "\x1f".join(row.cells).lower())
            self._texts[row.key] = known
        return self.filter.matches(known[1], row.cells, row.values)

    def _reorder(self, order: list[Key]) -> None:
        """Takes a new order; a cursor whose row is not in it goes to the nearest row that is."""
        before, self.order, place = self.order, order, self.place
        self._index = None
        if self.cursor is not None and self.cursor in self.index:
            return
        following = (key for key in before[place:] if key in self.index) if place >= 0 else iter(())
        preceding = (key for key in reversed(before[: max(place, 0)]) if key in self.index)
        self.cursor = next(following, None) or next(preceding, None) or (order[0] if order else None)
