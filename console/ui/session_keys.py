"""Keys for the session as a whole: freeze, theme, mouse, suspend, leave."""

from dataclasses import replace
from typing import ClassVar

from textual.binding import Binding, BindingType

from console.exit_codes import ExitCode
from console.ui.bound import Keys
from console.ui.once import only_newest
from console.ui.panes.pane import command_binding
from console.ui.remembered import Remembered
from console.ui.shutter import Shutter
from console.ui.table_keys import TableKeys
from console.ui.terminal import set_mouse
from console.ui.text.jobs import WAITING
from console.ui.themes import THEMES
from console.ui.widgets.frame_view import FrameView
from console.view import TERMINAL

__all__ = ["SessionKeys"]


class SessionKeys(TableKeys, inherit_bindings=False):
    """What a key does to the session. A subclass holds the frame."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *TableKeys.BINDINGS,
        Binding("p", "freeze", "Freeze the screen, not the core", show=False, id="ui.freeze"),
        Binding("M", "mouse", "Mouse on or off", show=False, id="ui.mouse"),
        Binding("ctrl+l", "redraw", "Redraw", show=False, id="ui.redraw"),
        Binding("ctrl+z", "pause", "Suspend", show=False, id="ui.suspend"),
        command_binding("Z", "lock", "lock", "lock", show=False),
        Binding("q", "leave", "Quit", show=False, id="ui.leave"),
        Binding("ctrl+q", "leave", "Quit", show=False, priority=True, id="ui.quit"),
        Binding(
            "ctrl+c",
            "interrupt",
            "Cancel, copy what is selected; twice: quit",
            show=False,
            priority=True,
            id="ui.interrupt",
        ),
    ]

    bound_keys: Keys
    """What the operator's key map changes, for hints."""
    kept: Remembered
    """What will be remembered at the next start."""
    mouse_on: bool
    interrupted: bool
    """Whether `ctrl+c` was pressed within the last second."""

    shutter: Shutter
    """Covers the screen while it is locked."""

    @property
    def frame(self) -> FrameView:
        """The rows around the pane."""
        raise NotImplementedError

    # --- keys -------------------------------------------------------------------------------------------------------

    def action_freeze(self) -> None:
        """Stops or resumes the screen; the core goes on."""
        frozen = self.frame.behind is None
        self.frame.behind = 0 if frozen else None
        if self.pane is not None:
            self.pane.freeze(on=frozen)
        self.frame.draw()

    def action_mouse(self) -> None:
        """Gives the mouse to the terminal, or takes it back."""
        self.mouse_on = not self.mouse_on
        set_mouse(self, on=self.mouse_on)
        self.kept = replace(self.kept, mouse=self.mouse_on)
        self.notify(
            "mouse on" if self.mouse_on else "mouse off: select text with the terminal", timeout=3, markup=False
        )

    def action_redraw(self) -> None:
        """Draws everything anew."""
        self.refresh(layout=True)

    def action_look(self, name: str) -> None:
        """Changes the theme."""
        if name in THEMES:
            self.theme = THEMES[name].name
            self.kept = replace(self.kept, theme=name)
        else:
            self.actions.refuse(f"no theme `{name}`; there are {', '.join(THEMES)}")

    def action_interrupt(self) -> None:
        """Closes a dialog, copies a selection; the second time within a second: as `q`."""
        from console.ui.clipboard import send

        selected = self.screen.get_selected_text()
        if len(self.screen_stack) > 1 and not self.shutter.closed:
            self.screen.dismiss(None)
        elif selected:
            send(self, selected)
        elif self.interrupted:
            self.action_leave()
        else:
            self.interrupted = True
            again, leave = self.bound_keys.named("ui.interrupt", "ctrl+c"), self.bound_keys.named("ui.leave", "q")
            self.notify(f"{again} again, or {leave}, leaves", timeout=2, markup=False)

    def action_lock(self) -> None:
        """Locks; asks for a PIN first where none is set."""
        if self.actions.allowed("lock"):
            only_newest(self, self._lock, "lock")

    async def _lock(self) -> None:
        from console.ui.screens.pin import PinScreen
        from console.ui.text.documents import flag

        status = await self.desk.ask("pin status", {})
        if status.ok and not flag(status.value, "set") and not await self.push_screen_wait(PinScreen(self.actions)):
            return
        await self.actions.run("lock", [{}])

    def action_leave(self) -> None:
        """Leaves; asks when jobs would be cancelled by it."""
        only_newest(self, self._leave, "leave")

    async def _leave(self) -> None:
        if await self._may_stop("Quit and cancel"):
            self.exit(return_code=ExitCode.OK)

    def action_pause(self) -> None:
        """Suspends the whole process; asks when jobs would stand still."""
        only_newest(self, self._pause, "leave")

    async def _pause(self) -> None:
        if await self._may_stop("Suspend"):
            self.action_suspend_process()

    async def _may_stop(self, verb: str) -> bool:
        there = [row for row in self.desk.view.jobs.values() if row.state not in TERMINAL]
        running = [row for row in there if row.state not in WAITING]
        # A job that is not of the queue waits only while others run.
        if self.desk.options.attached or not running or not self.desk.ready:
            return True
        from console.ui.screens.confirm import ConfirmScreen

        title = f"{verb} {len(running)} job{'' if len(running) == 1 else 's'}"
        names = [f"{row.name} {row.job[:12]}" for row in running]
        waiting = len(there) - len(running)
        left = f"{waiting} more wait{'s' if waiting == 1 else ''}: what was submitted stays in the queue."
        screen = ConfirmScreen(title=title, names=names, consequence=left if waiting else "")
        answer: bool = await self.push_screen_wait(screen)
        return answer
