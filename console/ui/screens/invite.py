"""Inviting to a room, as a text and as a QR code, and joining one."""

from collections.abc import Iterable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.geometry import Size
from textual.screen import ModalScreen
from textual.widgets import Static

from console.client import Json
from console.ui.actions import Actions
from console.ui.bound import keys_of
from console.ui.screens.form import Element, Field, FormScreen, Note
from console.ui.text.documents import text
from console.ui.text.qr import qr_rows
from console.ui.widgets.qr_view import QrView
from runtime.sanitise import clean

__all__ = ["InviteScreen", "JoinScreen", "RelayScreen", "show_invitation"]

_AROUND = Size(6, 12)
"""Cells of the frame, the words and the text around the code."""


def show_invitation(actions: Actions, invitation: Json) -> None:
    """Shows an invitation as text and QR code.

    Args:
        actions: know the screen and the room.
        invitation: the answer of `rooms invite`.
    """
    room = actions.desk.view.rooms.get(text(invitation, "room", limit=32))
    name = room.name if room is not None else "This room"
    actions.app.push_screen(InviteScreen(name, invitation, ascii_only=actions.desk.options.ascii))


class InviteScreen(ModalScreen[None]):
    """Shows an invitation; `y` copies it.

    Args:
        room: name of the room.
        invitation: the answer of `rooms invite`.
        ascii_only: whether half blocks can be drawn at all.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter", "dismiss", "Close", id="ui.invite-close"),
        Binding("y,Y", "copy", "Copy the invitation", id="ui.invite-copy"),
    ]

    def __init__(self, room: str, invitation: Json, *, ascii_only: bool = False) -> None:
        super().__init__(classes="dialog")
        self._room = room
        self._text = text(invitation, "invitation", limit=2_048)
        self._relay = text(invitation, "relay", limit=512)
        self._ascii = ascii_only

    def compose(self) -> ComposeResult:
        """The code, where there is room for it, and the text in any case."""
        with VerticalScroll(classes="box invite") as box:
            keys = keys_of(self.app)
            copy, close = keys.named("ui.invite-copy", "y"), keys.named("ui.invite-close", "esc")
            box.border_title = "Invitation"
            box.border_subtitle = f"{copy} copies · {close} closes"
            yield Static(f"{clean(self._room, 64)} meets at {self._relay}.", markup=False)
            yield Static("Whoever has this may join. Pass it on as you would a password.", classes="note")
            with Vertical(classes="qr-place"):
                yield self._code()
            yield Static(self._text, id="invitation", classes="command", markup=False)

    def _code(self) -> QrView | Static:
        room = self.app.size - _AROUND
        rows = () if self._ascii else qr_rows(self._text, room.width, room.height)
        if rows:
            return QrView(rows, plain=self.app.no_color)
        needed = qr_rows(self._text, 1_000, 1_000)
        if self._ascii or not needed:
            return Static("No QR code: this terminal shows ASCII only.", id="no-qr", classes="note", markup=False)
        wide, high = len(needed[0]) + _AROUND.width, len(needed) + _AROUND.height
        why = f"No QR code: it needs a terminal of {wide}x{high}. The text below says the same."
        return Static(why, id="no-qr", classes="note", markup=False)

    def action_copy(self) -> None:
        """Sends the text to the terminal's clipboard."""
        from console.ui.clipboard import send

        send(self.app, self._text)


class RelayScreen(FormScreen):
    """Asks where a room is to meet, which has been this node's alone.

    Args:
        actions: runs it.
        room: id of the room.
        name: of the room.
    """

    TITLE = "Invite"
    GO = "Meet there"

    def __init__(self, actions: Actions, room: str, name: str) -> None:
        super().__init__(actions)
        self._room = room
        self._room_name = name
        self.invitation: Json = None
        """The answer of `rooms invite`, once there is one."""

    def fields(self) -> Iterable[Element]:
        """The relay."""
        yield Note(name="why", text=f"{clean(self._room_name, 64)} has no relay yet: others cannot reach it.")
        yield Field(name="relay", label="Relay", hint="wss://relay.example, or ws://127.0.0.1:8484")
        yield Note(name="what", text="A relay passes on what it cannot read. orlop rooms relay serves one.")

    def words(self) -> list[str]:
        """`rooms invite … --relay …`."""
        return ["rooms", "invite", self._room, "--relay", self.value("relay")]

    async def carry_out(self) -> str:
        """Keeps what the command answers."""
        if not self.value("relay"):
            return "a room meets at a relay: name its address"
        result = await self.actions.line(self.words(), quiet=True)
        if result is None or not result.ok:
            return result.fault.line if result is not None and result.fault else "nothing was done"
        self.invitation = result.value
        return ""


class JoinScreen(FormScreen):
    """Takes an invitation."""

    TITLE = "Join a room"
    GO = "Join"

    def fields(self) -> Iterable[Element]:
        """The invitation, and a name to be seen by."""
        yield Field(name="invitation", label="Invitation", hint="orlop-room:1:… from a member of the room")
        yield Note(name="what", text="")
        yield Field(name="as", label="Your name", hint="what the others see; the node's name without it")

    def words(self) -> list[str]:
        """`rooms join …`."""
        named = ["--name", self.value("as")] if self.value("as") else []
        return ["rooms", "join", self.value("invitation"), *named]

    def equivalent(self) -> str:
        """Without the secret."""
        return f"orlop rooms join INVITATION{' --name …' if self.value('as') else ''}"

    def changed(self, name: str) -> None:
        """Which room is meant is said before anything is done."""
        if name == "invitation":
            self.note("what", self._told(self.value("invitation")))

    def _told(self, typed: str) -> str:
        if not typed:
            return ""
        from runtime.errors import OrlopError
        from runtime.rooms.invite import parse_invite

        try:
            invite = parse_invite(typed)
        except OrlopError as error:
            return f"no invitation: {clean(str(error), 200)}"
        return f"to {clean(invite.name, 64)}, which meets at {clean(invite.relay, 200)}"

    async def carry_out(self) -> str:
        """Joins; it may take as long as until a member is there."""
        self.say("")
        self.note("what", "joining: a member of the room must be there to let you in …")
        result = await self.actions.line(self.words(), quiet=True)
        self.note("what", self._told(self.value("invitation")))
        if result is None or not result.ok:
            return result.fault.line if result is not None and result.fault else "nothing was done"
        name = text(result.value, "name", limit=64)
        waits = text(result.value, "notice", limit=300)
        told = f"{name}: {waits}" if waits else f"you are in {name}"
        self.app.notify(told, markup=False)
        return ""
