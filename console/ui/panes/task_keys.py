"""What keys do to the tasks of the room that is looked at."""

from typing import ClassVar

from textual.binding import BindingType

from console.client import Args, Json
from console.rows import RoomRow
from console.ui.panes.pane import Pane, command_binding
from console.ui.text.documents import Object, flag, text, texts
from console.ui.text.due import NEVER, moment
from console.ui.widgets.live_table import LiveTable

__all__ = ["TaskKeys"]


class TaskKeys(Pane):
    """A pane with tasks. A subclass holds the room, its document and the table."""

    BINDINGS: ClassVar[list[BindingType]] = [
        command_binding("a", "add", "rooms task.add", "add task"),
        command_binding("space", "switch", "rooms task.done", "done"),
        command_binding("e", "edit", "rooms task.edit", "edit"),
        command_binding("A", "auto_assign", "rooms task.auto_assign", "assign"),
        command_binding("U", "urgent", "rooms task.urgent", "urgent"),
        command_binding("t", "retitle", "rooms task.title", "title", show=False),
        command_binding("d", "due", "rooms task.due", "due", show=False),
        command_binding("w", "waits", "rooms task.block", "waits for", show=False),
        command_binding("S", "subtask", "rooms task.subtask", "add subtask", show=False),
        command_binding("b", "begin", "rooms task.start", "begin", show=False),
    ]

    @property
    def room(self) -> RoomRow | None:
        """The room under the cursor."""
        raise NotImplementedError

    @property
    def tasks(self) -> LiveTable:
        """The table of tasks."""
        raise NotImplementedError

    @property
    def contents(self) -> Json:
        """The room, as `rooms show` has it; None while it is not known."""
        raise NotImplementedError

    @property
    def chosen(self) -> Object | None:
        """The task under the cursor, as the room's document has it."""
        raise NotImplementedError

    def hinted(self, words: tuple[str, ...], verb: str) -> tuple[str, ...]:
        """What is said where nothing is, ending in the key that helps."""
        return (*words, f"{self.keys.named('rooms task.add', 'a')} {verb} one")

    def do(self, command: str, args: Args) -> None:
        """Runs a command."""
        self.run_worker(self.actions.run(command, [args]), group="action")

    def _subject(self) -> tuple[RoomRow, Object] | None:
        """The room and the task under the cursor; says so where there is none or nothing may change."""
        room, task = self.room, self.chosen
        if room is None or task is None:
            self.actions.refuse("no task here: " + self.hinted((), "adds")[0])
            return None
        return (room, task) if self.actions.allowed("rooms task") else None

    def _change(self, verb: str, **more: str) -> None:
        """Changes the task under the cursor."""
        subject = self._subject()
        if subject is not None:
            room, task = subject
            self.do("rooms task", {"room": room.room, verb: str(task.get("id")), **more})

    # --- keys -------------------------------------------------------------------------------------------------------

    def action_add(self) -> None:
        """Adds a task."""
        from console.ui.screens.tasks import AddTaskScreen

        if self.room is not None and self.actions.allowed("rooms task"):
            self.app.push_screen(AddTaskScreen(self.actions, self.room.room, self.contents))

    def action_subtask(self) -> None:
        """Adds a part of the task under the cursor."""
        from console.ui.screens.tasks import AddTaskScreen

        subject = self._subject()
        if subject is not None:
            room, task = subject
            self.app.push_screen(AddTaskScreen(self.actions, room.room, self.contents, under=task))

    def action_edit(self) -> None:
        """Opens everything about the task that can be changed."""
        from console.ui.screens.tasks import EditTaskScreen

        subject = self._subject()
        if subject is not None:
            room, task = subject
            self.app.push_screen(EditTaskScreen(self.actions, room.room, task, self.contents))

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

    def action_retitle(self) -> None:
        """Changes the title where it stands."""
        from console.ui.screens.in_place import InPlaceScreen

        subject, cell = self._subject(), self.tasks.cell_of("title")
        if subject is None or cell is None:
            return
        before = text(subject[1], "title", limit=2_000).strip()

        def take(title: str | None) -> None:
            if title and title != before:
                self._change("title", text=title)

        self.app.push_screen(InPlaceScreen(cell, before), take)

    def action_due(self) -> None:
        """Changes the time where it stands, and says meanwhile what is meant."""
        from console.ui.screens.in_place import InPlaceScreen

        subject = self._subject()
        cell = self.tasks.cell_of("due") or self.tasks.cell_of("title")
        if subject is None or cell is None:
            return

        def take(typed: str | None) -> None:
            if typed:
                self._change("due", text="" if typed == NEVER else typed)

        def tell(typed: str) -> str:
            return moment(typed, self.desk.now_ms())

        self.app.push_screen(InPlaceScreen(cell, "", hint=f"2h  3d  tomorrow 9:00  {NEVER}", tell=tell), take)

    def action_waits(self) -> None:
        """Opens the list of tasks for which this one may wait."""
        from console.ui.screens.waits import WaitsScreen

        subject = self._subject()
        if subject is None:
            return
        room, task = subject
        key, before = str(task.get("id")), frozenset(texts(task, "blockedBy"))

        def take(answer: frozenset[str] | None) -> None:
            changes = () if answer is None else (("block", answer - before), ("unblock", before - answer))
            for verb, others in changes:
                if others:
                    self.do("rooms task", {"room": room.room, verb: key, "on": sorted(others)})

        self.app.push_screen(WaitsScreen(self.contents, key, before), take)

    def action_auto_assign(self) -> None:
        """Shows who would get which free task, and asks."""
        room = self.room
        if room is not None and self.actions.allowed("rooms task"):
            self.run_worker(self._auto_assign(room.room), group="action")

    async def _auto_assign(self, room: str) -> None:
        from console.ui.screens.auto_assign import AutoAssignScreen

        args = {"room": room, "auto_assign": "true"}
        preview = await self.desk.ask("rooms task", {**args, "preview": "true"})
        if not preview.ok:
            self.actions.refuse(preview.fault.line if preview.fault else "no preview")
            return
        accepted: bool = await self.app.push_screen_wait(AutoAssignScreen(preview.value))
        if accepted:
            await self.actions.run("rooms task", [args])
