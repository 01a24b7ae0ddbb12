"""What tables and sheets have in common when one searches in them: the needle, the keys, and going round."""

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message

from console.ui.search import Needle, found_spans
from console.ui.sheet import Span
from console.ui.widgets.inked import Inked

__all__ = ["Searched"]


class Searched(Inked):
    """A widget in whose text one searches. A subclass knows its hits and goes to them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "next_hit(1)", "Next hit", id="ui.next-hit"),
        Binding("N", "next_hit(-1)", "Previous hit", id="ui.previous-hit"),
    ]

    class Sought(Message):
        """A search began, went on or ended."""

    needle: Needle | None = None
    """What is searched for; None while nothing is."""
    turned = ""
    """Where the search went on when there was nothing more in its direction."""

    def seek(self, text: str) -> None:
        """Lights every hit of a text; an empty one ends the search. The cursor stays."""
        self.needle = Needle(text) if text else None
        self.turned = ""
        self.needle_changed()
        self.refresh()
        self.post_message(self.Sought())

    def go_to_first_hit(self) -> None:
        """Goes to the first hit from here on, which may be the one that stands here."""
        if self.needle is not None:
            before, _ = self.hits_before()
            self._go_round(before)

    def action_next_hit(self, step: int) -> None:
        """Goes to the next or the previous hit; from the last on to the first, and says so."""
        if self.needle is None:
            self.notify("nothing is searched for: // and a text", timeout=3, markup=False)
            return
        before, here = self.hits_before()
        self._go_round(before + here if step > 0 else before - 1)

    def _go_round(self, number: int) -> None:
        total = self.hit_count()
        if total:
            self.turned = "" if 0 <= number < total else "from the top" if number > 0 else "from the end"
            self.go_to_hit(number % total)
        self.post_message(self.Sought())

    def search_spans(self) -> tuple[Span, ...]:
        """How far the search is; empty while nothing is searched for."""
        if self.needle is None:
            return ()
        total = self.hit_count()
        before, here = self.hits_before()
        return found_spans(self.needle, before + 1 if here else 0, total, self.turned)

    # --- what each widget gives -------------------------------------------------------------------------------------

    def needle_changed(self) -> None:
        """Another needle is searched for, or none."""
        raise NotImplementedError

    def hit_count(self) -> int:
        """How many hits there are."""
        raise NotImplementedError

    def hits_before(self) -> tuple[int, bool]:
        """How many hits stand before the place from which the search goes on, and whether one stands there."""
        raise NotImplementedError

    def go_to_hit(self, number: int) -> None:
        """Goes to a hit, counted from 0."""
        raise NotImplementedError
