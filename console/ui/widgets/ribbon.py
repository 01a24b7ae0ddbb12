"""One row of the frame: what stands at the left, what stands at the right, and nothing that wraps."""

from typing import ClassVar

from textual.strip import Strip

from console.ui.sheet import Span, width_of
from console.ui.widgets.inked import Inked

__all__ = ["Ribbon"]


class Ribbon(Inked):
    """A row of spans; the right part goes first when there is no room for both."""

    DEFAULT_CSS: ClassVar[str] = """
    Ribbon { height: 1; width: 1fr; background: $background; color: $foreground; }
    """

    def __init__(self, *, name: str) -> None:
        super().__init__(id=name)
        self.left: tuple[Span, ...] = ()
        self.right: tuple[Span, ...] = ()

    def show(self, left: tuple[Span, ...], right: tuple[Span, ...] = ()) -> None:
        """Draws these spans, if they are not there already."""
        if (left, right) == (self.left, self.right):
            return
        self.left, self.right = left, right
        self.refresh()

    @property
    def text(self) -> str:
        """What stands in the row."""
        return "  ".join("".join(text for text, _ in spans) for spans in (self.left, self.right) if spans)

    def render_line(self, y: int) -> Strip:
        """The row."""
        width = self.size.width
        return Strip.blank(width, self.rich_style) if y else self.strip_of(self._spans(), width)

    def _spans(self) -> tuple[Span, ...]:
        """Left, a gap, and as much of the right as there is room for."""
        room = self.size.width - sum(width_of(text) for text, _ in self.left)
        right = self.right
        while right and sum(width_of(text) for text, _ in right) > room - 1:
            right = right[1:]
        gap = room - sum(width_of(text) for text, _ in right)
        return (*self.left, (" " * max(gap, 0), ""), *right)
