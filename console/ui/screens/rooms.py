"""The dialog about a new room."""

from collections.abc import Iterable

from console.ui.screens.form import Box, Choose, Element, Field, FormScreen, Note

__all__ = ["NewRoomScreen"]


class NewRoomScreen(FormScreen):
    """Asks for the name of a new room, where its members meet, and what is kept of it."""

    TITLE = "New room"
    GO = "Create"

    def fields(self) -> Iterable[Element]:
        """A name is enough."""
        yield Field(name="name", label="Name", hint="1 to 64 characters, such as quiet-harbor")
        yield Field(name="relay", label="Relay", hint="none yet; i invites later. wss://relay.example")
        yield Choose(name="history", label="History", choices=("joined", "all"))
        yield Note(name="what", text="What new members are given: what is said after they joined, or all.")
        yield Box(name="ephemeral", label="♨ ephemeral: never on the disk, gone when orlop ends")

    def words(self) -> list[str]:
        """`rooms create …`."""
        words = ["rooms", "create", self.value("name")]
        words += ["--relay", self.value("relay")] if self.value("relay") else []
        words += ["--history", "all"] if self.chosen("history") == "all" else []
        return [*words, *(["--ephemeral"] if self.ticked("ephemeral") else [])]
