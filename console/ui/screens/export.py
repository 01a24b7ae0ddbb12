"""Writing receipts to a file, in a form for others."""

from collections.abc import Iterable, Sequence

from console.ui.actions import Actions
from console.ui.screens.form import Box, Choose, Element, Field, FormScreen, Note

__all__ = ["ExportScreen"]

_FORMS = {
    "receipt": ("receipts.jsonl", "as it was signed, one JSON document a line"),
    "legacy": ("receipts-0.1.jsonl", "the form 0.1, for programs that read no other"),
    "in-toto": ("receipts.intoto.jsonl", "in-toto statements in DSSE envelopes"),
    "bundle": ("proofs.jsonl", "with manifest and keys, so that it can be checked offline"),
}
"""The forms, with the name that is proposed for the file and what they are."""


class ExportScreen(FormScreen):
    """Asks for form and file.

    Args:
        actions: runs the export.
        receipts: ids.
    """

    AUTO_FOCUS = "#out"
    TITLE = "Export receipts"
    GO = "Export"

    def __init__(self, actions: Actions, receipts: Sequence[str]) -> None:
        super().__init__(actions)
        self._receipts = receipts
        self._proposed = _FORMS["receipt"][0]

    def fields(self) -> Iterable[Element]:
        """The form, the file, and what goes with it."""
        count = len(self._receipts)
        yield Note(name="which", text=f"{count} receipt{'' if count == 1 else 's'}")
        yield Choose(name="format", label="Format", choices=tuple(_FORMS))
        yield Note(name="form", text=_FORMS["receipt"][1])
        yield Field(name="out", label="File", value=self._proposed, path=True)
        yield Box(name="with_output", label="with what the job wrote, while all of it is still here")
        if count == 1:
            yield Field(
                name="signed_message", label="Message to", hint="a file for the bytes that are signed", path=True
            )

    def on_mount(self) -> None:
        """Outputs go into bundles only."""
        self.show_field("with_output", on=False)
        super().on_mount()

    def changed(self, name: str) -> None:
        """A form proposes the file's name, unless the operator wrote another one."""
        if name != "format":
            return
        from textual.widgets import Input

        form = self.chosen("format")
        proposed, about = _FORMS[form]
        self.note("form", about)
        self.show_field("with_output", on=form == "bundle")
        if self.value("out") == self._proposed:
            self.query_one("#out", Input).value = proposed
            self._proposed = proposed

    def words(self) -> list[str]:
        """`receipts export …`."""
        form = self.chosen("format")
        words = ["receipts", "export", *self._receipts, "--out", self.value("out")]
        words += ["--format", form] if form != "receipt" else []
        words += ["--with-output"] if form == "bundle" and self.ticked("with_output") else []
        if len(self._receipts) == 1 and self.value("signed_message"):
            words += ["--signed-message", self.value("signed_message")]
        return words
