"""Agents at rest: while the screen is locked no call begins, and nothing that waits is lost."""

import asyncio

from runtime.agents.keys import AgentKey
from runtime.events import TickCompleted
from tests.runtime.agents.world import INTERVAL_MS, ROOM, World, changed

KEY = AgentKey(ROOM, "guest")


def triggers(world: World) -> list[str]:
    return [one.trigger for one in world.events(TickCompleted)]


async def test_w25_no_tick_and_no_event_reaches_an_agent_at_rest(world: World) -> None:
    await world.run("event_to_state")
    await world.executor.rest()
    world.executor.dispatch(ROOM, [changed(number=1)])
    await world.tick(3)
    assert triggers(world) == ["init"]


async def test_after_the_rest_events_come_in_their_order_and_of_missed_ticks_one(world: World) -> None:
    await world.run("event_to_state")
    await world.executor.rest()
    world.executor.dispatch(ROOM, [changed(number=1), changed(number=2)])
    await world.tick(3)
    world.executor.go_on()
    await world.idle()
    assert sorted(triggers(world)) == ["event", "event", "init", "tick"]
    await world.tick()
    assert triggers(world).count("tick") == 2


async def test_a_rest_begins_when_the_calls_that_run_have_ended(world: World) -> None:
    await world.run("event_to_state")
    world.clock.advance(INTERVAL_MS / 1000)
    world.executor.poke()
    await asyncio.sleep(0)  # the call is in its lane
    await world.executor.rest()
    assert not world.live(KEY).busy
    await world.idle()
    assert triggers(world) == ["init", "tick"]


async def test_two_rests_are_one(world: World) -> None:
    await world.run("event_to_state")
    await asyncio.gather(world.executor.rest(), world.executor.rest())
    world.executor.go_on()
    await world.tick()
    assert triggers(world) == ["init", "tick"]
