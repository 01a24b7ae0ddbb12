"""What an agent may do: a box for each permission that it asks for."""

from collections.abc import Iterable

from console.rows import AgentRow
from console.ui.actions import Actions
from console.ui.screens.form import Box, Element, FormScreen, Note
from runtime.sanitise import clean

__all__ = ["ConsentScreen"]


class ConsentScreen(FormScreen):
    """Sets the permissions of an agent to exactly those that are ticked."""

    AUTO_FOCUS = "Tick"
    TITLE = "Permissions"
    GO = "Grant exactly these"

    def __init__(self, actions: Actions, row: AgentRow) -> None:
        super().__init__(actions)
        self._row = row

    def fields(self) -> Iterable[Element]:
        """The permissions that its manifest names."""
        asked = ", ".join(clean(name, 30) for name in self._row.permissions) or "nothing"
        yield Note(
            name="asks", text=f"{clean(self._row.agent, 40)} in {clean(self._row.room_name, 40)} asks for {asked}."
        )
        for permission in self._row.permissions:
            yield Box(name=permission, label=clean(permission, 30), ticked=permission in self._row.granted)

    def words(self) -> list[str]:
        """`agents grant …`."""
        granted = [permission for permission in self._row.permissions if self.ticked(permission)]
        return ["agents", "grant", self._row.agent, ",".join(granted) or "none", "--room", self._row.room]
