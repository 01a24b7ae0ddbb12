"""The safety number with a member, to be compared over another way, and the mark that it was."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from console.client import Json
from console.ui.actions import Actions
from console.ui.text.documents import flag, text, texts

__all__ = ["SafetyScreen", "compare"]

_IN_A_ROW = 4
_WORD = 12


class SafetyScreen(ModalScreen[str]):
    """Answers with the option of `rooms verify` that is to be run: `yes`, `off`, or nothing.

    Args:
        number: the answer of `rooms verify --numbers`.
    """

    AUTO_FOCUS: ClassVar[str | None] = "#cancel"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel", id="ui.safety-cancel"),
        Binding("left,h", "app.focus_previous", "Previous button", show=False, id="ui.safety-previous"),
        Binding("right,l", "app.focus_next", "Next button", show=False, id="ui.safety-next"),
    ]

    def __init__(self, number: Json) -> None:
        super().__init__(classes="dialog")
        self._whose = text(number, "name", limit=40) or "this member"
        self._digits = texts(number, "numbers")
        self._words = texts(number, "words")
        self._verified = bool(flag(number, "verified"))

    def compose(self) -> ComposeResult:
        """Digits and words, what to do with them, and the answers."""
        with VerticalScroll(classes="box", can_focus=False) as box:
            box.border_title = "Safety number"
            yield Static(f"With {self._whose}{', who is verified' if self._verified else ''}:", markup=False)
            for row in _rows(self._digits):
                yield Static("   ".join(row), classes="safety-digits", markup=False)
            yield Static("or in words:", classes="note", markup=False)
            for row in _rows(self._words):
                yield Static("  ".join(word.ljust(_WORD) for word in row).rstrip(), classes="safety", markup=False)
            yield Static(
                "Read them to each other over another way, such as the telephone. Both see the same exactly when "
                "nobody stands between you. Every one must agree.",
                classes="consequence",
                markup=False,
            )
            with Horizontal(classes="buttons"):
                yield Button("Close", id="cancel")
                if self._verified:
                    yield Button("Take the mark back", id="off", classes="danger")
                else:
                    yield Button("I compared them", id="yes", classes="go")

    @on(Button.Pressed, "#yes")
    def _same(self) -> None:
        self.dismiss("yes")

    @on(Button.Pressed, "#off")
    def _different(self) -> None:
        self.dismiss("off")

    @on(Button.Pressed, "#cancel")
    def action_cancel(self) -> None:
        """Changes nothing."""
        self.dismiss("")


def compare(actions: Actions, number: Json) -> None:
    """Shows a safety number, and sets or takes back the mark as the operator says.

    Args:
        actions: runs `rooms verify`.
        number: the answer of `rooms verify`.
    """
    args = {"room": text(number, "room", limit=32), "member": text(number, "member", limit=80)}

    def take(answer: str | None) -> None:
        if answer:
            actions.app.run_worker(actions.run("rooms verify", [{**args, answer: "true"}]), group="action")

    actions.app.push_screen(SafetyScreen(number), take)


def _rows(parts: list[str]) -> list[list[str]]:
    return [parts[start : start + _IN_A_ROW] for start in range(0, len(parts), _IN_A_ROW)]
