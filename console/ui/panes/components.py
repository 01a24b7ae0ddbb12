"""The Components pane: how each is, what it may, what was denied, and what the operator does with it."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal

from console.client import Args, Json
from console.rows import ComponentRow
from console.table import TableModel
from console.table_rows import Row
from console.ui.actions import Question
from console.ui.frame import COMPONENTS
from console.ui.panes.pane import Pane, command_binding, marking
from console.ui.sheet import Span
from console.ui.text.component_sheet import component_sheet
from console.ui.text.components import COLUMNS, at_rest, component_row, short_name
from console.ui.widgets.live_table import LiveTable
from console.ui.widgets.sheet_view import SheetView
from console.view import Changes
from runtime import component_events as events
from runtime.events import Record
from runtime.sanitise import clean
from runtime.shapes import to_wire

__all__ = ["ComponentsPane"]

_EMPTY = (
    "No components yet.",
    "A component is a folder with a Component.toml: a program of typed interfaces that may do only what you grant it.",
    "orlop components install FOLDER does it from a shell.",
)
_TELLING = (events.ComponentCalled, events.ComponentDenied, events.ComponentLogged, events.ComponentPolicy)
"""Events that change no row, but what there is to know about one component."""

_GOES = (
    "What it stored, its log and its own folders go with it; folders of yours that it was given stay as they are. There"
    " is no undo."
)


class ComponentsPane(Pane):
    """All components that are installed, those that need a look first."""

    NUMBER = COMPONENTS
    NOUN = "components"
    PARTS = ("components", "component")
    DETAIL = "component"
    BINDINGS: ClassVar[list[BindingType]] = [
        command_binding("r", "run", "components run", "start, run"),
        command_binding("S", "stop", "components stop", "stop"),
        command_binding("c", "permissions", "components permissions", "permissions"),
        command_binding("i", "install", "components install", "install"),
        command_binding("u", "suspend", "components suspend", "rest, go on"),
        command_binding("L", "log", "components logs", "log"),
        command_binding("D", "uninstall", "components uninstall", "uninstall"),
        *marking("space"),
    ]

    _known: tuple[str, Json] = ("", None)

    def compose(self) -> ComposeResult:
        """The table, and at its side what there is to know about one."""
        with Horizontal():
            table = LiveTable(
                TableModel(COLUMNS, sort="state", descending=True),
                name="components",
                empty=(*_EMPTY, f"{self.keys.named('components install', 'i')} installs one"),
                classes="part",
            )
            table.border_title = "Components"
            yield table
            yield SheetView(name="component", classes="part side")

    # --- rows -------------------------------------------------------------------------------------------------------

    @property
    def row(self) -> ComponentRow | None:
        """The component under the cursor."""
        return self.desk.view.components.get(self.main.model.cursor or "")

    def targets(self) -> list[ComponentRow]:
        """The marked components, else the one under the cursor."""
        view = self.desk.view.components
        return [view[row.key] for row in self.main.model.targets() if row.key in view]

    def load(self) -> None:
        """All components from the view."""
        self.main.replace_rows(map(component_row, self.desk.view.components.values()))

    def take(self, changes: Changes, records: Sequence[Record]) -> None:
        """Repaints the components that changed; asks again where the one that is looked at did something."""
        view = self.desk.view.components
        if changes.components:
            there = [view[key] for key in changes.components if key in view]
            gone = [key for key in changes.components if key not in view]
            self.main.update_rows(map(component_row, there), gone)
        row = self.row
        if row is None or self.frozen:
            return
        changed = row.component in changes.components
        if changed:
            self._show(row)
        if changed or any(isinstance(one.event, _TELLING) and one.event.component == row.component for one in records):
            self.fetch_soon()

    def show_detail(self) -> None:
        """What is known at once; the rest is asked for."""
        row = self.row
        if row is None:
            self.query_one("#component", SheetView).show(())
            return
        self._show(row)
        self.fetch_soon(moved=True)

    async def fetch(self) -> None:
        """Permissions, limits, denials, audit trail and log of the component under the cursor."""
        row = self.row
        if row is None:
            return
        result = await self.desk.ask("components show", {"component": row.component})
        now = self.row
        if result.ok and now is not None and now.component == row.component:
            self._known = (row.component, result.value)
            self._show(now)

    def _document(self, row: ComponentRow) -> Json:
        return self._known[1] if self._known[0] == row.component else None

    def _show(self, row: ComponentRow) -> None:
        sheet = self.query_one("#component", SheetView)
        sheet.border_title = f"{short_name(row.component)} {clean(row.version, 20)}"
        sheet.show(component_sheet(row, self._document(row), self.desk.now_ms(), self.keys))

    def status(self) -> tuple[Span, ...]:
        """How many run, and how many are given up, before what every table says."""
        view = self.desk.view
        lost: tuple[Span, ...] = ((f" · {view.given_up} given up", "alarm"),) if view.given_up else ()
        return ((f" {view.live} live", ""), *lost, (" ·", "dim"), *super().status())

    def document(self, row: Row) -> object:
        """The row as listings show it."""
        found = self.desk.view.components.get(row.key)
        return super().document(row) if found is None else to_wire(found)

    def reference(self, row: Row) -> tuple[str, Args]:
        """`components show`."""
        return "components show", {"component": row.key}

    # --- keys -------------------------------------------------------------------------------------------------------

    def action_run(self) -> None:
        """Opens the dialog for an operation; without one the component is started."""
        row = self.row
        if row is None or not self.actions.allowed("components run"):
            return
        from console.ui.screens.components import OperationScreen, output_screen

        screen = OperationScreen(self.actions, row)

        def done(ran: bool | None) -> None:
            if ran and screen.result is not None:
                self.app.push_screen(output_screen(screen.result.value))

        self.app.push_screen(screen, done)

    def action_stop(self) -> None:
        """Stops the marked components, or the one under the cursor."""
        rows = [row for row in self.targets() if not at_rest(row) or row.state == "failed"]
        if self.targets() and not rows:
            self.actions.refuse("it does not run")
        self._act("components stop", rows)

    def action_suspend(self) -> None:
        """Lets what runs rest, and what rests go on."""
        rows = self.targets()
        resting = [row for row in rows if row.state == "suspended"]
        if resting:
            self._act("components resume", resting)
        elif running := [row for row in rows if row.state == "running"]:
            self._act("components suspend", running)
        elif rows:
            self.actions.refuse("only what runs can rest")

    def action_permissions(self) -> None:
        """Opens the boxes of its rules."""
        if self.row is not None and self.actions.allowed("components permissions"):
            self.run_worker(self._permissions(self.row), group="action")

    async def _permissions(self, row: ComponentRow) -> None:
        from console.ui.screens.components import PermissionsScreen

        shown = await self.desk.ask("components show", {"component": row.component})
        if shown.ok:
            self.app.push_screen(PermissionsScreen(self.actions, row, shown.value))
        else:
            self.actions.fail(shown.fault.line if shown.fault else "its permissions cannot be read")

    def action_install(self) -> None:
        """Opens the dialog for a folder; what is installed already is upgraded."""
        from console.ui.screens.component_install import install

        def done(name: str) -> None:
            self.main.select(name)
            self.show_detail()

        install(self.actions, done=done)

    def action_uninstall(self) -> None:
        """Takes the component under the cursor away; its name is typed first."""
        row = self.row
        if row is None:
            return
        if not at_rest(row):
            stop = self.keys.named("components stop", "S")
            self.actions.refuse(f"{short_name(row.component)} is {clean(row.state, 12)}: {stop} stops it first")
            return
        self._act("components uninstall", [row], Question("Uninstall", _GOES))

    def action_log(self) -> None:
        """Shows all that is kept of what it wrote, oldest first."""
        row = self.row
        if row is None:
            return
        from console.ui.screens.components import ComponentLogScreen

        self.app.push_screen(ComponentLogScreen(self.desk, row))

    def _act(self, command: str, rows: Sequence[ComponentRow], question: Question | None = None) -> None:
        calls: list[Args] = [{"component": row.component} for row in rows]
        names = [row.component for row in rows]
        self.run_worker(self.actions.run(command, calls, names=names, question=question), group="action")
