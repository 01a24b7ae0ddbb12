"""What `agents trust` and `agents trusted` do: whose signatures a room believes."""

import asyncio
from typing import TYPE_CHECKING

from console.call import Call
from console.client import Json, Result
from runtime.agents.signature import read_public_key
from runtime.agents.trusted_keys import EVERYWHERE
from runtime.errors import RefusedError, UsageError
from runtime.sanitise import clean

if TYPE_CHECKING:
    from console.core import Core

__all__ = ["trust", "trusted"]

_NOTE_CHARACTERS = 200


async def trust(core: "Core", call: Call) -> Result:
    """`agents trust`: uploads that the key signed are taken; with `--remove`, no more, and what it signed stops."""
    key = read_public_key(call.need("key"))
    room = await _room(core, call)
    if not call.flag("remove"):
        note = clean(call.text("note") or "", _NOTE_CHARACTERS)
        stored = await core.modules.keys.trust(EVERYWHERE if room is None else room, key, note)
        value: dict[str, Json] = {"v": 1, "key": key, "room": room, "note": stored.note, "trusted": True}
        return Result(ok=True, value=value)
    if call.text("note") is not None:
        raise UsageError("--note is for a key that is trusted, not for one that is removed")
    await core.modules.keys.distrust(room, key)
    stopped = await _stop_unvouched(core, room)
    return Result(ok=True, value={"v": 1, "key": key, "room": room, "trusted": False, "stopped": stopped})


async def trusted(core: "Core", call: Call) -> Result:
    """`agents trusted`: the keys of all rooms, or those that hold in one."""
    names = {info.room: info.name for info in await asyncio.to_thread(core.rooms.list)}
    items: list[Json] = [
        {
            "key": one.key,
            "room": one.room or None,
            "room_name": names.get(one.room, ""),
            "note": one.note,
            "added_ms": one.added_ms,
        }
        for one in await core.modules.keys.list(await _room(core, call))
    ]
    return Result(ok=True, value={"v": 1, "items": items})


async def _room(core: "Core", call: Call) -> str | None:
    named = call.text("room")
    return None if named is None else await asyncio.to_thread(core.rooms.resolve, named)


async def _stop_unvouched(core: "Core", room: str | None) -> list[Json]:
    """Stops the agents for which nobody vouches any more; they do not start again by themselves."""
    stopped: list[Json] = []
    for record in await core.modules.list(room):
        if not record.active:
            continue
        try:
            await core.modules.vouched(record)
        except RefusedError:
            await core.agents.deactivate(record.key)
            stopped.append({"room": record.key.room, "agent": record.key.agent})
    return stopped
