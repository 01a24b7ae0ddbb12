"""Searching in what is on the screen: a needle, its hits in a text, in a table and in a sheet. Pure.

A hit is found in the text as it is shown, so that what is not printable is found as its escape, and it is made of whole
characters: a base is never lit without its combining marks.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

from console.table import TableModel
from console.table_rows import Key, Row
from console.ui.sheet import Line, Span, width_of
from runtime.sanitise import clean

__all__ = ["HERE", "HIT", "Needle", "Range", "SheetHits", "TableHits", "found_spans", "lit"]

HIT, HERE = "hit", "hit-here"
"""Inks of hits, and of the one that was gone to."""

Range = tuple[int, int]
"""From the first character of a hit to the one behind its last."""

_LONGEST = 200
_SHOWN = 24


class Needle:
    """What is searched for: these characters as they stand, in capitals or not.

    Args:
        text: as the operator typed it, not empty.
    """

    def __init__(self, text: str) -> None:
        self.text = clean(text, _LONGEST)
        self._search = re.compile(re.escape(self.text), re.IGNORECASE)

    def is_in(self, texts: Iterable[str]) -> bool:
        """Whether one of the texts has a hit."""
        search = self._search.search
        return any(search(text) is not None for text in texts)

    def ranges(self, text: str) -> list[Range]:
        """The hits in a text, in order, none over another."""
        found = [match.span() for match in self._search.finditer(text)]
        if text.isascii():
            return found
        return [(start, _behind(text, end)) for start, end in found]


def _behind(text: str, end: int) -> int:
    """Where the last character of a hit ends with all that is combined with it."""
    while end < len(text) and width_of(text[end]) == 0:
        end += 1
    return end


def lit(spans: Iterable[Span], ranges: Sequence[tuple[int, int, str]]) -> list[Span]:
    """Spans with other inks where hits are.

    Args:
        spans: of one line.
        ranges: start, end and ink of each hit, in characters of the whole line, in order; they may reach beyond it.
    """
    out: list[Span] = []
    at = 0
    for text, ink in spans:
        done = 0
        for start, end, other in ranges:
            low, high = max(start - at, done), min(end - at, len(text))
            if low < high:
                out += [(text[done:low], ink)] if low > done else []
                out.append((text[low:high], other))
                done = high
        out += [(text[done:], ink)] if done < len(text) else []
        at += len(text)
    return out


def found_spans(needle: Needle, number: int, total: int, turned: str = "") -> tuple[Span, ...]:
    """`//trip 3/17 · from the top`.

    Args:
        needle: what is searched for.
        number: of the hit that was gone to, from 1; 0 when none was.
        total: how many there are.
        turned: where the search went on when there was nothing more in its direction.
    """
    name: Span = (f"//{clean(needle.text, _SHOWN)} ", "accent")
    if not total:
        return (name, ("no match", "trip"))
    place = f"{number:,}" if number else "\u2013"
    return (name, (f"{place}/{total:,}", "strong"), *([(f" · {turned}", "warn")] if turned else []))


@dataclass(slots=True)
class TableHits:
    """Which rows of a table have a hit. A row is looked at once, and again when it is another object.

    Nothing is looked at before somebody asks, and changes of rows outside the order cost nothing.
    """

    needle: Needle
    columns: tuple[int, ...]
    """Places of the columns that are shown: what is not shown is not found."""
    _seen: dict[Key, Row] = field(default_factory=dict)
    _hit: set[Key] = field(default_factory=set)
    _changed: set[Key] = field(default_factory=set)
    _order: list[Key] = field(default_factory=list)
    _length: int = -1
    _places: list[int] = field(default_factory=list)

    def changed(self, keys: Iterable[Key]) -> None:
        """To be told which rows look different now."""
        self._changed.update(keys)

    def places(self, model: TableModel) -> Sequence[int]:
        """The places of rows with a hit, in order."""
        rows, order = model.rows, model.order
        # The model makes a new list for another order; the only thing it does to the one it has is to append.
        if order is not self._order or len(order) != self._length:
            if len(self._seen) > 2 * len(order):
                self._seen = {key: row for key, row in self._seen.items() if key in rows}
                self._hit &= self._seen.keys()
            for key in order:
                self._look(key, rows[key])
            self._order, self._length = order, len(order)
            self._place()
        elif self._changed:
            index = model.index
            looked = [self._look(key, rows[key]) for key in self._changed if key in index]
            if any(looked):
                self._place()
        self._changed.clear()
        return self._places

    def _look(self, key: Key, row: Row) -> bool:
        """Whether a look at a row changed what is known of it."""
        if self._seen.get(key) is row:
            return False
        self._seen[key] = row
        cells = row.cells
        hit = self.needle.is_in(cells[place] for place in self.columns)
        if hit == (key in self._hit):
            return False
        (self._hit.add if hit else self._hit.discard)(key)
        return True

    def _place(self) -> None:
        hit = self._hit
        self._places = [place for place, key in enumerate(self._order) if key in hit]


class SheetHits:
    """The hits in a sheet, and the one that was gone to.

    Args:
        needle: what is searched for.
        lines: of the sheet, not wrapped.
        here: line and character where the one that was gone to stood; None when none was.
    """

    def __init__(self, needle: Needle, lines: Sequence[Line], here: tuple[int, int] | None = None) -> None:
        self.needle = needle
        self.hits: list[tuple[int, int, int]] = []
        """Line, start and end of each."""
        self._of_line: dict[int, list[Range]] = {}
        for number, each in enumerate(lines):
            ranges = needle.ranges("".join(text for text, _ in each.spans))
            if ranges:
                self._of_line[number] = ranges
                self.hits += [(number, start, end) for start, end in ranges]
        self.place = -1
        """Of the one that was gone to; -1 when none was."""
        if here is not None and self.hits:
            self.place = min(self.at_or_after(here), len(self.hits) - 1)

    @property
    def here(self) -> tuple[int, int] | None:
        """Line and character where the one that was gone to stands."""
        return self.hits[self.place][:2] if self.place >= 0 else None

    def at_or_after(self, position: tuple[int, int]) -> int:
        """The place of the first hit that does not stand before a line and character."""
        return bisect_left(self.hits, (*position, 0))

    def in_line(self, line: int, start: int, end: int) -> list[tuple[int, int, str]]:
        """Start, end and ink of the hits that touch a piece of a line."""
        ranges = self._of_line.get(line)
        if ranges is None:
            return []
        first, behind = bisect_right(ranges, start, key=_end), bisect_left(ranges, end, key=_start)
        here = self.here
        return [(low, high, HERE if (line, low) == here else HIT) for low, high in ranges[first:behind]]


_start, _end = itemgetter(0), itemgetter(1)
