"""The frame on the screen: header, strip, body, status and keys, drawn from what the desk knows."""

from time import monotonic
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Container, Horizontal, Vertical
from textual.events import Click
from textual.message import Message

from console.ui import frame
from console.ui.desk import Desk
from console.ui.figures import clock
from console.ui.frame import Badges, Key
from console.ui.panes.pane import Pane
from console.ui.pulse import Pulse
from console.ui.sheet import Span
from console.ui.widgets.ribbon import Ribbon
from runtime import boot_events, component_events, events
from runtime.events import Record

__all__ = ["FrameView"]


class FrameView(Vertical):
    """Four rows and the body between them."""

    class PaneAsked(Message):
        """The operator clicked a pane in the strip."""

        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

    DEFAULT_CSS: ClassVar[str] = "FrameView { height: 1fr; }"

    def __init__(self, desk: Desk) -> None:
        super().__init__(id="frame")
        self.desk = desk
        self.pulse = Pulse()
        self.unseen: set[int] = set()
        """Panes in which something failed that was not looked at."""
        self.behind: int | None = None
        """Events behind a frozen screen; None when it is not frozen."""
        self.lost = 0
        self.pane: Pane | None = None
        self.body = Container(id="body")
        """Where panes are mounted."""
        self._header = Ribbon(name="header")
        self._clock = Ribbon(name="clock")
        self._strip = Ribbon(name="strip")
        self._status = Ribbon(name="status")
        self._keys = Ribbon(name="keys")
        self._works: tuple[list[Key], list[Key]] = ([], [])

    def compose(self) -> ComposeResult:
        """The rows."""
        # The clock has a widget of its own: what changes every second is all that is written every second.
        with Horizontal(id="top"):
            yield self._header
            yield self._clock
        yield self._strip
        yield self.body
        yield self._status
        yield self._keys

    def took(self, records: list[Record], lost: int) -> None:
        """Counts records, and marks the panes in which they tell of a failure."""
        news = [record for record in records if record.seq > self.desk.since]
        self.pulse.count(len(news))
        self.lost += lost
        if self.behind is not None:
            self.behind += len(news)
        current = self.pane.NUMBER if self.pane else 0
        for record in news:
            pane = _failed_pane(record)
            if pane and pane != current:
                self.unseen.add(pane)

    def tick(self) -> None:
        """Once a second. Under a dialog the clock stands still: all that lies under one would be drawn anew with it."""
        self.pulse.tick(monotonic())
        if len(self.app.screen_stack) == 1:
            self.draw()

    def draw(self) -> None:
        """Draws the rows above and the status, as far as they changed."""
        if self.pane is not None and not self.pane.whole:
            return
        desk = self.desk
        badges = Badges(read_only=desk.read_only, behind=self.behind, lost=self.lost, starting=not desk.ready)
        left, right = frame.header(desk.view.node, desk.options.title, desk.view, badges, desk.now_ms())
        self._header.show(left, right)
        self._clock.show(((f" {clock(desk.now_ms())} UTC ", "strong"),))
        number = self.pane.NUMBER if self.pane else 0
        spans = frame.strip(desk.view, number, frozenset(self.unseen), self.size.width or self.app.size.width)
        self._strip.show(spans)
        status = self._told(self.pane) if self.pane is not None and desk.ready else ((" starting the core…", "dim"),)
        done = desk.done[-1] if desk.done else None
        self._status.show(status, frame.status_right(done, desk.running, self.pulse.rate, self.pulse.lag_ms))

    def _told(self, pane: Pane) -> tuple[Span, ...]:
        """How far the search is, where one goes on, and what the pane says."""
        searched = pane.searched
        search = searched.search_spans() if searched is not None else ()
        return ((" ", ""), *search, (" ·", "dim"), *pane.status()) if search else pane.status()

    def draw_keys(self, here: list[Key], always: list[Key]) -> None:
        """Draws the keys row."""
        self._works = (here, always)
        width = self.size.width or self.app.size.width
        self._keys.show(frame.keys_row(here, always, width))

    def on_resize(self) -> None:
        """As many keys as fit now; those above and the status are drawn anew each second."""
        self.draw_keys(*self._works)

    def on_click(self, event: Click) -> None:
        """A click on the strip."""
        row = self._strip
        if event.widget is row:
            number = frame.pane_at(row.left, event.x)
            if number is not None:
                self.post_message(self.PaneAsked(number))


def _failed_pane(record: Record) -> int:  # noqa: PLR0911 - one line for each pane
    match record.event:
        case events.BreakerTripped() | events.AgentFailed():
            return frame.AGENTS
        case events.PeerLied():
            return frame.PEERS
        case events.JobState(state="failed" | "refused" | "lost"):
            return frame.JOBS
        case events.ReceiptVerified(verdict="invalid") | events.ChainBroken():
            return frame.RECEIPTS
        case component_events.ComponentGivenUp() | component_events.ComponentState(state="failed"):
            return frame.COMPONENTS
        case boot_events.BootReport(ok=False) | boot_events.BootReceipt(ok=False):
            return frame.BOOT
        case events.CoreError():
            return frame.LOG
        case _:
            return 0
