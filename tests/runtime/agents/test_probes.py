"""Tripped agents are probed by themselves, ever later, and at most five times."""

import pytest

from runtime.agents.breaker import CLOSED, Breaker, failed, from_body, left_alone, probed, to_body
from runtime.agents.keys import AgentKey
from runtime.agents.probes import MAX_PROBES, ProbeSchedule, probe_after
from runtime.canonical import timestamp
from runtime.errors import UnavailableError
from runtime.events import AgentActivated, AgentDeactivated, BreakerClosed, BreakerProbed, BreakerTripped, CoreError
from tests.hostile import fails_before
from tests.runtime.agents.world import ROOM, World

KEY = AgentKey(ROOM, "guest")
MINUTE = 60_000
WAITS = [5, 10, 20, 40, 60]
"""Minutes between a trip and its probes."""


async def trip(world: World, guest: str | bytes = "trap_tick") -> int:
    """Trips an agent; gives the time of it."""
    await world.run(guest)
    await world.tick(3)
    return world.clock.now_ms


async def wait(world: World, minutes: float) -> None:
    world.clock.advance(minutes * 60)
    world.executor.poke()
    await world.idle()


# --- when -----------------------------------------------------------------------------------------------------------


def test_five_minutes_doubling_to_an_hour_five_times() -> None:
    now, gaps, probes = 0, [], 0
    while (due := probe_after(now, probes)) is not None:
        gaps.append((due - now) // MINUTE)
        now, probes = due, probes + 1
    assert gaps == WAITS
    assert probes == MAX_PROBES


def test_the_schedule_gives_each_agent_once_in_order() -> None:
    schedule = ProbeSchedule()
    one, two, three = (AgentKey(ROOM, name) for name in ("one", "two", "three"))
    for key, at in ((one, 5.0), (two, 3.0), (three, 4.0)):
        schedule.set(key, at)
    schedule.cancel(three)
    assert schedule.next_due() == 3.0
    assert schedule.take(2.9) == []
    assert schedule.take(9.0) == [two, one]
    assert schedule.take(9.0) == []
    assert schedule.next_due() is None


def tripped() -> Breaker:
    breaker = CLOSED
    for number in range(3):
        breaker = failed(breaker, "tick", f"no {number}", 1_000)
    return breaker


def test_a_breaker_remembers_its_probes_and_survives_being_stored() -> None:
    breaker = tripped()
    assert (breaker.probes, breaker.next_probe_ms) == (0, 1_000 + 5 * MINUTE)
    breaker = probed(breaker, 9_000)
    assert (breaker.open, breaker.probes, breaker.next_probe_ms) == (True, 1, 9_000 + 10 * MINUTE)
    assert from_body(to_body(breaker)) == breaker
    assert from_body(to_body(left_alone(breaker))).next_probe_ms is None


def test_a_breaker_stored_before_there_were_probes_has_its_first_one_ahead() -> None:
    old = '{"tick":["a","b","c"],"event":[],"tripped_by":"tick","tripped_ms":1000}'
    assert from_body(old).next_probe_ms == 1_000 + 5 * MINUTE
    assert from_body('{"tick":["a"],"event":[],"tripped_by":null,"tripped_ms":null}').next_probe_ms is None


@pytest.mark.parametrize("changed", ['"probes":"x","next_probe_ms":1', '"probes":0,"next_probe_ms":"x"', '"probes":0'])
def test_a_damaged_body_is_open_and_never_probed_by_itself(changed: str) -> None:
    found = from_body(f'{{"tick":[],"event":[],"tripped_by":null,"tripped_ms":null,{changed}}}')
    assert found.open
    assert found.next_probe_ms is None


# --- on a real module -----------------------------------------------------------------------------------------------


async def test_a_tripped_agent_is_probed_until_it_was_enough(world: World) -> None:
    now = await trip(world)
    (event,) = world.events(BreakerTripped)
    assert event.next_probe == timestamp(now + 5 * MINUTE)
    assert (await world.row(KEY))["next_probe_ms"] == now + 5 * MINUTE
    for number, minutes in enumerate(WAITS, 1):
        await wait(world, minutes - 1)
        assert len(world.events(BreakerProbed)) == number - 1
        await wait(world, 1)
        last = world.events(BreakerProbed)[-1]
        assert (len(world.events(BreakerProbed)), last.ok, last.by) == (number, False, "timer")
        due = None if number == MAX_PROBES else world.clock.now_ms + WAITS[number] * MINUTE
        assert (await world.row(KEY))["next_probe_ms"] == due
        assert last.next_probe == (None if due is None else timestamp(due))
        assert not (await world.modules.get(KEY)).active
    await wait(world, 1000)
    assert len(world.events(BreakerProbed)) == MAX_PROBES
    assert (await world.row(KEY))["state"] == "tripped"


async def test_a_good_probe_brings_it_back_and_only_then_is_the_flag_set(world: World) -> None:
    await trip(world, fails_before(world.clock.now_ms + 10 * MINUTE))
    await wait(world, 5)
    assert not (await world.modules.get(KEY)).active
    await wait(world, 10)
    assert (await world.modules.get(KEY)).active
    row = await world.row(KEY)
    assert (row["state"], row["failures"], row["next_probe_ms"]) == ("active", 0, None)
    assert [one.by for one in world.events(BreakerClosed)] == ["timer"]
    assert len(world.events(AgentActivated)) == 2
    await world.tick()
    assert (await world.row(KEY))["calls"] == 2


async def test_probes_survive_a_restart(world: World) -> None:
    now = await trip(world)
    await wait(world, 5)
    assert await world.restart() == 0
    row = await world.row(KEY)
    assert (row["state"], row["next_probe_ms"]) == ("tripped", now + 15 * MINUTE)
    await wait(world, 9)
    assert len(world.events(BreakerProbed)) == 1
    await wait(world, 1)
    assert len(world.events(BreakerProbed)) == 2


async def test_a_probe_that_came_due_while_the_program_was_off_is_made_at_the_start(world: World) -> None:
    await trip(world)
    await world.stop()
    world.clock.advance(3600)
    await world.start()
    await world.executor.restore()
    await wait(world, 0)
    assert len(world.events(BreakerProbed)) == 1


async def test_a_probe_by_the_operator_changes_nothing_about_the_next_one(world: World) -> None:
    now = await trip(world)
    world.clock.advance(60)
    assert not await world.executor.probe(KEY)
    assert [one.by for one in world.events(BreakerProbed)] == ["operator"]
    assert (await world.row(KEY))["next_probe_ms"] == now + 5 * MINUTE
    await wait(world, 4)
    assert [one.by for one in world.events(BreakerProbed)] == ["operator", "timer"]


async def test_an_operator_who_switches_it_off_ends_the_probes(world: World) -> None:
    await trip(world)
    await world.executor.deactivate(KEY)
    row = await world.row(KEY)
    assert (row["state"], row["next_probe_ms"]) == ("tripped", None)
    assert [one.reason for one in world.events(AgentDeactivated)] == ["breaker", "operator"]
    await wait(world, 1000)
    assert world.events(BreakerProbed) == []
    await world.restart()
    await wait(world, 1000)
    assert world.events(BreakerProbed) == []
    await world.executor.deactivate(KEY)
    assert len(world.events(AgentDeactivated)) == 2


async def test_an_operator_who_starts_or_replaces_it_ends_the_probes(world: World) -> None:
    await trip(world)
    await world.upload("quiet")
    await wait(world, 10)
    assert world.events(BreakerProbed) == []
    await world.executor.activate(KEY)
    assert (await world.row(KEY))["next_probe_ms"] is None


async def test_a_deleted_agent_is_not_probed(world: World) -> None:
    await trip(world)
    await world.executor.delete(KEY)
    await wait(world, 10)
    assert world.events(BreakerProbed) == []
    assert world.events(CoreError) == []


async def test_a_probe_whose_module_cannot_be_read_counts_and_says_why(world: World) -> None:
    now = await trip(world)
    path = next(world.state.modules.rglob("sha256/*/*"))
    path.write_bytes(b"something else")
    await wait(world, 5)
    (told,) = world.events(BreakerProbed)
    assert not told.ok
    assert told.reason
    assert (await world.row(KEY))["next_probe_ms"] == now + 15 * MINUTE


async def test_a_probe_that_the_host_cannot_store_is_made_again_and_not_counted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = await trip(world)
    original = world.store.write

    def refuse(*_: object, **__: object) -> None:
        raise UnavailableError("the disk is full")

    monkeypatch.setattr(world.store, "write", refuse)
    world.clock.advance(300)
    world.executor.poke()
    while tasks := world.executor._runner.tasks:
        for each in tasks:
            await each
    monkeypatch.setattr(world.store, "write", original)
    await world.idle()
    assert (await world.row(KEY))["next_probe_ms"] == now + 5 * MINUTE
    assert any("the disk is full" in one.error for one in world.events(CoreError))
    await wait(world, 1)
    assert [one.ok for one in world.events(BreakerProbed)] == [False]


async def test_a_resting_executor_probes_later(world: World) -> None:
    await trip(world)
    await world.executor.rest()
    await wait(world, 5)
    assert world.events(BreakerProbed) == []
    world.executor.go_on()
    await wait(world, 1)
    assert len(world.events(BreakerProbed)) == 1


async def test_a_program_that_ends_during_a_probe_leaves_it_for_the_next_start(world: World) -> None:
    await trip(world, "trap_tick")
    world.clock.advance(300)
    world.executor.poke()
    await world.stop()
    await world.start()
    await world.executor.restore()
    await wait(world, 0)
    assert (await world.row(KEY))["state"] == "tripped"
