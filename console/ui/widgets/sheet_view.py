"""A sheet in a scrolling window."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from console.ui.search import SheetHits, lit
from console.ui.sheet import Laid, Line, Span, plain, wrap
from console.ui.widgets.searched import Searched

__all__ = ["SheetView"]


class SheetView(Searched, ScrollView, can_focus=True):
    """Lines of spans, wrapped to the width of the window. `tail` keeps the end in view while it is at the end."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "scroll_by(1)", "Down", show=False, id="ui.sheet-down"),
        Binding("k,up", "scroll_by(-1)", "Up", show=False, id="ui.sheet-up"),
        Binding("g,home", "scroll_ends(False)", "Top", show=False, id="ui.sheet-first"),
        Binding("G,end", "scroll_ends(True)", "End", show=False, id="ui.sheet-last"),
        Binding("ctrl+d,ctrl+f,pagedown", "scroll_page(1)", "Page down", show=False, id="ui.sheet-page-down"),
        Binding("ctrl+u,ctrl+b,pageup", "scroll_page(-1)", "Page up", show=False, id="ui.sheet-page-up"),
    ]
    DEFAULT_CSS: ClassVar[str] = """
    SheetView {
        background: $background;
        color: $foreground;
        scrollbar-size-vertical: 1;
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-gutter: stable;
    }
    """

    def __init__(self, *, name: str, classes: str = "", tail: bool = False) -> None:
        super().__init__(id=name, classes=classes)
        self.tail = tail
        self.lines: tuple[Line, ...] = ()
        self._wrapped: list[Laid] = []
        self._width = 0
        self._hits: SheetHits | None = None

    def show(self, lines: Sequence[Line]) -> None:
        """Shows a sheet in place of the one before, at the same place."""
        fresh = tuple(lines)
        if fresh == self.lines:
            return
        self.lines = fresh
        if self.needle is not None:
            self._hits = SheetHits(self.needle, fresh, self._hits.here if self._hits else None)
            self.refresh()
            self.post_message(self.Sought())
        self._lay_out()

    @property
    def text(self) -> str:
        """The text of the sheet."""
        return plain(self.lines)

    def _lay_out(self) -> None:
        at_end = self.tail and self.scroll_offset.y >= self.max_scroll_y
        before, width_before = self._wrapped, self._width
        self._width = self.scrollable_content_region.width
        # Before it is given its place there is no width: a sheet of one character a line would be seen until there is.
        self._wrapped = wrap(self.lines, self._width) if self._width > 0 else []
        self.virtual_size = Size(self._width, len(self._wrapped))
        if self._width == width_before and len(self._wrapped) == len(before):
            self._refresh_changed(before)
        else:
            self.refresh()
        if at_end:
            self.call_after_refresh(self.scroll_end, animate=False)

    def _refresh_changed(self, before: Sequence[Laid]) -> None:
        """Repaints the lines in the window that are not what they were: mostly a figure or two."""
        top, window = self.scroll_offset.y, self.size.height
        pairs = zip(before, self._wrapped, strict=True)
        changed = (place - top for place, (old, new) in enumerate(pairs) if old.spans != new.spans)
        visible = [Region(0, y, self.size.width, 1) for y in changed if 0 <= y < window]
        if visible:
            self.refresh(*visible)

    def render_line(self, y: int) -> Strip:
        """One line of the window."""
        width = self.scrollable_content_region.width
        if width != self._width and y == 0:  # the scrollbar came or went, of which no resize tells
            self.call_after_refresh(self._lay_out)
        place = y + self.scroll_offset.y
        if place >= len(self._wrapped):
            return Strip.blank(width, self.rich_style)
        laid = self._wrapped[place]
        return self.strip_of(laid.spans if self._hits is None else self._lit(laid, self._hits), width)

    # --- searching --------------------------------------------------------------------------------------------------

    def _lit(self, laid: Laid, hits: SheetHits) -> tuple[Span, ...]:
        """A piece of a line with its hits, and with the parts of those that the line's end broke."""
        size = sum(len(text) for text, _ in laid.spans) - laid.indent
        ranges = hits.in_line(laid.line, laid.start, laid.start + size)
        if not ranges:
            return laid.spans
        shift = laid.indent - laid.start
        return tuple(lit(laid.spans, [(max(low + shift, laid.indent), high + shift, ink) for low, high, ink in ranges]))

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Scrolling leaves the hit, or comes back to it."""
        super().watch_scroll_y(old_value, new_value)
        if self.needle is not None:
            self.post_message(self.Sought())

    def needle_changed(self) -> None:
        """Looks for the new one."""
        self._hits = SheetHits(self.needle, self.lines) if self.needle is not None else None

    def hit_count(self) -> int:
        """How many hits there are."""
        return len(self._hits.hits) if self._hits else 0

    def hits_before(self) -> tuple[int, bool]:
        """Those before the one that was gone to; before the window, when that is not in it."""
        if self._hits is None or not self._wrapped:
            return 0, False
        top = self.scroll_offset.y
        if self._hits.place >= 0 and 0 <= self._row_of(self._hits.hits[self._hits.place]) - top < self.size.height:
            return self._hits.place, True
        first = self._wrapped[min(top, len(self._wrapped) - 1)]
        return self._hits.at_or_after((first.line, first.start)), False

    def go_to_hit(self, number: int) -> None:
        """Goes to a hit, counted from 0; one that is in the window does not move it."""
        if self._hits is None:
            return
        self._hits.place = number
        row = self._row_of(self._hits.hits[number])
        if not 0 <= row - self.scroll_offset.y < self.size.height:
            # At once: the next key goes on from what is in the window.
            self.scroll_to(y=max(row - self.size.height // 3, 0), animate=False, immediate=True)
        self.refresh()

    def _row_of(self, hit: tuple[int, int, int]) -> int:
        """Number of the row in which a hit begins."""
        line, start, _ = hit
        return bisect_right(self._wrapped, (line, start), key=_begin) - 1

    def on_resize(self) -> None:
        """Wraps anew."""
        if self.scrollable_content_region.width != self._width:
            self._lay_out()

    def action_scroll_by(self, lines: int) -> None:
        """Scrolls by lines."""
        self.scroll_to(y=self.scroll_offset.y + lines, animate=False)

    def action_scroll_page(self, pages: int) -> None:
        """Scrolls by pages."""
        self.scroll_to(y=self.scroll_offset.y + pages * max(self.size.height - 1, 1), animate=False)

    def action_scroll_ends(self, last: bool) -> None:
        """Scrolls to the top or to the end."""
        self.scroll_to(y=self.max_scroll_y if last else 0, animate=False)


def _begin(laid: Laid) -> tuple[int, int]:
    return laid.line, laid.start
