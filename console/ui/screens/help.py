"""Every key that works here, generated from the bindings, with its command."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from console.registry import COMMANDS
from console.ui.bound import keys_of
from console.ui.sheet import BLANK, Line, Span, heading, line
from console.ui.widgets.sheet_view import SheetView

__all__ = ["HelpEntry", "HelpScreen", "help_lines"]


@dataclass(frozen=True, slots=True)
class HelpEntry:
    """One binding."""

    section: str
    keys: str
    does: str
    binding_id: str


def help_lines(entries: Sequence[HelpEntry], words: str = "") -> list[Line]:
    """The entries by section, those that contain all words."""
    wanted = words.lower().split()
    lines: list[Line] = []
    section = ""
    for entry in entries:
        command = COMMANDS.get(entry.binding_id.partition(".")[0])
        note = f"{command.help}" if command else ""
        every = f"{entry.keys} {entry.does} {note} {entry.binding_id}".lower()
        if not all(word in every for word in wanted):
            continue
        if entry.section != section:
            section = entry.section
            lines += [*([BLANK] if lines else []), heading(section.upper())]
        named: Span = (f":{command.name}", "link") if command else (entry.binding_id, "dim")
        lines.append(line((f"  {entry.keys:<16}", "key"), f"{entry.does:<34} ", named, indent=18))
        if note and "." not in entry.binding_id:
            lines.append(line((" " * 18 + note, "dim"), indent=18))
    return lines or [line(("no key fits these words", "dim"))]


class HelpScreen(ModalScreen[None]):
    """The keys, filtered as one types."""

    AUTO_FOCUS: ClassVar[str | None] = "Input"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Close", id="ui.close-help"),
        Binding("down", "scroll(1)", "Down", show=False, id="ui.help-down"),
        Binding("up", "scroll(-1)", "Up", show=False, id="ui.help-up"),
        Binding("pagedown", "scroll(15)", "Page down", show=False, id="ui.help-page-down"),
        Binding("pageup", "scroll(-15)", "Page up", show=False, id="ui.help-page-up"),
    ]

    def __init__(self, entries: Sequence[HelpEntry]) -> None:
        super().__init__(classes="dialog wide")
        self._entries = entries

    def compose(self) -> ComposeResult:
        """The filter above the list."""
        with Vertical(classes="reading") as box:
            box.border_title = "Keys"
            keys = keys_of(self.app)
            up, down = keys.named("ui.help-up", "↑"), keys.named("ui.help-down", "↓")
            close = keys.named("ui.close-help", "esc")
            box.border_subtitle = f"type to filter · {up} {down} scroll · {close} closes"
            yield Input(placeholder="filter", id="help-filter", compact=True)
            yield SheetView(name="help")

    def on_mount(self) -> None:
        """All of them."""
        self.query_one(Input).cursor_blink = False
        self.query_one("#help", SheetView).show(help_lines(self._entries))

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self.query_one("#help", SheetView).show(help_lines(self._entries, event.value))

    def action_scroll(self, lines: int) -> None:
        """Scrolls the list while the line has the focus."""
        self.query_one("#help", SheetView).action_scroll_by(lines)
