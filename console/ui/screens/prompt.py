"""The row at the bottom for `:`, where commands are typed, completed and found again."""

import asyncio
import shlex
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Input, Static

from console.client import Json
from console.ui.bound import keys_of
from console.ui.paths import complete_path
from console.ui.screens.line import LineScreen
from console.ui.sheet import Span
from console.ui.suggest import Suggestion, expects_path, recalled, suggestions
from console.ui.widgets.ribbon import Ribbon
from console.view import View

__all__ = ["PromptScreen"]

_ROWS = 6


_TYPING = (
    ("ui.complete", "tab", "completes"),
    ("ui.next-suggestion", "↓", "next"),
    ("ui.earlier-line", "↑", "earlier"),
    ("ui.recall", "ctrl+r", "searches"),
    ("", "enter", "runs"),
    ("ui.close-prompt", "esc", "closes"),
)
_RECALLING = (
    ("ui.recall", "ctrl+r", "older"),
    ("ui.next-suggestion", "↓", "newer"),
    ("", "enter", "runs it"),
    ("ui.complete", "tab", "changes it first"),
    ("ui.close-prompt", "esc", "back"),
)
"""Binding, key and what it does."""


class PromptScreen(LineScreen[str | None]):
    """A command line with completion and history; answers with the line, or None.

    After `ctrl+r` one types a part of an earlier line instead, and chooses among those that have it.

    Args:
        view: for names.
        tasks: tasks of the room that is looked at.
        history: earlier lines, oldest first.
        text: what stands in it at first.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Close", id="ui.close-prompt"),
        Binding("tab", "complete", "Complete", id="ui.complete", priority=True),
        Binding("down,ctrl+n", "choose(1)", "Next suggestion", show=False, id="ui.next-suggestion", priority=True),
        Binding("up,ctrl+p", "earlier", "Earlier line", show=False, id="ui.earlier-line", priority=True),
        Binding("ctrl+r", "recall", "Search the earlier lines", show=False, id="ui.recall", priority=True),
    ]

    def __init__(self, view: View, tasks: Json, history: list[str], text: str = "") -> None:
        super().__init__(text, over=False)
        self._view = view
        self._tasks = tasks
        self._history = history
        self._place = len(history)
        self._found: list[Suggestion] = []
        self._chosen = 0
        self._sought: str | None = None
        """The part of an earlier line for which these were found."""
        self._aside: str | None = None
        """What stood in the line before earlier lines were searched; None while they are not."""

    def compose(self) -> ComposeResult:
        """Suggestions above the line."""
        with Vertical(classes="prompt-box"):
            for number in range(_ROWS):
                yield Ribbon(name=f"suggestion-{number}")
            yield Ribbon(name="prompt-help")
            with Horizontal(classes="prompt-line"):
                yield Static(":", id="prompt-label", markup=False)
                yield Input(self.text, id="line", compact=True, select_on_focus=False)

    async def on_mount(self) -> None:
        """Ready to type."""
        await self._suggest(self.open_line())

    @on(Input.Changed)
    async def _typed(self, event: Input.Changed) -> None:
        await self._suggest(event.value)

    @property
    def _recalling(self) -> bool:
        """Whether earlier lines are searched."""
        return self._aside is not None

    async def _suggest(self, text: str) -> None:
        if self._recalling:
            self._recall()
            return
        path = expects_path(text)
        if path is None:
            self._found = suggestions(text, self._view, self._tasks)
        else:
            matches = await asyncio.to_thread(complete_path, path)
            if text != self.query_one(Input).value:  # more was typed meanwhile, or earlier lines are searched
                return
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
        self.query_one("#prompt-help", Ribbon).show(self._help())

    def _help(self) -> tuple[Span, ...]:
        keys = keys_of(self.app)
        told = _RECALLING if self._recalling else _TYPING
        spans = [
            span
            for name, key, does in told
            for span in ((f" {keys.named(name, key) if name else key}", "key"), (f" {does} ", "dim"))
        ]
        if self._recalling and not self._found:
            return ((" no earlier line has this  ", "trip"), *spans[-2:])
        return tuple(spans)

    def action_complete(self) -> None:
        """Takes the chosen suggestion; an earlier line is taken to be changed, not run."""
        if self._recalling:
            self._recall()
        if self._found:
            self._put(self._found[self._chosen].line)

    def action_back(self) -> None:
        """Closes; while earlier lines are searched, brings back what stood in the line."""
        if self._aside is None:
            self.dismiss(None)
        else:
            self._put(self._aside)

    def _put(self, text: str) -> None:
        """Puts a text in the line, to go on from its end; a search of earlier lines is over."""
        line = self.query_one(Input)
        if self._aside is not None:
            self._aside = None
            self.query_one("#prompt-label", Static).update(":")
            if line.value == text:  # nothing changes, of which nobody would be told
                self.call_later(self._suggest, text)
        line.value = text
        line.cursor_position = len(text)

    # --- earlier lines ----------------------------------------------------------------------------------------------

    def action_recall(self) -> None:
        """Searches the earlier lines; again: goes to an older one with the same text."""
        if self._recalling:
            self.action_choose(-1)
            return
        line = self.query_one(Input)
        self._aside, self._sought = line.value, None
        self.query_one("#prompt-label", Static).update("earlier: ")
        line.value = ""
        self._recall()

    def _recall(self) -> None:
        """The earlier lines with what is in the line now, the newest chosen; the same choice while it is the same."""
        text = self.query_one(Input).value
        if text != self._sought:
            self._sought = text
            self._found = recalled(text, self._history)
            self._chosen = max(len(self._found) - 1, 0)
        self._show()

    def action_choose(self, step: int) -> None:
        """Chooses another suggestion; in the history, a later line."""
        if self._recalling:
            self._recall()
            self._chosen = max(min(self._chosen + step, len(self._found) - 1), 0)
            self._show()
        elif self._place < len(self._history):
            self._from_history(self._place + 1)
        elif self._found:
            self._chosen = (self._chosen + step) % len(self._found)
            self._show()

    def action_earlier(self) -> None:
        """An earlier suggestion, or an earlier line."""
        if self._recalling:
            self.action_choose(-1)
        elif self._chosen and self._place == len(self._history):
            self._chosen -= 1
            self._show()
        else:
            self._from_history(self._place - 1)

    def _from_history(self, place: int) -> None:
        if 0 <= place <= len(self._history):
            self._place = place
            self._put(self._history[place] if place < len(self._history) else "")

    @on(Input.Submitted)
    def _run(self, event: Input.Submitted) -> None:
        event.stop()
        text = event.value.strip()
        if self._recalling:
            self._recall()
            if not self._found:
                return
            text = self._found[self._chosen].line
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
