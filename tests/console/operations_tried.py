"""Every operation of every package, called from inside real components: once with success, and once denied."""

import asyncio
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from unittest.mock import patch

from console.core import Core, CoreOptions
from runtime.canonical import Json
from runtime.component_events import ComponentCalled, ComponentDenied
from runtime.components.host.context import ComponentId
from tests.console.guests_on_stage import BARE, FREE, HELLO, LONG, MUTE, ROOM, Stage, Tried, world
from tests.console.operations_denied import denied_to_bare, denied_to_mute
from tests.console.operations_granted import ACTS

__all__ = ["try_all"]


async def try_all(place: Path) -> Tried:
    """Has every operation called.

    Args:
        place: an empty directory.
    """
    tried = Tried()
    core = await Core.start(CoreOptions(state_path=place / "state", owner=True))
    try:
        components = await core.known_components()
        tell = components.told

        def told(component: ComponentId, kind: str, fields: Mapping[str, Json]) -> None:
            tried.told(kind, fields)
            tell(component, kind, fields)

        with patch.object(components, "told", told):
            async with asyncio.timeout(150):
                await _play(Stage(core, tried, place))
        journal = await asyncio.wrap_future(core.store.read(_journalled))
        tried.journalled, tried.journalled_denied = journal
    finally:
        await core.stop("test")
    return tried


async def _play(stage: Stage) -> None:
    free = await stage.puppet("free", FREE)
    bare = await stage.puppet("bare", BARE)
    mute = await stage.puppet("mute", MUTE)
    stage.core.rooms.create(ROOM).result(LONG)
    stage.core.jobs.blobs.put(HELLO, limit=len(HELLO))
    for act in ACTS:
        await act(stage, free)
    before = world(stage)
    await denied_to_bare(bare)
    stage.tried.changed = sorted(before ^ world(stage))
    await denied_to_mute(stage, mute)
    heard = set(await free.heard())
    stage.tried.exports |= {"execute", *heard & {"init", "metadata", "health"}}
    for name in ("free/puppet", "bare/puppet", "mute/puppet"):
        await stage.core.components.stop(name)


def _journalled(connection: sqlite3.Connection) -> tuple[set[str], set[str]]:
    """Operations that were called with success, and those that were denied."""
    sql = "SELECT DISTINCT json_extract(body, '$.op') FROM journal WHERE type = ?"
    called = connection.execute(f"{sql} AND json_extract(body, '$.outcome') = 'ok'", (ComponentCalled.TYPE,)).fetchall()
    denied = connection.execute(sql, (ComponentDenied.TYPE,)).fetchall()
    return {op for (op,) in called}, {op for (op,) in denied}
