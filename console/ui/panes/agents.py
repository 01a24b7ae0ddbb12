"""The Agents pane: who runs, how long their calls take, whose breaker is open and why, and what can be done."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal

from console.client import Args, Json
from console.rows import AgentRow
from console.table import TableModel
from console.table_rows import Row
from console.ui.frame import AGENTS
from console.ui.panes.pane import Pane, command_binding, marking
from console.ui.sheet import Span
from console.ui.text.agents import COLUMNS, agent_key, agent_row, agent_sheet, one_line
from console.ui.widgets.live_table import LiveTable
from console.ui.widgets.ribbon import Ribbon
from console.ui.widgets.sheet_view import SheetView
from console.view import Changes
from runtime.events import Record
from runtime.sanitise import clean
from runtime.shapes import to_wire

__all__ = ["AgentsPane"]

_EMPTY = (
    "No agents yet.",
    "An agent is a sandboxed WebAssembly module that lives in a room and looks after its tasks.",
)


class AgentsPane(Pane):
    """Agents of all rooms."""

    NUMBER = AGENTS
    NOUN = "agents"
    PARTS = ("agents", "agent")
    LINES = ("agent-line",)
    DETAIL = "agent"
    BINDINGS: ClassVar[list[BindingType]] = [
        command_binding("space", "switch", "agents activate", "on/off"),
        command_binding("P", "probe", "agents probe", "probe"),
        command_binding("u", "upload", "agents upload", "upload"),
        command_binding("R", "roll_back", "agents rollback", "roll back", show=False),
        command_binding("c", "consent", "agents grant", "permissions"),
        command_binding("t", "trust", "agents trust", "trust"),
        command_binding("L", "log", "agents logs", "log"),
        command_binding("D", "delete", "agents delete", "delete"),
        *marking("m"),
    ]

    def compose(self) -> ComposeResult:
        """The table, and at its side what there is to know about one."""
        with Horizontal():
            table = LiveTable(
                TableModel(COLUMNS, sort="state", descending=True),
                name="agents",
                empty=(*_EMPTY, f"{self.keys.named('agents upload', 'u')} uploads one"),
                classes="part",
            )
            table.border_title = "Agents"
            yield table
            yield SheetView(name="agent", classes="part side")
        yield Ribbon(name="agent-line")

    # --- rows -------------------------------------------------------------------------------------------------------

    @property
    def row(self) -> AgentRow | None:
        """The agent under the cursor."""
        key = self.main.model.cursor
        room, _, agent = (key or "").partition("/")
        return self.desk.view.agents.get((room, agent))

    def targets(self) -> list[AgentRow]:
        """The marked agents, else the one under the cursor."""
        keys = [row.key.partition("/") for row in self.main.model.targets()]
        found = (self.desk.view.agents.get((room, agent)) for room, _, agent in keys)
        return [row for row in found if row is not None]

    def load(self) -> None:
        """All agents from the view."""
        now = self.desk.now_ms()
        self.main.replace_rows(agent_row(row, now) for row in self.desk.view.agents.values())

    def take(self, changes: Changes, records: Sequence[Record]) -> None:  # noqa: ARG002 - rows say all
        """Repaints the agents that changed."""
        if not changes.agents:
            return
        now = self.desk.now_ms()
        view = self.desk.view.agents
        there = [view[key] for key in changes.agents if key in view]
        gone = [agent_key(*key) for key in changes.agents if key not in view]
        self.main.update_rows((agent_row(row, now) for row in there), gone)
        row = self.row
        if row is not None and (row.room, row.agent) in changes.agents and not self.frozen:
            self._show(row, self._document(row))
            self.fetch_soon()

    def show_detail(self) -> None:
        """What is known at once; the rest is asked for."""
        row = self.row
        if row is None:
            self.query_one("#agent", SheetView).show(())
            self._line(())
            return
        self._show(row, self._document(row))
        self.fetch_soon(moved=True)

    async def fetch(self) -> None:
        """Log, drops, runs and manifest of the agent under the cursor."""
        row = self.row
        if row is None:
            return
        result = await self.desk.ask("agents show", _args(row))
        now = self.row
        if result.ok and now is not None and _args(now) == _args(row):
            self._known = (agent_key(row.room, row.agent), result.value)
            self._show(now, result.value)

    _known: tuple[str, Json] = ("", None)

    def _document(self, row: AgentRow) -> Json:
        return self._known[1] if self._known[0] == agent_key(row.room, row.agent) else None

    def _show(self, row: AgentRow, document: Json) -> None:
        sheet = self.query_one("#agent", SheetView)
        sheet.border_title = f"{clean(row.agent, 32)} {clean(row.version, 16)}"
        sheet.show(agent_sheet(row, document, self.desk.now_ms(), self.keys))
        self._line(one_line(row, self.keys))

    def _line(self, spans: tuple[Span, ...]) -> None:
        ribbon = self.query_one("#agent-line", Ribbon)
        ribbon.set_class(bool(spans), "-told")
        ribbon.show(spans)

    def identity(self, row: Row) -> str:
        """The agent's name."""
        return row.key.partition("/")[2]

    def document(self, row: Row) -> object:
        """The row as listings show it."""
        room, _, agent = row.key.partition("/")
        found = self.desk.view.agents.get((room, agent))
        return super().document(row) if found is None else to_wire(found)

    def reference(self, row: Row) -> tuple[str, Args]:
        """`agents show`."""
        room, _, agent = row.key.partition("/")
        return "agents show", {"agent": agent, "room": room}

    # --- keys -------------------------------------------------------------------------------------------------------

    def action_switch(self) -> None:
        """Stops what runs, starts what does not; the same key undoes it."""
        row = self.row
        if row is not None:
            running = row.state in {"active", "standby", "starting", "probing", "paused"}
            command = "agents deactivate" if running else "agents activate"
            self.run_worker(self.actions.run(command, [_args(row)]), group="action")

    def action_probe(self) -> None:
        """Lets tripped agents make one call each."""
        tripped = [row for row in self.targets() if row.state == "tripped"]
        if not tripped:
            self.actions.refuse("a probe is for a tripped agent: this one's breaker is closed")
            return
        self.run_worker(self.actions.run("agents probe", [_args(row) for row in tripped]), group="action")

    def action_delete(self) -> None:
        """Deletes the marked agents, or the one under the cursor; asks first."""
        rows = self.targets()
        built_in = [row.agent for row in rows if row.builtin]
        if built_in:
            self.actions.refuse(
                f"{clean(', '.join(built_in), 80)}: built-in agents cannot be deleted; space switches them off"
            )
            return
        names = [f"{row.agent} in {row.room_name}" for row in rows]
        self.run_worker(self.actions.run("agents delete", [_args(row) for row in rows], names=names), group="action")

    def action_upload(self) -> None:
        """Opens the upload dialog for the room of the row, or the first one."""
        if not self.actions.allowed("agents upload"):
            return
        from console.ui.screens.upload import UploadScreen

        row = self.row
        self.app.push_screen(UploadScreen(self.desk, self.actions, room=row.room if row else ""))

    def action_consent(self) -> None:
        """Opens the boxes of permissions."""
        row = self.row
        if row is None or not self.actions.allowed("agents grant"):
            return
        from console.ui.screens.consent import ConsentScreen

        self.app.push_screen(ConsentScreen(self.actions, row))

    def action_roll_back(self) -> None:
        """Opens the versions that are kept, and what going back to one changes."""
        row = self.row
        if row is None or not self.actions.allowed("agents rollback"):
            return
        from console.ui.screens.roll_back import roll_back

        self.run_worker(roll_back(self.actions, row), group="action")

    def action_trust(self) -> None:
        """Opens the keys that the room trusts."""
        row = self.row
        if row is None or not self.actions.allowed("agents trust"):
            return
        from console.ui.screens.trust import TrustScreen

        self.app.push_screen(TrustScreen(self.actions, row))

    def action_log(self) -> None:
        """Shows the whole log, drops and failures, oldest first."""
        row = self.row
        if row is None:
            return
        from console.ui.screens.reading import AgentLogScreen

        self.app.push_screen(AgentLogScreen(self.desk, row))


def _args(row: AgentRow) -> Args:
    return {"agent": row.agent, "room": row.room}
