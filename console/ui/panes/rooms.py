"""The Rooms pane: rooms, the tasks of one as a tree, its members and agents, and the chat line."""

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Input

from console.client import Args, Json
from console.rows import RoomRow
from console.table import TableModel
from console.table_rows import Row
from console.ui.frame import ROOMS, table_status
from console.ui.panes.pane import Pane, command_binding
from console.ui.sheet import Span
from console.ui.text.documents import Object, flag, objects, text
from console.ui.text.rooms import (
    ROOM_COLUMNS,
    TASK_COLUMNS,
    TITLE_COLUMN,
    chat_lines,
    member_lines,
    progress_spans,
    room_row,
    task_rows,
    task_sheet,
)
from console.ui.widgets.live_table import LiveTable
from console.ui.widgets.ribbon import Ribbon
from console.ui.widgets.sheet_view import SheetView
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
)


class ChatLine(Input):
    """Where one speaks."""

    BINDINGS: ClassVar[list[BindingType]] = [command_binding("enter", "submit", "rooms say.now", "say")]

    def __init__(self) -> None:
        super().__init__(placeholder="say something, or /task Title | due: 2h | urgent", id="say", compact=True)
        self.cursor_blink = False


class RoomsPane(Pane):
    """Rooms at the left, the one under the cursor at the right."""

    NUMBER = ROOMS
    NOUN = "rooms"
    PARTS = ("rooms", "tasks", "chat", "members")
    DETAIL = "tasks"
    BINDINGS: ClassVar[list[BindingType]] = [
        command_binding("a", "add", "rooms task.add", "add task"),
        command_binding("space", "switch", "rooms task.done", "done"),
        command_binding("e", "edit", "rooms task.title", "edit"),
        command_binding("A", "auto_assign", "rooms task.auto_assign", "assign"),
        command_binding("U", "urgent", "rooms task.urgent", "urgent"),
        command_binding("b", "begin", "rooms task.start", "begin", show=False),
        command_binding("c", "chat", "rooms say", "chat"),
    ]

    _known: tuple[str, Json] = ("", None)

    def compose(self) -> ComposeResult:
        """Four parts."""
        with Horizontal(id="rooms-frame"):
            with Vertical(id="rooms-left"):
                table = LiveTable(
                    TableModel(ROOM_COLUMNS), name="rooms", empty=self._hinted(_NO_ROOMS, "makes"), classes="part"
                )
                table.border_title = "Rooms"
                yield table
                members = SheetView(name="members", classes="part")
                members.border_title = "Members"
                yield members
            with Vertical(id="rooms-right"):
                tasks = LiveTable(
                    TableModel(TASK_COLUMNS),
                    name="tasks",
                    tree_column=TITLE_COLUMN,
                    empty=self._hinted(_NO_TASKS, "adds"),
                    classes="part",
                )
                tasks.border_title = "Tasks"
                yield tasks
                with Vertical(id="chat", classes="part") as chat:
                    chat.border_title = "Chat"
                    yield SheetView(name="chat-text", tail=True)
                    yield ChatLine()
        yield Ribbon(name="room-line")

    def on_mount(self) -> None:
        """The text of the chat is not one of the parts."""
        self.query_one("#chat-text", SheetView).can_focus = False

    def _hinted(self, words: tuple[str, ...], verb: str) -> tuple[str, ...]:
        """What is said where nothing is, ending in the key that helps."""
        return (*words, f"{self.keys.named('rooms task.add', 'a')} {verb} one")

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
    def tasks_document(self) -> Json:
        """The tasks of the room, as `rooms show` has them."""
        return objects(self._known[1], "tasks")

    @property
    def chosen(self) -> Object | None:
        """The task under the cursor, as the room's document has it."""
        cursor = self.tasks.model.cursor
        found = (task for task in objects(self._known[1], "tasks") if task.get("id") == cursor)
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
        room = self.room
        if room is None or self.frozen:
            return
        if any(key[0] == room.room for key in changes.agents):
            self._show_members(room)
        if any(
            isinstance(record.event, _CONTENT) and getattr(record.event, "room", "") == room.room for record in records
        ):
            self.fetch_soon()

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
        document = self._known[1]
        tasks = self.tasks
        tasks.empty = self._hinted(_NO_TASKS, "adds") if room is not None else ("",)
        tasks.replace_rows(task_rows(document, self.desk.now_ms()))
        tasks.border_title = f"Tasks: {clean(room.name, 40)}" if room else "Tasks"
        self.query_one("#chat-text", SheetView).show(chat_lines(document) if room is not None else ())
        self.query_one("#room-line", Ribbon).show(self._room_line(room))
        if room is not None:
            self._show_members(room)

    def _room_line(self, room: RoomRow | None) -> tuple[Span, ...]:
        if room is None or self._known[1] is None:
            return ()
        return ((" ", ""), (clean(room.name, 40), "strong"), ("  ", ""), *progress_spans(self._known[1]))

    def _show_members(self, room: RoomRow) -> None:
        agents = [row for row in self.desk.view.agents.values() if row.room == room.room]
        self.query_one("#members", SheetView).show(member_lines(self._known[1], agents))

    def second(self) -> None:
        """Due times go on, once a minute."""
        if self.desk.now_ms() // 60_000 != self._minute and not self.frozen:
            self._minute = self.desk.now_ms() // 60_000
            self.tasks.replace_rows(task_rows(self._known[1], self.desk.now_ms()))

    _minute = 0

    def status(self) -> tuple[Span, ...]:
        """Counts of the table that has the focus."""
        return table_status(self.table.model, "tasks" if self.table is self.tasks else "rooms")

    def document(self, row: Row) -> object:
        """The task or room as the core shows it."""
        found = (task for task in objects(self._known[1], "tasks") if task.get("id") == row.key)
        return next(found, None) or {"room": row.key, "name": row.cells[0]}

    def reference(self, row: Row) -> tuple[str, Args]:
        """`rooms show`, also for a task: no command shows a single one."""
        return "rooms show", {"room": self.room.room if self.room else row.key}

    # --- parts ------------------------------------------------------------------------------------------------------

    def focus_part(self, part: str) -> None:
        """The chat's part is its line."""
        if part == "chat":
            self._mark_current(part)
            self.give_focus(self.query_one("#say", Input))
        else:
            super().focus_part(part)

    def opened(self, table: LiveTable) -> None:
        """A room opens its tasks, a task everything about it."""
        if table is not self.tasks:
            super().opened(table)
            return
        task = self.chosen
        if task is not None:
            from console.ui.screens.reading import SheetScreen

            lines = task_sheet(self._known[1], text(task, "id", limit=80), self.desk.now_ms())
            self.app.push_screen(SheetScreen(title="Task", lines=lines))

    def key_label(self, binding_id: str) -> str | None:
        """Where rooms are listed `a` makes one, and there is no task to change."""
        if self.current == "rooms" and binding_id.startswith("rooms task."):
            return "new room" if binding_id == "rooms task.add" else ""
        return super().key_label(binding_id)

    # --- keys -------------------------------------------------------------------------------------------------------

    def _run(self, command: str, args: Args) -> None:
        self.run_worker(self.actions.run(command, [args]), group="action")

    def _change(self, verb: str, **more: str) -> None:
        """Changes the task under the cursor."""
        room, task = self.room, self.chosen
        if room is None or task is None:
            self.actions.refuse("no task here: " + self._hinted((), "adds")[0])
            return
        self._run("rooms task", {"room": room.room, verb: str(task.get("id")), **more})

    def action_add(self) -> None:
        """Adds a room or a task."""
        from console.ui.screens.tasks import AddTaskScreen, NewRoomScreen

        room = self.room
        if self.current == "rooms" or room is None:
            if self.actions.allowed("rooms create"):
                self.app.push_screen(NewRoomScreen(self.actions))
        elif self.actions.allowed("rooms task"):
            self.app.push_screen(AddTaskScreen(self.actions, room.room, self._known[1]))

    def action_switch(self) -> None:
        """Completes the task, or opens it again; the same key undoes it."""
        task = self.chosen
        done = task is not None and task.get("status") == "completed"
        self._change("reopen" if done else "done")

    def action_begin(self) -> None:
        """Says that the task is being worked on."""
        self._change("start")

    def action_urgent(self) -> None:
        """Switches the task's urgency."""
        task = self.chosen
        if task is not None and flag(task, "urgent"):
            self._change("urgent", off="true")
        else:
            self._change("urgent")

    def action_edit(self) -> None:
        """Opens the task's title, time, member and description."""
        room, task = self.room, self.chosen
        if room is None or task is None:
            self.actions.refuse("no task here: " + self._hinted((), "adds")[0])
        elif self.actions.allowed("rooms task"):
            from console.ui.screens.tasks import EditTaskScreen

            self.app.push_screen(EditTaskScreen(self.actions, room.room, task, self._known[1]))

    def action_auto_assign(self) -> None:
        """Shows who would get which free task, and asks."""
        room = self.room
        if room is not None and self.actions.allowed("rooms task"):
            self.run_worker(self._auto_assign(room.room), group="action")

    async def _auto_assign(self, room: str) -> None:
        from console.ui.screens.tasks import AutoAssignScreen

        args = {"room": room, "auto_assign": "true"}
        preview = await self.desk.ask("rooms task", {**args, "preview": "true"})
        if not preview.ok:
            self.actions.refuse(preview.fault.line if preview.fault else "no preview")
            return
        accepted: bool = await self.app.push_screen_wait(AutoAssignScreen(preview.value))
        if accepted:
            await self.actions.run("rooms task", [args])

    def action_chat(self) -> None:
        """Goes to the chat line."""
        self.focus_part("chat")

    @on(Input.Submitted, "#say")
    def _say(self, event: Input.Submitted) -> None:
        event.stop()
        room, said = self.room, event.value.strip()
        if room is not None and said and self.actions.allowed("rooms say"):
            event.input.value = ""
            self._run("rooms say", {"room": room.room, "text": said})
