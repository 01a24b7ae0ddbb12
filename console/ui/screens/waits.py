"""What a task waits for: the tasks of the room with a box each, and why some of them cannot be ticked."""

from collections.abc import Iterable

from console.client import Json
from console.table_rows import Row
from console.ui.screens.several import SeveralScreen
from console.ui.text.waiting import WAIT_COLUMNS, circles, waiting_rows

__all__ = ["WaitsScreen"]


class WaitsScreen(SeveralScreen):
    """Answers with the ids of the tasks that are ticked, or None.

    Args:
        document: the room, as `rooms show` has it.
        task: id of the task that waits; empty for one that is not made yet.
        chosen: ids that are ticked at first.
    """

    TITLE = "Waits for"
    NOUN = "task"
    EMPTY = "No other task."
    COLUMNS = WAIT_COLUMNS

    def __init__(self, document: Json, task: str, chosen: Iterable[str]) -> None:
        super().__init__(chosen, circles(document, task))
        self._document = document
        self._waiting = task

    def rows(self) -> list[Row]:
        """The other tasks."""
        return waiting_rows(self._document, self._waiting, self.chosen)
