"""What must be known before one goes on: as many rows as the words need, up to three."""

from typing import ClassVar

from textual.geometry import Size
from textual.strip import Strip

from console.ui.sheet import Laid, Line, Span, wrap
from console.ui.widgets.ribbon import Ribbon

__all__ = ["Banner"]

_INDENT = 3


class Banner(Ribbon):
    """A ribbon that goes on in the next row; there is no right part."""

    DEFAULT_CSS: ClassVar[str] = """
    Banner { height: auto; max-height: 3; }
    """

    def show(self, left: tuple[Span, ...], right: tuple[Span, ...] = ()) -> None:
        """Draws these spans, in as many rows as they need."""
        if (left, right) != (self.left, self.right):
            super().show((*left, *right))
            self.refresh(layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002 - Textual's
        """Rows in a width."""
        return max(len(self._laid(width)), 1)

    def render_line(self, y: int) -> Strip:
        """One of the rows."""
        width = self.size.width
        laid = self._laid(width)
        return self.strip_of(laid[y].spans, width) if y < len(laid) else Strip.blank(width, self.rich_style)

    def _laid(self, width: int) -> list[Laid]:
        return wrap([Line(self.left, indent=_INDENT)], width) if self.left and width > 0 else []
