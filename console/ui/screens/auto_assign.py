"""Who would get which of the free tasks, before they get them."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from console.client import Json
from console.ui.sheet import fit
from console.ui.text.documents import Object, objects, text

__all__ = ["AutoAssignScreen"]


class AutoAssignScreen(ModalScreen[bool]):
    """Who would get which task; `enter` on the button that has the focus at first cancels.

    Args:
        preview: the answer of `rooms task --auto-assign --preview`.
    """

    AUTO_FOCUS: ClassVar[str | None] = "#cancel"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel", id="ui.assign-cancel"),
        Binding("left,h", "app.focus_previous", "Previous button", show=False, id="ui.assign-previous"),
        Binding("right,l", "app.focus_next", "Next button", show=False, id="ui.assign-next"),
    ]

    def __init__(self, preview: Json) -> None:
        super().__init__(classes="dialog")
        self._lines = [_assignment(each) for each in objects(preview, "preview")]

    def compose(self) -> ComposeResult:
        """The box."""
        with VerticalScroll(classes="box", can_focus=False) as box:
            count = len(self._lines)
            box.border_title = f"Assign {count} task{'' if count == 1 else 's'}"
            if not count:
                yield Static("No task is free: pending, assigned to nobody and waiting for nothing.", markup=False)
            for each in self._lines[:20]:
                yield Static(each, markup=False)
            if count > 20:  # noqa: PLR2004 - as many as fit
                yield Static(f"  and {count - 20} more", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Cancel", id="cancel")
                if count:
                    yield Button(f"Assign {count}", id="go", classes="go")

    @on(Button.Pressed, "#go")
    def _go(self) -> None:
        self.dismiss(result=True)

    @on(Button.Pressed, "#cancel")
    def action_cancel(self) -> None:
        """Does nothing."""
        self.dismiss(result=False)


def _assignment(each: Object) -> str:
    member = text(each, "name", limit=30) or text(each, "assignee", limit=9)
    return f"  {fit(text(each, 'title', limit=60), 44)} → {member}"
