"""What `audit` does."""

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from console.call import Call
from console.client import Result
from console.registry import COMMANDS
from console.since import Ago, parse_since
from console.verbs.values import number
from runtime.audit import audit_entries
from runtime.shapes import to_wire

if TYPE_CHECKING:
    from console.core import Core

__all__ = ["audit"]


async def audit(core: "Core", call: Call) -> Result:
    """`audit`: changing commands, newest first."""
    entry = COMMANDS["audit"]
    since = parse_since(call.text("since") or "0")
    query = partial(
        audit_entries,
        limit=number(entry, call.args, "limit") or 0,
        since=since if isinstance(since, int) else 0,
        since_ms=core.clock.wall_ms() - since.ms if isinstance(since, Ago) else 0,
        command=call.text("command") or "",
        uid=number(entry, call.args, "uid"),
        outcome=call.text("outcome") or "",
    )
    if core.store.owner:  # what has just been done waits for its commit, for a moment
        await asyncio.wrap_future(core.store.write(lambda _: None))
    items = await asyncio.wrap_future(core.store.read(query))
    return Result(ok=True, value={"v": 1, "items": [to_wire(item) for item in items]})
