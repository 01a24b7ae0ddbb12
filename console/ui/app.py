"""The application: mounts frame and panes, follows the core, owns the theme. What keys mean is said where they act."""

import asyncio
import importlib
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import ClassVar

from rich.console import RenderableType
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.command import Provider
from textual.events import DescendantFocus, Event, InputEvent, Key, Resize
from textual.geometry import Size

from console.client import Fault
from console.cmdline import streams
from console.exit_codes import ExitCode, exit_code_for
from console.idle import IdleWatch
from console.ui import keys
from console.ui.actions import Actions
from console.ui.after import after
from console.ui.ascii_only import AsciiOnly
from console.ui.component_notices import ComponentNotices
from console.ui.desk import Desk
from console.ui.feed import Feed
from console.ui.frame import AGENTS, BOOT, COMPONENTS, JOBS, LOG, PANES, PEERS, RECEIPTS, ROOMS
from console.ui.introduction import introduce
from console.ui.notices import notices
from console.ui.options import UiOptions
from console.ui.panes.pane import Pane
from console.ui.remembered import Notebook
from console.ui.session_keys import SessionKeys
from console.ui.shutter import Shutter
from console.ui.terminal import color_fault, ended_by_signals, set_escape_delay, size_now, without_color
from console.ui.themes import DARK, THEMES
from console.ui.widgets.frame_view import FrameView
from console.ui.widgets.ribbon import Ribbon
from console.ui.widgets.searched import Searched
from console.view import TOPICS, Changes
from runtime.clock import Clock, SystemClock
from runtime.errors import OrlopError
from runtime.events import NotifyBell, Record
from runtime.sanitise import clean

__all__ = ["OrlopApp", "run"]

_STALE_S = 0.5
_PANES = {
    ROOMS: ("rooms", "RoomsPane"),
    AGENTS: ("agents", "AgentsPane"),
    PEERS: ("peers", "PeersPane"),
    JOBS: ("jobs", "JobsPane"),
    RECEIPTS: ("receipts", "ReceiptsPane"),
    BOOT: ("boot", "BootPane"),
    LOG: ("log", "LogPane"),
    COMPONENTS: ("components", "ComponentsPane"),
}
"""Module and class of each pane."""


def _provider() -> type[Provider]:
    from console.ui.palette import RegistryProvider

    return RegistryProvider


