"""Dialling another node, and what it is called here."""

from collections.abc import Iterable, Sequence

from console.client import Args
from console.registry import COMMANDS
from console.rows import PeerRow
from console.ui.actions import Actions
from console.ui.screens.form import Box, Element, Field, FormScreen, Note
from console.ui.spelling import command_line
from console.ui.text.documents import text
from console.ui.text.peers import called
from runtime.sanitise import clean

__all__ = ["DialScreen", "NameScreen"]


class DialScreen(FormScreen):
    """Asks for an address, and says in the dialog what came of it.

    Args:
        actions: runs the command.
        where: what stands in the field at first.
        known: names and PeerIds that are completed.
    """

    TITLE = "Dial a node"
    GO = "Dial"

    def __init__(self, actions: Actions, where: str, known: Sequence[str]) -> None:
        super().__init__(actions)
        self._where = where
        self._known = known
        self.peer = ""
        """Who answered; empty until somebody did."""

    def fields(self) -> Iterable[Element]:
        """The address, and whether it matters who is there."""
        hint = "/ip4/192.0.2.7/tcp/4001/p2p/12D3KooW…, or a name"
        yield Field(name="where", label="Address", value=self._where, hint=hint, known=self._known)
        yield Note(name="what", text=self._meant())
        yield Box(name="insecure_any", label="take whoever is at the address, and say who it is")

    def changed(self, name: str) -> None:
        """What is proven is another thing with the box ticked."""
        if name == "insecure_any":
            self.note("what", self._meant(anybody=self.ticked("insecure_any")))

    def _meant(self, *, anybody: bool = False) -> str:
        if anybody:
            return "Whoever answers proves some key. Compare the PeerId before you trust it with anything."
        return "Whoever answers must prove the key that the address names; anybody else is refused."

    def words(self) -> list[str]:
        """`peers dial …`."""
        anybody = ["--insecure-any"] if self.ticked("insecure_any") else []
        return ["peers", "dial", self.value("where"), *anybody]

    async def carry_out(self) -> str:
        """Dials; it may take as long as a connection and the proof of a key do."""
        if not self.value("where"):
            return "an address is needed, or the name of a peer"
        self.say("")
        self.note("what", "dialling …")
        result = await self.actions.line(self.words(), quiet=True)
        self.note("what", self._meant(anybody=self.ticked("insecure_any")))
        if result is None or not result.ok:
            return result.fault.line if result is not None and result.fault else "nothing was done"
        self.peer = text(result.value, "peer", limit=80)
        transport = text(result.value, "transport", limit=8)
        self.actions.tell(f"connected by {transport} with {self.peer}, which has proven its key")
        return ""


class NameScreen(FormScreen):
    """Asks for a name and a note.

    Args:
        actions: runs the command.
        row: who is named.
        note: the words about it so far.
    """

    TITLE = "Name a peer"
    GO = "Name"

    def __init__(self, actions: Actions, row: PeerRow, note: str) -> None:
        super().__init__(actions)
        self._row = row
        self._note = note

    def fields(self) -> Iterable[Element]:
        """The name and the note."""
        yield Note(name="whom", text=f"For yourself alone: {called(self._row)} never learns of it.")
        yield Field(name="name", label="Name", value=clean(self._row.name, 40), hint="none: its PeerId is shown")
        yield Field(name="note", label="Note", value=self._note, hint="your words about it")

    def words(self) -> list[str]:
        """Not used: a name may look like an option."""
        return []

    def equivalent(self) -> str:
        """`peers name …`."""
        return command_line(COMMANDS["peers name"], self._args())

    def _args(self) -> Args:
        return {"peer": self._row.peer, "name": self.value("name"), "note": self.value("note")}

    async def carry_out(self) -> str:
        """Gives both, or takes away what is empty."""
        results = await self.actions.run("peers name", [self._args()], quiet=True)
        if not results:
            return "nothing was done"
        return "" if results[0].ok else results[0].fault.line if results[0].fault else "it failed"
