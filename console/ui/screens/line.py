"""A row at the bottom in which one types; also what is typed before the row is there."""

from typing import ClassVar, TypeVar

from textual.screen import ModalScreen
from textual.widgets import Input

__all__ = ["LineScreen"]

Answer = TypeVar("Answer")


class LineScreen(ModalScreen[Answer]):
    """A dialog of one line.

    Quick fingers are faster than a screen that opens: of `//text` the second `/` may come before the line can take it.
    The application hands such characters over, and they stand before all that was typed later.

    Args:
        text: what stands in the line at first.
        over: whether what is typed replaces it; else it follows.
    """

    AUTO_FOCUS: ClassVar[str | None] = "Input"

    def __init__(self, text: str, *, over: bool) -> None:
        super().__init__(classes="prompt")
        self.text = text
        self._kept = "" if over else text
        self._early = ""
        self._open = False

    def open_line(self) -> str:
        """To be called when the line is mounted.

        Returns:
            What stands in it.
        """
        line = self.query_one(Input)
        line.cursor_blink = False
        self._open = True
        if self._early:
            line.value = self._kept + self._early
        line.cursor_position = len(line.value)
        if not self._early and not self._kept:
            line.select_all()
        return line.value

    def type_early(self, char: str) -> None:
        """Takes a character that was typed before the line had the focus."""
        place = len(self._kept) + len(self._early)
        self._early += char
        if not self._open:
            return
        line = self.query_one(Input)
        first = len(self._early) == 1
        value = self._kept if first and line.value == self.text else line.value
        behind = len(value) - min(line.cursor_position, len(value))
        line.value = value[:place] + char + value[place:]
        line.cursor_position = len(line.value) - behind
