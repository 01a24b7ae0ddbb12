"""What must be known before one goes on: as many rows as the words need, up to three."""

from textual.strip import Strip

from console.ui.sheet import Laid, Line, Span, wrap
from console.ui.widgets.ribbon import Ribbon

__all__ = ["Banner"]

_INDENT = 3
_MOST = 3
"""Rows."""


class Banner(Ribbon):
    """A ribbon that goes on in the next row; there is no right part."""

    def show(self, left: tuple[Span, ...], right: tuple[Span, ...] = ()) -> None:
        """Draws these spans, in as many rows as they need."""
        super().show((*left, *right))
        self._fit()

    def on_resize(self) -> None:
        """Takes as many rows as the words need in this width."""
        self._fit()

    def _fit(self) -> None:
        rows = min(max(len(self._laid(self.size.width)), 1), _MOST)
        if self.styles.height is None or self.styles.height.value != rows:
            self.styles.height = rows

    def render_line(self, y: int) -> Strip:
        """One of the rows."""
        width = self.size.width
        laid = self._laid(width)
        return self.strip_of(laid[y].spans, width) if y < len(laid) else Strip.blank(width, self.rich_style)

    def _laid(self, width: int) -> list[Laid]:
        return wrap([Line(self.left, indent=_INDENT)], width) if self.left and width > 0 else []
