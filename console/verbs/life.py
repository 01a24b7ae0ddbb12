"""What `rooms undo|set|keep|reclock|burn` do."""

import asyncio
from typing import TYPE_CHECKING, Final

from console.call import Call
from console.client import Json, Result
from console.commands import Command
from console.registry import COMMANDS
from console.verbs.tasks import submitted
from console.verbs.values import number, pairs
from runtime.errors import UsageError
from runtime.rooms.autodelete import deletion_ms
from runtime.rooms.undo import undo_in

if TYPE_CHECKING:
    from console.core import Core

__all__ = ["burn", "keep", "reclock", "set_settings", "undo"]

_KEEP: Final[Command] = COMMANDS["rooms keep"]
_SWITCHES: Final = {"on": True, "off": False}


async def undo(core: "Core", call: Call) -> Result:
    """`rooms undo`: the inverse of one's own last change, submitted like any other."""
    room = await _named(core, call)
    me = core.rooms.self_key
    found = await asyncio.to_thread(core.rooms.look, room, lambda replica: undo_in(replica, me))
    result = await submitted(core, call, room, found.drafts)
    if isinstance(result.value, dict):
        result.value["fields"] = list(found.fields)
    return result


async def set_settings(core: "Core", call: Call) -> Result:
    """`rooms set`."""
    room = await _named(core, call)
    changes: dict[str, str | bool] = {
        name: _SWITCHES.get(value, value) for name, value in pairs(call.many("setting"), "setting")
    }
    if "invite" in changes:
        raise UsageError("an invitation is not set by hand", where="invite", hint="orlop rooms invite makes one")
    await asyncio.wrap_future(core.rooms.set(room, **changes))
    return await _settings(core, room)


async def keep(core: "Core", call: Call) -> Result:
    """`rooms keep`."""
    room = await _named(core, call)
    duration_ms = number(_KEEP, call.args, "duration")
    until_ms = None if duration_ms is None else core.clock.wall_ms() + duration_ms
    await asyncio.wrap_future(core.rooms.keep(room, until_ms))
    return await _settings(core, room)


async def reclock(core: "Core", call: Call) -> Result:
    """`rooms reclock`."""
    room = await _named(core, call)
    until_ms = await asyncio.wrap_future(core.rooms.reclock(room))
    return Result(ok=True, value={"v": 1, "room": room, "until_ms": until_ms})


async def burn(core: "Core", call: Call) -> Result:
    """`rooms burn`: returns when no byte of it is left."""
    room = await _named(core, call)
    done = await core.life.burn(room, "operator")
    return Result(ok=True, value={"v": 1, "room": room, "burned": True, "modules": len(done.modules)})


async def _settings(core: "Core", room: str) -> Result:
    settings = await asyncio.to_thread(core.rooms.settings, room)
    view = await asyncio.to_thread(core.rooms.state, room)
    value: dict[str, Json] = {
        "v": 1,
        "room": room,
        "name": view.name,
        "auto_delete": settings.auto_delete,
        "history": settings.history,
        "require_signed": settings.require_signed,
        "ephemeral": settings.ephemeral,
        "admission": settings.admission,
        "deletes_ms": deletion_ms(view.tasks.values(), auto_delete=settings.auto_delete, keep=settings.keep),
    }
    return Result(ok=True, value=value)


async def _named(core: "Core", call: Call) -> str:
    return await asyncio.to_thread(core.rooms.resolve, call.need("room"))
