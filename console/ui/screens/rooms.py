"""Dialogs about rooms: a new one, and later on joining one."""

from collections.abc import Iterable

from console.ui.screens.form import Element, Field, FormScreen

__all__ = ["NewRoomScreen"]


class NewRoomScreen(FormScreen):
    """Asks for the name of a new room."""

    TITLE = "New room"
    GO = "Create"

    def fields(self) -> Iterable[Element]:
        """Its name."""
        yield Field(name="name", label="Name", hint="1 to 64 characters, such as quiet-harbor")

    def words(self) -> list[str]:
        """`rooms create …`."""
        return ["rooms", "create", self.value("name")]
