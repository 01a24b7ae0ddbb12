"""A QR code on the screen: black on white in every theme, so that any telephone reads it."""

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

__all__ = ["QrView"]

_INK = Style.parse("#000000 on #ffffff")


class QrView(Widget):
    """The code.

    Args:
        rows: of half blocks, all of one width.
        plain: whether there are no colours; then what is drawn is the light part, as terminals are mostly dark.
    """

    DEFAULT_CSS: ClassVar[str] = "QrView { width: auto; height: auto; }"
    _SWAPPED: ClassVar[dict[int, int]] = str.maketrans(" ▀▄█", "█▄▀ ")

    def __init__(self, rows: Sequence[str], *, plain: bool) -> None:
        super().__init__(id="qr")
        self._rows = tuple(row.translate(self._SWAPPED) for row in rows) if plain else tuple(rows)
        self._look = Style.null() if plain else _INK
        self.styles.width = len(self._rows[0]) if self._rows else 0
        self.styles.height = len(self._rows)

    def render_line(self, y: int) -> Strip:
        """One row, which is two rows of modules."""
        row = self._rows[y] if y < len(self._rows) else ""
        return Strip([Segment(row, self._look)], len(row))
