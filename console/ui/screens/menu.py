"""A list of things to choose one from: how to sort, what to copy, what to do with a row."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from console.table import TableModel
from console.table_rows import Column, Row
from console.ui.bound import keys_of
from console.ui.widgets.live_table import LiveTable

__all__ = ["Choice", "MenuScreen"]


@dataclass(frozen=True, slots=True)
class Choice:
    """One line of a menu."""

    key: str
    """What the menu answers with."""
    label: str
    note: str = ""


class MenuScreen(ModalScreen[str | None]):
    """Answers with the key of the choice, or None.

    Args:
        title: in the frame.
        choices: from top to bottom.
        current: key of the one that holds now.
    """

    AUTO_FOCUS: ClassVar[str | None] = "LiveTable"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "dismiss(None)", "Close", id="ui.close-menu")]

    def __init__(self, title: str, choices: Sequence[Choice], current: str = "") -> None:
        super().__init__(classes="dialog")
        self._title = title
        self._choices = choices
        self._current = current

    def compose(self) -> ComposeResult:
        """The box."""
        columns = (
            Column(name="label", title="", width=18, grow=1),
            Column(name="note", title="", width=24, grow=2),
        )
        with Vertical(classes="menu") as box:
            box.border_title = self._title
            keys = keys_of(self.app)
            choose, close = keys.named("ui.open", "enter"), keys.named("ui.close-menu", "esc")
            box.border_subtitle = f"{choose} chooses · {close} closes"
            box.styles.height = min(len(self._choices) + 3, 24)
            table = LiveTable(TableModel(columns), name="menu")
            yield table

    def on_mount(self) -> None:
        """Puts the cursor on what holds now."""
        table = self.query_one(LiveTable)
        table.replace_rows(
            Row(key=each.key, cells=(each.label, each.note), values=(each.label, each.note), inks=("", "dim"))
            for each in self._choices
        )
        table.select(self._current)

    @on(LiveTable.Opened)
    def _chosen(self, event: LiveTable.Opened) -> None:
        event.stop()
        self.dismiss(event.key)

    @on(LiveTable.Moved)
    def _moved(self, event: LiveTable.Moved) -> None:
        event.stop()
