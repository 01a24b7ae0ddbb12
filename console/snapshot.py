"""Rows of all topics at a seq, for faces that fold the events after it on top.

The seq is read first, the rows after it: they are never older than what the snapshot claims, and may be newer. Rows are
absolute, so an event that a row contains already changes nothing when it is folded again.
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, TypedDict

from console.client import Json, Snapshot
from console.rows import NodeRow, RoomRow
from console.view import LIMIT, TOPICS
from runtime.errors import OrlopError, UsageError
from runtime.sanitise import clean
from runtime.shapes import to_wire

if TYPE_CHECKING:
    from console.core import Core
    from runtime.rooms.room import RoomInfo

__all__ = ["node_row", "take"]


async def take(core: "Core", topics: Sequence[str]) -> Snapshot:
    """A snapshot of some topics.

    Args:
        core: whose.
        topics: of `console.view.TOPICS`.

    Raises:
        UsageError: a topic that does not exist.
        UnavailableError: the store cannot be read.
    """
    for topic in topics:
        if topic not in TOPICS:
            raise UsageError(f"no topic `{clean(topic, 40)}`", hint=f"there are {', '.join(TOPICS)}")

    seq = await asyncio.wrap_future(core.store.read(_newest))
    return Snapshot(seq, {topic: await _READ[topic](core) for topic in topics})


def _newest(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT coalesce(max(seq), 0) FROM journal").fetchone()[0])


def node_row(core: "Core") -> NodeRow:
    """This node, as a row."""
    space = core.space()
    return NodeRow(
        name=core.config.node_name,
        peer_id=core.identity.peer_id,
        version=core.options.version,
        state_dir=clean(str(core.state.path), 1000),
        started_ms=core.started_ms,
        mode="local",
        demo=core.demo,
        read_only=core.options.read_only,
        tick_interval_ms=core.tick_ms,
        free_bytes=space.free,
        min_free_bytes=space.wanted,
        storage_low=space.low,
        locked=core.lock.locked,
        listen=tuple(str(place) for place in core.mesh.host.listening()) if core.built("mesh") else (),
    )


async def _node(core: "Core") -> Json:
    return to_wire(node_row(core))


async def _rooms(core: "Core") -> Json:
    """None while the core is locked."""
    if core.lock.locked:
        return []
    return await asyncio.to_thread(_room_rows, core)


def _room_rows(core: "Core") -> list[Json]:
    agents = dict(core.store.read_now(_agents_by_room))
    return [to_wire(_room_row(core, info, agents.get(info.room, 0))) for info in core.rooms.list()]


def _agents_by_room(connection: sqlite3.Connection) -> list[tuple[str, int]]:
    return connection.execute("SELECT room, count(*) FROM agents GROUP BY room").fetchall()


def _room_row(core: "Core", info: "RoomInfo", agents: int) -> RoomRow:
    try:
        view = core.rooms.state(info.room)
    except OrlopError as error:
        # One log that cannot be read must not hide all rooms; `rooms show` says the same.
        core.report(f"room {info.name}", error)
        return RoomRow(
            room=info.room, name=info.name, total=0, open=0, blocked=0, completed=0, members=0, agents=agents
        )
    progress = view.progress
    return RoomRow(
        room=info.room,
        name=info.name,
        total=progress.total,
        open=progress.total - progress.completed,
        blocked=progress.blocked,
        completed=progress.completed,
        members=len(view.members),
        agents=agents,
        creator=core.rooms.roster(info.room).creator == core.rooms.self_key,
        ephemeral=core.rooms.settings(info.room).ephemeral,
        deletes_ms=core.life.deletes_ms(info.room),
        **_way(core, info.room),
    )


class _Way(TypedDict, total=False):
    link: str
    problem: str
    present: int
    reestablishing: int


def _way(core: "Core", room: str) -> _Way:
    """How it stands with the way to the other members."""
    status = core.online.status(room)
    if status is None:
        return {}
    return {
        "link": status.link,
        "problem": status.problem,
        "present": len(status.present),
        "reestablishing": len(status.reestablishing),
    }


async def _agents(core: "Core") -> Json:
    """None while the core is locked."""
    if core.lock.locked:
        return []
    from runtime.agents.rows import read_rows

    agents = core.agents if core.built("agents") else None
    figures = None if agents is None else agents.figures

    rows = await asyncio.wrap_future(core.store.read(lambda connection: read_rows(connection, figures)))
    names = {info.room: info.name for info in await asyncio.to_thread(core.rooms.list)}
    return [{**row, "room_name": names.get(str(row["room"]), "")} for row in rows]


async def _jobs(core: "Core") -> Json:
    return [to_wire(row) for row in await core.jobs.rows(limit=LIMIT)]


async def _receipts(core: "Core") -> Json:
    return [to_wire(row) for row in await core.receipts.rows(LIMIT)]


async def _peers(core: "Core") -> Json:
    from console.peer_rows import peer_row
    from net.book.reading import listed

    return [to_wire(peer_row(core, entry)) for entry in await asyncio.wrap_future(core.store.read(listed))]


async def _components(core: "Core") -> Json:
    if not core.any_components():
        return []
    from console.component_rows import component_row

    components = await core.known_components()
    return [to_wire(component_row(components, unit)) for unit in components.units()]


async def _releases(core: "Core") -> Json:
    return [to_wire(row) for row in core.boot.rows.releases.values()] if core.built("boot") else []


async def _machines(core: "Core") -> Json:
    return [to_wire(row) for row in core.boot.rows.machines.values()] if core.built("boot") else []


_READ: Mapping[str, Callable[["Core"], Awaitable[Json]]] = MappingProxyType(
    {
        "node": _node,
        "rooms": _rooms,
        "agents": _agents,
        "jobs": _jobs,
        "receipts": _receipts,
        "peers": _peers,
        "components": _components,
        "releases": _releases,
        "machines": _machines,
    }
)