class OrlopApp(SessionKeys, inherit_bindings=False):
    """One screen with panes; dialogs lie over it.

    Args:
        options: of this run.
        clock: what the screen's times are counted from.
    """

    TITLE = "orlop"
    CSS_PATH = "orlop.tcss"
    AUTO_FOCUS = ""
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {_provider}
    COMMAND_PALETTE_BINDING = "f24"  # ours is in TableKeys, with an id
    HORIZONTAL_BREAKPOINTS = [(0, "-tiny-wide"), (60, "-narrow"), (100, "-wide")]  # noqa: RUF012 - Textual reads it
    VERTICAL_BREAKPOINTS = [(0, "-tiny-high"), (15, "-high")]  # noqa: RUF012 - Textual reads it
    BINDINGS: ClassVar[list[BindingType]] = [
        *SessionKeys.BINDINGS,
        *(
            Binding(str(number), f"pane({number})", f"Pane {name}", show=False, id=f"ui.pane-{number}")
            for number, name in PANES
        ),
    ]

    def __init__(self, options: UiOptions, clock: Clock | None = None) -> None:
        # NO_COLOR means no colour code at all: greys are colours too.
        super().__init__(ansi_color=True if without_color() else None)
        for theme in THEMES.values():
            self.register_theme(theme)
        self._notebook = Notebook(options.memory)
        self._writing = False
        self.kept = self._notebook.kept
        self.theme = THEMES.get(options.theme or self.kept.theme or "", DARK).name
        if options.ascii:
            self._filters.append(AsciiOnly())
        self.desk = Desk(options, clock or SystemClock())
        self.actions = Actions(self, self.desk)
        self.shutter = Shutter(self, self.desk, self.actions)
        self._frame_view = FrameView(self.desk)
        self._too_small = Ribbon(name="too-small")
        self.lines = []
        self.fault: Fault | None = None
        """Why the screen could not go on; said after the terminal was restored."""
        self.trace = ""
        self._feed = Feed(self._take, frames=options.frames)
        self._ui_loop: asyncio.AbstractEventLoop | None = None
        self._stale: set[str] = set()
        self._idle = IdleWatch(options.lock_after_s, self.desk.clock.monotonic())
        self.mouse_on = self.kept.mouse is not False if options.mouse is None else options.mouse
        self.bound_keys = options.keys
        self._of_components = ComponentNotices(options.keys)
        self.set_keymap(options.keys.keymap())
        self.interrupted = False

    def compose(self) -> ComposeResult:
        """The frame, and what stands instead of it on a screen that is too small."""
        yield self._frame_view
        yield self._too_small

    # --- the core ---------------------------------------------------------------------------------------------------

    async def on_mount(self) -> None:
        """Paints first; the core is started when the first frame is on the screen."""
        self._ui_loop = asyncio.get_running_loop()
        self.desk.changed = self.frame.draw
        await self.action_pane(self.kept.pane if self.kept.pane in dict(PANES) else ROOMS)
        self.set_interval(1.0, self._second)
        self.call_after_refresh(self.desk.open, self._feed.sink, self._reached, self._failed)

    def _reached(self) -> None:
        with self._context():
            self._feed.open(asyncio.get_running_loop())
            if self.pane is not None:
                self.pane.shown()
            self.frame.draw()
            self.shutter.follow()
            self._tell_damage()
            node = self.desk.view.node
            if self.desk.options.first_run and node is not None and not node.demo:
                from console.ui.screens.first_run import FirstRunScreen

                offer = not (self.desk.read_only or self.desk.view.rooms)
                self.push_screen(FirstRunScreen(node, offer=offer), self._begin)

    def _begin(self, demo: bool | None) -> None:
        if demo:
            from console.demo import ROOM

            self.run_worker(self.actions.run("rooms create", [{"name": ROOM, "with_demo": "true"}]), group="action")

    def _failed(self, error: BaseException) -> None:
        if isinstance(error, OrlopError):
            self.leave_with(Fault(error.code, error.why, error.what, error.where, error.hint))
        else:
            self._crashed(error)

    def leave_with(self, fault: Fault) -> None:
        """Leaves with a fault: its line is said on stderr, its exit code returned."""
        self.fault = fault
        self.exit(return_code=exit_code_for(fault))

    def _take(self, records: Sequence[Record], lost: int) -> None:
        """A frame's worth of records: folded, shown where they are looked at, marked where they are not."""
        try:
            with self._context():
                records = self.desk.recent.take(records)
                changes = self.desk.view.apply(records)
                if lost:
                    changes.stale.update(TOPICS)
                self.frame.took(records, lost)
                if any(isinstance(record.event, NotifyBell) for record in records):
                    self.bell()
                if self.pane is not None and self.pane.whole:
                    self.pane.take(changes, records)
                self._refresh_stale(changes)
                self._look_after(records, changes)
                self.frame.draw()
        except Exception as error:  # noqa: BLE001 - the loop would swallow it; the screen must not go on half drawn
            self._handle_exception(error)

    def _look_after(self, records: Sequence[Record], changes: Changes) -> None:
        """Shuts or opens the screen, and says what nobody should miss."""
        if changes.node and self.shutter.follow() and self.pane is not None and self.pane.whole:
            self.pane.shown()
        if not self.shutter.closed:
            for notice in notices(records, self.desk.view, self.desk.since, self._of_components):
                self.notify(notice.text, title=notice.title, severity=notice.severity, timeout=10, markup=False)

    def _refresh_stale(self, changes: Changes) -> None:
        if changes.stale and not self._stale:
            after(self, _STALE_S, self._ask_stale)
        self._stale |= changes.stale

    async def _ask_stale(self) -> None:
        topics, self._stale = frozenset(self._stale), set()
        changes = await self.desk.refresh(topics)
        if changes is not None and self.pane is not None and self.pane.whole:
            self.pane.take(changes, ())
            self.frame.draw()

    def _second(self) -> None:
        if self.pane is not None and self.desk.ready and self.pane.whole:
            self.pane.second()
        self.frame.tick()
        if self._idle.due(self.desk.clock.monotonic()) and self.desk.ready:
            self.run_worker(self.actions.run("lock", [{"idle": "true"}], quiet=True), group="lock")
        self.interrupted = False
        self._gather()
        if self._remembers:
            introduce(self)
            if not self._writing and self.kept != self._notebook.kept:
                self._writing = True
                self.run_worker(self._write_notebook(), group="notebook")

    # --- what is remembered -----------------------------------------------------------------------------------------

    @property
    def _remembers(self) -> bool:
        """Whether the directory is ours to write to."""
        return self.desk.ready and not self.desk.read_only

    def _tell_damage(self) -> None:
        if self._remembers:
            self._notebook.set_aside()
        if self._notebook.notice:
            self.actions.refuse(self._notebook.notice)

    def _gather(self) -> None:
        """Takes what the panes have to remember; they are gone when the screen is."""
        for pane in self.frame.body.children:
            if isinstance(pane, Pane) and pane.whole:
                self.kept = pane.remember(self.kept)

    async def _write_notebook(self) -> None:
        """On a thread: a disk may be slow."""
        trouble = await asyncio.to_thread(self._notebook.write, lambda: self.kept)
        self._writing = False
        if trouble:
            self.actions.refuse(trouble)

    def exit(self, result: int | None = None, return_code: int = 0, message: RenderableType | None = None) -> None:
        """Leaves; what is on the screen is looked at once more before it goes."""
        self._gather()
        super().exit(result, return_code, message)

    def remember(self) -> None:
        """Writes what is to be remembered; after the loop has ended, while the directory is still ours."""
        if self._remembers:
            self._notebook.write(lambda: self.kept)

    # --- panes ------------------------------------------------------------------------------------------------------

    @property
    def frame(self) -> FrameView:
        """The rows around the pane."""
        return self._frame_view

    @property
    def pane(self) -> Pane | None:
        """The pane that is shown."""
        return self.frame.pane

    async def action_pane(self, number: int) -> None:
        """Shows a pane; it is made when it is first shown."""
        body, before = self.frame.body, self.frame.pane
        found = [child for child in body.children if isinstance(child, Pane) and number == child.NUMBER]
        pane = found[0] if found else _pane_type(number)(self.desk, self.actions)
        if not found:
            await body.mount(pane)
            pane.recall(self.kept)
        if before is not None and before is not pane:
            before.display = False
        pane.display = True
        self.frame.pane = pane
        self.kept = replace(self.kept, pane=number)
        self.frame.unseen.discard(number)
        pane.freeze(on=False)
        pane.shown()
        if self.frame.behind is not None:
            pane.freeze(on=True)
        self.frame.draw()

    @on(Pane.Goto)
    async def _goto(self, event: Pane.Goto) -> None:
        await self.action_pane(event.pane)
        if self.pane is not None:
            self.pane.main.select(event.key)
            self.pane.show_detail()

    @on(FrameView.PaneAsked)
    async def _asked(self, event: FrameView.PaneAsked) -> None:
        await self.action_pane(event.number)

    def on_descendant_focus(self, _event: DescendantFocus) -> None:
        """Other keys work now."""
        self.call_after_refresh(self.draw_keys)

    async def on_event(self, event: Event) -> None:
        """Notices that somebody is there, before anybody else gets a key or a click."""
        if isinstance(event, InputEvent):
            self._idle.touched(self.desk.clock.monotonic())
        await super().on_event(event)

    def on_key(self, event: Key) -> None:
        """What is typed while a line opens belongs to the line."""
        from console.ui.screens.line import LineScreen

        if isinstance(self.screen, LineScreen) and event.character and event.is_printable:
            event.prevent_default()
            self.screen.type_early(event.character)

    @on(Searched.Sought)
    def _searched(self) -> None:
        self.draw_keys()

    def draw_keys(self) -> None:
        """Draws status and keys row anew, unless a dialog lies over them."""
        pane = self.pane
        if pane is not None and len(self.screen_stack) == 1:
            self.frame.draw_keys(*keys.visible_keys(self.screen, pane.key_label))
            self.frame.draw()

    def on_resize(self, event: Resize) -> None:
        """Says so where nothing fits; takes the terminal's word for its size where another was told."""
        now = size_now(self)
        if now is not None and now != event.size:
            size = Size(*now)
            self.post_message(Resize(size, size))
        said = f" orlop needs 60x15, this is {event.size.width}x{event.size.height}"
        self._too_small.show(((said, "warn"),))
        self.call_after_refresh(self.draw_keys)

    # --- the end ----------------------------------------------------------------------------------------------------

    def leave_by_signal(self, code: int) -> None:
        """Leaves with a signal's exit code; called between two instructions of the main thread."""
        loop = self._ui_loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._leave_now, code)

    def _leave_now(self, code: int) -> None:
        self.exit(return_code=code)

    def _crashed(self, error: BaseException) -> None:
        """An error of ours: the terminal is restored, one line is said, and the traceback only when asked for."""
        where = traceback.extract_tb(error.__traceback__)[-1] if error.__traceback__ else None
        place = f"{where.name}, line {where.lineno}" if where else ""
        hint = "run it again with --debug and report what it says"
        self.fault = Fault("failed", f"unexpected {type(error).__name__}", "screen", place, hint)
        self.trace = "".join(traceback.format_exception(error)) if self.desk.options.debug else ""
        self._return_code = ExitCode.FAILED
        self._close_messages_no_wait()

    def _fatal_error(self) -> None:
        """Textual would print a traceback with the values of all locals, secrets among them."""
        error = sys.exc_info()[1] or self._exception
        if error is not None:
            self._crashed(error)


def _pane_type(number: int) -> type[Pane]:
    """The class of a pane; its module is loaded when it is first asked for."""
    module, name = _PANES.get(number, _PANES[ROOMS])
    found: type[Pane] = getattr(importlib.import_module(f"console.ui.panes.{module}"), name)
    return found


def run(options: UiOptions) -> int:
    """Opens the screen and returns the exit code when it was left.

    Args:
        options: how it behaves, and how to reach the core.
    """
    problem = color_fault()
    if problem:
        print(f"orlop: {problem}", file=sys.stderr)
        return ExitCode.USAGE
    set_escape_delay()
    app = OrlopApp(options)
    with ended_by_signals(app.leave_by_signal, app.desk.close):
        app.run(mouse=app.mouse_on)
    code = app.return_code or ExitCode.OK
    app.remember()
    app.desk.close()
    if code == ExitCode.HUNG_UP:
        streams.hung_up()  # a flush that fails at the interpreter's end would put its own status, 120, over ours
    if app.trace:
        print(app.trace, file=sys.stderr, end="")
    if app.fault is not None:
        print(f"orlop: {clean(app.fault.line, 1_000)}", file=sys.stderr)
    return int(code)
