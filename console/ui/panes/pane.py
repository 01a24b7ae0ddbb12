"""What all panes are: parts among which the focus goes round, a main table, and rows that come from the desk's view."""

from asyncio import TimerHandle
from collections.abc import Sequence
from dataclasses import replace
from time import monotonic
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.css.query import NoMatches
from textual.events import DescendantFocus
from textual.message import Message
from textual.widget import Widget

from console.client import Args
from console.filter import FilterError
from console.registry import COMMANDS
from console.table_rows import Row
from console.ui.actions import Actions
from console.ui.after import after
from console.ui.bound import Keys
from console.ui.desk import Desk
from console.ui.frame import table_status
from console.ui.once import only_newest
from console.ui.remembered import Order, Remembered
from console.ui.sheet import Span
from console.ui.widgets.live_table import LiveTable
from console.ui.widgets.searched import Searched
from console.view import Changes
from runtime.events import Record

__all__ = ["Pane", "command_binding", "marking"]

_REST_S = 0.06
_EVERY_S = 0.5
_SEARCHING = {"ui.next-hit", "ui.previous-hit"}
_LABELS = {"ui.next-hit": "next", "ui.previous-hit": "previous", "ui.filter": "filter", "ui.prompt": "command"}
"""Shorter words than the help has."""


def command_binding(key: str, action: str, command: str, does: str, *, show: bool = True) -> Binding:
    """A key for a registered command; where several keys run one, `command` ends in `.` and a word of its own."""
    if command.partition(".")[0] not in COMMANDS:
        raise KeyError(command)
    return Binding(key, action, does, show=show, id=command)


def marking(key: str) -> tuple[Binding, ...]:
    """The keys that mark rows for an action on several."""
    return (
        Binding(key, "mark", "Mark", show=False, id="ui.mark"),
        Binding("v", "mark_range", "Mark from the last mark to here", show=False, id="ui.mark-range"),
        Binding("asterisk", "mark_all", "Mark all that are shown", show=False, id="ui.mark-all"),
        Binding("tilde", "mark_others", "Invert the marks", show=False, id="ui.mark-others"),
    )


def _order_of(table: LiveTable) -> Order:
    return Order(table.model.sort, table.model.descending)


