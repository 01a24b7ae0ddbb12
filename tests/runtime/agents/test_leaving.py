"""Agents of a room that this node left, or was removed from: none is called, probed or holds a lease."""

import asyncio

import pytest

from runtime.agents.figures import Phase
from runtime.agents.keys import AgentKey
from runtime.agents.leaving import retire
from runtime.errors import RefusedError
from runtime.events import AgentDeactivated, BreakerProbed, CoreError, TickCompleted
from tests.runtime.agents.test_turns import LOW, told, wait
from tests.runtime.agents.world import ROOM, SELF, World

KEY = AgentKey(ROOM, "guest")


async def left(world: World) -> list[AgentKey]:
    """What leaving does, in its order."""
    stopped = await retire(world.executor, ROOM)
    await asyncio.wrap_future(world.rooms.leave(ROOM))
    return stopped


async def test_none_ticks_any_more_and_it_is_told(world: World) -> None:
    await world.run("counts_ticks")
    await world.run("quiet", "other")
    await world.upload("quiet", "idle")
    assert await left(world) == [KEY, AgentKey(ROOM, "other")]
    calls = len(world.events(TickCompleted))
    await world.tick(3)
    assert len(world.events(TickCompleted)) == calls
    assert [(one.agent, one.reason) for one in world.events(AgentDeactivated)] == [("guest", "left"), ("other", "left")]
    assert [row["state"] for row in await world.rows()] == ["off", "off", "off"]
    assert await world.restart() == 0


async def test_none_can_be_started_while_this_node_is_out(world: World) -> None:
    await world.run("quiet")
    await left(world)
    with pytest.raises(RefusedError, match="this node is in its room no more; join the room again first"):
        await world.executor.activate(KEY)
    assert (await world.row(KEY))["state"] == "failed"
    await world.tick(2)
    assert [one for one in world.events(TickCompleted) if one.trigger == "tick"] == []


async def test_state_and_module_stay(world: World) -> None:
    await world.run("counts_ticks")
    await world.tick(2)
    before = await world.kept(KEY)
    await left(world)
    assert await world.kept(KEY) == before
    assert (await world.show(KEY))["granted"]


async def test_a_tripped_one_is_probed_no_more(world: World) -> None:
    await world.run("trap_tick")
    await world.tick(3)
    assert (await world.row(KEY))["next_probe_ms"] is not None
    assert await left(world) == []
    assert (await world.row(KEY))["next_probe_ms"] is None
    world.clock.advance(3_600)
    world.executor.poke()
    await world.idle()
    assert world.events(BreakerProbed) == []
    with pytest.raises(RefusedError, match="in its room no more"):
        await world.executor.probe(KEY)
    assert world.executor.figures[KEY].phase is Phase.TRIPPED


async def test_a_probe_that_comes_between_is_refused(world: World) -> None:
    await world.run("trap_tick")
    await world.tick(3)
    await asyncio.wrap_future(world.rooms.leave(ROOM))
    world.clock.advance(3_600)
    world.executor.poke()
    await world.idle()
    assert world.events(BreakerProbed) == []
    assert ["in its room no more" in one.error for one in world.events(CoreError)] == [True]


async def test_a_lease_is_given_back_before(world: World) -> None:
    sent = told(world)
    await world.run("quiet")
    world.executor.presence(ROOM, [SELF, LOW])
    await wait(world, 60)
    assert world.executor.may_run(KEY)
    sent.clear()
    await left(world)
    assert [(lease.agent, lease.hash, lease.runner) for lease in sent] == [("guest", "", SELF)]
    await wait(world, 60)
    assert len(sent) == 1


async def test_one_that_is_marked_active_does_not_start_in_a_room_that_this_node_is_out_of(world: World) -> None:
    """As a kill between the two, or a removal while no orlop ran, leaves it."""
    await world.run("quiet")
    await asyncio.wrap_future(world.rooms.leave(ROOM))
    assert await world.restart() == 0
    assert "in its room no more" in (await world.row(KEY))["problem"]
    assert await retire(world.executor, ROOM) == [KEY]
    assert (await world.row(KEY))["state"] == "off"
