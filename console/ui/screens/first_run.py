"""What was made, what is not done, three things to press, and the demo room: shown once, in a new directory."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
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
        line("In the demo room three agents look after tasks; one fails on purpose."),
        line(("orlop --demo plays it faster, in a directory of its own.", "dim")),
    ]


class FirstRunScreen(ModalScreen[bool]):
    """Answers whether the demo room is wanted; any of the usual keys, and `enter` on the button that has the focus: no.

    Args:
        node: what was made.
        offer: whether a room can be made at all.
    """

    AUTO_FOCUS: ClassVar[str | None] = "#go"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss(False)", "Close", id="ui.close-first-run"),
        Binding("left,h", "app.focus_previous", "Previous button", show=False, id="ui.first-run-previous"),
        Binding("right,l", "app.focus_next", "Next button", show=False, id="ui.first-run-next"),
    ]

    def __init__(self, node: NodeRow, *, offer: bool) -> None:
        super().__init__(classes="dialog")
        self._node = node
        self._offer = offer

    def compose(self) -> ComposeResult:
        """The box."""
        with VerticalScroll(classes="box first-run", can_focus=False) as box:
            box.border_title = "Welcome aboard"
            sheet = SheetView(name="welcome")
            sheet.can_focus = False
            yield sheet
            with Horizontal(classes="buttons"):
                if self._offer:
                    yield Button("Add the demo room", id="demo", classes="go")
                yield Button("Begin", id="go", classes="go")

    def on_mount(self) -> None:
        """Shows the words."""
        self.query_one(SheetView).show(first_run_lines(self._node, keys_of(self.app)))

    @on(Button.Pressed)
    def _begin(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "demo")
