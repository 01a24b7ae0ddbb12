"""The Rooms pane: rooms, the tasks of one as a tree, its members and agents, and the chat line."""

from collections import deque
from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical

from console.client import Args, Json
from console.rows import RoomRow
from console.table import TableModel
from console.table_rows import Row
from console.ui.actions import Actions
from console.ui.desk import Desk
from console.ui.frame import ROOMS, table_status
from console.ui.panes.chat import Chat
from console.ui.panes.room_keys import RoomKeys
from console.ui.sheet import Span
from console.ui.text.documents import Object, objects, text
from console.ui.text.members import AGENT_KEY, MEMBER_COLUMNS, member_rows, member_sheet
from console.ui.text.rooms import ROOM_COLUMNS, Unread, banner, chat_lines, room_line, room_row
from console.ui.text.slash import SLASH, slash_help, verb_of
from console.ui.text.tasks import (
    DONE_SECTION,
    TASK_COLUMNS,
    TITLE_COLUMN,
    progress_spans,
    task_rows,
    task_sheet,
)
from console.ui.widgets.banner import Banner
from console.ui.widgets.live_table import LiveTable
from console.ui.widgets.ribbon import Ribbon
from console.view import Changes
from runtime import events
from runtime.events import Record
from runtime.sanitise import clean

__all__ = ["RoomsPane"]

_NO_ROOMS = ("No rooms yet.", "A room holds tasks, members and agents.")
_NO_TASKS = ("No tasks yet.", "Tasks are shared with everybody in the room; agents may look after them.")
_CONTENT = (
    events.TaskChanged,
    events.MessagePosted,
    events.MemberJoined,
    events.AgentUploaded,
    events.AgentDeleted,
    events.MemberLeft,
    events.MemberRemoved,
    events.MemberVerified,
    events.RoomConnected,
    events.RoomDisconnected,
    events.RoomPresence,
    events.RoomReestablishing,
    events.RoomSettings,
)
_UNREAD = 50
"""Messages of a room that could not be read and are still shown."""


_OF_MEMBERS = {"rooms verify", "rooms remove"}
_OF_ROOMS = {"rooms invite", "rooms join"}
"""Keys that are shown only where they mean something."""


