"""Whose agents a room takes: the keys that it trusts, one more, or one less."""

from collections.abc import Iterable

from console.rows import AgentRow
from console.ui.actions import Actions
from console.ui.once import only_newest
from console.ui.screens.form import Box, Choose, Element, Field, FormScreen, Note
from console.ui.text.trust import key_lines
from runtime.sanitise import clean

__all__ = ["TrustScreen"]

_HERE, _EVERYWHERE = "this room", "all rooms"


class TrustScreen(FormScreen):
    """Trusts a key, or trusts it no more.

    Args:
        actions: runs the command.
        row: an agent of the room that it is about.
    """

    TITLE = "Trusted keys"
    GO = "Trust"

    def __init__(self, actions: Actions, row: AgentRow) -> None:
        super().__init__(actions)
        self._row = row

    def fields(self) -> Iterable[Element]:
        """What is trusted, and the key to add or remove."""
        yield Note(name="trusted", text="")
        yield Note(name="what", text="Agents that a trusted key signed may be uploaded. Compare the whole key first.")
        yield Field(name="key", label="Key", hint="64 hexadecimal characters, or a PeerId")
        yield Field(name="whose", label="Whose", hint="a note for yourself")
        yield Choose(name="where", label="Where", choices=(_HERE, _EVERYWHERE), chosen=_HERE)
        yield Box(name="remove", label="trust it no more, and stop what it signed")

    def on_mount(self) -> None:
        """Asks which keys are trusted."""
        super().on_mount()
        self.note("trusted", "")
        only_newest(self, self._list, "look")

    async def _list(self) -> None:
        keys = await self.actions.desk.ask("agents trusted", {"room": self._row.room})
        self.note("trusted", key_lines(keys.value, clean(self._row.room_name, 40)) if keys.ok else "")

    def changed(self, name: str) -> None:
        """A key that goes needs no note."""
        if name == "remove":
            self.show_field("whose", on=not self.ticked("remove"))

    def words(self) -> list[str]:
        """`agents trust …`."""
        words = ["agents", "trust", self.value("key")]
        if self.chosen("where") == _HERE:
            words += ["--room", self._row.room]
        if self.ticked("remove"):
            return [*words, "--remove"]
        return [*words, "--note", self.value("whose")] if self.value("whose") else words
