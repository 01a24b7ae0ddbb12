"""Writing receipts to a file."""

from collections.abc import Iterable, Sequence

from console.ui.actions import Actions
from console.ui.screens.form import Box, Field, FormScreen, Note

__all__ = ["ExportScreen"]


class ExportScreen(FormScreen):
    """Asks for the file.

    Args:
        actions: runs the export.
        receipts: ids.
    """

    TITLE = "Export receipts"
    GO = "Export"

    def __init__(self, actions: Actions, receipts: Sequence[str]) -> None:
        super().__init__(actions)
        self._receipts = receipts

    def fields(self) -> Iterable[Field | Box | Note]:
        """The file and its form."""
        count = len(self._receipts)
        yield Note(name="which", text=f"{count} receipt{'' if count == 1 else 's'}, one JSON document a line.")
        yield Field(name="out", label="File", value="receipts.jsonl", path=True)
        yield Box(name="legacy", label="the older format, for programs that read no other")

    def words(self) -> list[str]:
        """`receipts export …`."""
        form = ["--format", "legacy"] if self.ticked("legacy") else []
        return ["receipts", "export", *self._receipts, "--out", self.value("out"), *form]
