"""What keys do to rooms and their members: invite, join, verify, remove, rotate, keep, undo, leave, burn."""

from typing import ClassVar

from textual.binding import BindingType

from console.client import Args
from console.rows import RoomRow
from console.ui.panes.pane import command_binding
from console.ui.panes.task_keys import TaskKeys
from console.ui.text.documents import Object, flag, objects, text
from console.ui.widgets.live_table import LiveTable

__all__ = ["RoomKeys"]


class RoomKeys(TaskKeys):
    """A pane with rooms. A subclass holds the tables."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *TaskKeys.BINDINGS,
        command_binding("V", "verify", "rooms verify", "verify"),
        command_binding("D", "remove", "rooms remove", "remove"),
        command_binding("c", "chat", "rooms say", "chat"),
        command_binding("i", "invite", "rooms invite", "invite"),
        command_binding("plus", "join", "rooms join", "join"),
        command_binding("u", "undo", "rooms undo", "undo", show=False),
        command_binding("K", "keep", "rooms keep", "keep", show=False),
        command_binding("R", "rotate", "rooms rotate", "change keys", show=False),
        command_binding("L", "leave_room", "rooms leave", "leave", show=False),
        command_binding("B", "burn", "rooms burn", "burn", show=False),
    ]

    @property
    def members(self) -> LiveTable:
        """The table of members and agents."""
        raise NotImplementedError

    def _here(self, command: str) -> RoomRow | None:
        """The room under the cursor, where the command may run; says so where there is none."""
        room = self.room
        if room is None:
            self.actions.refuse("no room here: " + self.hinted((), "makes")[0])
            return None
        return room if self.actions.allowed(command) else None

    def _run_here(self, command: str, **more: str) -> None:
        room = self._here(command)
        if room is not None:
            self.do(command, {"room": room.room, **more})

    def _ask_here(self, command: str) -> None:
        room = self._here(command)
        if room is not None:
            self.run_worker(self.actions.run(command, [{"room": room.room}], names=[room.name]), group="action")

    def _member(self) -> Object | None:
        """The member under the cursor of their list."""
        cursor = self.members.model.cursor
        found = (one for one in objects(self.contents, "members") if text(one, "identityKey", limit=80) == cursor)
        return next(found, None)

    # --- keys -------------------------------------------------------------------------------------------------------

    def action_join(self) -> None:
        """Opens the dialog that takes an invitation."""
        if self.actions.allowed("rooms join"):
            from console.ui.screens.invite import JoinScreen

            self.app.push_screen(JoinScreen(self.actions))

    def action_invite(self) -> None:
        """Shows the invitation of the room; asks for a relay first where it has none."""
        room = self._here("rooms invite")
        if room is not None and room.link:
            self.run_worker(self._invite(room), group="action")
        elif room is not None:
            from console.ui.screens.invite import RelayScreen, show_invitation

            screen = RelayScreen(self.actions, room.room, room.name)

            def show(done: bool | None) -> None:
                if done:
                    show_invitation(self.actions, screen.invitation)

            self.app.push_screen(screen, show)

    async def _invite(self, room: RoomRow) -> None:
        from console.ui.screens.invite import show_invitation

        results = await self.actions.run("rooms invite", [{"room": room.room}])
        if results and results[0].ok:
            show_invitation(self.actions, results[0].value)

    def action_verify(self) -> None:
        """Shows the safety number with the member under the cursor."""
        room, member = self._here("rooms verify"), self._member()
        if room is None:
            return
        if member is None or flag(member, "self"):
            self.actions.refuse("choose another member in the list of members: tab goes there")
            return
        args: Args = {"room": room.room, "member": str(member.get("identityKey"))}
        self.run_worker(self._compare(args), group="action")

    async def _compare(self, args: Args) -> None:
        from console.ui.screens.safety import compare

        number = await self.desk.ask("rooms verify", {**args, "numbers": "true"})
        if not number.ok:
            self.actions.refuse(number.fault.line if number.fault else "no safety number")
            return
        compare(self.actions, number.value)

    def action_remove(self) -> None:
        """Removes the member under the cursor; asks first."""
        room, member = self._here("rooms remove"), self._member()
        if room is None:
            return
        if member is None or flag(member, "self"):
            self.actions.refuse("choose another member in the list of members: tab goes there")
            return
        args: Args = {"room": room.room, "member": str(member.get("identityKey"))}
        name = f"{text(member, 'displayName', limit=40)} from {room.name}"
        self.run_worker(self.actions.run("rooms remove", [args], names=[name]), group="action")

    def action_undo(self) -> None:
        """Takes one's own last change back."""
        self._run_here("rooms undo")

    def action_keep(self) -> None:
        """Keeps a room that is about to delete itself."""
        self._run_here("rooms keep")

    def action_rotate(self) -> None:
        """Speaks under a new key."""
        self._run_here("rooms rotate")

    def action_leave_room(self) -> None:
        """Leaves the room; asks first."""
        self._ask_here("rooms leave")

    def action_burn(self) -> None:
        """Deletes the room for good; its name must be typed first."""
        self._ask_here("rooms burn")
