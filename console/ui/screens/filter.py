"""The row at the bottom for `/`: a filter that hides rows, or after a second `/` a search that lights hits."""

from collections.abc import Callable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Input, Static

from console.filter import GRAMMAR, FilterError
from console.ui.bound import keys_of
from console.ui.screens.line import LineScreen
from console.ui.sheet import Span
from console.ui.widgets.ribbon import Ribbon
from console.ui.widgets.searched import Searched

__all__ = ["FilterScreen"]

Filtering = Callable[[str], FilterError | None]

_SLASH = "/"


class FilterScreen(LineScreen[None]):
    """Filters or searches as one types; `enter` keeps it, `esc` clears the filter or ends the search.

    Args:
        searched: where it is searched; None where there is nothing to search in.
        filtering: filters, and answers with the error of a text that cannot be read; None where there are no rows:
            there the first `/` searches already.
        text: the filter that holds now.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Clear the filter, or end the search", id="ui.close-filter"),
    ]

    def __init__(self, searched: Searched | None, filtering: Filtering | None = None, text: str = "") -> None:
        super().__init__(text, over=True)
        self._searched = searched
        self._filtering = filtering
        self._sought: str | None = None
        """What is searched for; None while one filters."""

    def compose(self) -> ComposeResult:
        """Help, and the line."""
        with Vertical(classes="prompt-box"):
            yield Ribbon(name="filter-help")
            yield Ribbon(name="filter-keys")
            with Horizontal(classes="prompt-line"):
                yield Static("/" if self._filtering else "//", markup=False)
                yield Input(self.text, id="filter", compact=True, select_on_focus=False)

    def on_mount(self) -> None:
        """Shows the help."""
        self._take(self.open_line())

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._take(event.value)

    def _take(self, text: str) -> None:
        searched = self._searched
        if searched is not None and (self._filtering is None or text.startswith(_SLASH)):
            self._search(searched, text.removeprefix(_SLASH))
        else:
            self._filter(text)

    def _filter(self, text: str) -> None:
        self._end_search()
        error = self._filtering(text) if self._filtering is not None else None
        said: tuple[Span, ...] = ((f" {GRAMMAR}", "dim"),)
        if error is not None:
            hint = f"; {error.hint}" if error.hint else ""
            said = ((f" ✗ {error.why}{hint}", "trip"), ("  (the filter before holds)", "dim"))
        close = keys_of(self.app).named("ui.close-filter", "esc")
        self._say(said, (("enter", "keeps it"), (close, "clears it"), ("//text", "lights hits and hides nothing")))

    def _search(self, searched: Searched, text: str) -> None:
        """Lights the hits; the filter is again the one that held when the line was opened."""
        if self._sought is None and self._filtering is not None:
            self._filtering(self.text)
        if text != self._sought:
            self._sought = text
            searched.seek(text)
        said = searched.search_spans() or (("lights every hit, in capitals or not", "dim"),)
        keys = keys_of(self.app)
        helps = (
            ("enter", "goes to the first"),
            (keys.named("ui.next-hit", "n"), "next"),
            (keys.named("ui.previous-hit", "N"), "previous"),
            (keys.named("ui.close-filter", "esc"), "ends the search"),
        )
        self._say(((" ", ""), *said), helps)

    def _end_search(self) -> None:
        if self._searched is not None and self._sought is not None:
            self._sought = None
            self._searched.seek("")

    def _say(self, said: tuple[Span, ...], keys: tuple[tuple[str, str], ...]) -> None:
        self.query_one("#filter-help", Ribbon).show(said)
        spans = [span for key, does in keys for span in ((f" {key}", "key"), (f" {does} ", "dim"))]
        self.query_one("#filter-keys", Ribbon).show(tuple(spans))

    @on(Input.Submitted)
    def _keep(self, event: Input.Submitted) -> None:
        event.stop()
        if self._searched is not None and self._sought is not None:
            self._searched.go_to_first_hit()
        self.dismiss()

    def action_cancel(self) -> None:
        """Clears the filter, or ends the search."""
        if self._sought is not None or self._filtering is None:
            self._end_search()
        else:
            self._filtering("")
        self.dismiss()
