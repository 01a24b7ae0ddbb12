"""What a task waits for: the tasks of the room with a box each, and why some of them cannot be ticked."""

from collections.abc import Iterable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from console.client import Json
from console.table import TableModel
from console.ui.bound import keys_of
from console.ui.text.waiting import WAIT_COLUMNS, circles, waiting_rows
from console.ui.widgets.live_table import LiveTable

__all__ = ["WaitsScreen"]

_TITLE_COLUMN = 2


class WaitsScreen(ModalScreen[frozenset[str] | None]):
    """Answers with the ids of the tasks that are ticked, or None.

    Args:
        document: the room, as `rooms show` has it.
        task: id of the task that waits; empty for one that is not made yet.
        chosen: ids that are ticked at first.
    """

    AUTO_FOCUS: ClassVar[str | None] = "LiveTable"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Close", id="ui.waits-cancel"),
        Binding("space", "tick", "Tick", id="ui.waits-tick"),
        Binding("ctrl+s", "take", "Take", id="ui.waits-take"),
        Binding("slash", "seek", "Filter", id="ui.waits-filter"),
    ]

    def __init__(self, document: Json, task: str, chosen: Iterable[str]) -> None:
        super().__init__(classes="dialog")
        self._document = document
        self._waiting = task
        self._chosen = frozenset(chosen)
        self._refused = circles(document, task)
        self._table = LiveTable(TableModel(WAIT_COLUMNS), name="waits", empty=("No other task.", "esc goes back"))

    def compose(self) -> ComposeResult:
        """A line to filter by, the list, and why a task cannot be ticked."""
        with Vertical(classes="menu waits") as box:
            box.border_title = "Waits for"
            keys = keys_of(self.app)
            tick, take = keys.named("ui.waits-tick", "space"), keys.named("ui.waits-take", "ctrl+s")
            seek, back = keys.named("ui.waits-filter", "/"), keys.named("ui.waits-cancel", "esc")
            box.border_subtitle = f"{tick} ticks · {take} takes them · {seek} filters · {back} cancels"
            line = Input(id="waits-filter", placeholder="filter", compact=True)
            line.cursor_blink = False
            line.display = False
            yield line
            yield self._table
            yield Static("", id="waits-why", markup=False)

    def on_mount(self) -> None:
        """All tasks."""
        self._show()

    def _show(self) -> None:
        self._table.replace_rows(waiting_rows(self._document, self._waiting, self._chosen))
        self._table.rearranged()

    @on(LiveTable.Moved)
    @on(LiveTable.Arranged)
    def _tell(self, event: LiveTable.Moved | LiveTable.Arranged) -> None:
        event.stop()
        why = self._refused.get(self._table.model.cursor or "", "")
        count = len(self._chosen)
        told = f"✗ {why}" if why else f"{count or 'no'} task{'' if count == 1 else 's'} ticked"
        words = self.query_one("#waits-why", Static)
        words.update(told)
        words.set_class(bool(why), "-refused")

    @on(Input.Changed)
    def _filter(self, event: Input.Changed) -> None:
        event.stop()
        words = event.value.casefold().split()
        rows = waiting_rows(self._document, self._waiting, self._chosen)
        fitting = [row for row in rows if all(word in row.cells[_TITLE_COLUMN].casefold() for word in words)]
        self._table.replace_rows(fitting)
        self._table.rearranged()

    @on(Input.Submitted)
    def _filtered(self, event: Input.Submitted) -> None:
        event.stop()
        self._table.focus()

    @on(LiveTable.Opened)
    def _opened(self, event: LiveTable.Opened) -> None:
        event.stop()
        self.action_tick()

    def action_seek(self) -> None:
        """Opens the line to filter by."""
        line = self.query_one(Input)
        line.display = True
        line.focus()

    def action_tick(self) -> None:
        """Ticks the task under the cursor, or takes its tick away; one that would close a circle stays without."""
        key = self._table.model.cursor
        if key is not None and key not in self._refused:
            self._chosen ^= {key}
            row = next(row for row in waiting_rows(self._document, self._waiting, self._chosen) if row.key == key)
            self._table.update_rows([row])
            self._table.rearranged()

    def action_take(self) -> None:
        """Answers with what is ticked."""
        self.dismiss(self._chosen)

    def action_back(self) -> None:
        """Ends the filter; without one, closes."""
        line = self.query_one(Input)
        if line.display and line.value:
            line.value = ""
            line.display = False
            self._table.focus()
        else:
            self.dismiss(None)
