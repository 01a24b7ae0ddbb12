"""What all lists are that stand behind a row of a dialog: things with a box each, and why some cannot be ticked."""

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from console.table import TableModel
from console.table_rows import Column, Row
from console.ui.bound import keys_of
from console.ui.widgets.live_table import LiveTable

__all__ = ["SeveralScreen"]


class SeveralScreen(ModalScreen[frozenset[str] | None]):
    """A list. A subclass says its rows; answers with the keys of those that are ticked, or None.

    Args:
        chosen: keys that are ticked at first.
        refused: why a row cannot be ticked, by its key.
    """

    AUTO_FOCUS: ClassVar[str | None] = "LiveTable"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Close", id="ui.several-cancel"),
        Binding("space", "tick", "Tick", id="ui.several-tick"),
        Binding("ctrl+s", "take", "Take those that are ticked", id="ui.several-take"),
        Binding("slash", "seek", "Filter", id="ui.several-filter"),
    ]
    TITLE: ClassVar[str | None] = ""
    NOUN: ClassVar[str] = "row"
    EMPTY: ClassVar[str] = "Nothing to choose."
    OPENS: ClassVar[str] = ""
    """What `enter` does, where it does another thing than `space`."""
    COLUMNS: ClassVar[Sequence[Column]] = ()

    def __init__(self, chosen: Iterable[str], refused: Mapping[str, str]) -> None:
        super().__init__(classes="dialog")
        self.chosen = frozenset(chosen)
        self.refused = refused
        self._table = LiveTable(TableModel(self.COLUMNS), name="several", empty=(self.EMPTY, "esc goes back"))

    # --- what a list gives ------------------------------------------------------------------------------------------

    def rows(self) -> list[Row]:
        """All rows, those in `chosen` ticked."""
        raise NotImplementedError

    def opened(self, key: str) -> None:  # noqa: ARG002 - it has the cursor
        """A row was opened: by itself it is ticked, as by `space`."""
        self.action_tick()

    # --- the list ---------------------------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        """A line to filter by, the list, and why a row cannot be ticked."""
        with Vertical(classes="menu several") as box:
            box.border_title = self.TITLE or ""
            keys = keys_of(self.app)
            tick, take = keys.named("ui.several-tick", "space"), keys.named("ui.several-take", "ctrl+s")
            seek, back = keys.named("ui.several-filter", "/"), keys.named("ui.several-cancel", "esc")
            opens = f"{keys.named('ui.open', 'enter')} {self.OPENS} · " if self.OPENS else ""
            box.border_subtitle = f"{opens}{tick} ticks · {take} takes them · {seek} filters · {back} cancels"
            line = Input(id="several-filter", placeholder="filter", compact=True)
            line.cursor_blink = False
            line.display = False
            yield line
            yield self._table
            yield Static("", id="several-why", markup=False)

    def on_mount(self) -> None:
        """All rows."""
        self._show()

    def _show(self) -> None:
        words = self.query_one(Input).value.casefold().split()
        searched = ((row, " ".join((*row.cells, row.key)).casefold()) for row in self.rows())
        self._table.replace_rows(row for row, said in searched if all(word in said for word in words))
        self._table.rearranged()

    @on(LiveTable.Moved)
    @on(LiveTable.Arranged)
    def _tell(self, event: LiveTable.Moved | LiveTable.Arranged) -> None:
        event.stop()
        why = self.refused.get(self._table.model.cursor or "", "")
        count = len(self.chosen)
        told = f"✗ {why}" if why else f"{count or 'no'} {self.NOUN}{'' if count == 1 else 's'} ticked"
        words = self.query_one("#several-why", Static)
        words.update(told)
        words.set_class(bool(why), "-refused")

    @on(Input.Changed)
    def _filter(self, event: Input.Changed) -> None:
        event.stop()
        self._show()

    @on(Input.Submitted)
    def _filtered(self, event: Input.Submitted) -> None:
        event.stop()
        self._table.focus()

    @on(LiveTable.Opened)
    def _opened(self, event: LiveTable.Opened) -> None:
        event.stop()
        self.opened(event.key)

    def action_seek(self) -> None:
        """Opens the line to filter by."""
        line = self.query_one(Input)
        line.display = True
        line.focus()

    def action_tick(self) -> None:
        """Ticks the row under the cursor, or takes its tick away; one that is refused stays without."""
        key = self._table.model.cursor
        if key is not None and key not in self.refused:
            self.chosen ^= {key}
            self._table.update_rows(row for row in self.rows() if row.key == key)
            self._table.rearranged()

    def action_take(self) -> None:
        """Answers with what is ticked."""
        self.dismiss(self.chosen)

    def action_back(self) -> None:
        """Ends the filter; without one, closes."""
        line = self.query_one(Input)
        if line.display and line.value:
            line.value = ""
            line.display = False
            self._table.focus()
        else:
            self.dismiss(None)
