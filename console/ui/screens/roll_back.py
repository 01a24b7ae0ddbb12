"""Going back to an older version of an agent: which one, and what of permissions and state would be different."""

from collections.abc import Iterable, Sequence

from console.rows import AgentRow
from console.ui.actions import Actions
from console.ui.once import only_newest
from console.ui.screens.form import Box, Choose, Element, FormScreen, Note
from console.ui.text.documents import Object, integer, text
from console.ui.text.trust import kept_versions, roll_back_lines
from runtime.errors import UsageError
from runtime.sanitise import clean

__all__ = ["RollBackScreen", "roll_back", "roll_back_line"]

_ROOM = 56
"""Cells for the choices beside their label, also at 80 columns."""

_AROUND = 6
"""Cells of the mark and the gap of a choice."""


async def roll_back(actions: Actions, row: AgentRow, *, to: str = "", keep_state: bool = False) -> None:
    """Asks which version an agent is to go back to; says so where none is kept.

    Args:
        actions: runs it.
        row: the agent.
        to: version or number of the upload that is proposed; the newest one before the present where it is empty.
        keep_state: whether the box of the state is ticked.
    """
    shown = await actions.desk.ask("agents show", {"agent": row.agent, "room": row.room})
    versions = kept_versions(shown.value if shown.ok else None)
    if not versions:
        actions.refuse(f"{clean(row.agent, 40)}: no other version of it is kept")
        return
    actions.app.push_screen(RollBackScreen(actions, row, versions, to=to, keep_state=keep_state))


async def roll_back_line(actions: Actions, words: Sequence[str]) -> bool:
    """Opens the dialog for a line of the prompt.

    Args:
        actions: runs it.
        words: `agents rollback …`.

    Returns:
        False where the line is for the core as it is: it only asks for a preview, or names nothing that is here.
    """
    from console.cmdline.verbline import read_line

    try:
        args = read_line(words).args
    except UsageError:
        return False
    named, room = args.get("agent"), args.get("room")
    found = [
        row
        for row in actions.desk.view.agents.values()
        if row.agent == named and room in {None, row.room, row.room_name}
    ]
    if len(found) != 1 or "preview" in args or not actions.allowed("agents rollback"):
        return False
    await roll_back(actions, found[0], to=str(args.get("version", "")), keep_state="keep_state" in args)
    return True


class RollBackScreen(FormScreen):
    """The dialog.

    Args:
        actions: runs it.
        row: the agent.
        versions: those that can be gone back to, newest first; at least one.
        to: as for `roll_back`.
        keep_state: as for `roll_back`.
    """

    AUTO_FOCUS = "Pick"
    TITLE = "Roll back"
    GO = "Roll back"

    def __init__(
        self, actions: Actions, row: AgentRow, versions: Sequence[Object], *, to: str = "", keep_state: bool = False
    ) -> None:
        super().__init__(actions)
        self._row = row
        self._numbers = [str(integer(one, "upload_no") or 0) for one in versions]
        names = [text(one, "version", limit=20) for one in versions]
        labels = [f"{number}: {name}" for number, name in zip(self._numbers, names, strict=True)]
        self._labels = labels if sum(len(each) + _AROUND for each in labels) <= _ROOM else self._numbers
        wanted = names.index(to) if to in names else self._numbers.index(to) if to in self._numbers else 0
        self._wanted = self._labels[wanted]
        self._keeps = keep_state

    def fields(self) -> Iterable[Element]:
        """The versions, what would change, and the state."""
        named = f"{clean(self._row.agent, 40)} {clean(self._row.version, 20)} in {clean(self._row.room_name, 40)}"
        yield Note(name="of", text=f"{named}: an older version takes its place, and is off until you start it.")
        yield Choose(name="version", label="Back to", choices=tuple(self._labels), chosen=self._wanted)
        yield Box(name="keep-state", label="let it go on with the present state", ticked=self._keeps)
        yield Note(name="changes", text="")

    def on_mount(self) -> None:
        """Asks what would change."""
        super().on_mount()
        self.changed("version")

    def changed(self, name: str) -> None:  # noqa: ARG002 - either changes what is asked
        """Asks again."""
        only_newest(self, self._look, "look")

    async def _look(self) -> None:
        preview = await self.actions.desk.ask("agents rollback", {**self._args(), "preview": "true"})
        fault = preview.fault.line if preview.fault is not None else "it cannot be told what would change"
        self.note("changes", roll_back_lines(preview.value) if preview.ok else f"✗ {clean(fault, 300)}")

    def _args(self) -> dict[str, str]:
        number = self._numbers[self._labels.index(self.chosen("version"))]
        kept = {"keep_state": "true"} if self.ticked("keep-state") else {}
        return {"agent": self._row.agent, "version": number, "room": self._row.room, **kept}

    def words(self) -> list[str]:
        """`agents rollback …`."""
        args = self._args()
        words = ["agents", "rollback", args["agent"], args["version"], "--room", args["room"]]
        return [*words, "--keep-state"] if "keep_state" in args else words
