"""The Receipts pane: what was signed, and whether it holds, step by step as the verifier says."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal

from console.client import Args, Json, Result
from console.rows import ReceiptRow
from console.table import TableModel
from console.table_rows import Row
from console.ui.frame import RECEIPTS
from console.ui.panes.pane import Pane, command_binding, marking
from console.ui.text.chain import Chains, report_sheet
from console.ui.text.compare import compare_sheet
from console.ui.text.documents import flag, objects, text
from console.ui.text.receipts import COLUMNS, ReceiptFacts, receipt_row, receipt_sheet
from console.ui.widgets.live_table import LiveTable
from console.ui.widgets.sheet_view import SheetView
from console.view import Changes
from runtime.events import Record, Step
from runtime.shapes import to_wire

__all__ = ["ReceiptsPane"]

_EMPTY = (
    "No receipts yet.",
    "Every job that ran leaves one: signed by this node, chained to the one before.",
)


class ReceiptsPane(Pane):
    """Receipts, newest first."""

    NUMBER = RECEIPTS
    NOUN = "receipts"
    PARTS = ("receipts", "receipt")
    DETAIL = "receipt"
    BINDINGS: ClassVar[list[BindingType]] = [
        command_binding("V", "verify", "receipts verify", "verify"),
        command_binding("C", "chain", "receipts verify.chain", "chain"),
        command_binding("R", "rerun", "receipts rerun", "rerun"),
        command_binding("E", "export", "receipts export", "export"),
        *marking("space"),
    ]

    _known: tuple[str, Json] = ("", None)
    _chains = Chains()

    def compose(self) -> ComposeResult:
        """The table, and at its side the steps."""
        with Horizontal():
            model = TableModel(COLUMNS, sort="issued", descending=True)
            jobs, run = self.keys.named("ui.pane-4", "4"), self.keys.named("jobs run", "r")
            table = LiveTable(model, name="receipts", empty=(*_EMPTY, f"{jobs} then {run} runs a job"), classes="part")
            table.border_title = "Receipts"
            yield table
            yield SheetView(name="receipt", classes="part side")

    # --- rows -------------------------------------------------------------------------------------------------------

    @property
    def row(self) -> ReceiptRow | None:
        """The receipt under the cursor."""
        return self.desk.view.receipts.get(self.main.model.cursor or "")

    def load(self) -> None:
        """All receipts from the view."""
        now, rows = self.desk.now_ms(), self.desk.view.receipts.values()
        chains = self._chains = Chains(rows)
        self.main.replace_rows(receipt_row(row, chains, now) for row in rows)

    def take(self, changes: Changes, records: Sequence[Record]) -> None:  # noqa: ARG002 - the desk keeps the steps
        """Repaints the receipts that changed."""
        if not changes.receipts:
            return
        now, view = self.desk.now_ms(), self.desk.view.receipts
        chains = self._chains = Chains(view.values())
        there = [view[key] for key in changes.receipts if key in view]
        # What hangs on a receipt that came or went looks different now.
        beside = [after for row in there if (after := chains.after(row)) is not None]
        gone = [key for key in changes.receipts if key not in view]
        beside += chains.ends() if gone else []
        self.main.update_rows((receipt_row(row, chains, now) for row in (*there, *beside)), gone)
        row = self.row
        if row is not None and not self.frozen:
            self._show(row)

    def show_detail(self) -> None:
        """What is known at once; the receipt itself is asked for."""
        row = self.row
        if row is None:
            self.query_one("#receipt", SheetView).show(())
            return
        self._show(row)
        self.fetch_soon(moved=True)

    async def fetch(self) -> None:
        """The receipt under the cursor, as it was signed."""
        row = self.row
        if row is None or self._known[0] == row.receipt:
            return
        result = await self.desk.ask("receipts show", {"receipt": row.receipt})
        now = self.row
        if result.ok and now is not None and now.receipt == row.receipt:
            self._known = (row.receipt, result.value)
            self._show(now)

    def _show(self, row: ReceiptRow) -> None:
        sheet = self.query_one("#receipt", SheetView)
        sheet.border_title = f"Receipt #{row.number}"
        document = self._known[1] if self._known[0] == row.receipt else None
        facts = ReceiptFacts(steps=self.desk.recent.steps(row.receipt), chains=self._chains, document=document)
        sheet.show(receipt_sheet(row, facts, self.desk.now_ms(), self.keys))

    def opened(self, table: LiveTable) -> None:
        """Opening a receipt checks it, unless its steps are known."""
        super().opened(table)
        row = self.row
        if row is not None and not self.desk.recent.steps(row.receipt):
            self.run_worker(self._verify([row]), group="action")

    def document(self, row: Row) -> object:
        """The row as listings show it."""
        found = self.desk.view.receipts.get(row.key)
        return super().document(row) if found is None else to_wire(found)

    def reference(self, row: Row) -> tuple[str, Args]:
        """`receipts show`."""
        return "receipts show", {"receipt": row.key}

    # --- keys -------------------------------------------------------------------------------------------------------

    def targets(self) -> list[ReceiptRow]:
        """The marked receipts, else the one under the cursor."""
        view = self.desk.view.receipts
        return [view[row.key] for row in self.main.model.targets() if row.key in view]

    def action_verify(self) -> None:
        """Verifies the marked receipts, or the one under the cursor, again."""
        self.run_worker(self._verify(self.targets()), group="action")

    async def _verify(self, rows: Sequence[ReceiptRow]) -> None:
        for row in rows:
            results = await self.actions.run("receipts verify", [{"receipt": row.receipt}], quiet=True)
            for result in results:
                self._verified(row, result)

    def _verified(self, row: ReceiptRow, result: Result) -> None:
        """Shows the steps of the answer itself: a false step makes the command fail, and is no error of ours."""
        document = result.value if result.value is not None else result.fault.value if result.fault else None
        steps = tuple(
            Step(name=text(step, "name", limit=40), ok=flag(step, "ok"), detail=text(step, "detail"))
            for step in objects(document, "steps")
        )
        if steps:
            self.desk.recent.keep_steps(row.receipt, steps)
        elif result.fault is not None:
            self.actions.fail(result.fault.line)
        now = self.row
        if now is not None:
            self._show(now)

    def action_chain(self) -> None:
        """Verifies all receipts that are stored here, as chains, and shows what was found."""
        self.run_worker(self._verify_chain(), group="action")

    async def _verify_chain(self) -> None:
        from console.ui.screens.reading import SheetScreen

        results = await self.actions.run("receipts verify", [{"chain": "true"}], quiet=True)
        for result in results:
            if result.value is None:
                self.actions.fail(result.fault.line if result.fault else "nothing was found out")
            else:
                self.app.push_screen(SheetScreen(title="Chains of receipts", lines=report_sheet(result.value)))

    def action_rerun(self) -> None:
        """Runs the receipt's job again and shows both runs beside one another."""
        row = self.row
        if row is not None and self.actions.allowed("receipts rerun"):
            self.run_worker(self._rerun(row), group="action")

    async def _rerun(self, row: ReceiptRow) -> None:
        from console.ui.screens.reading import SheetScreen

        results = await self.actions.run("receipts rerun", [{"receipt": row.receipt}], quiet=True)
        for result in results:
            if result.value is None:
                self.actions.fail(result.fault.line if result.fault else "it was not run")
            else:
                title = f"Receipt #{row.number} and its rerun"
                self.app.push_screen(SheetScreen(title=title, lines=compare_sheet(result.value)))

    def action_export(self) -> None:
        """Asks where to write the marked receipts, or the one under the cursor."""
        rows = self.targets()
        if rows:
            from console.ui.screens.export import ExportScreen

            self.app.push_screen(ExportScreen(self.actions, [row.receipt for row in rows]))
