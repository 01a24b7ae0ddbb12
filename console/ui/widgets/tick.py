"""A box to tick: `[x]` or `[ ]`, told apart without colour."""

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.reactive import reactive
from textual.strip import Strip

from console.ui.widgets.inked import Inked

__all__ = ["Tick"]


class Tick(Inked, can_focus=True):
    """A labelled box; `space`, `enter` or a click changes it.

    Args:
        label: beside the box.
        name: its id.
        ticked: at first.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space,enter", "switch", "tick", id="ui.tick"),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {"tick--focus"}
    DEFAULT_CSS: ClassVar[str] = """
    Tick { height: 1; width: 1fr; color: $foreground; }
    Tick > .tick--focus { background: $orlop-cursor; color: $foreground; text-style: bold; }
    Tick:nocolor > .tick--focus { text-style: reverse bold; }
    """

    ticked = reactive(default=False, init=False)

    def __init__(self, label: str, *, name: str, ticked: bool = False) -> None:
        super().__init__(id=name)
        self.label = label
        self.set_reactive(Tick.ticked, ticked)

    def render_line(self, y: int) -> Strip:
        """The box and its label."""
        if y:
            return Strip.blank(self.size.width, self.rich_style)
        base = self.get_component_rich_style("tick--focus") if self.has_focus else None
        box = ("[✓] ", "ok") if self.ticked else ("[ ] ", "dim")
        return self.strip_of((box, (self.label, "")), self.size.width, base)

    def action_switch(self) -> None:
        """Ticks the box, or takes the tick away."""
        self.ticked = not self.ticked

    def on_click(self) -> None:
        """As `space`."""
        self.action_switch()
