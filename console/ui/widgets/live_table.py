"""A table of any length that is repainted where it changed, drawn line by line from a `TableModel`.

Only the rows in the window are ever drawn. Line 0 is the header. Rows change at once; their order is brought up to
date at most twice a second and never while the operator is moving, so that nothing jumps away under a key.
"""

from asyncio import TimerHandle
from collections.abc import Iterable, Sequence
from time import monotonic
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message

from console.table import TableModel
from console.table_rows import Column, Row
from console.ui.after import after
from console.ui.widgets.table_lines import TableLines

__all__ = ["LiveTable"]

_ARRANGE_EVERY_S = 0.5
_KEY_REST_S = 0.3


class LiveTable(TableLines, can_focus=True):
    """The table. `model` is changed through `update_rows`, `replace_rows` and `rearranged`, so that it is repainted."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "move(1)", "Down", show=False, id="ui.down"),
        Binding("k,up", "move(-1)", "Up", show=False, id="ui.up"),
        Binding("g,home", "first", "First row", show=False, id="ui.first"),
        Binding("G,end", "last", "Last row", show=False, id="ui.last"),
        Binding("ctrl+d", "page(0.5)", "Half a page down", show=False, id="ui.half-down"),
        Binding("ctrl+u", "page(-0.5)", "Half a page up", show=False, id="ui.half-up"),
        Binding("ctrl+f,pagedown", "page(1.0)", "Page down", show=False, id="ui.page-down"),
        Binding("ctrl+b,pageup", "page(-1.0)", "Page up", show=False, id="ui.page-up"),
        Binding("l,right", "fold(False)", "Unfold", show=False, id="ui.unfold"),
        Binding("h,left", "fold(True)", "Fold", show=False, id="ui.fold"),
        Binding("enter", "open", "open", id="ui.open"),
    ]

    class Moved(Message):
        """The cursor stands on another row, or on none."""

        def __init__(self, table: "LiveTable", key: str | None) -> None:
            super().__init__()
            self.table = table
            self.key = key

        @property
        def control(self) -> "LiveTable":
            """The table that sent it."""
            return self.table

    class Arranged(Message):
        """Sort, filter, folds or marks were changed."""

    class Opened(Message):
        """The operator opened the row under the cursor."""

        def __init__(self, table: "LiveTable", key: str) -> None:
            super().__init__()
            self.table = table
            self.key = key

        @property
        def control(self) -> "LiveTable":
            """The table that sent it."""
            return self.table

    def __init__(
        self, model: TableModel, *, name: str, tree_column: int = -1, empty: Sequence[str] = (), classes: str = ""
    ) -> None:
        super().__init__(model, name=name, tree_column=tree_column, empty=empty, classes=classes)
        self.follow = False
        """While true the cursor stays on the last row; moving up ends it."""
        self.frozen = False
        """While true nothing is repainted because of changed rows."""
        self._sent: str | None = None
        self._arranged_at = 0.0
        self._pressed_at = 0.0
        self._arrange_timer: TimerHandle | None = None

    # --- changing rows ----------------------------------------------------------------------------------------------

    def update_rows(self, rows: Iterable[Row], gone: Iterable[str] = ()) -> None:
        """Takes changed, new and vanished rows, and repaints what of them is in the window."""
        before = len(self.model.order)
        removed = self.model.remove(gone)
        touched = self.model.put(rows)
        self._after_change(touched, resized=removed or len(self.model.order) != before)

    def replace_rows(self, rows: Iterable[Row]) -> None:
        """Makes these all the rows there are."""
        before = self.model.order.copy()
        touched = self.model.replace(rows)
        if self.model.stale:
            self.model.arrange()
        self._after_change(touched, resized=before != self.model.order)

    def trim(self, most: int) -> None:
        """Forgets the oldest rows beyond this many; what is in the window stays where it is."""
        surplus = len(self.model.rows) - most
        if surplus <= 0:
            return
        top = self.scroll_offset.y
        shown = len(self.model.order)
        if self.model.trim(most):
            self._sized()
            if not self.follow:
                self.scroll_to(y=max(top - (shown - len(self.model.order)), 0), animate=False)
            self.refresh()
            self._announce()

    def rearranged(self) -> None:
        """To be called after the model's sort, filter, folds or marks were changed."""
        self._sized()
        self.show_cursor()
        self.refresh()
        self._announce()
        self.post_message(self.Arranged())

    def select(self, key: str) -> bool:
        """Puts the cursor on a row, if it is shown."""
        if not self.model.select(key):
            return False
        self._cursor_moved()
        return True

    def show_columns(self, columns: Sequence[Column]) -> None:
        """Takes columns of the same names, in the same order, with other widths or priorities."""
        self.model.columns = tuple(columns)
        self.forget_lines()
        self.refresh()

    def go_to_hit(self, number: int) -> None:
        """Puts the cursor on a row with a hit, counted from 0."""
        self._go(self._hit_places()[number])

    def _after_change(self, touched: set[str], *, resized: bool) -> None:
        self.rows_changed(touched)
        if self.frozen:
            return
        if self.model.stale:
            self._arrange_soon()
        if self.follow and self.model.order:
            self.model.move_to(len(self.model.order) - 1)
        if resized:
            self._sized()
            self.refresh()
            if self.follow:
                self.show_cursor()
        else:
            self._refresh_rows(touched)
        self._announce()

    def _arrange_soon(self) -> None:
        now = monotonic()
        wait = max(_ARRANGE_EVERY_S - (now - self._arranged_at), _KEY_REST_S - (now - self._pressed_at))
        if wait <= 0:
            self._arrange()
        elif self._arrange_timer is None:
            self._arrange_timer = after(self, wait, self._arrange_due)

    def _arrange_due(self) -> None:
        self._arrange_timer = None
        if self.model.stale and not self.frozen:
            self._arrange_soon()

    def _arrange(self) -> None:
        self._arranged_at = monotonic()
        row_on_screen = self.model.place - self.scroll_offset.y
        if self.model.arrange():
            self._sized()
            if self.follow:
                self.model.move_to(len(self.model.order) - 1)
                self.show_cursor()
            elif 0 <= row_on_screen < self.window and self.scroll_offset.y:
                # The cursor's row stays where the eye is; at the top the list stays at its top.
                self.scroll_to(y=max(self.model.place - row_on_screen, 0), animate=False)
                self.show_cursor()
            else:
                self.show_cursor()
            self.refresh()
            self._announce()

    def _sized(self) -> None:
        self.virtual_size = Size(self.scrollable_content_region.width, len(self.model.order) + 1)

    def _announce(self) -> None:
        if self._sent != self.model.cursor:
            self._sent = self.model.cursor
            self.post_message(self.Moved(self, self.model.cursor))

    # --- window -----------------------------------------------------------------------------------------------------

    @property
    def window(self) -> int:
        """How many rows are in the window."""
        return max(self.scrollable_content_region.height - 1, 0)

    def show_cursor(self) -> None:
        """Scrolls just so far that the cursor is in the window."""
        place, top, window = self.model.place, self.scroll_offset.y, self.window
        if place < 0 or window <= 0:
            return
        if place < top:
            self.scroll_to(y=place, animate=False)
        elif place >= top + window:
            self.scroll_to(y=place - window + 1, animate=False)

    def _refresh_rows(self, keys: Iterable[str | None]) -> None:
        top, window = self.scroll_offset.y, self.window
        index = self.model.index
        places = {index.get(key, -1) - top for key in keys if key is not None}
        visible = [place for place in places if 0 <= place < window]
        if visible:
            # Each row by itself: a line that is not named keeps what Textual styled and cut for it.
            width = self.size.width
            self.refresh(*(Region(0, place + 1, width, 1) for place in visible))

    def _cursor_moved(self, before: str | None = None) -> None:
        self.show_cursor()
        self._refresh_rows((before, self.model.cursor))
        self._announce()

    # --- keys and mouse ---------------------------------------------------------------------------------------------

    def action_move(self, by: int) -> None:
        """Moves the cursor by rows."""
        self._go(self.model.place + by)

    def action_first(self) -> None:
        """Moves the cursor to the first row."""
        self._go(0)

    def action_last(self) -> None:
        """Moves the cursor to the last row."""
        self._go(len(self.model.order) - 1)

    def action_page(self, pages: float) -> None:
        """Moves the cursor by parts of the window."""
        self._go(self.model.place + round(max(self.window - 1, 1) * pages))

    def action_fold(self, closed: bool) -> None:
        """Folds what hangs under the row; on a row without any, goes to the row above it in the tree."""
        row = self.model.current
        if row is None:
            return
        if self.model.fold(row.key, closed=closed):
            self.rearranged()
        elif closed and row.parent:
            self.select(row.parent)
            self.refresh()

    def action_open(self) -> None:
        """Opens the row under the cursor."""
        if self.model.cursor is not None:
            self.post_message(self.Opened(self, self.model.cursor))

    def _go(self, place: int) -> None:
        self._pressed_at = monotonic()
        before = self.model.cursor
        if self.model.move_to(place):
            self._cursor_moved(before)
        if self.model.place < len(self.model.order) - 1:
            self.follow = False

    def watch_hover_place(self, before: int, now: int) -> None:
        """Repaints the two rows that the mouse left and entered."""
        order = self.model.order
        self._refresh_rows(order[place] for place in (before, now) if 0 <= place < len(order))

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Lights the row under the mouse."""
        offset = event.get_content_offset(self)
        inside = offset is not None and offset.y > 0
        self.hover_place = offset.y - 1 + self.scroll_offset.y if offset is not None and inside else -1

    def on_leave(self) -> None:
        """Darkens it again."""
        self.hover_place = -1

    def on_click(self, event: events.Click) -> None:
        """Moves the cursor to the row; opens it when it was there or by a double click; the header sorts."""
        offset = event.get_content_offset(self)
        if offset is None:
            return
        if offset.y == 0:
            self._sort_at(offset.x)
            return
        place = offset.y - 1 + self.scroll_offset.y
        if place < len(self.model.order):
            self._go(place)
            if event.chain > 1:
                self.action_open()

    def _sort_at(self, x: int) -> None:
        column = self.column_at(x)
        if column is not None:
            same = column.name == self.model.sort
            self.model.sort_by(column.name, descending=same and not self.model.descending)
            self.rearranged()

    def on_resize(self) -> None:
        """Fits the columns anew and keeps the cursor in the window."""
        self.forget_lines()
        self._sized()
        self.call_after_refresh(self.show_cursor)

    def on_focus(self) -> None:
        """Shows the cursor as the one that keys move."""
        self.notify_style_update()
        self.refresh()

    def on_blur(self) -> None:
        """Shows the cursor as a place only."""
        self.notify_style_update()
        self.refresh()
