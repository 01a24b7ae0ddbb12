"""The Peers pane: other nodes, what each may, how far away it is, and in what it lied."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal

from console.client import Args, Json, Result
from console.rows import PeerRow
from console.table import TableModel
from console.table_rows import Row
from console.ui.actions import Question
from console.ui.figures import millis
from console.ui.frame import PEERS
from console.ui.panes.pane import Pane, command_binding, marking
from console.ui.sheet import Span
from console.ui.text.documents import items, text
from console.ui.text.peer_sheet import PeerFacts, peer_sheet, submitter_of
from console.ui.text.peers import COLUMNS, called, has_lied, listening, peer_row, running_at
from console.ui.text.workers import unfit
from console.ui.widgets.live_table import LiveTable
from console.ui.widgets.sheet_view import SheetView
from console.view import Changes
from runtime.events import PeerMeasured, Record
from runtime.sanitise import clean
from runtime.shapes import to_wire

__all__ = ["PeersPane"]

_EMPTY = (
    "No peers yet.",
    "A peer is another node. It proves its key, and may do only what you trust it with.",
    "--p2p-listen /ip4/0.0.0.0/tcp/4001 lets others dial this node.",
)
_GIVES = (
    "Programs that it sends will run on this machine: in a sandbox, within your limits, without your files, and each"
    " leaves a receipt of this node. Its own receipts are not believed because of that. The same key takes it back;"
    " jobs that run go on."
)
_BAN = (
    "Its connections end, it is neither dialled nor answered, and every trust is taken from it. The same key lifts the"
    " ban; trust does not come back with that."
)
_LIFT = "It may be dialled and may dial again. It gets no trust back: that is given anew."


class PeersPane(Pane):
    """Other nodes, those that are connected first."""

    NUMBER = PEERS
    NOUN = "peers"
    PARTS = ("peers", "peer")
    DETAIL = "peer"
    BINDINGS: ClassVar[list[BindingType]] = [
        command_binding("d", "dial", "peers dial", "dial"),
        command_binding("P", "ping", "peers ping", "ping"),
        command_binding("t", "trust", "peers trust", "trust"),
        command_binding("r", "run", "jobs run.on", "run a job"),
        command_binding("b", "ban", "peers ban", "ban"),
        command_binding("T", "trust_jobs", "peers trust.jobs", "take its jobs"),
        command_binding("e", "name", "peers name", "name"),
        *marking("space"),
    ]

    _known: tuple[str, Json] = ("", None)
    _at_work: Mapping[str, int] = {}

    def compose(self) -> ComposeResult:
        """The table, and at its side what there is to know about one."""
        with Horizontal():
            table = LiveTable(
                TableModel(COLUMNS, sort="seen", descending=True),
                name="peers",
                empty=(*_EMPTY, f"{self.keys.named('peers dial', 'd')} dials an address"),
                classes="part",
            )
            table.border_title = "Peers"
            yield table
            yield SheetView(name="peer", classes="part side")

    # --- rows -------------------------------------------------------------------------------------------------------

    @property
    def row(self) -> PeerRow | None:
        """The peer under the cursor."""
        return self.desk.view.peers.get(self.main.model.cursor or "")

    def targets(self) -> list[PeerRow]:
        """The marked peers, else the one under the cursor."""
        view = self.desk.view.peers
        return [view[row.key] for row in self.main.model.targets() if row.key in view]

    def load(self) -> None:
        """All peers from the view."""
        self._at_work = running_at(self.desk.view.jobs.values())
        self.main.replace_rows(map(self._drawn, self.desk.view.peers.values()))

    def _drawn(self, row: PeerRow) -> Row:
        trips = tuple(self.desk.recent.peer(row.peer).trips)
        return peer_row(row, trips, self._at_work.get(row.peer, 0), self.desk.now_ms())

    def take(self, changes: Changes, records: Sequence[Record]) -> None:
        """Repaints the peers that changed, were measured, or run another number of jobs."""
        touched = changes.peers | {one.event.peer for one in records if isinstance(one.event, PeerMeasured)}
        if changes.jobs:
            before, self._at_work = self._at_work, running_at(self.desk.view.jobs.values())
            touched |= {key for key in {*before, *self._at_work} if before.get(key) != self._at_work.get(key)}
        view = self.desk.view.peers
        there = [view[key] for key in touched if key in view]
        gone = [key for key in changes.peers if key not in view]
        if there or gone:
            self.main.update_rows(map(self._drawn, there), gone)
        row = self.row
        if row is None or self.frozen:
            return
        if row.peer in touched or changes.jobs or self._named_in(records, row.peer):
            self._show(row)
        if row.peer in changes.peers:
            self.fetch_soon()

    def _named_in(self, records: Sequence[Record], peer: str) -> bool:
        return any(getattr(record.event, "peer", "") == peer for record in records)

    def show_detail(self) -> None:
        """What is known at once; note and addresses are asked for."""
        row = self.row
        if row is None:
            self.query_one("#peer", SheetView).show(())
            return
        self._show(row)
        self.fetch_soon(moved=True)

    async def fetch(self) -> None:
        """Where the peer under the cursor may be, and what is noted of it."""
        row = self.row
        if row is None:
            return
        result = await self.desk.ask("peers show", {"peer": row.peer})
        now = self.row
        if result.ok and now is not None and now.peer == row.peer:
            self._known = (row.peer, result.value)
            self._show(now)

    def _document(self, row: PeerRow) -> Json:
        return self._known[1] if self._known[0] == row.peer else None

    def _show(self, row: PeerRow) -> None:
        sheet = self.query_one("#peer", SheetView)
        sheet.border_title = called(row)
        past = self.desk.recent.peer(row.peer)
        jobs, submitter = [*self.desk.view.jobs.values()][::-1], submitter_of(row)
        facts = PeerFacts(
            document=self._document(row),
            trips=tuple(past.trips),
            records=tuple(past.records),
            there=[job for job in jobs if job.where == row.peer],
            here=[job for job in jobs if submitter and job.submitter == submitter],
        )
        sheet.show(peer_sheet(row, facts, self.desk.now_ms(), self.keys))

    def status(self) -> tuple[Span, ...]:
        """How many are connected and where this node is reached, before what every table says."""
        node = self.desk.view.node
        here = listening(node.listen if node is not None else ())
        return ((f" {self.desk.view.connected} connected", ""), (" · ", "dim"), *here, (" ·", "dim"), *super().status())

    def document(self, row: Row) -> object:
        """The row as listings show it."""
        found = self.desk.view.peers.get(row.key)
        return super().document(row) if found is None else to_wire(found)

    def reference(self, row: Row) -> tuple[str, Args]:
        """`peers show`."""
        return "peers show", {"peer": row.key}

    def texts(self, row: Row) -> dict[str, str]:
        """The address by which others can dial it."""
        found = self.desk.view.peers.get(row.key)
        return {"address": f"{found.address}/p2p/{row.key}"} if found is not None and found.address else {}

    # --- keys -------------------------------------------------------------------------------------------------------

    def action_dial(self) -> None:
        """Opens the dialog with the peer under the cursor, where it is not connected, or with nothing."""
        if not self.actions.allowed("peers dial"):
            return
        from console.ui.screens.peers import DialScreen

        row = self.row
        where = (row.name or row.peer) if row is not None and row.state == "known" else ""
        known = [each.name or each.peer for each in self.desk.view.peers.values()]
        screen = DialScreen(self.actions, where, known)

        def done(dialled: bool | None) -> None:
            if dialled:
                self.main.select(screen.peer)
                self.show_detail()

        self.app.push_screen(screen, done)

    def action_ping(self) -> None:
        """Measures the round trips to the marked peers, or to the one under the cursor."""
        self.run_worker(self._ping(self.targets()), group="action")

    async def _ping(self, rows: Sequence[PeerRow]) -> None:
        for row in rows:
            for result in await self.actions.run("peers ping", [{"peer": row.peer}]):
                if result.ok:
                    self.actions.tell(f"{called(row)} answered after {_trips(result)}")

    def action_trust(self) -> None:
        """Lets peers run jobs for this node and believes their receipts, or no more; of a liar it asks first."""
        rows = self.targets()
        if any(row.state == "banned" for row in rows):
            self.actions.refuse(f"a banned peer cannot be trusted: {self.keys.named('peers ban', 'b')} lifts the ban")
        elif rows and all(row.worker for row in rows):
            self._act("peers trust", rows, None, remove="true")
        else:
            untrusted = [row for row in rows if not row.worker]
            self._act("peers trust", untrusted, _anew([row for row in untrusted if has_lied(row)]))

    def action_trust_jobs(self) -> None:
        """Lets peers give this node jobs, which is asked about; or no more."""
        rows = self.targets()
        if any(row.state == "banned" for row in rows):
            self.actions.refuse(f"a banned peer gives no jobs: {self.keys.named('peers ban', 'b')} lifts the ban")
        elif rows and all(row.submitter for row in rows):
            self._act("peers trust", rows, None, jobs="true", remove="true")
        else:
            question = Question("Let it give this node jobs", _GIVES)
            self._act("peers trust", [row for row in rows if not row.submitter], question, jobs="true")

    def action_run(self) -> None:
        """Opens the run dialog with the marked peers chosen, or with the one under the cursor."""
        rows = self.targets()
        refused = unfit(rows)
        for row in rows:
            if row.peer in refused:
                self.actions.refuse(f"{called(row)} gets no job: {refused[row.peer]}")
                return
        if not rows or not self.actions.allowed("jobs run"):
            return
        from console.ui.screens.run import RunScreen

        told = f"the job is on its way; {self.keys.named('ui.pane-4', '4')} shows each step"
        self.app.push_screen(RunScreen(self.actions, lambda: self.actions.tell(told), [row.peer for row in rows]))

    def action_ban(self) -> None:
        """Bans peers, or lifts the ban of those that are banned; asks first."""
        rows = self.targets()
        if rows and all(row.state == "banned" for row in rows):
            self._act("peers ban", rows, Question("Lift the ban", _LIFT), remove="true")
        else:
            self._act("peers ban", [row for row in rows if row.state != "banned"], Question("Ban", _BAN))

    def action_name(self) -> None:
        """Opens the dialog for name and note."""
        row = self.row
        if row is None or not self.actions.allowed("peers name"):
            return
        from console.ui.screens.peers import NameScreen

        note = text(self._document(row), "note", limit=200) or clean(row.note, 200)
        self.app.push_screen(NameScreen(self.actions, row, note))

    def _act(self, command: str, rows: Sequence[PeerRow], question: Question | None, **more: str) -> None:
        calls: list[Args] = [{"peer": row.peer, **more} for row in rows]
        names = [f"{called(row)}  {row.peer}" if row.name else row.peer for row in rows]
        self.run_worker(self.actions.run(command, calls, names=names, question=question), group="action")


def _anew(liars: Sequence[PeerRow]) -> Question | None:
    """What is asked before somebody is trusted who lied."""
    if not liars:
        return None
    lies = "; ".join(f"{called(row)} gave a false receipt: {clean(row.problem, 200)}" for row in liars[:3])
    return Question("Trust it anew", f"{lies}. Trust it again only when you know how that came about.")


def _trips(result: Result) -> str:
    """The round trips of `peers ping`."""
    return ", ".join(millis(one) for one in items(result.value, "rtts_us") if isinstance(one, int))
