"""The row at the bottom for `:`, where commands are typed, completed and found again."""

import asyncio
import shlex
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from console.client import Json
from console.ui.paths import complete_path
from console.ui.sheet import Span
from console.ui.suggest import Suggestion, expects_path, suggestions
from console.ui.widgets.ribbon import Ribbon
from console.view import View

__all__ = ["PromptScreen"]

_ROWS = 6


class PromptScreen(ModalScreen[str | None]):
    """A command line with completion and history; answers with the line, or None.

    Args:
        view: for names.
        tasks: tasks of the room that is looked at.
        history: earlier lines, oldest first.
        text: what stands in it at first.
    """

    AUTO_FOCUS: ClassVar[str | None] = "Input"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Close", id="ui.close-prompt"),
        Binding("tab", "complete", "Complete", id="ui.complete", priority=True),
        Binding("down,ctrl+n", "choose(1)", "Next suggestion", show=False, id="ui.next-suggestion", priority=True),
        Binding("up,ctrl+p", "earlier", "Earlier line", show=False, id="ui.earlier-line", priority=True),
    ]

    def __init__(self, view: View, tasks: Json, history: list[str], text: str = "") -> None:
        super().__init__(classes="prompt")
        self._view = view
        self._tasks = tasks
        self._history = history
        self._place = len(history)
        self._text = text
        self._found: list[Suggestion] = []
        self._chosen = 0

    def compose(self) -> ComposeResult:
        """Suggestions above the line."""
        with Vertical(classes="prompt-box"):
            for number in range(_ROWS):
                yield Ribbon(name=f"suggestion-{number}")
            yield Ribbon(name="prompt-help")
            with Horizontal(classes="prompt-line"):
                yield Static(":", markup=False)
                yield Input(self._text, id="line", compact=True, select_on_focus=False)

    async def on_mount(self) -> None:
        """Ready to type."""
        line = self.query_one(Input)
        line.cursor_blink = False
        line.cursor_position = len(self._text)
        await self._suggest(self._text)

    @on(Input.Changed)
    async def _typed(self, event: Input.Changed) -> None:
        await self._suggest(event.value)

    async def _suggest(self, text: str) -> None:
        path = expects_path(text)
        if path is None:
            self._found = suggestions(text, self._view, self._tasks)
        else:
            matches = await asyncio.to_thread(complete_path, path)
            head = text[: len(text) - len(path)]
            folder = path.rpartition("/")[0] + "/" if "/" in path else ""
            self._found = [Suggestion(f"{head}{folder}{name}", name, "") for name in matches.names]
            if len(self._found) > 1 and len(matches.common) > len(path):
                self._found.insert(0, Suggestion(head + matches.common, matches.common, "as far as they agree"))
        self._chosen = 0
        self._show()

    def _show(self) -> None:
        first = max(0, min(self._chosen - _ROWS + 1, len(self._found) - _ROWS))
        for number in range(_ROWS):
            row = self.query_one(f"#suggestion-{number}", Ribbon)
            place = first + number
            row.display = place < len(self._found)
            if row.display:
                each = self._found[place]
                ink = "key" if place == self._chosen else ""
                row.show(((f" {'▸' if place == self._chosen else ' '} {each.shown:<22} ", ink), (each.note, "dim")))
        help_line: tuple[Span, ...] = (
            (" tab", "key"),
            (" completes  ", "dim"),
            ("↓", "key"),
            (" next  ", "dim"),
            ("↑", "key"),
            (" earlier  ", "dim"),
            ("enter", "key"),
            (" runs  ", "dim"),
            ("esc", "key"),
            (" closes", "dim"),
        )
        self.query_one("#prompt-help", Ribbon).show(help_line)

    def action_complete(self) -> None:
        """Takes the chosen suggestion."""
        if self._found:
            line = self.query_one(Input)
            line.value = self._found[self._chosen].line
            line.cursor_position = len(line.value)

    def action_choose(self, step: int) -> None:
        """Chooses another suggestion; in the history, a later line."""
        if self._place < len(self._history):
            self._from_history(self._place + 1)
        elif self._found:
            self._chosen = (self._chosen + step) % len(self._found)
            self._show()

    def action_earlier(self) -> None:
        """An earlier suggestion, or an earlier line."""
        if self._chosen and self._place == len(self._history):
            self._chosen -= 1
            self._show()
        else:
            self._from_history(self._place - 1)

    def _from_history(self, place: int) -> None:
        if 0 <= place <= len(self._history):
            self._place = place
            line = self.query_one(Input)
            line.value = self._history[place] if place < len(self._history) else ""
            line.cursor_position = len(line.value)

    @on(Input.Submitted)
    def _run(self, event: Input.Submitted) -> None:
        event.stop()
        text = event.value.strip()
        try:
            shlex.split(text)
        except ValueError as error:
            self.query_one("#prompt-help", Ribbon).show(((f" ✗ {error}", "trip"),))
            return
        self.dismiss(text or None)

    def on_click(self, event: events.Click) -> None:
        """A click outside closes."""
        if event.widget is self:
            self.dismiss(None)
