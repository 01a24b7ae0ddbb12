"""Agents that are shipped with orlop, put into rooms by the demo."""

import asyncio
from typing import TYPE_CHECKING

import assets
from runtime.agents.keys import AgentKey
from runtime.agents.manifest import read_manifest
from runtime.agents.modules import Upload

if TYPE_CHECKING:
    from console.core import Core

__all__ = ["upload_agent"]


async def upload_agent(core: "Core", key: AgentKey, *, builtin: bool = True) -> None:
    """Puts an agent that is shipped into a room, where it is not there or another version is.

    Args:
        core: whose agents.
        key: the room, and the agent's name.
        builtin: whether it is shown as a part of orlop, which nobody deletes.

    Raises:
        OrlopError: the store cannot be written, or the module that is shipped is damaged.
    """
    folder = f"agents/{key.agent}/{key.agent}"
    manifest = read_manifest(await asyncio.to_thread(assets.path(f"{folder}.json").read_bytes))
    known = {record.key: record for record in await core.agents.modules.list(key.room)}
    record = known.get(key)
    if record is None or record.hash != manifest.wasm_hash:
        wasm = await asyncio.to_thread(assets.path(f"{folder}.wasm").read_bytes)
        upload = Upload(
            room=key.room,
            wasm=wasm,
            manifest=manifest,
            granted=manifest.permissions,
            by="demo",
            builtin=builtin,
        )
        await core.agents.upload(upload)
