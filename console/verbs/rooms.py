"""What `rooms …` does."""

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING

from console.call import Call
from console.client import Json, Result
from console.verbs.sharing import meet_at, member_json, rotated
from console.verbs.tasks import slash_line
from runtime.errors import UsageError
from runtime.rooms.derived import is_blocked
from runtime.rooms.listing import ORDERS, listed
from runtime.rooms.settings import Admission, History
from runtime.rooms.slash import COMMANDS, command_of
from runtime.rooms.tasks import Task, task_to_json
from runtime.rooms.view import RoomView

if TYPE_CHECKING:
    from console.core import Core

__all__ = ["create", "list_rooms", "say", "show", "tasks"]


async def create(core: "Core", call: Call) -> Result:
    """`rooms create`; with `--with-demo` it is filled before this returns."""
    relay = call.text("relay")
    if relay is not None:
        from net.rooms.address import relay_address

        relay = relay_address(relay)  # before anything is made
    admission: Admission = "open" if call.flag("open") else "invite"
    history: History = "all" if call.text("history") == "all" else "joined"
    ephemeral = call.flag("ephemeral")
    made = core.rooms.create(call.need("name"), history=history, admission=admission, ephemeral=ephemeral)
    info = await asyncio.wrap_future(made)
    if relay is not None:
        await meet_at(core, info.room, relay)
    if call.args.get("with_demo") == "true":
        from console.demo import fill

        await fill(core, info.room)
    return Result(ok=True, value={"v": 1, "room": info.room, "name": info.name})


async def list_rooms(core: "Core", _call: Call) -> Result:
    """`rooms list`: the rows of the snapshot."""
    snapshot = await core.snapshot(("rooms",))
    return Result(ok=True, value={"v": 1, "items": snapshot.topics["rooms"]})


async def show(core: "Core", call: Call) -> Result:
    """`rooms show`: progress, members, tasks, latest messages."""
    view = await _view(core, call)
    progress = view.progress
    roster = await asyncio.to_thread(core.rooms.roster, view.room)
    names = {key: one.card.shown_name for key, one in roster.everybody.items()}
    names |= {member.identity_key: member.display_name for member in view.members}
    here = {member.identity_key for member in view.members}
    value: dict[str, Json] = {
        "v": 1,
        "room": view.room,
        "name": view.name,
        "created_ms": view.created_ms,
        "progress": {
            "total": progress.total,
            "completed": progress.completed,
            "inProgress": progress.in_progress,
            "pending": progress.pending,
            "blocked": progress.blocked,
        },
        "members": [member_json(core, view.room, one) for one in view.members],
        "former": [{"identityKey": key, "displayName": name} for key, name in names.items() if key not in here],
        "link": _link(core, view.room),
        "tasks": _tasks(view, view.tasks.values()),
        "messages": [
            {
                "id": one.id,
                "author": one.author,
                "name": names.get(one.author, ""),
                "ts_ms": one.ts_ms,
                "text": one.text,
            }
            for one in view.messages
        ],
    }
    return Result(ok=True, value=value)


async def tasks(core: "Core", call: Call) -> Result:
    """`rooms tasks`: those that are looked for, in the order that is asked for.

    Raises:
        UsageError: only the open ones, and only the done ones.
    """
    if call.flag("open") and call.flag("done"):
        raise UsageError("--open and --done leave nothing", hint="give one of them")
    view = await _view(core, call)
    sort = call.text("sort")
    found = listed(
        view.tasks.values(),
        search=call.text("search") or "",
        order=ORDERS[sort] if sort else None,
        status="open" if call.flag("open") else "done" if call.flag("done") else "",
    )
    return Result(ok=True, value={"v": 1, "items": _tasks(view, found)})


async def say(core: "Core", call: Call) -> Result:
    """`rooms say`: a message, or what a slash command does."""
    room = await asyncio.to_thread(core.rooms.resolve, call.need("room"))
    text = call.need("text")
    match command_of(text):
        case "/task":
            return await slash_line(core, room, text)
        case "/rotate":
            return await rotated(core, room)
        case "/help":
            help_items: list[Json] = [{"command": name, "does": does} for name, does in COMMANDS.items()]
            return Result(ok=True, value={"v": 1, "room": room, "help": help_items})
        case "/burn":
            raise UsageError("is asked for by the room's name first", where="/burn", hint="orlop rooms burn ROOM")
        case _:
            pass
    message = await asyncio.wrap_future(core.rooms.say(room, text))
    return Result(ok=True, value={"v": 1, "room": room, "message": message.id})


async def _view(core: "Core", call: Call) -> RoomView:
    """The room that is named. A thread looks: the first look reads the whole log."""
    rooms, named = core.rooms, call.need("room")

    def look() -> RoomView:
        return rooms.state(rooms.resolve(named))

    return await asyncio.to_thread(look)


def _link(core: "Core", room: str) -> Json:
    """The way to the others; null for a room without one, or where no owner runs."""
    status = core.online.status(room)
    if status is None:
        return None
    missing: list[Json] = [*sorted(status.reestablishing)]
    return {"state": status.link, "problem": status.problem, "reestablishing": missing}


def _tasks(view: RoomView, tasks: Iterable[Task]) -> list[Json]:
    return [
        {**task_to_json(one), "blocked": is_blocked(one, view.tasks), "progress": view.subtask_progress.get(one.id)}
        for one in tasks
    ]