class Pane(Container):
    """One pane. Only the visible one keeps its tables up to date; it catches up when it is shown.

    On a narrow screen only the part that has the focus is there, in the whole body (class `-current`).
    """

    NUMBER: ClassVar[int] = 0
    NOUN: ClassVar[str] = "rows"
    PARTS: ClassVar[tuple[str, ...]] = ()
    """Ids of the widgets that take the focus, in the order of `tab`; the first is the main table."""
    LINES: ClassVar[tuple[str, ...]] = ()
    """Ids of the lines that are shown beside them."""
    DETAIL: ClassVar[str] = ""
    """Id of the part that `enter` opens."""

    class Goto(Message):
        """Another pane is to be shown, with the cursor on a row."""

        def __init__(self, pane: int, key: str) -> None:
            super().__init__()
            self.pane = pane
            self.key = key

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "part(1)", "Next part", show=False, id="ui.next-part"),
        Binding("shift+tab", "part(-1)", "Previous part", show=False, id="ui.previous-part"),
        Binding("escape", "back", "back", id="ui.back"),
    ]

    def __init__(self, desk: Desk, actions: Actions) -> None:
        super().__init__(id=f"pane-{self.NUMBER}")
        self.desk = desk
        self.actions = actions
        self.current = self.PARTS[0]
        self.frozen = False
        self._fetch_timer: TimerHandle | None = None
        self._fetched_at = 0.0
        self._sorted_at_first: dict[str, Order] = {}

    # --- what each pane gives ---------------------------------------------------------------------------------------

    def load(self) -> None:
        """Fills the tables from the view, from scratch."""
        raise NotImplementedError

    def take(self, changes: Changes, records: Sequence[Record]) -> None:
        """Takes what changed while the pane is shown."""
        raise NotImplementedError

    def show_detail(self) -> None:
        """Shows what there is to know about the row under the cursor of the main table."""
        raise NotImplementedError

    async def fetch(self) -> None:
        """Asks the core for what the view does not hold of the row under the cursor, and shows it."""

    def fetch_soon(self, *, moved: bool = False) -> None:
        """Asks when the cursor has come to rest, and at most twice a second while the row changes.

        Args:
            moved: whether the cursor stands on another row.
        """
        if self.frozen:
            return
        if moved and self._fetch_timer is not None:
            self._fetch_timer.cancel()
            self._fetch_timer = None
        if self._fetch_timer is None:
            wait = _REST_S if moved else max(_REST_S, _EVERY_S - (monotonic() - self._fetched_at))
            self._fetch_timer = after(self, wait, self._fetch_now)

    def _fetch_now(self) -> None:
        self._fetch_timer = None
        self._fetched_at = monotonic()
        only_newest(self, self._fetch, f"fetch-{self.NUMBER}")

    async def _fetch(self) -> None:
        try:
            await self.fetch()
        except NoMatches:
            if self.whole:
                raise

    @property
    def keys(self) -> Keys:
        """What the operator's key map changes, for hints."""
        return self.desk.options.keys

    @property
    def whole(self) -> bool:
        """False while the screen is being taken down: what the core says may come later than that."""
        return self.is_attached and all(self.query(f"#{part}") for part in (*self.PARTS, *self.LINES))

    def second(self) -> None:
        """Once a second while the pane is shown; for figures that change with the time alone."""

    def key_label(self, binding_id: str) -> str | None:
        """Words for a key that depend on where the focus is; empty to leave it out, None for the binding's own."""
        searched = self.searched
        searching = searched is not None and searched.needle is not None
        if binding_id == "ui.back" and searching:
            return "end search"
        if binding_id == "ui.back":
            return "" if self.current == self.PARTS[0] else None
        return "" if binding_id in _SEARCHING and not searching else _LABELS.get(binding_id)

    def reference(self, row: Row) -> tuple[str, Args]:
        """The command that shows a row, with its arguments."""
        raise NotImplementedError

    def texts(self, row: Row) -> dict[str, str]:  # noqa: ARG002 - a pane that has more overrides it
        """What else can be copied of a row, by what it is called."""
        return {}

    def identity(self, row: Row) -> str:
        """The id of a row, as commands take it."""
        return row.key

    def document(self, row: Row) -> object:
        """The row as the object that `--json` shows."""
        return dict(zip((column.name for column in self.main.model.columns), row.values, strict=True))

    # --- from one start to the next ---------------------------------------------------------------------------------

    def recall(self, kept: Remembered) -> None:
        """Sorts the tables as they were sorted at the last start; a column that is no more is passed over."""
        self._sorted_at_first = {table.id or "": _order_of(table) for table in self.tables()}
        for table in self.tables():
            order = kept.orders.get(table.id or "")
            if order is not None and order.column in {"", *(column.name for column in table.model.columns)}:
                table.model.sort_by(order.column, descending=order.descending)

    def remember(self, kept: Remembered) -> Remembered:
        """What is remembered, with what the operator chose in this pane."""
        now = {table.id or "": _order_of(table) for table in self.tables()}
        others = {name: order for name, order in kept.orders.items() if name not in now}
        chosen = {name: order for name, order in now.items() if order != self._sorted_at_first.get(name, order)}
        return replace(kept, orders=others | chosen)

    # --- parts ------------------------------------------------------------------------------------------------------

    @property
    def main(self) -> LiveTable:
        """The main table."""
        return self.query_one(f"#{self.PARTS[0]}", LiveTable)

    @property
    def table(self) -> LiveTable:
        """The table that keys such as `/` and `s` mean: the one with the focus, else the main one."""
        try:
            part = self.query_one(f"#{self.current}")
        except NoMatches:
            return self.main
        return part if isinstance(part, LiveTable) else self.main

    @property
    def searched(self) -> Searched | None:
        """Where `//` searches: the table or text with the focus; None where it is neither."""
        try:
            part = self.query_one(f"#{self.current}")
        except NoMatches:
            return None
        return part if isinstance(part, Searched) else None

    def tables(self) -> list[LiveTable]:
        """All tables."""
        return list(self.query(LiveTable))

    def focus_part(self, part: str) -> None:
        """Gives a part the focus."""
        self._mark_current(part)
        self.give_focus(self.query_one(f"#{part}"))

    def give_focus(self, widget: Widget) -> None:
        """At once, so that the next key is for the new place already; `Widget.focus` would do it later."""
        self.screen.set_focus(widget, scroll_visible=False)

    def shown(self) -> None:
        """The pane is on the screen from now on, or the core is there at last."""
        for table in self.tables():
            table.quiet = not self.desk.ready
            table.refresh()
        self.load()
        self.show_detail()
        self.focus_part(self.current)

    def freeze(self, *, on: bool) -> None:
        """Stops or resumes repainting."""
        self.frozen = on
        for table in self.tables():
            table.frozen = on
        if not on:
            self.load()
            self.show_detail()

    def status(self) -> tuple[Span, ...]:
        """The left half of the status row."""
        return table_status(self.table.model, self.NOUN)

    def _mark_current(self, part: str) -> None:
        self.current = part
        for name in self.PARTS:
            self.query_one(f"#{name}").set_class(name == part, "-current")
            self.set_class(name == part, f"-part-{name}")

    @on(DescendantFocus)
    def _focus_moved(self, event: DescendantFocus) -> None:
        for widget in event.widget.ancestors_with_self:
            if isinstance(widget, Widget) and widget.id in self.PARTS:
                self._mark_current(widget.id)
                return

    @on(LiveTable.Moved)
    def _cursor_moved(self, event: LiveTable.Moved) -> None:
        event.stop()
        self.moved(event.table)
        if event.table.needle is not None:
            self.desk.changed()

    @on(LiveTable.Arranged)
    def _arranged(self, event: LiveTable.Arranged) -> None:
        event.stop()
        self.desk.changed()

    @on(LiveTable.Opened)
    def _row_opened(self, event: LiveTable.Opened) -> None:
        event.stop()
        self.opened(event.table)

    def moved(self, table: LiveTable) -> None:
        """The cursor of a table stands on another row."""
        if table is self.main:
            self.show_detail()

    def opened(self, table: LiveTable) -> None:
        """The row under the cursor of a table was opened."""
        if table is self.main and self.DETAIL:
            self.focus_part(self.DETAIL)

    # --- keys -------------------------------------------------------------------------------------------------------

    def action_part(self, step: int) -> None:
        """Gives the next part the focus."""
        place = self.PARTS.index(self.current)
        self.focus_part(self.PARTS[(place + step) % len(self.PARTS)])

    def action_back(self) -> None:
        """Ends the search, closes what is open, then clears the filter, the marks, the toasts; never leaves."""
        searched = self.searched
        if searched is not None and searched.needle is not None:
            searched.seek("")
        elif self.current != self.PARTS[0]:
            self.focus_part(self.PARTS[0])
        elif self.table.model.filter.tests:
            self.filter("")
        elif self.table.model.clear_marks():
            self.table.rearranged()
        else:
            self.app.clear_notifications()

    def filter(self, text: str) -> FilterError | None:
        """Filters the table that has the focus; the error when the text cannot be read."""
        table = self.table
        try:
            table.model.filter_by(text)
        except FilterError as error:
            return error
        table.rearranged()
        return None

    def action_mark(self) -> None:
        """Marks the row and goes on to the next."""
        model = self.main.model
        model.toggle_mark()
        model.move_to(model.place + 1)
        self.main.rearranged()

    def action_mark_range(self) -> None:
        """Marks from the row that was marked last to this one."""
        self.main.model.mark_range()
        self.main.rearranged()

    def action_mark_all(self) -> None:
        """Marks all rows that are shown, or takes all their marks away."""
        self.main.model.mark_all()
        self.main.rearranged()

    def action_mark_others(self) -> None:
        """Marks what is not marked, and the reverse."""
        self.main.model.invert_marks()
        self.main.rearranged()
