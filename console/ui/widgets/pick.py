"""One of a few words, all of them in sight: `(•) now  ( ) queue`, told apart without colour."""

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.events import Click
from textual.reactive import reactive
from textual.strip import Strip

from console.ui.sheet import Span, width_of
from console.ui.widgets.inked import Inked

__all__ = ["Pick"]


class Pick(Inked, can_focus=True):
    """A choice; `←`, `→`, `space` or a click changes it.

    Args:
        choices: the words, at least one.
        name: its id.
        chosen: at first; the first word when it is none of them.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,space", "step(1)", "Next choice", id="ui.pick-next"),
        Binding("left", "step(-1)", "Previous choice", id="ui.pick-previous"),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {"pick--focus"}
    DEFAULT_CSS: ClassVar[str] = """
    Pick { height: 1; width: 1fr; color: $foreground; }
    Pick > .pick--focus { background: $orlop-cursor; color: $foreground; text-style: bold; }
    Pick:nocolor > .pick--focus { text-style: reverse bold; }
    """

    place = reactive(default=0, init=False)

    def __init__(self, choices: Sequence[str], *, name: str, chosen: str = "") -> None:
        super().__init__(id=name)
        self.choices = tuple(choices)
        self.set_reactive(Pick.place, self.choices.index(chosen) if chosen in self.choices else 0)

    @property
    def chosen(self) -> str:
        """The word that is chosen."""
        return self.choices[self.place]

    def render_line(self, y: int) -> Strip:
        """All words."""
        if y:
            return Strip.blank(self.size.width, self.rich_style)
        base = self.get_component_rich_style("pick--focus") if self.has_focus else None
        return self.strip_of(tuple(span for spans in self._parts() for span in spans), self.size.width, base)

    def _parts(self) -> list[tuple[Span, Span]]:
        return [
            (("(•) ", "ok"), (f"{word}  ", "strong")) if place == self.place else (("( ) ", "dim"), (f"{word}  ", ""))
            for place, word in enumerate(self.choices)
        ]

    def action_step(self, by: int) -> None:
        """Goes to the next word, round and round."""
        self.place = (self.place + by) % len(self.choices)

    def on_click(self, event: Click) -> None:
        """Chooses the word under the mouse."""
        left = 0
        for place, spans in enumerate(self._parts()):
            left += sum(width_of(text) for text, _ in spans)
            if event.x < left:
                self.place = place
                return
