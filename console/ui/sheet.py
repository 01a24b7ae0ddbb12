"""Text as data: spans with an ink, lines with a hanging indent, wrapped to a width. Pure; widgets only draw it.

Text that is not ours must have gone through `runtime.sanitise.clean` before it becomes a span. Nothing here reads
markup, so text that looks like markup is shown as it is.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from rich.cells import cell_len, chop_cells, set_cell_size

__all__ = ["BLANK", "Laid", "Line", "Span", "cut", "field", "fit", "heading", "line", "plain", "width_of", "wrap"]

Span = tuple[str, str]
"""Text and the name of its ink."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a sheet before it is wrapped; continuation lines start `indent` cells to the right."""

    spans: tuple[Span, ...]
    indent: int = 0


@dataclass(frozen=True, slots=True)
class Laid:
    """A line as it stands on the screen: a line of the sheet, or a piece of one."""

    spans: tuple[Span, ...]
    line: int
    """Number of the line of the sheet, from 0."""
    start: int = 0
    """Characters of that line before this piece."""
    indent: int = 0
    """Spaces here before the text."""


BLANK = Line(())


def line(*parts: str | Span, indent: int = 0) -> Line:
    """A line of parts; a part without an ink is plain text."""
    return Line(tuple((part, "") if isinstance(part, str) else part for part in parts), indent)


def heading(text: str) -> Line:
    """A heading inside a sheet."""
    return Line(((text, "head"),))


def field(label: str, *parts: str | Span, label_width: int = 10) -> Line:
    """A label and what it says, wrapped beside the label."""
    return line((label.ljust(label_width), "dim"), *parts, indent=label_width)


@lru_cache(maxsize=4096)
def _cells(text: str) -> int:
    return cell_len(text)


def width_of(text: str) -> int:
    """How many cells a text takes."""
    return len(text) if text.isascii() else _cells(text)


@lru_cache(maxsize=8192)
def _fit_wide(text: str, width: int, right: bool) -> str:
    size = cell_len(text)
    if size > width:
        return set_cell_size(set_cell_size(text, width - 1).rstrip() + "…", width) if width > 0 else ""
    return " " * (width - size) + text if right else text + " " * (width - size)


def fit(text: str, width: int, *, right: bool = False) -> str:
    """A text in exactly `width` cells: padded, or cut with an ellipsis."""
    if text.isascii() and len(text) <= width:
        return text.rjust(width) if right else text.ljust(width)
    return _fit_wide(text, width, right)


def cut(text: str, width: int) -> str:
    """A text in at most `width` cells, without padding."""
    return text if width_of(text) <= width else fit(text, width).rstrip()


def plain(lines: Iterable[Line]) -> str:
    """The text of a sheet, for the clipboard and for tests."""
    return "\n".join("".join(text for text, _ in line.spans).rstrip() for line in lines)


def wrap(lines: Iterable[Line], width: int) -> list[Laid]:
    """Lays a sheet out.

    Args:
        lines: the sheet.
        width: cells there are, at least 1.
    """
    rows: list[Laid] = []
    for number, each in enumerate(lines):
        if sum(width_of(text) for text, _ in each.spans) <= width:
            rows.append(Laid(each.spans, number))
        else:
            rows.extend(_wrap_line(each, number, max(width, 1)))
    return rows


def _wrap_line(each: Line, number: int, width: int) -> list[Laid]:
    indent = min(each.indent, (width - 1) // 2)  # a wide character fits beside it
    rows: list[list[Span]] = [[]]
    starts = [0]
    room = width
    at = 0
    for text, ink in each.spans:
        for word in _words(text):
            begin, at = at, at + len(word)
            size = width_of(word)
            if size > room and rows[-1] and word.strip() and size <= width - indent:
                word = word.lstrip()  # noqa: PLW2901 - the space before a word ends with the line
                begin = at - len(word)
                rows.append([(" " * indent, "")] if indent else [])
                starts.append(begin)
                room = width - indent
            for place, piece in enumerate(_pieces(word, room, width - indent)):
                if place:
                    rows.append([(" " * indent, "")] if indent else [])
                    starts.append(begin)
                    room = width - indent
                rows[-1].append((piece, ink))
                room -= width_of(piece)
                begin += len(piece)
    laid = zip(rows, starts, strict=True)
    return [Laid(tuple(_joined(row)), number, start, indent if place else 0) for place, (row, start) in enumerate(laid)]


def _words(text: str) -> list[str]:
    """The text in pieces between which a line may end, each with the spaces before it."""
    words: list[str] = []
    start = 0
    inside = False
    for place, char in enumerate(text):
        if char == " " and inside:
            words.append(text[start:place])
            start, inside = place, False
        elif char != " ":
            inside = True
    words.append(text[start:])
    return [word for word in words if word]


def _pieces(word: str, room: int, width: int) -> list[str]:
    """A word in pieces: the first fits into `room`, the others into `width`."""
    if width_of(word) <= room:
        return [word]
    if not word.strip():
        return [word[: max(room, 0)]]
    first = chop_cells(word, room)[0] if room > 0 else ""
    return [first, *chop_cells(word[len(first) :], max(width, 1))]


def _joined(row: Sequence[Span]) -> list[Span]:
    """Neighbouring spans of one ink as one."""
    joined: list[Span] = []
    for text, ink in row:
        if joined and joined[-1][1] == ink:
            joined[-1] = (joined[-1][0] + text, ink)
        else:
            joined.append((text, ink))
    return joined
