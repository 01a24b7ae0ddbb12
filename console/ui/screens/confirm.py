"""The question before something that cannot be undone. Its default is to do nothing."""

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from console.ui.spelling import summary
from runtime.sanitise import clean

__all__ = ["ConfirmScreen"]


class ConfirmScreen(ModalScreen[bool]):
    """Says what will happen to what; `enter` on the button that has the focus at first cancels.

    Args:
        title: verb and count; also the words of the button that goes on.
        names: the targets.
        consequence: what cannot be undone.
        line: the equivalent command line.
        typed: the name that must be typed first; empty when none must.
    """

    AUTO_FOCUS: ClassVar[str | None] = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel", id="ui.confirm-cancel"),
        Binding("left,h", "app.focus_previous", "Previous button", show=False, id="ui.confirm-previous"),
        Binding("right,l", "app.focus_next", "Next button", show=False, id="ui.confirm-next"),
    ]

    def __init__(
        self, *, title: str, names: Sequence[str] = (), consequence: str = "", line: str = "", typed: str = ""
    ) -> None:
        super().__init__(classes="dialog")
        self._title = title
        self._names = summary(names)
        self._consequence = consequence
        self._line = line
        self._typed = typed

    def compose(self) -> ComposeResult:
        """The box."""
        with VerticalScroll(classes="box", can_focus=False) as box:
            box.border_title = self._title
            for name in self._names:
                yield Static(f"  {name}", classes="target", markup=False)
            if self._consequence:
                yield Static(self._consequence, classes="consequence", markup=False)
            if self._typed:
                yield Static(f"Type {clean(self._typed, 60)} to go on:", markup=False)
                yield Input(id="typed")
            if self._line:
                yield Static(self._line, classes="command", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Cancel", id="cancel")
                yield Button(self._title, id="go", classes="danger", disabled=bool(self._typed))

    def on_mount(self) -> None:
        """Cancel is the default."""
        self.query_one("#cancel").focus()

    @on(Input.Changed, "#typed")
    def _check_name(self, event: Input.Changed) -> None:
        self.query_one("#go", Button).disabled = event.value != self._typed

    @on(Button.Pressed, "#go")
    def _go(self) -> None:
        self.dismiss(result=True)

    @on(Button.Pressed, "#cancel")
    def action_cancel(self) -> None:
        """Does nothing."""
        self.dismiss(result=False)
