"""The Jobs pane: what runs in which limits, what it writes while it runs, and the receipt at its end."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal

from console.client import Args, Json
from console.registry import COMMANDS
from console.rows import JobRow
from console.table import TableModel
from console.table_rows import Row
from console.ui.frame import JOBS, RECEIPTS
from console.ui.panes.pane import Pane, command_binding
from console.ui.sheet import Span
from console.ui.spelling import command_line
from console.ui.text.documents import text
from console.ui.text.job_peers import is_foreign
from console.ui.text.job_sheet import STREAMS, JobFacts, job_sheet
from console.ui.text.jobs import COLUMNS, COLUMNS_AMONG_PEERS, Tail, job_row
from console.ui.text.pace import Pace
from console.ui.text.repeat import repeat_line
from console.ui.widgets.live_table import LiveTable
from console.ui.widgets.sheet_view import SheetView
from console.view import TERMINAL, Changes
from runtime.events import JobStep, JobSubmitted, Record
from runtime.sanitise import clean
from runtime.shapes import to_wire

__all__ = ["JobsPane"]

_EMPTY = (
    "No jobs yet.",
    "A job is a WebAssembly program that runs once, in limits, and leaves a signed receipt.",
)


_WHICH = {
    "all": "",
    "waiting": "state:re:queued|admitted",
    "running": "state:re:compiling|running",
    "ended": "!state:re:queued|admitted|compiling|running",
}
"""The views of the table, each with the filter that makes it."""

_SHOWN: tuple[tuple[str, ...], ...] = (STREAMS, STREAMS[:1], STREAMS[1:])


class JobsPane(Pane):
    """Jobs, newest first."""

    NUMBER = JOBS
    NOUN = "jobs"
    PARTS = ("jobs", "job")
    DETAIL = "job"
    BINDINGS: ClassVar[list[BindingType]] = [
        command_binding("r", "run", "jobs run", "run"),
        command_binding("ctrl+x", "cancel", "jobs cancel", "cancel"),
        command_binding("L", "output", "jobs logs", "output"),
        command_binding("o", "receipt", "receipts show.of-job", "receipt"),
        command_binding("R", "rerun", "jobs rerun", "run again"),
        Binding("f", "which", "waiting, running, ended, all", show=False, id="ui.which-jobs"),
        Binding("e", "stream", "stdout, stderr or both", show=False, id="ui.stream"),
    ]

    _known: tuple[str, Json] = ("", None)
    _shown: tuple[str, ...] = STREAMS
    _paces: tuple[str, dict[str, Pace]] = ("", {})
    """Of the job under the cursor."""
    _expecting = False
    """Whether a job was run from here and was not seen yet."""

    def compose(self) -> ComposeResult:
        """The table, and at its side limits and output."""
        with Horizontal():
            model = TableModel(COLUMNS, sort="created", descending=True)
            table = LiveTable(
                model, name="jobs", empty=(*_EMPTY, f"{self.keys.named('jobs run', 'r')} runs one"), classes="part"
            )
            table.border_title = "Jobs"
            yield table
            yield SheetView(name="job", classes="part side", tail=True)

    # --- rows -------------------------------------------------------------------------------------------------------

    @property
    def row(self) -> JobRow | None:
        """The job under the cursor."""
        return self.desk.view.jobs.get(self.main.model.cursor or "")

    def load(self) -> None:
        """All jobs from the view."""
        self._fit_columns(self.desk.view.jobs.values())
        self.main.replace_rows(map(self._drawn, self.desk.view.jobs.values()))

    def take(self, changes: Changes, records: Sequence[Record]) -> None:
        """Repaints the jobs that changed, and adds what the one under the cursor wrote."""
        view = self.desk.view.jobs
        if changes.jobs:
            there = [view[key] for key in changes.jobs if key in view]
            self._fit_columns(there)
            self.main.update_rows(map(self._drawn, there), [key for key in changes.jobs if key not in view])
        if changes.peers:  # one of them may be called otherwise now
            self.main.update_rows(self._drawn(row) for row in view.values() if is_foreign(row))
        self._select_expected(records)
        row = self.row
        if row is None:
            return
        self._pace(row)
        if self.frozen:
            return
        stepped = any(isinstance(record.event, JobStep) and record.event.job == row.job for record in records)
        if stepped or row.job in changes.jobs or row.receipt in changes.receipts:
            self._show(row)
            if row.state in TERMINAL:
                self.fetch_soon()

    def _drawn(self, row: JobRow) -> Row:
        return job_row(row, self.desk.view.peers, self.desk.now_ms())

    def _fit_columns(self, rows: Iterable[JobRow]) -> None:
        """Makes room for where jobs run, from the first one on that has to do with a peer."""
        if self.main.model.columns is COLUMNS and any(map(is_foreign, rows)):
            self.main.show_columns(COLUMNS_AMONG_PEERS)

    def _select_expected(self, records: Sequence[Record]) -> None:
        """Puts the cursor on the job that was just run from here."""
        new = next((record.event.job for record in records if isinstance(record.event, JobSubmitted)), "")
        if self._expecting and new:
            self._expecting = False
            self.main.model.arrange()
            self.main.rearranged()
            self.main.select(new)

    def second(self) -> None:
        """Moves the clocks of what runs."""
        running = (
            [row for row in self.desk.view.jobs.values() if row.state not in TERMINAL] if self._any_running() else []
        )
        if running and not self.frozen:
            self.main.update_rows(map(self._drawn, running))
            row = self.row
            if row is not None and row.state not in TERMINAL:
                self._pace(row)
                self._show(row)

    def _pace(self, row: JobRow) -> None:
        """Watches how fast the streams of a running job grow."""
        if self._paces[0] != row.job:
            self._paces = (row.job, {stream: Pace() for stream in STREAMS})
        if row.state not in TERMINAL:
            now = self.desk.now_ms()
            for stream, pace in self._paces[1].items():
                pace.note(self.desk.recent.tail(row.job, stream).at, now)

    def _any_running(self) -> bool:
        states: Mapping[str, int] = self.desk.view.job_states
        return any(count for state, count in states.items() if state not in TERMINAL)

    def show_detail(self) -> None:
        """What is known at once; output and manifest are asked for."""
        row = self.row
        if row is None:
            self.query_one("#job", SheetView).show(())
            return
        self._show(row)
        self.fetch_soon(moved=True)

    async def fetch(self) -> None:
        """Manifest, and what the job wrote before this screen listened."""
        row = self.row
        if row is None:
            return
        for stream, args in (("stdout", {"job": row.job}), ("stderr", {"job": row.job, "stderr": "true"})):
            tail = self.desk.recent.tail(row.job, stream)
            if tail.at == 0 and row.output_bytes:
                logged = await self.desk.ask("jobs logs", args)
                if logged.ok:
                    _fill(tail, logged.value, stream)
        result = await self.desk.ask("jobs show", {"job": row.job})
        now = self.row
        if result.ok and now is not None and now.job == row.job:
            self._known = (row.job, result.value)
            self._show(now)

    def _show(self, row: JobRow) -> None:
        sheet = self.query_one("#job", SheetView)
        sheet.border_title = f"{clean(row.job, 12)} {clean(row.name, 30)}"
        document = self._known[1] if self._known[0] == row.job else None
        receipt = self.desk.view.receipts.get(row.receipt)
        facts = JobFacts(
            document=document,
            output={stream: self.desk.recent.tail(row.job, stream) for stream in STREAMS},
            paces=self._paces[1] if self._paces[0] == row.job else {},
            shown=self._shown,
            verdict=receipt.verdict if receipt else "",
            way=self.desk.recent.way(row.job),
            peers=self.desk.view.peers,
        )
        sheet.show(job_sheet(row, facts, self.desk.now_ms()))

    def document(self, row: Row) -> object:
        """The row as listings show it."""
        found = self.desk.view.jobs.get(row.key)
        return super().document(row) if found is None else to_wire(found)

    def reference(self, row: Row) -> tuple[str, Args]:
        """`jobs show`."""
        return "jobs show", {"job": row.key}

    def texts(self, row: Row) -> dict[str, str]:
        """The command lines that run the job once more: with what was kept, and from scratch."""
        found = self.desk.view.jobs.get(row.key)
        known = found is not None and self._known[0] == row.key
        again = {"rerun": command_line(COMMANDS["jobs rerun"], {"job": row.key})}
        return again | ({"repeat": repeat_line(found, self._known[1])} if found is not None and known else {})

    def status(self) -> tuple[Span, ...]:
        """Which jobs are shown, before what every table says."""
        which = next((name for name, words in _WHICH.items() if words == self.main.model.filter.text), "")
        status = super().status()
        return status if which in {"", "all"} else ((f" {which} ·", "accent"), *status)

    # --- keys -------------------------------------------------------------------------------------------------------

    def action_run(self) -> None:
        """Opens the run dialog."""
        if self.actions.allowed("jobs run"):
            from console.ui.screens.run import RunScreen

            self.app.push_screen(RunScreen(self.actions, self._expect))

    def action_rerun(self) -> None:
        """Puts the job into the queue once more, as far as what it needs was kept; the cursor goes to the new one."""
        row = self.row
        if row is not None and self.actions.allowed("jobs rerun"):
            self.run_worker(self._rerun(row.job), group="action")

    async def _rerun(self, job: str) -> None:
        self._expecting = True
        results = await self.actions.run("jobs rerun", [{"job": job}])
        if not any(result.ok for result in results):
            self._expecting = False

    def action_which(self) -> None:
        """Shows those that wait, those that run, those that ended, all of them: filters that one may edit."""
        filters = list(_WHICH.values())
        now = self.main.model.filter.text
        place = filters.index(now) if now in filters else 0
        self.main.model.filter_by(filters[(place + 1) % len(filters)])
        self.main.rearranged()

    def action_stream(self) -> None:
        """Shows one stream at the side, the other, both."""
        self._shown = _SHOWN[(_SHOWN.index(self._shown) + 1) % len(_SHOWN)]
        row = self.row
        if row is not None:
            self._show(row)

    def _expect(self) -> None:
        self._expecting = True

    def action_cancel(self) -> None:
        """Cancels the job; asks first."""
        row = self.row
        if row is None:
            return
        if row.state in TERMINAL:
            self.actions.refuse(f"job {clean(row.job, 8)} has ended already")
            return
        call = self.actions.run("jobs cancel", [{"job": row.job}], names=[f"{row.name} {row.job[:12]}"], ask=True)
        self.run_worker(call, group="action")

    def action_output(self) -> None:
        """Shows the whole output on a screen of its own."""
        row = self.row
        if row is not None:
            from console.ui.screens.reading import JobOutputScreen

            self.app.push_screen(JobOutputScreen(self.desk, row))

    def action_receipt(self) -> None:
        """Goes to the job's receipt."""
        row = self.row
        if row is None or not row.receipt:
            self.actions.refuse("there is no receipt yet: it is signed when the job ends")
            return
        self.app.post_message(self.Goto(RECEIPTS, row.receipt))


def _fill(tail: Tail, document: Json, stream: str) -> None:
    """Takes logged output, text or base64; what came live meanwhile stays."""
    encoded = text(document, f"{stream}_b64", limit=1 << 26)
    plain = document.get(stream) if isinstance(document, Mapping) else None
    data = base64.b64decode(encoded) if encoded else plain.encode() if isinstance(plain, str) else b""
    if tail.at == 0:
        tail.put(0, data)
