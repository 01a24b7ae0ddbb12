"""The Log pane: the event stream as it comes, filtered, followed, and each event in full."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from console.client import Args
from console.table import TableModel
from console.table_rows import Row
from console.ui.frame import LOG
from console.ui.panes.pane import Pane
from console.ui.recent import KEPT_RECORDS
from console.ui.remembered import Remembered
from console.ui.sheet import Line, Span
from console.ui.text.json_lines import json_sheet
from console.ui.text.log import COLUMNS, log_row
from console.ui.widgets.live_table import LiveTable
from console.ui.widgets.sheet_view import SheetView
from console.view import Changes
from runtime.codec import to_line
from runtime.events import Record

__all__ = ["LogPane"]

_EMPTY = (
    "Nothing has happened yet.",
    "Everything that happens is an event, and every event is a line here.",
)


class LogPane(Pane):
    """The newest 10,000 events, oldest first."""

    NUMBER = LOG
    NOUN = "events"
    PARTS = ("log", "event")
    DETAIL = "event"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "follow", "follow", id="ui.follow"),
        Binding("c", "clear", "clear the view", id="ui.clear"),
        Binding("o", "cause", "what caused it", id="ui.cause"),
    ]

    def compose(self) -> ComposeResult:
        """The table, and below it the event in full."""
        table = LiveTable(
            TableModel(COLUMNS),
            name="log",
            empty=(*_EMPTY, f"{self.keys.named('ui.help', '?')} lists the keys"),
            classes="part",
        )
        table.border_title = "Log"
        yield table
        yield SheetView(name="event", classes="part below")

    # --- rows -------------------------------------------------------------------------------------------------------

    _wants_follow: bool | None = None
    """What `f` said last; that moving up ends it is not a choice."""

    def recall(self, kept: Remembered) -> None:
        """Follows the newest event, unless that was switched off."""
        super().recall(kept)
        self._wants_follow = kept.follow
        self.main.follow = kept.follow is not False

    def remember(self, kept: Remembered) -> Remembered:
        """With what `f` said."""
        return replace(super().remember(kept), follow=self._wants_follow)

    def load(self) -> None:
        """Rows for what waited."""
        self._add()

    def take(self, changes: Changes, records: Sequence[Record]) -> None:  # noqa: ARG002 - events, not rows
        """Adds rows; the records were kept before."""
        if not self.frozen:
            self._add()

    def _add(self) -> None:
        fresh = self.desk.recent.fresh
        self.main.update_rows(log_row(fresh.popleft(), self._room_name) for _ in range(len(fresh)))
        self.main.trim(KEPT_RECORDS)
        self._titled()

    def _room_name(self, room: str) -> str:
        row = self.desk.view.rooms.get(room)
        return row.name if row else room[:8]

    def show_detail(self) -> None:
        """The event under the cursor, as it is in the stream."""
        sheet = self.query_one("#event", SheetView)
        self._titled()
        if self.current != self.DETAIL:
            return
        record = self.desk.recent.records.get(self.main.model.cursor or "")
        if record is None:
            sheet.show(())
            return
        sheet.border_title = f"Event {record.seq}"
        sheet.show(self._sheet(record))

    def opened(self, table: LiveTable) -> None:
        """Shows the event in full, below the table."""
        super().opened(table)
        self.main.follow = False
        self.show_detail()

    def _sheet(self, record: Record) -> list[Line]:
        return json_sheet(json.loads(to_line(record, content=True)))

    def document(self, row: Row) -> object:
        """The event as it is in the stream."""
        record = self.desk.recent.records.get(row.key)
        return json.loads(to_line(record, content=True)) if record else super().document(row)

    def status(self) -> tuple[Span, ...]:
        """Counts, and whether the newest is followed."""
        following = self.main.follow
        said = " · following" if following else f" · {self.keys.named('ui.follow', 'f')} follows the newest"
        return (*super().status(), (said, "ok" if following else "dim"))

    def _titled(self) -> None:
        title = "Log  follow ●" if self.main.follow else "Log  follow ○"
        if self.main.border_title != title:
            self.main.border_title = title

    def reference(self, row: Row) -> tuple[str, Args]:  # noqa: ARG002 - the interface
        """An event is shown by no command; `status` says what this node is."""
        return "status", {}

    # --- keys -------------------------------------------------------------------------------------------------------

    def action_follow(self) -> None:
        """Follows the newest event, or stays."""
        self.main.follow = self._wants_follow = not self.main.follow
        if self.main.follow:
            self.main.action_last()
        self._titled()

    def action_clear(self) -> None:
        """Empties the view; the journal keeps everything."""
        self.desk.recent.fresh.clear()
        self.main.replace_rows(())
        self.show_detail()

    def action_cause(self) -> None:
        """Goes to the event that led to this one."""
        record = self.desk.recent.records.get(self.main.model.cursor or "")
        cause = None if record is None else record.event.cause
        if cause is None:
            self.actions.refuse("this event names no cause")
        elif self.main.select(str(cause)):
            self.main.follow = False
        else:
            self.actions.refuse(f"event {cause} is not among those shown here")
