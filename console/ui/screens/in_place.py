"""A cell of a table that is changed where it stands."""

from collections.abc import Callable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.geometry import Region
from textual.widgets import Input

from console.ui.bound import keys_of
from console.ui.screens.line import LineScreen
from console.ui.widgets.ribbon import Ribbon

__all__ = ["InPlaceScreen"]

_WIDTH = 44
"""Cells of the line at least, where the screen has them."""


class InPlaceScreen(LineScreen[str | None]):
    """A line over a cell; answers with the text, or None when nothing is to change.

    Args:
        cell: where it stands on the screen.
        text: what stands in it.
        hint: what is said in the empty line.
        tell: what the text means, while it is typed; a text of its own below the line.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Leave it as it is", id="ui.in-place-cancel")
    ]

    def __init__(self, cell: Region, text: str, *, hint: str = "", tell: Callable[[str], str] = lambda _: "") -> None:
        super().__init__(text, over=False)
        self.remove_class("prompt")
        self.add_class("in-place")
        self._cell = cell
        self._hint = hint
        self._tell = tell

    def compose(self) -> ComposeResult:
        """The line, and below it what it means."""
        with Vertical(classes="in-place-box"):
            yield Input(self.text, id="cell", placeholder=self._hint, compact=True, select_on_focus=False)
            yield Ribbon(name="cell-means")

    def on_mount(self) -> None:
        """Where the cell is."""
        self._place()
        self._say(self.open_line())

    def on_resize(self) -> None:
        """The screen has another size: it stays on it."""
        self._place()

    def _place(self) -> None:
        box = self.query_one(Vertical)
        width = min(max(self._cell.width, _WIDTH), self.size.width)
        box.styles.width = width
        box.styles.offset = (
            max(min(self._cell.x, self.size.width - width), 0),
            max(min(self._cell.y, self.size.height - 2), 0),
        )

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._say(event.value)

    def _say(self, text: str) -> None:
        keys = keys_of(self.app)
        means = self._tell(text.strip())
        told = (
            (f" {means}", "link")
            if means
            else (f" enter saves · {keys.named('ui.in-place-cancel', 'esc')} does not", "dim")
        )
        self.query_one("#cell-means", Ribbon).show((told,))

    @on(Input.Submitted)
    def _take(self, event: Input.Submitted) -> None:
        event.stop()
        self.dismiss(event.value.strip())
