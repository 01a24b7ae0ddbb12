"""The lines of a table: header, rows, and what stands there instead of rows. Drawn once and kept while they hold."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from console.table import TableModel
from console.table_rows import Column, Row, fit_columns
from console.ui.bound import keys_of
from console.ui.search import HERE, HIT, TableHits, lit
from console.ui.sheet import Span, cut, fit, line, width_of, wrap
from console.ui.text.steps import STEP_INKS
from console.ui.widgets.searched import Searched

__all__ = ["TableLines"]

_GUTTER = 2
"""Cells at the left: pointer and mark."""

_MARGIN = 1
"""Cells at the right, so that figures do not touch the frame."""

_POINTER = "\u276f"
_CACHE = 512
_State = tuple[bool, bool, bool]
"""How a row is drawn beside its own ink: under the cursor, under the mouse, marked."""


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A line that was drawn, valid while its row is the same object and it is drawn in the same way."""

    row: Row
    state: _State
    branch: str
    strip: Strip


class TableLines(Searched, ScrollView):
    """What a table looks like; `LiveTable` says when.

    Args:
        model: the rows.
        name: its id.
        tree_column: the place of the column that shows the tree, or -1.
        empty: what is said when there are no rows; the last line is a key and what it does.
        classes: of the widget.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "live-table--header",
        "live-table--cursor",
        "live-table--cursor-blurred",
        "live-table--hover",
    }
    DEFAULT_CSS = """
    TableLines {
        background: $background;
        color: $foreground;
        scrollbar-size-vertical: 1;
        scrollbar-size-horizontal: 1;
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-gutter: stable;
        & > .live-table--header { color: $orlop-dim; text-style: bold; }
        & > .live-table--cursor { background: $orlop-cursor; color: $foreground; text-style: bold; }
        & > .live-table--cursor-blurred { background: $orlop-blurred; color: $foreground; }
        & > .live-table--hover { background: $orlop-blurred; }
        &:nocolor > .live-table--cursor { text-style: reverse bold; }
        &:nocolor > .live-table--cursor-blurred { text-style: bold; }
        &:nocolor > .live-table--header { text-style: bold underline; }
    }
    """

    hover_place = reactive(-1, repaint=False, init=False)

    def __init__(self, model: TableModel, *, name: str, tree_column: int, empty: Sequence[str], classes: str) -> None:
        super().__init__(id=name, classes=classes)
        self.model = model
        self.tree_column = tree_column
        self.empty = tuple(empty)
        self.quiet = False
        """While true an empty table says nothing: it is not known yet whether it is empty."""
        self.drawn_rows = 0
        """How many rows were drawn so far, for tests and measurements."""
        self._strips: dict[tuple[str, int], _Drawn] = {}
        self._grounds: dict[_State, Style] = {}
        self._hits: TableHits | None = None

    def render_line(self, y: int) -> Strip:
        """One line of the widget."""
        width = self.scrollable_content_region.width
        if not self.model.order:
            return self._empty_line(y, width)
        if y == 0:
            return self._header(width)
        place = y - 1 + self.scroll_offset.y
        if place >= len(self.model.order):
            return Strip.blank(width, self.rich_style)
        return self._row(place, width)

    def _row(self, place: int, width: int) -> Strip:
        row = self.model.at(place)
        state = (row.key == self.model.cursor, place == self.hover_place, row.key in self.model.marks.keys)
        branch = self._branch(row) if self.tree_column >= 0 else ""
        drawn = self._strips.get((row.key, width))
        if drawn is not None and drawn.row is row and drawn.state == state and drawn.branch == branch:
            return drawn.strip
        self.drawn_rows += 1
        strip = self._draw(row, state, branch, width)
        if len(self._strips) >= _CACHE:
            self._strips.clear()
        self._strips[row.key, width] = _Drawn(row, state, branch, strip)
        return strip

    def _draw(self, row: Row, state: _State, branch: str, width: int) -> Strip:
        cursor, _, marked = state
        ground = self._ground(state)
        focused = cursor and self.has_focus
        spans: list[Span] = [(_POINTER if cursor else " ", "accent"), ("*" if marked else " ", "agent")]
        columns = fit_columns(self.model.columns, width - _GUTTER - _MARGIN)
        for number, (place, cells) in enumerate(columns):
            column = self.model.columns[place]
            ink = row.inks[place] if row.inks else ""
            text = row.cells[place]
            if place == self.tree_column and branch:
                spans.append((cut(branch, cells), "faint"))
                cells -= min(width_of(branch), cells)  # noqa: PLW2901 - the branch takes its part of the cell
            gap = " " if number < len(columns) - 1 else ""
            cell = _cell(text, ink, cells, gap, right=column.right)
            spans += cell if self.needle is None else self._lit(text, cell, HERE if cursor else HIT)
        return self._strip(spans, width, ground, plain=focused)

    def _lit(self, text: str, cell: list[Span], ink: str) -> list[Span]:
        """A cell with its hits; of a hit that the cell has no room for, its ellipsis is lit."""
        ranges = self.needle.ranges(text) if self.needle is not None else ()
        if not ranges:
            return cell
        shown = "".join(piece for piece, _ in cell)
        whole = shown.find(text)
        if whole >= 0:
            return lit(cell, [(whole + start, whole + end, ink) for start, end in ranges])
        kept = shown.rfind("…")
        return lit(cell, [(min(start, kept), min(end, kept + 1), ink) for start, end in ranges])

    def _strip(self, spans: Iterable[Span], width: int, ground: Style, *, plain: bool = False) -> Strip:
        """One segment for each run of one style. `plain`: faint inks would be hard to read on this ground."""
        segments: list[Segment] = []
        run, run_style, used = "", ground, 0
        for text, ink in spans:
            style = self.ink("strong" if plain and ink in {"dim", "faint", "done"} else ink, ground)
            if style == run_style or not run:
                run += text
            else:
                segments.append(Segment(run, run_style))
                run = text
            run_style = style
            used += width_of(text)
        segments.append(Segment(run, run_style))
        if used < width:
            segments.append(Segment(" " * (width - used), ground))
        strip = Strip(segments, max(used, width))
        return strip if used <= width else strip.crop(0, width)

    def _ground(self, state: _State) -> Style:
        ground = self._grounds.get(state)
        if ground is None:
            cursor, hover, _ = state
            names = {
                (True, True): "live-table--cursor",
                (True, False): "live-table--cursor-blurred",
            }
            name = names.get((cursor, self.has_focus), "live-table--hover" if hover else "")
            ground = self.get_component_rich_style(name) if name else self.rich_style
            self._grounds[state] = ground
        return ground

    def _branch(self, row: Row) -> str:
        model = self.model
        indent = "  " * model.depth(row.key)
        if model.has_children(row.key):
            return indent + ("▸ " if row.key in model.folded and not model.filter.tests else "▾ ")
        return indent

    def _header(self, width: int) -> Strip:
        ground = self.get_component_rich_style("live-table--header")
        spans: list[Span] = [(" " * _GUTTER, "head")]
        columns = fit_columns(self.model.columns, width - _GUTTER - _MARGIN)
        for number, (place, cells) in enumerate(columns):
            column = self.model.columns[place]
            here = bool(column.name) and column.name == self.model.sort
            title = column.title + ("▼" if self.model.descending else "▲") if here else column.title
            gap = " " if number < len(columns) - 1 else ""
            # A title may run into the gap: a mark of the sort order must not cost its last letter.
            shown = title if width_of(title) == cells + 1 and gap else fit(title, cells, right=column.right) + gap
            spans.append((shown, "title" if here else "head"))
        return self._strip(spans, width, ground)

    def _empty_line(self, y: int, width: int) -> Strip:
        hidden = bool(self.model.rows)
        if self.quiet:
            return Strip.blank(width, self.rich_style)
        back = keys_of(self.app).named("ui.back", "esc")
        words = (f"nothing matches /{self.model.filter.text}", f"{back} clears the filter") if hidden else self.empty
        key, _, does = words[-1].partition(" ")
        said = [line((text, "dim" if place else "strong")) for place, text in enumerate(words[:-1])]
        lines = wrap((*said, line((key, "key"), (f" {does}", "dim"))), max(width - 2, 1))
        first = max((self.size.height - len(lines)) // 3, 0)
        if not first <= y < first + len(lines):
            return Strip.blank(width, self.rich_style)
        spans = lines[y - first].spans
        used = sum(width_of(text) for text, _ in spans)
        return self.strip_of(((" " * max((width - used) // 2, 0), ""), *spans), width)

    # --- searching --------------------------------------------------------------------------------------------------

    def needle_changed(self) -> None:
        """Looks at every row anew when its turn comes."""
        self._hits = None
        self.forget_lines()

    def hit_count(self) -> int:
        """How many rows have a hit."""
        return len(self._hit_places())

    def hits_before(self) -> tuple[int, bool]:
        """How many rows with a hit stand before the cursor, and whether it stands on one."""
        places, here = self._hit_places(), self.model.place
        number = bisect_left(places, here)
        return number, number < len(places) and places[number] == here

    def _hit_places(self) -> Sequence[int]:
        if self.needle is None:
            return ()
        width = self.scrollable_content_region.width - _GUTTER - _MARGIN
        columns = tuple(place for place, _ in fit_columns(self.model.columns, width))
        if self._hits is None or self._hits.columns != columns:
            self._hits = TableHits(self.needle, columns)
        return self._hits.places(self.model)

    def rows_changed(self, keys: Iterable[str]) -> None:
        """To be told which rows look different now."""
        if self._hits is not None:
            self._hits.changed(keys)

    def notify_style_update(self) -> None:
        """Forgets what was drawn with the old styles."""
        self.forget_lines()
        self._grounds.clear()
        super().notify_style_update()

    def forget_lines(self) -> None:
        """Draws every line anew when it is needed next."""
        self._strips.clear()

    def cell_of(self, name: str) -> Region | None:
        """Where on the screen the cell of a column stands in the row under the cursor; None where it is not shown."""
        y = self.model.place - self.scroll_offset.y
        window = self.scrollable_content_region
        if self.model.place < 0 or not 0 <= y < window.height - 1:
            return None
        left = _GUTTER
        for place, cells in fit_columns(self.model.columns, window.width - _GUTTER - _MARGIN):
            if self.model.columns[place].name == name:
                row = self.model.current
                branch = width_of(self._branch(row)) if row is not None and place == self.tree_column else 0
                return Region(window.x + left + branch, window.y + 1 + y, max(cells - branch, 1), 1)
            left += cells + 1
        return None

    def column_at(self, x: int) -> Column | None:
        """The column with a title that stands at a cell of the header."""
        left = _GUTTER
        width = self.scrollable_content_region.width
        for place, cells in fit_columns(self.model.columns, width - _GUTTER - _MARGIN):
            column = self.model.columns[place]
            if left <= x <= left + cells and column.title.strip():
                return column
            left += cells + 1
        return None


def _cell(text: str, ink: str, cells: int, gap: str, *, right: bool) -> list[Span]:
    """A cell and the gap behind it."""
    if ink == "steps":  # each mark has an ink of its own
        shown = fit(text, cells, right=right)
        return [*((mark, STEP_INKS.get(mark, "")) for mark in shown), (gap, "")]
    if ink != "done":
        return [(fit(text, cells, right=right) + gap, ink)]
    # Only the text is struck through, not the rest of its cell.
    shown = cut(text, cells)
    return [(shown, ink), (" " * (cells - width_of(shown)) + gap, "")]