class RoomsPane(RoomKeys):
    """Rooms at the left, the one under the cursor at the right."""

    NUMBER = ROOMS
    NOUN = "rooms"
    PARTS = ("rooms", "tasks", "chat", "members")
    LINES = ("room-banner", "room-line")
    DETAIL = "tasks"
    BINDINGS: ClassVar[list[BindingType]] = [*RoomKeys.BINDINGS]

    _known: tuple[str, Json] = ("", None)
    _minute = 0

    def __init__(self, desk: Desk, actions: Actions) -> None:
        super().__init__(desk, actions)
        self._unread: dict[str, deque[Unread]] = {}

    def compose(self) -> ComposeResult:
        """Four parts."""
        with Horizontal(id="rooms-frame"):
            with Vertical(id="rooms-left"):
                table = LiveTable(
                    TableModel(ROOM_COLUMNS), name="rooms", empty=self.hinted(_NO_ROOMS, "makes"), classes="part"
                )
                table.border_title = "Rooms"
                yield table
                members = LiveTable(TableModel(MEMBER_COLUMNS), name="members", empty=("",), classes="part")
                members.border_title = "Members"
                yield members
            with Vertical(id="rooms-right"):
                tasks = LiveTable(
                    TableModel(TASK_COLUMNS),
                    name="tasks",
                    tree_column=TITLE_COLUMN,
                    empty=self.hinted(_NO_TASKS, "adds"),
                    classes="part",
                )
                tasks.border_title = "Tasks"
                yield tasks
                yield Banner(name="room-banner")
                yield Ribbon(name="room-line")
                yield Chat(self.desk.clock)

    # --- rows -------------------------------------------------------------------------------------------------------

    @property
    def room(self) -> RoomRow | None:
        """The room under the cursor."""
        return self.desk.view.rooms.get(self.main.model.cursor or "")

    @property
    def tasks(self) -> LiveTable:
        """The table of tasks."""
        return self.query_one("#tasks", LiveTable)

    @property
    def members(self) -> LiveTable:
        """The table of members and agents."""
        return self.query_one("#members", LiveTable)

    @property
    def chat(self) -> Chat:
        """What was said, and the line in which one speaks."""
        return self.query_one("#chat", Chat)

    @property
    def contents(self) -> Json:
        """The room, as `rooms show` has it; None while it is not known."""
        return self._known[1]

    @property
    def tasks_document(self) -> Json:
        """The tasks of the room, as `rooms show` has them."""
        return objects(self.contents, "tasks")

    @property
    def chosen(self) -> Object | None:
        """The task under the cursor, as the room's document has it."""
        cursor = self.tasks.model.cursor
        found = (task for task in objects(self.contents, "tasks") if task.get("id") == cursor)
        return next(found, None)

    def load(self) -> None:
        """All rooms from the view; a single one is opened at once."""
        first = not self.main.model.rows
        self.main.replace_rows(room_row(row) for row in self.desk.view.rooms.values())
        if first and len(self.main.model.rows) == 1 and self.current == "rooms":
            self.current = "tasks"

    def take(self, changes: Changes, records: Sequence[Record]) -> None:
        """Repaints the rooms that changed; asks again for the one that is looked at when something happened there."""
        view = self.desk.view.rooms
        if changes.rooms:
            there = [room_row(view[key]) for key in changes.rooms if key in view]
            self.main.update_rows(there, [key for key in changes.rooms if key not in view])
        self._keep_unread(records)
        room = self.room
        if room is None or self.frozen:
            return
        if room.room in changes.rooms:
            self._show_state()
        if self.contents is not None and any(key[0] == room.room for key in changes.agents):
            self._show_members(room)  # else agents would come first, and the cursor would stay on one
        if any(
            isinstance(record.event, _CONTENT) and getattr(record.event, "room", "") == room.room for record in records
        ):
            self.fetch_soon()

    def _keep_unread(self, records: Sequence[Record]) -> None:
        """What could not be read is in no log: it is kept while this screen is open."""
        for record in records:
            event = record.event
            if isinstance(event, events.RoomUndecryptable):
                kept = self._unread.setdefault(event.room, deque(maxlen=_UNREAD))
                kept.append(Unread(record.ts_ms, event.key, event.reason))
                if self._known[0] == event.room and not self.frozen:
                    self._show_chat()

    def show_detail(self) -> None:
        """Shows the room under the cursor as far as it is known, and asks for it."""
        room = self.room
        if room is None or self._known[0] != room.room:
            self._known = ("" if room is None else room.room, None)
            self._show(room)
        if room is not None:
            self.fetch_soon(moved=True)

    async def fetch(self) -> None:
        """Tasks, members and messages of the room under the cursor."""
        room = self.room
        if room is None:
            return
        result = await self.desk.ask("rooms show", {"room": room.room})
        now = self.room
        if result.ok and now is not None and now.room == room.room and not self.frozen:
            self._known = (room.room, result.value)
            self._show(now)

    def _show(self, room: RoomRow | None) -> None:
        tasks = self.tasks
        tasks.empty = self.hinted(_NO_TASKS, "adds") if room is not None else ("",)
        tasks.replace_rows(task_rows(self.contents, self.desk.now_ms()))
        tasks.border_title = f"Tasks: {clean(room.name, 40)}" if room else "Tasks"
        self._show_chat()
        self._show_state()
        if room is None or self.contents is None:
            self.members.replace_rows(())
        else:
            self._show_members(room)

    def _show_chat(self) -> None:
        room = self.room
        self.chat.show(() if room is None else chat_lines(self.contents, tuple(self._unread.get(room.room, ()))))

    def _show_state(self) -> None:
        """The line of the room, and above it what must be known before one goes on."""
        room = self.room
        told = () if room is None else banner(room, self.contents, self.desk.now_ms(), self.keys)
        above = self.query_one("#room-banner", Ribbon)
        above.show(told)
        above.set_class(bool(told), "-told")
        known = room is not None and self.contents is not None
        spans = (*room_line(room), *progress_spans(self.contents)) if room is not None and known else ()
        self.query_one("#room-line", Ribbon).show(spans)

    def _show_members(self, room: RoomRow) -> None:
        agents = [row for row in self.desk.view.agents.values() if row.room == room.room]
        self.members.replace_rows(member_rows(self.contents, agents))

    def second(self) -> None:
        """Due times go on, once a minute."""
        if self.desk.now_ms() // 60_000 != self._minute and not self.frozen:
            self._minute = self.desk.now_ms() // 60_000
            self.tasks.replace_rows(task_rows(self.contents, self.desk.now_ms()))
            self._show_state()

    def status(self) -> tuple[Span, ...]:
        """Counts of the table that has the focus; the row of the section of done tasks is none of them."""
        table = self.table
        nouns = {"tasks": "tasks", "members": "members and agents"}
        section = int(DONE_SECTION in table.model.rows)
        return table_status(table.model, nouns.get(table.id or "", "rooms"), aside=section)

    def document(self, row: Row) -> object:
        """The task, member or room as the core shows it."""
        for listing, name in (("tasks", "id"), ("members", "identityKey")):
            found = next((each for each in objects(self.contents, listing) if each.get(name) == row.key), None)
            if found is not None:
                return found
        return {"room": row.key, "name": row.cells[0]}

    def reference(self, row: Row) -> tuple[str, Args]:
        """`rooms show`, also for a task: no command shows a single one."""
        return "rooms show", {"room": self.room.room if self.room else row.key}

    # --- parts ------------------------------------------------------------------------------------------------------

    def focus_part(self, part: str) -> None:
        """The chat's part is its line."""
        if part == "chat":
            self._mark_current(part)
            self.give_focus(self.chat.line)
        else:
            super().focus_part(part)

    def opened(self, table: LiveTable) -> None:
        """A room opens its tasks, a task or member everything about it, the section of done tasks itself."""
        from console.ui.screens.reading import SheetScreen

        key = table.model.cursor or ""
        if table is self.tasks and key == DONE_SECTION:
            table.action_fold(closed=key not in table.model.folded)
        elif table is self.tasks and self.chosen is not None:
            lines = task_sheet(self.contents, text(self.chosen, "id", limit=80), self.desk.now_ms())
            self.app.push_screen(SheetScreen(title="Task", lines=lines))
        elif table is self.members and key.startswith(AGENT_KEY) and self.room is not None:
            from console.ui.frame import AGENTS
            from console.ui.text.agents import agent_key

            self.post_message(self.Goto(AGENTS, agent_key(self.room.room, key.removeprefix(AGENT_KEY))))
        elif table is self.members and key:
            self.app.push_screen(SheetScreen(title="Member", lines=member_sheet(self.contents, key)))
        else:
            super().opened(table)

    def key_label(self, binding_id: str) -> str | None:
        """Keys of tasks are shown where the tasks are; where rooms are listed `a` makes one."""
        if binding_id.startswith("rooms task.") and self.current != "tasks":
            return "new room" if binding_id == "rooms task.add" and self.current == "rooms" else ""
        if binding_id in _OF_MEMBERS and self.current != "members":
            return ""
        if binding_id in _OF_ROOMS and self.current != "rooms":
            return ""
        return super().key_label(binding_id)

    # --- keys -------------------------------------------------------------------------------------------------------

    def action_add(self) -> None:
        """Adds a room or a task."""
        if self.current != "rooms" and self.room is not None:
            super().action_add()
        elif self.actions.allowed("rooms create"):
            from console.ui.screens.rooms import NewRoomScreen

            self.app.push_screen(NewRoomScreen(self.actions))

    def action_chat(self) -> None:
        """Goes to the chat line."""
        self.focus_part("chat")

    @on(Chat.Said)
    def _say(self, event: Chat.Said) -> None:
        event.stop()
        room, said = self.room, event.text
        verb = verb_of(said)
        if verb == "/help":
            from console.ui.screens.reading import SheetScreen

            self.app.push_screen(SheetScreen(title="Chat", lines=slash_help()))
        elif verb not in {"", *SLASH}:
            self.actions.refuse(f"{clean(verb, 30)} is no command; there are {', '.join(SLASH)}")
            return
        elif verb == "/burn":
            self.action_burn()
        elif room is None or not self.actions.allowed("rooms say"):
            return
        else:
            self.do("rooms say", {"room": room.room, "text": said})
        self.chat.line.value = ""
