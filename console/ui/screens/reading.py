"""Texts that fill the screen: a task, a log, an output, an event, what was run from here."""

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from console.rows import AgentRow, JobRow
from console.ui.bound import keys_of
from console.ui.desk import Desk, Done
from console.ui.figures import clock
from console.ui.sheet import BLANK, Line, heading, line
from console.ui.text.documents import integer, objects, text
from console.ui.text.jobs import output_lines
from console.ui.widgets.inked import Inked
from console.ui.widgets.searched import Searched
from console.ui.widgets.sheet_view import SheetView
from console.view import TERMINAL
from runtime.sanitise import clean

__all__ = ["AgentLogScreen", "JobOutputScreen", "SheetScreen", "command_log"]


class Page(Inked, Vertical):
    """A box whose title may hold text that is not ours."""


class SheetScreen(ModalScreen[None]):
    """A sheet over the whole body; `y` copies its text, `/` searches in it.

    Args:
        title: in the frame.
        lines: the sheet.
        tail: whether to begin at its end.
    """

    AUTO_FOCUS: ClassVar[str | None] = "SheetView"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "End the search, close", id="ui.back-from-sheet"),
        Binding("q,enter", "dismiss", "Close", id="ui.close-sheet"),
        Binding("slash", "search", "Search", id="ui.search-sheet"),
        Binding("y,Y", "copy", "Copy all", id="ui.copy-sheet"),
    ]

    def __init__(self, *, title: str, lines: Sequence[Line] = (), tail: bool = False) -> None:
        super().__init__(classes="dialog wide")
        self._title = title
        self._lines = tuple(lines)
        # Held, not asked for: it may be mounted while the application is taken down, which composes nothing any more.
        self._sheet = SheetView(name="sheet", tail=tail)

    def compose(self) -> ComposeResult:
        """The box."""
        with Page(classes="reading") as box:
            box.border_title = self._title
            box.border_subtitle = self._hints()
            yield self._sheet

    def on_mount(self) -> None:
        """Shows what is there."""
        self.show(self._lines)
        self.begin()

    def begin(self) -> None:
        """Asks for what is to be shown, where it is not there at once."""

    def show(self, lines: Sequence[Line]) -> None:
        """Shows other lines."""
        self._sheet.show(lines)

    @on(Searched.Sought)
    def _searched(self, event: Searched.Sought) -> None:
        event.stop()
        box, sheet = self.query_one(Page), self._sheet
        found = "".join(text for text, _ in sheet.search_spans())
        box.border_title = f"{self._title}  {found}" if found else self._title
        box.border_subtitle = self._hints_of_search() if found else self._hints()

    def _hints(self) -> str:
        keys = keys_of(self.app)
        back, copy = keys.named("ui.back-from-sheet", "esc"), keys.named("ui.copy-sheet", "y")
        return f"{back} closes · {copy} copies · {keys.named('ui.search-sheet', '/')} searches"

    def _hints_of_search(self) -> str:
        keys = keys_of(self.app)
        following, before = keys.named("ui.next-hit", "n"), keys.named("ui.previous-hit", "N")
        return f"{following} next · {before} previous · {keys.named('ui.back-from-sheet', 'esc')} ends the search"

    def action_search(self) -> None:
        """Opens the line in which one types what is searched for."""
        from console.ui.screens.filter import FilterScreen

        self.app.push_screen(FilterScreen(self._sheet))

    def action_back(self) -> None:
        """Ends the search; without one, closes."""
        sheet = self._sheet
        if sheet.needle is None:
            self.dismiss()
        else:
            sheet.seek("")

    def action_copy(self) -> None:
        """Sends the text to the terminal's clipboard."""
        from console.ui.clipboard import send

        send(self.app, self._sheet.text)


class AgentLogScreen(SheetScreen):
    """All that is kept of an agent: log lines, drops, failures, oldest first."""

    def __init__(self, desk: Desk, row: AgentRow) -> None:
        super().__init__(title=f"Log of {clean(row.agent, 40)}", lines=[line(("asking…", "dim"))], tail=True)
        self._desk = desk
        self._row = row

    def begin(self) -> None:
        """Asks for it."""
        self.run_worker(self._ask())

    async def _ask(self) -> None:
        result = await self._desk.ask("agents logs", {"agent": self._row.agent, "room": self._row.room})
        if not result.ok:
            self.show([line((clean(result.fault.line) if result.fault else "no answer", "trip"))])
            return
        inks = {"log": "", "drop": "warn", "failure": "trip", "failed": "trip"}
        lines = [
            line(
                (f"{clock(integer(item, 'ts_ms'))}  ", "dim"),
                (f"{text(item, 'kind', limit=10):<8} ", "faint"),
                (text(item, "text", limit=4_000), inks.get(text(item, "kind"), "")),
                indent=19,
            )
            for item in objects(result.value, "items")
        ]
        self.show(lines or [line(("nothing written, nothing dropped, nothing failed", "dim"))])


class JobOutputScreen(SheetScreen):
    """The ends of both streams of a job, going on while it runs."""

    def __init__(self, desk: Desk, row: JobRow) -> None:
        super().__init__(title=f"Output of {clean(row.name, 40)}", tail=True)
        self._desk = desk
        self._job = row.job

    def begin(self) -> None:
        """Shows it, and twice a second what came until the job ends."""
        self._refresh()
        row = self._desk.view.jobs.get(self._job)
        if row is not None and row.state not in TERMINAL:
            self.set_interval(0.5, self._refresh)

    def _refresh(self) -> None:
        recent = self._desk.recent
        stdout, stderr = (output_lines(recent.tail(self._job, stream), 5_000) for stream in ("stdout", "stderr"))
        self.show([heading("STDOUT"), *stdout, BLANK, heading("STDERR"), *stderr])


def command_log(done: Sequence[Done]) -> list[Line]:
    """What was run from this screen, newest last, as command lines."""
    lines = []
    for each in done:
        ink = "ok" if each.ok else "trip"
        lines.append(line((f"{clock(each.at_ms)}  ", "dim"), ("✓ " if each.ok else "✗ ", ink), each.line, indent=12))
        if not each.ok:
            lines.append(line((f"            {each.text}", "trip"), indent=12))
    return lines or [line(("nothing was run from this screen yet", "dim"))]
