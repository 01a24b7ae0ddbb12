"""Inks as styles: what every widget that draws spans itself is built on."""

from functools import lru_cache

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.app import App
from textual.color import Color
from textual.strip import Strip
from textual.widget import Widget

from console.ui.sheet import Span, cut, width_of
from console.ui.themes import INKS

__all__ = ["Inked", "ink_style"]

_PLAIN = INKS[""]
_TITLE = vars(Widget)["border_title"]


@lru_cache(maxsize=256)
def _style(colour: str, attributes: str) -> Style:
    return Style.parse(attributes) + Style(color=Color.parse(colour).rich_color)


def ink_style(app: App[int], ink: str) -> Style:
    """The style of an ink under the app's theme; without a background."""
    colour, attributes = INKS.get(ink, _PLAIN)
    return _style(app.theme_variables[f"orlop-{colour}"], attributes)


class Inked(Widget):
    """A widget that draws spans line by line, and whose title is shown as it is."""

    _entitled: str | None = None

    @property
    def border_title(self) -> str | None:
        """In the border; Textual's own reads markup in it, and repaints the whole widget even for the same words."""
        return self._entitled

    @border_title.setter
    def border_title(self, title: str | None) -> None:
        if title != self._entitled:
            self._entitled = title
            _TITLE.__set__(self, None if title is None else Text(title))

    def ink(self, name: str, base: Style | None = None) -> Style:
        """The style of an ink on this widget's own background, or on `base`."""
        return (self.rich_style if base is None else base) + ink_style(self.app, name)

    def strip_of(self, spans: tuple[Span, ...], width: int, base: Style | None = None) -> Strip:
        """Spans as one line of exactly `width` cells."""
        ground = self.rich_style if base is None else base
        segments: list[Segment] = []
        room = width
        for text, ink in spans:
            shown = text if width_of(text) <= room else cut(text, room)
            if shown:
                segments.append(Segment(shown, ground + ink_style(self.app, ink)))
                room -= width_of(shown)
            if shown != text:
                break
        if room > 0:
            segments.append(Segment(" " * room, ground))
        return Strip(segments, width)
