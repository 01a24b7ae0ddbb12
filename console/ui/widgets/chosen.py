"""A row of a form that says what was chosen elsewhere, and asks for it when it is opened."""

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip

from console.ui.widgets.inked import Inked

__all__ = ["Chosen"]


class Chosen(Inked, can_focus=True):
    """Words; `enter`, `space` or a click asks for others.

    Args:
        name: its id.
        words: what is chosen at first.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter,space", "ask", "choose", id="ui.choose")]
    COMPONENT_CLASSES: ClassVar[set[str]] = {"chosen--focus"}
    DEFAULT_CSS: ClassVar[str] = """
    Chosen { height: 1; width: 1fr; color: $foreground; background: $orlop-blurred; }
    Chosen > .chosen--focus { background: $orlop-cursor; color: $foreground; text-style: bold; }
    Chosen:nocolor > .chosen--focus { text-style: reverse bold; }
    """

    class Asked(Message):
        """Something else is to be chosen."""

        def __init__(self, chosen: "Chosen") -> None:
            super().__init__()
            self.chosen = chosen

    def __init__(self, *, name: str, words: str) -> None:
        super().__init__(id=name)
        self._words = words

    @property
    def words(self) -> str:
        """What is chosen."""
        return self._words

    @words.setter
    def words(self, words: str) -> None:
        self._words = words
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """The words."""
        if y:
            return Strip.blank(self.size.width, self.rich_style)
        base = self.get_component_rich_style("chosen--focus") if self.has_focus else None
        return self.strip_of(((self._words, ""), ("  ▸", "dim")), self.size.width, base)

    def action_ask(self) -> None:
        """Asks for something else."""
        self.post_message(self.Asked(self))

    def on_click(self) -> None:
        """As `enter`."""
        self.action_ask()
