"""The chat of a room: what was said, the line in which one speaks, and what its slash commands mean."""

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input

from console.ui.panes.pane import command_binding
from console.ui.sheet import Line
from console.ui.text.slash import meaning
from console.ui.widgets.ribbon import Ribbon
from console.ui.widgets.sheet_view import SheetView
from runtime.clock import Clock

__all__ = ["Chat", "ChatLine"]


class ChatLine(Input):
    """Where one speaks."""

    BINDINGS: ClassVar[list[BindingType]] = [command_binding("enter", "submit", "rooms say.now", "say")]

    def __init__(self) -> None:
        super().__init__(placeholder="say something; /help lists the commands", id="say", compact=True)
        self.cursor_blink = False


class Chat(Vertical):
    """The part of the pane.

    Args:
        clock: what the times in a line that is being typed are counted from.
    """

    class Said(Message):
        """The line was sent; it is emptied when what it says was done."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    def __init__(self, clock: Clock) -> None:
        super().__init__(id="chat", classes="part")
        self.border_title = "Chat"
        self._clock = clock
        self._text = SheetView(name="chat-text", tail=True)
        self._text.can_focus = False
        self._means = Ribbon(name="say-means")
        self._line = ChatLine()

    def compose(self) -> ComposeResult:
        """What was said, what is being typed."""
        yield self._text
        yield self._means
        yield self._line

    def show(self, lines: Sequence[Line]) -> None:
        """Shows what was said."""
        self._text.show(lines)

    @property
    def line(self) -> Input:
        """Where one speaks."""
        return self._line

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        spans = meaning(event.value, self._clock.wall_ms())
        self._means.show(spans)
        self._means.set_class(bool(spans), "-told")

    @on(Input.Submitted)
    def _sent(self, event: Input.Submitted) -> None:
        event.stop()
        if event.value.strip():
            self.post_message(self.Said(event.value.strip()))
