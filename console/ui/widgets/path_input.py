"""An input for the name of a file, with completion by `tab`."""

import asyncio
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input

from console.ui.paths import PathMatches, complete_path

__all__ = ["PathInput"]


class PathInput(Input):
    """`tab` completes as far as the candidates agree; where nothing is left to complete it goes on to the next field.

    Args:
        name: its id.
        suffix: only files that end in this.
        placeholder: shown while it is empty.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "complete", "Complete", show=False, id="ui.complete-path"),
    ]

    class Candidates(Message):
        """What the text can become, to be shown below the form."""

        def __init__(self, matches: PathMatches) -> None:
            super().__init__()
            self.matches = matches

    def __init__(self, *, name: str, suffix: str = "", placeholder: str = "") -> None:
        super().__init__(id=name, placeholder=placeholder, compact=True)
        self._suffix = suffix
        self.cursor_blink = False

    async def action_complete(self) -> None:
        """Completes the text."""
        before = self.value
        matches = await asyncio.to_thread(complete_path, before, self._suffix)
        if self.value != before:
            return
        if matches.common == before and len(matches.names) < 2:  # noqa: PLR2004 - nothing to choose between
            self.screen.focus_next()
            return
        self.value = matches.common
        self.cursor_position = len(self.value)
        self.post_message(self.Candidates(matches if len(matches.names) > 1 else PathMatches(matches.common, ())))
