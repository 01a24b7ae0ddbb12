"""What `agents …` does, but for `agents try`."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from console.call import Call
from console.client import Fault, Json, Result
from console.verbs.reading import read_all
from runtime.agents.binary import BinaryRefusedError
from runtime.agents.keys import AgentKey
from runtime.agents.manifest import (
    AgentManifest,
    ManifestRefusedError,
    Permission,
    make_manifest,
    read_manifest,
)
from runtime.agents.modules import Upload
from runtime.agents.rows import agent_document, log_items
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
    "upload",
]

_MODULE_MAX: Final = 16 << 20
"""What is longer is not even read; below it the agents' own check says what is wrong."""

_DESCRIBED: Final = ("name", "version", "description", "author")


async def upload(core: "Core", call: Call) -> Result:
    """`agents upload`: checked, kept, granted; off."""
    room = await asyncio.to_thread(core.rooms.resolve, call.need("room"))
    wasm = await read_all(_file(call, "module"), limit=_MODULE_MAX, what=_name_of(call), interrupted=call.interrupted)
    manifest = await _manifest(call, wasm)
    granted = permissions(call.need("grant"), manifest.permissions)
    try:
        done = await core.agents.upload(Upload(room=room, wasm=wasm, manifest=manifest, granted=granted, by=call.face))
    except BinaryRefusedError as error:
        error.where = _name_of(call)
        raise
    record = done.record
    value: dict[str, Json] = {
        "v": 1,
        "room": room,
        "agent": record.key.agent,
        "hash": record.hash,
        "permissions": [one.value for one in record.manifest.permissions],
        "granted": [one.value for one in record.granted],
        "mark": record.mark,
        "warnings": list(done.warnings),
        "versions": done.versions,
    }
    return Result(ok=True, value=value)


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
    names = await _room_names(core)
    return Result(ok=True, value={"v": 1, **await _document(core, key), "room_name": names.get(key.room, "")})


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
        "permissions": [one.value for one in record.manifest.permissions],
        "granted": [one.value for one in record.granted],
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
    names = [part.strip() for part in text.split(",")]
    for name in names:
        if name not in known:
            hint = f"all, none, or some of {', '.join(known)}"
            raise UsageError(f"`{clean(name, 40)}` is no permission", hint=hint)
    return tuple(known[name] for name in dict.fromkeys(names))


async def _room(core: "Core", call: Call) -> str | None:
    named = call.text("room")
    return None if named is None else await asyncio.to_thread(core.rooms.resolve, named)


async def _room_names(core: "Core") -> dict[str, str]:
    return {info.room: info.name for info in await asyncio.to_thread(core.rooms.list)}


async def _acted(core: "Core", call: Call, act: Callable[[AgentKey], Awaitable[None]]) -> Result:
    key = await find_agent(core, call)
    await act(key)
    return Result(ok=True, value=await _state(core, key))


async def _state(core: "Core", key: AgentKey) -> dict[str, Json]:
    return {"v": 1, "room": key.room, "agent": key.agent, "state": (await _document(core, key))["state"]}


async def _document(core: "Core", key: AgentKey) -> dict[str, Json]:
    """Everything that is kept of an agent, with the live figures where agents run; looking starts nothing."""
    figures = core.agents.figures.get(key) if core.built("agents") else None
    return agent_document(await core.modules.details(key), figures)


async def _manifest(call: Call, wasm: bytes) -> AgentManifest:
    """The manifest that came along, or one made of the options."""
    described = [name for name in _DESCRIBED if call.text(name) is not None]
    if "manifest" in call.files:
        if described:
            raise UsageError(f"--{described[0]} is for uploads without a manifest")
        return await _read_manifest(call)
    stem = _name_of(call).removesuffix(".wasm").lower()
    asked = permissions(call.need("grant"), tuple(Permission))
    try:
        return make_manifest(
            name=call.text("name") or stem,
            version=call.text("version") or "0.0.0",
            description=call.text("description") or "",
            author=call.text("author") or "",
            wasm_hash=hashlib.sha256(wasm).hexdigest(),
            permissions=asked,
        )
    except ManifestRefusedError as error:
        error.hint = "name it with --name"
        raise


async def _read_manifest(call: Call) -> AgentManifest:
    where = _name_of(call, "manifest")
    raw = await read_all(call.files["manifest"], limit=_MODULE_MAX, what=where, interrupted=call.interrupted)
    try:
        return read_manifest(raw)
    except ManifestRefusedError as error:
        error.where = where
        raise


def _name_of(call: Call, argument: str = "module") -> str:
    return clean((call.text(argument) or argument).rpartition("/")[2], 120)


def _file(call: Call, name: str) -> int:
    if name not in call.files:
        raise UsageError(f"the file of `{name}` did not come along")
    return call.files[name]
