"""Frames and marks from ASCII characters only, for terminals that draw no others."""

from typing import Final

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from console.ui.sheet import width_of

__all__ = ["AsciiOnly", "to_ascii"]

_STANDS_FOR: Final = {
    "*": "●•",
    "o": "○◌",
    "@": "◐",
    "!": "▲",
    "x": "✗",
    "+": "✓✔╭╮╰╯┌┐└┘├┤┬┴┼",
    "#": "◆♨▮█▉▊▋▆▇",
    "=": "▌▍▐▄▅▀",
    "-": "▯▎▏▔─━╸╺\u2013",
    "_": "▁▂▃",
    "|": "│┃╹╻▕",
    ".": "·░",
    "~": "…",
    ">": "\u276f▸→",
    "<": "←",
    "^": "↑",
    "v": "▾▼↓",
    "$": "⏎",
    "u": "µ",
}
_TABLE: Final = str.maketrans({char: plain for plain, chars in _STANDS_FOR.items() for char in chars})


def to_ascii(text: str) -> str:
    """The text with every character that is not ASCII replaced by one, or two, of the same width."""
    shown = text.translate(_TABLE)
    if shown.isascii():
        return shown
    return "".join(char if char.isascii() else "?" * width_of(char) for char in shown)


class AsciiOnly(LineFilter):
    """The last step of drawing."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:  # noqa: ARG002 - the interface
        """Replaces what is not ASCII."""
        return [
            segment if segment.text.isascii() else Segment(to_ascii(segment.text), segment.style, segment.control)
            for segment in segments
        ]
