"""What was made, what is not done, and three things to press: shown once, after the state directory was made."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button

from console.rows import NodeRow
from console.ui.bound import Keys, keys_of
from console.ui.sheet import BLANK, Line, field, line
from console.ui.widgets.sheet_view import SheetView
from runtime.sanitise import clean

__all__ = ["FirstRunScreen", "first_run_lines"]

_LABEL = 12


def first_run_lines(node: NodeRow, keys: Keys) -> list[Line]:
    """The words of the screen.

    Args:
        node: what was made.
        keys: for hints.
    """
    jobs, run = keys.named("ui.pane-4", "4"), keys.named("jobs run", "r")
    hints = (
        (keys.named("rooms task.add", "a"), "makes the first room and its first tasks"),
        (f"{jobs} {run}", "runs a WebAssembly job and leaves a signed receipt"),
        (keys.named("ui.help", "?"), "lists every key of where you are"),
    )
    return [
        line(("This node now has an identity of its own.", "strong")),
        BLANK,
        field("identity", (clean(node.peer_id, 80), "link"), label_width=_LABEL),
        field("kept in", clean(node.state_dir, 200), label_width=_LABEL),
        field(
            "", ("identity.key and vault.key are secrets: back them up, give them to nobody", "dim"), label_width=_LABEL
        ),
        BLANK,
        line("Nothing is sent to the network until you dial, listen or discover."),
        BLANK,
        *(line((f"  {key:<3} ", "key"), does, indent=6) for key, does in hints),
        BLANK,
        line(("orlop --demo shows a room in which agents are at work already.", "dim")),
    ]


class FirstRunScreen(ModalScreen[None]):
    """Closed by any of the usual keys."""

    AUTO_FOCUS: ClassVar[str | None] = "Button"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "dismiss", "Close", id="ui.close-first-run")]

    def __init__(self, node: NodeRow) -> None:
        super().__init__(classes="dialog")
        self._node = node

    def compose(self) -> ComposeResult:
        """The box."""
        with VerticalScroll(classes="box first-run", can_focus=False) as box:
            box.border_title = "Welcome aboard"
            sheet = SheetView(name="welcome")
            sheet.can_focus = False
            yield sheet
            yield Button("Begin", id="go", classes="go")

    def on_mount(self) -> None:
        """Shows the words."""
        self.query_one(SheetView).show(first_run_lines(self._node, keys_of(self.app)))

    def on_button_pressed(self) -> None:
        """Begins."""
        self.dismiss()
