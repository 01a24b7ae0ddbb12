"""What `agents …` does to agents that are there."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from console.call import Call
from console.client import Fault, Json, Result
from runtime.agents.keys import AgentKey
from runtime.agents.manifest import Permission
from runtime.agents.rows import agent_document, log_items
from runtime.agents.statistics import read_history
from runtime.agents.uploads import names
from runtime.errors import UsageError
from runtime.sanitise import clean

if TYPE_CHECKING:
    from console.core import Core

__all__ = [
    "activate",
    "deactivate",
    "delete",
    "find_agent",
    "grant",
    "list_agents",
    "logs",
    "permissions",
    "probe",
    "show",
]


async def list_agents(core: "Core", call: Call) -> Result:
    """`agents list`: rows, by room and name."""
    room = await _room(core, call)
    rows = (await core.snapshot(("agents",))).topics["agents"]
    found = rows if isinstance(rows, Sequence) and not isinstance(rows, str) else ()
    items = [row for row in found if isinstance(row, Mapping) and room in {None, row.get("room")}]
    items.sort(key=lambda row: (str(row.get("room_name")), str(row.get("agent")), str(row.get("room"))))
    return Result(ok=True, value={"v": 1, "items": items})


async def show(core: "Core", call: Call) -> Result:
    """`agents show`: everything that is kept of an agent, but its state."""
    key = await find_agent(core, call)
    rooms = await _room_names(core)
    return Result(ok=True, value={"v": 1, **await _document(core, key), "room_name": rooms.get(key.room, "")})


async def activate(core: "Core", call: Call) -> Result:
    """`agents activate`: `init` has returned when this does."""
    return await _acted(core, call, core.agents.activate)


async def deactivate(core: "Core", call: Call) -> Result:
    """`agents deactivate`."""
    return await _acted(core, call, core.agents.deactivate)


async def delete(core: "Core", call: Call) -> Result:
    """`agents delete`: nothing of it is left."""
    key = await find_agent(core, call)
    await core.agents.delete(key)
    return Result(ok=True, value={"v": 1, "room": key.room, "agent": key.agent, "state": "deleted"})


async def grant(core: "Core", call: Call) -> Result:
    """`agents grant`: exactly these, from the next call on."""
    key = await find_agent(core, call)
    asked = (await core.modules.get(key)).manifest.permissions
    record = await core.agents.grant(key, permissions(call.need("permissions"), asked), by=call.face)
    value: dict[str, Json] = {
        "v": 1,
        "room": key.room,
        "agent": key.agent,
        "permissions": list(names(record.manifest.permissions)),
        "granted": list(names(record.granted)),
    }
    return Result(ok=True, value=value)


async def probe(core: "Core", call: Call) -> Result:
    """`agents probe`: one call; it did not help when the breaker stays open."""
    key = await find_agent(core, call)
    closed = await core.agents.probe(key)
    value = await _state(core, key)
    if closed:
        return Result(ok=True, value=value)
    reasons = (await _document(core, key)).get("reasons")
    last = str(reasons[-1]) if isinstance(reasons, list) and reasons else "the call failed"
    return Result(ok=False, value=value, fault=Fault("failed", last, call.command, key.agent, "agents logs has more"))


async def logs(core: "Core", call: Call) -> Result:
    """`agents logs`: oldest first."""
    key = await find_agent(core, call)
    return Result(ok=True, value={"v": 1, "items": log_items((await core.modules.details(key)).entries)})


async def find_agent(core: "Core", call: Call) -> AgentKey:
    """The agent that the arguments `agent` and `room` name.

    Args:
        core: where it is looked for.
        call: its arguments.

    Raises:
        NotFoundError: there is none.
        AmbiguousError: several fit; `--room` tells them apart.
    """
    return (await core.modules.find(call.need("agent"), await _room(core, call))).key


def permissions(text: str, asked: tuple[Permission, ...]) -> tuple[Permission, ...]:
    """Reads `all`, `none` or names joined by commas.

    Args:
        text: as typed.
        asked: what `all` stands for: what the manifest asks for.

    Raises:
        UsageError: a name is no permission.
    """
    if text == "all":
        return asked
    if text in {"none", ""}:
        return ()
    known = {one.value: one for one in Permission}
    given = [part.strip() for part in text.split(",")]
    for name in given:
        if name not in known:
            hint = f"all, none, or some of {', '.join(known)}"
            raise UsageError(f"`{clean(name, 40)}` is no permission", hint=hint)
    return tuple(known[name] for name in dict.fromkeys(given))


async def _room(core: "Core", call: Call) -> str | None:
    named = call.text("room")
    return None if named is None else await asyncio.to_thread(core.rooms.resolve, named)


async def _room_names(core: "Core") -> dict[str, str]:
    return {info.room: info.name for info in await asyncio.to_thread(core.rooms.list)}


async def _acted(core: "Core", call: Call, act: Callable[[AgentKey], Awaitable[object]]) -> Result:
    key = await find_agent(core, call)
    await act(key)
    return Result(ok=True, value=await _state(core, key))


async def _state(core: "Core", key: AgentKey) -> dict[str, Json]:
    return {"v": 1, "room": key.room, "agent": key.agent, "state": (await _document(core, key))["state"]}


async def _document(core: "Core", key: AgentKey) -> dict[str, Json]:
    """Everything that is kept of an agent, with the live figures where agents run; looking starts nothing."""
    agents = core.agents if core.built("agents") else None
    figures = None if agents is None else agents.figures.get(key)
    now_ms = core.clock.wall_ms()
    history = await asyncio.wrap_future(core.store.read(lambda connection: read_history(connection, key, now_ms)))
    if agents is not None:
        history = history.plus(agents.unwritten(key))
    return agent_document(await core.modules.details(key), figures, core.quotas, history)
