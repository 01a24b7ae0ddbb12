"""What `rooms task` does, and what a `/task` line said in a room does: requests become drafts, the room judges them."""

import asyncio
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from console.call import Call
from console.client import Fault, Json, Result
from runtime.errors import UsageError
from runtime.rooms import slash
from runtime.rooms.drafts import SubmitResult, TaskDraft, new_task_id
from runtime.rooms.tasks import Task
from runtime.rooms.view import RoomView

if TYPE_CHECKING:
    from console.core import Core

__all__ = ["slash_line", "submitted", "task"]

_ACTIONS: Final = (
    "add", "start", "done", "reopen", "assign", "urgent", "title", "describe", "due", "block", "unblock", "auto_assign",
)  # fmt: skip
_STATUS: Final = {"start": "in_progress", "done": "completed", "reopen": "pending"}
_NEEDS: Final = {"title": "text", "describe": "text", "due": "text", "block": "on", "unblock": "on"}


async def task(core: "Core", call: Call) -> Result:
    """`rooms task`: exactly one change, or the whole plan of auto-assign."""
    room = await asyncio.to_thread(core.rooms.resolve, call.need("room"))
    given = [name for name in _ACTIONS if name in call.args]
    if len(given) != 1:
        options = ", ".join("--" + name.replace("_", "-") for name in _ACTIONS)
        why = "say what to do" if not given else "only one thing at a time"
        raise UsageError(why, hint=f"one of {options}")
    if given == ["auto_assign"]:
        return await _auto_assign(core, call, room)
    view = await asyncio.to_thread(core.rooms.state, room)
    if given == ["add"]:
        return await slash_line(core, room, f"/task {call.need('add')}", _placed(call, view))
    drafts = [_draft(call, given[0], view, core.clock.wall_ms())]
    return await submitted(core, call, room, drafts)


async def slash_line(core: "Core", room: str, line: str, placed: Mapping[str, Json] = MappingProxyType({})) -> Result:
    """Adds what a `/task` line describes.

    Args:
        core: where.
        room: the room's id.
        line: begins with `/task`.
        placed: what such a line cannot say of the task: `assignee`, `blockedBy`, `parentId`.

    Raises:
        UsageError: it describes no task.
    """
    first, *subtasks = slash.drafts(slash.parse(line, core.clock.wall_ms()), new_task_id)
    kind = "subtask_created" if "parentId" in placed else first.type
    drafts = [TaskDraft(kind, first.task_id, {**(first.task or {}), **placed}), *subtasks]
    return await submitted(core, None, room, drafts)


def _placed(call: Call, view: RoomView) -> dict[str, Json]:
    """Who does a new task, what it waits for, and of what it is a part."""
    to, under = call.text("to"), call.text("under")
    waits: list[Json] = [view.resolve_task(other) for other in call.many("on")]
    placed: dict[str, Json] = {}
    if to:
        placed["assignee"] = view.resolve_member(to).identity_key
    if waits:
        placed["blockedBy"] = waits
    if under:
        placed["parentId"] = view.resolve_task(under)
    return placed


def _draft(call: Call, action: str, view: RoomView, now_ms: int) -> TaskDraft:
    needed = _NEEDS.get(action)
    if needed is not None and not call.many(needed):
        raise UsageError(f"--{action} needs --{needed}")
    subject = view.tasks[view.resolve_task(call.need(action))]
    kind, payload = "task_updated", dict[str, Json]()
    match action:
        case "assign":
            to = call.text("to")
            kind, payload = "task_assigned", {"assignee": view.resolve_member(to).identity_key if to else None}
        case "urgent":
            kind, payload = "task_urgency_changed", {"urgent": not call.flag("off")}
        case "block" | "unblock":
            kind = "task_dependencies_changed"
            others = [view.resolve_task(other) for other in call.many("on")]
            payload = {"blockedBy": _waits(subject, others, blocks=action == "block")}
        case "title":
            payload = {"title": call.need("text")}
        case "describe":
            payload = {"description": call.need("text") or None}
        case "due":
            text = call.need("text")
            payload = {"dueAt": slash.parse_due(text, now_ms) if text else None}
        case _:
            kind, payload = "task_status_changed", {"status": _STATUS[action]}
    return TaskDraft(kind, subject.id, payload)


def _waits(subject: Task, others: Sequence[str], *, blocks: bool) -> list[Json]:
    """What a task waits for, with other ones or without them."""
    before: list[Json] = [key for key in subject.blocked_by or () if key not in others]
    return [*before, *others] if blocks else before


async def _auto_assign(core: "Core", call: Call, room: str) -> Result:
    view = await asyncio.to_thread(core.rooms.state, room)
    assignments = view.auto_assign(core.clock.wall_ms())
    if call.flag("preview"):
        names = {member.identity_key: member.display_name for member in view.members}
        preview: list[Json] = [
            {
                "task": one.task_id,
                "title": view.tasks[one.task_id].title,
                "assignee": one.assignee,
                "name": names.get(one.assignee, ""),
            }
            for one in assignments
        ]
        return Result(ok=True, value={"v": 1, "room": room, "changed": [], "rejected": [], "preview": preview})
    drafts = [TaskDraft("task_assigned", one.task_id, {"assignee": one.assignee}) for one in assignments]
    return await submitted(core, call, room, drafts)


async def submitted(core: "Core", call: Call | None, room: str, drafts: Sequence[TaskDraft]) -> Result:
    """What the room made of drafts; a change that was rejected did not happen.

    Args:
        core: where.
        call: what asked for them; None for a line that was said in the room.
        room: its id.
        drafts: in order.
    """
    done = await asyncio.wrap_future(core.rooms.submit(room, drafts)) if drafts else SubmitResult()
    value: dict[str, Json] = {
        "v": 1,
        "room": room,
        "changed": list(dict.fromkeys(event.task_id for event in done.admitted)),
        "rejected": [{"task": one.draft.task_id, "reason": one.reason} for one in done.rejected],
    }
    if not done.rejected:
        return Result(ok=True, value=value)
    what = call.command if call is not None else "rooms task"
    return Result(ok=False, value=value, fault=Fault("refused", done.rejected[0].reason, what))
