"""What `rooms undo|set|keep|reclock|burn` do."""

import asyncio
from typing import TYPE_CHECKING

from console.call import Call
from console.client import Result

if TYPE_CHECKING:
    from console.core import Core

__all__ = ["burn"]


async def burn(core: "Core", call: Call) -> Result:
    """`rooms burn`: returns when no byte of it is left."""
    info = await _named(core, call)
    done = await core.life.burn(info, "operator")
    return Result(ok=True, value={"v": 1, "room": info, "burned": True, "modules": len(done.modules)})


async def _named(core: "Core", call: Call) -> str:
    return await asyncio.to_thread(core.rooms.resolve, call.need("room"))
