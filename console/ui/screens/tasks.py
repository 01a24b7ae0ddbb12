"""Dialogs about rooms and tasks: a new room, a new task, changes of one, and who would get the free ones."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from console.client import Args, Json
from console.ui.actions import Actions
from console.ui.screens.form import Box, Element, Field, FormScreen, Note
from console.ui.sheet import fit
from console.ui.text.documents import Object, integer, objects, text
from console.ui.text.rooms import members_by_key
from runtime.errors import UsageError

__all__ = ["AddTaskScreen", "AutoAssignScreen", "EditTaskScreen", "NewRoomScreen"]


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


class AddTaskScreen(FormScreen):
    """A new task, in the words of the `/task` line that it becomes.

    Args:
        actions: runs it.
        room: id of the room.
        document: the room, as `rooms show` has it.
    """

    TITLE = "New task"
    GO = "Add"

    def __init__(self, actions: Actions, room: str, document: Json) -> None:
        super().__init__(actions)
        self._room = room
        self._room_name = text(document, "name", limit=64) or room

    def fields(self) -> Iterable[Element]:
        """What a `/task` line can say."""
        yield Field(name="title", label="Title", hint="what is to be done")
        yield Field(name="due", label="Due", hint="2h   3d   tomorrow 9:00   2026-12-01 14:00")
        yield Note(name="when", text="")
        yield Field(name="description", label="Details")
        yield Field(name="subtasks", label="Subtasks", hint="separated by commas")
        yield Box(name="urgent", label="urgent")

    def words(self) -> list[str]:
        """`rooms task ROOM --add LINE`."""
        return ["rooms", "task", self._room_name, "--add", self._line()]

    def _line(self) -> str:
        parts = [self.value("title")]
        for name, word in (("subtasks", "split into"), ("due", "due"), ("description", "desc")):
            if self.value(name):
                parts.append(f"{word}: {self.value(name)}")
        return " | ".join([*parts, *(["urgent"] if self.ticked("urgent") else [])])

    def changed(self, name: str) -> None:
        """The time that `due` means is shown while it is typed."""
        if name == "due":
            self.note("when", _moment(self.value("due"), self.actions.desk.now_ms()))

    async def carry_out(self) -> str:
        """A bar would end the title where nobody sees it."""
        if not self.value("title"):
            return "a task needs a title"
        if any("|" in self.value(name) for name in ("title", "due", "description", "subtasks")):
            return "| divides the parts of a /task line and cannot be in one of them"
        return await super().carry_out()


class EditTaskScreen(FormScreen):
    """Changes of a task; only what is different is sent.

    Args:
        actions: runs them.
        room: id of the room.
        task: as the room's document has it.
        document: the room.
    """

    TITLE = "Edit task"
    GO = "Change"

    def __init__(self, actions: Actions, room: str, task: Object, document: Json) -> None:
        super().__init__(actions)
        self._room = room
        self._edited = task
        self._names = members_by_key(document)
        self._title = text(task, "title", limit=2_000)
        self._about = text(task, "description", limit=4_000)
        self._member = self._names.get(str(task.get("assignee")), text(task, "assignee", limit=80))

    def fields(self) -> Iterable[Element]:
        """Title, time, member, details."""
        yield Field(name="title", label="Title", value=self._title)
        yield Field(name="due", label="Due", hint=_due_hint(integer(self._edited, "dueAt")))
        yield Note(name="when", text="")
        yield Field(name="member", label="Member", value=self._member, hint=", ".join(self._names.values()) or "nobody")
        yield Field(name="details", label="Details", value=self._about)

    def calls(self) -> list[Args]:
        """The arguments of one `rooms task` for each change."""
        task = str(self._edited.get("id"))
        calls: list[Args] = []
        if self.value("title") != self._title.strip():
            calls.append({"room": self._room, "title": task, "text": self.value("title")})
        if self.value("due"):
            calls.append({"room": self._room, "due": task, "text": self.value("due")})
        if self.value("details") != self._about.strip():
            calls.append({"room": self._room, "describe": task, "text": self.value("details")})
        if self.value("member") != self._member.strip():
            member = self.value("member")
            calls.append({"room": self._room, "assign": task, **({"to": member} if member else {})})
        return calls

    def words(self) -> list[str]:
        """The first of the command lines."""
        calls = self.calls()
        if not calls:
            return []
        words = ["rooms", "task", str(calls[0]["room"])]
        for name, value in calls[0].items():
            if name != "room":
                words += [f"--{name}", str(value)]
        return words

    def changed(self, name: str) -> None:
        """The time that `due` means is shown while it is typed."""
        if name == "due":
            self.note("when", _moment(self.value("due"), self.actions.desk.now_ms()))

    async def carry_out(self) -> str:
        """Sends the changes one by one; stops at the first that is refused."""
        for args in self.calls():
            results = await self.actions.run("rooms task", [args], quiet=True)
            bad = next((result for result in results if not result.ok), None)
            if bad is not None:
                return bad.fault.line if bad.fault else "it failed"
        return ""


class AutoAssignScreen(ModalScreen[bool]):
    """Who would get which task; `enter` on the button that has the focus at first cancels.

    Args:
        preview: the answer of `rooms task --auto-assign --preview`.
    """

    AUTO_FOCUS: ClassVar[str | None] = "#cancel"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel", id="ui.assign-cancel"),
        Binding("left,h", "app.focus_previous", "Previous button", show=False, id="ui.assign-previous"),
        Binding("right,l", "app.focus_next", "Next button", show=False, id="ui.assign-next"),
    ]

    def __init__(self, preview: Json) -> None:
        super().__init__(classes="dialog")
        self._lines = [_assignment(each) for each in objects(preview, "preview")]

    def compose(self) -> ComposeResult:
        """The box."""
        with VerticalScroll(classes="box", can_focus=False) as box:
            count = len(self._lines)
            box.border_title = f"Assign {count} task{'' if count == 1 else 's'}"
            if not count:
                yield Static("No task is free: pending, assigned to nobody and waiting for nothing.", markup=False)
            for each in self._lines[:20]:
                yield Static(each, markup=False)
            if count > 20:  # noqa: PLR2004 - as many as fit
                yield Static(f"  and {count - 20} more", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Cancel", id="cancel")
                if count:
                    yield Button(f"Assign {count}", id="go", classes="go")

    @on(Button.Pressed, "#go")
    def _go(self) -> None:
        self.dismiss(result=True)

    @on(Button.Pressed, "#cancel")
    def action_cancel(self) -> None:
        """Does nothing."""
        self.dismiss(result=False)


def _assignment(each: Object) -> str:
    member = text(each, "name", limit=30) or text(each, "assignee", limit=9)
    return f"  {fit(text(each, 'title', limit=60), 44)} → {member}"


def _moment(typed: str, now_ms: int) -> str:
    """When `due` is, in words; what is wrong with it; or nothing."""
    if not typed:
        return ""
    from runtime.rooms.slash import parse_due

    try:
        due = parse_due(typed, now_ms)
    except UsageError as error:
        return f"  {error.why}"
    return f"  {datetime.fromtimestamp(due / 1000, UTC):%a %d %b %Y %H:%M} UTC"


def _due_hint(due_ms: int | None) -> str:
    if due_ms is None:
        return "2h   3d   tomorrow 9:00"
    return f"now {datetime.fromtimestamp(due_ms / 1000, UTC):%a %d %b %H:%M} UTC; 2h   3d   tomorrow 9:00"
