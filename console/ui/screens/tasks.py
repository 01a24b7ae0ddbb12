"""The task editor: a new task, and changes of one, with all that a task has."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.widgets import Input

from console.client import Args, Json
from console.registry import COMMANDS
from console.ui.actions import Actions
from console.ui.screens.form import Box, Choose, Element, Field, FormScreen, Note, Several
from console.ui.spelling import command_line
from console.ui.text.documents import Object, flag, integer, objects, text, texts
from console.ui.text.due import AS_TYPED, HINT, NEVER, QUICK, moment, stands
from console.ui.text.tasks import members_by_key
from console.ui.text.whom import member_names, reference_of, whom
from console.ui.widgets.chosen import Chosen
from console.ui.widgets.pick import Pick

__all__ = ["AddTaskScreen", "EditTaskScreen"]

_STATUS = {"open": ("pending", "reopen"), "doing": ("in_progress", "start"), "done": ("completed", "done")}
"""Word on the screen → status and the verb that sets it."""

_NAMED = 3
"""Tasks that are named where it is said what one waits for."""


class TaskScreen(FormScreen):
    """What both dialogs share: previews of time and member, quick picks, and the list of what is waited for.

    Args:
        actions: runs the commands.
        room: id of the room.
        document: the room, as `rooms show` has it.
        task: the one that is changed; None for a new one.
    """

    QUICK: ClassVar[tuple[str, ...]] = QUICK

    def __init__(self, actions: Actions, room: str, document: Json, task: Object | None = None) -> None:
        super().__init__(actions)
        self.room = room
        self.document = document
        self.task_id = "" if task is None else str(task.get("id"))
        self.waits = frozenset() if task is None else frozenset(texts(task, "blockedBy"))

    def calls(self) -> list[Args]:
        """The arguments of each `rooms task` that the fields make, in the order in which they are run."""
        raise NotImplementedError

    def words(self) -> list[str]:
        """Not used: what is run is made of `calls`, since a title may look like an option."""
        return []

    def equivalent(self) -> str:
        """The first of the command lines, and how many follow."""
        calls = self.calls()
        if not calls:
            return ""
        more = f"   (and {len(calls) - 1} more)" if len(calls) > 1 else ""
        named = {**calls[0], "room": text(self.document, "name", limit=64) or self.room}
        return command_line(COMMANDS["rooms task"], named) + more

    def changed(self, name: str) -> None:
        """What `due` means and who is meant are said while they are typed; a pick is typed by itself."""
        if name == "quick" and self.chosen("quick") != AS_TYPED:
            self.query_one("#due", Input).value = self.chosen("quick")
        elif name == "due":
            pick = self.query_one("#quick", Pick)
            if pick.chosen not in {AS_TYPED, self.value("due")}:
                pick.place = 0
            self.note("when", self._indented(moment(self.value("due"), self.actions.desk.now_ms())))
        elif name == "member":
            self.note("whom", self._indented(whom(self.document, self.value("member"))))

    def _indented(self, words: str) -> str:
        return f"             {words}" if words else ""

    def asked(self, name: str) -> None:  # noqa: ARG002 - there is one list
        """Opens the list of tasks that may be waited for."""
        from console.ui.screens.waits import WaitsScreen

        self.app.push_screen(WaitsScreen(self.document, self.task_id, self.waits), self._waits_for)

    def _waits_for(self, chosen: frozenset[str] | None) -> None:
        if chosen is not None:
            self.waits = chosen
            self.query_one("#waits", Chosen).words = self.waited()
            self.preview()

    def waited(self) -> str:
        """What it waits for, in words."""
        titles = [text(each, "title", limit=30) for each in objects(self.document, "tasks") if each["id"] in self.waits]
        more = f" and {len(titles) - _NAMED} more" if len(titles) > _NAMED else ""
        return ", ".join(titles[:_NAMED]) + more or "nothing"

    async def carry_out(self) -> str:
        """Runs the commands one by one; stops at the first that is refused."""
        for args in self.calls():
            results = await self.actions.run("rooms task", [args], quiet=True)
            bad = next((result for result in results if not result.ok), None)
            if bad is not None:
                return bad.fault.line if bad.fault else "it failed"
        return ""


class AddTaskScreen(TaskScreen):
    """A new task.

    Args:
        actions: runs it.
        room: id of the room.
        document: the room, as `rooms show` has it.
        under: the task of which it becomes a part; None for a task of its own.
    """

    TITLE = "New task"
    GO = "Add"

    def __init__(self, actions: Actions, room: str, document: Json, under: Object | None = None) -> None:
        super().__init__(actions, room, document)
        self._under = under

    def fields(self) -> Iterable[Element]:
        """All that a task has."""
        names = member_names(self.document)
        if self._under is not None:
            yield Note(name="under", text=f"a part of: {text(self._under, 'title', limit=60)}")
        yield Field(name="title", label="Title", hint="what is to be done")
        yield Field(name="due", label="Due", hint=HINT)
        yield Choose(name="quick", label="", choices=self.QUICK)
        yield Note(name="when", text="")
        yield Field(name="member", label="Assignee", hint=", ".join(names), known=names)
        yield Note(name="whom", text="")
        yield Several(name="waits", label="Waits for", words="nothing")
        yield Field(name="description", label="Details")
        yield Field(name="subtasks", label="Subtasks", hint="separated by commas")
        yield Box(name="urgent", label="urgent")

    def calls(self) -> list[Args]:
        """One `rooms task ROOM --add LINE …`."""
        args: dict[str, str | Sequence[str]] = {"room": self.room, "add": self._line()}
        if self.value("member"):
            args["to"] = reference_of(self.document, self.value("member"))
        if self.waits:
            args["on"] = sorted(self.waits)
        if self._under is not None:
            args["under"] = str(self._under.get("id"))
        return [args]

    def _line(self) -> str:
        parts = [self.value("title")]
        for name, word in (("subtasks", "split into"), ("due", "due"), ("description", "desc")):
            if self.value(name):
                parts.append(f"{word}: {self.value(name)}")
        return " | ".join([*parts, *(["urgent"] if self.ticked("urgent") else [])])

    async def carry_out(self) -> str:
        """A bar would end the title where nobody sees it."""
        if not self.value("title"):
            return "a task needs a title"
        if any("|" in self.value(name) for name in ("title", "due", "description", "subtasks")):
            return "| divides the parts of a /task line and cannot be in one of them"
        return await super().carry_out()


class EditTaskScreen(TaskScreen):
    """Changes of a task; only what is different is sent.

    Args:
        actions: runs them.
        room: id of the room.
        task: as the room's document has it.
        document: the room.
    """

    TITLE = "Edit task"
    GO = "Change"
    QUICK = (AS_TYPED, NEVER, *QUICK[1:])

    def __init__(self, actions: Actions, room: str, task: Object, document: Json) -> None:
        super().__init__(actions, room, document, task)
        self._edited = task
        self._waited = self.waits
        self._title = text(task, "title", limit=2_000).strip()
        self._about = text(task, "description", limit=16_384).strip()
        key = text(task, "assignee", limit=80)
        self._member = members_by_key(document).get(key, key).strip()
        status = text(task, "status")
        self._status = next((word for word, (name, _) in _STATUS.items() if name == status), "open")

    def fields(self) -> Iterable[Element]:
        """All that a task has."""
        names = member_names(self.document)
        due_ms = integer(self._edited, "dueAt")
        now = "" if due_ms is None else f"now {stands(due_ms, self.actions.desk.now_ms())}"
        yield Field(name="title", label="Title", value=self._title)
        yield Choose(name="status", label="Status", choices=tuple(_STATUS), chosen=self._status)
        yield Field(name="due", label="Due", hint=now or HINT)
        yield Choose(name="quick", label="", choices=self.QUICK)
        yield Note(name="when", text="")
        yield Field(name="member", label="Assignee", value=self._member, hint=", ".join(names) or "nobody", known=names)
        yield Note(name="whom", text="")
        yield Several(name="waits", label="Waits for", words=self.waited())
        yield Field(name="details", label="Details", value=self._about)
        yield Field(name="subtasks", label="Subtasks", hint="new ones, separated by commas")
        yield Box(name="urgent", label="urgent", ticked=bool(flag(self._edited, "urgent")))

    def calls(self) -> list[Args]:
        """One `rooms task` for each change; its status last, since who is assigned begins."""
        task = self.task_id
        calls: list[dict[str, str | Sequence[str]]] = []
        if self.value("title") != self._title:
            calls.append({"title": task, "text": self.value("title")})
        if self.value("due"):
            calls.append({"due": task, "text": "" if self.value("due") == NEVER else self.value("due")})
        if self.value("details") != self._about:
            calls.append({"describe": task, "text": self.value("details")})
        if added := sorted(self.waits - self._waited):
            calls.append({"block": task, "on": added})
        if gone := sorted(self._waited - self.waits):
            calls.append({"unblock": task, "on": gone})
        if self.ticked("urgent") != bool(flag(self._edited, "urgent")):
            calls.append({"urgent": task} if self.ticked("urgent") else {"urgent": task, "off": "true"})
        calls += [{"add": sub, "under": task} for part in self.value("subtasks").split(",") if (sub := part.strip())]
        if self.value("member") != self._member:
            member = self.value("member")
            to = {"to": reference_of(self.document, member)} if member else {}
            calls.append({"assign": task, **to})
        if self.chosen("status") != self._status:
            calls.append({_STATUS[self.chosen("status")][1]: task})
        return [{"room": self.room, **call} for call in calls]

    async def carry_out(self) -> str:
        """A bar would end the title of a subtask where nobody sees it."""
        if "|" in self.value("subtasks"):
            return "| divides the parts of a /task line and cannot be in the title of a subtask"
        return await super().carry_out()
