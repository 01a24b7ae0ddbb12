"""What an agent may do: a box for each permission that it asks for, beside who vouches for it and what is new."""

from collections.abc import Iterable

from console.rows import AgentRow
from console.ui.actions import Actions
from console.ui.once import only_newest
from console.ui.screens.form import Box, Element, FormScreen, Note
from console.ui.text.trust import MEANING, added_since, mark_span
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
        row = self._row
        asked = ", ".join(clean(name, 30) for name in row.permissions) or "nothing"
        named = f"{clean(row.agent, 40)} {clean(row.version, 20)} in {clean(row.room_name, 40)}"
        yield Note(name="asks", text=f"{named} asks for {asked}.")
        yield Note(name="signed", text="".join(words for words, _ in mark_span(row.mark, builtin=row.builtin)))
        yield Note(name="new", text="")
        for permission in row.permissions:
            label = f"{clean(permission, 30):<14} {MEANING.get(permission, '')}".rstrip()
            yield Box(name=permission, label=label, ticked=permission in row.granted)

    def on_mount(self) -> None:
        """Asks what the version before asked for."""
        super().on_mount()
        self.note("new", "")
        only_newest(self, self._compare, "look")

    async def _compare(self) -> None:
        shown = await self.actions.desk.ask("agents show", {"agent": self._row.agent, "room": self._row.room})
        self.note("new", added_since(shown.value) if shown.ok else "")

    def words(self) -> list[str]:
        """`agents grant …`."""
        granted = [permission for permission in self._row.permissions if self.ticked(permission)]
        return ["agents", "grant", self._row.agent, ",".join(granted) or "none", "--room", self._row.room]
