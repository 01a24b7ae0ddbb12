"""Agents in rooms with others: one member runs each of them, and everybody sees who."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runtime.agents.keys import AgentKey
from runtime.agents.lease import SETTLE_S, SILENT_S, Lease
from runtime.clock import ManualClock
from runtime.events import AgentLeased, BreakerTripped, TickCompleted
from runtime.sandbox.compile import Compiler
from runtime.statedir import StateDir
from runtime.store import Store
from runtime.vault import Vault
from tests.hostile import emits
from tests.runtime.agents.world import ROOM, SELF, World, changed

KEY = AgentKey(ROOM, "guest")
LOW, HIGH = "A" * 43, "z" * 43
NEW = '{"type":"task_created","taskId":"new","task":{}}'


async def wait(world: World, seconds: float) -> None:
    world.clock.advance(seconds)
    world.executor.poke()
    await world.idle()


def told(world: World) -> list[Lease]:
    """Everything that the member says from now on."""
    sent: list[Lease] = []
    world.executor.leases = sent.extend
    return sent


async def says(world: World, runner: str, term: int, module_hash: str | None = None) -> None:
    known = world.live(KEY).record.hash if module_hash is None else module_hash
    world.executor.heard(Lease(room=ROOM, agent="guest", hash=known, runner=runner, term=term))
    await world.idle()


def ticks(world: World) -> int:
    return len([one for one in world.events(TickCompleted) if one.trigger != "init"])


# --- one member -----------------------------------------------------------------------------------------------------


async def test_w4_in_a_room_without_others_an_agent_always_runs_and_says_nothing(world: World) -> None:
    sent = told(world)
    await world.run("quiet")
    world.executor.presence(ROOM, [SELF])
    await world.tick(2)
    assert world.executor.may_run(KEY)
    assert (ticks(world), sent, world.events(AgentLeased)) == (2, [], [])
    assert (await world.row(KEY))["runner"] == ""


async def test_w4_who_runs_it_goes_on_when_others_come_and_tells_them(world: World) -> None:
    await world.run("quiet")
    sent = told(world)
    world.executor.presence(ROOM, [SELF, LOW])
    await world.tick()
    row = await world.row(KEY)
    assert (row["state"], row["runner"]) == ("active", "self")
    assert sent[0] == Lease(room=ROOM, agent="guest", hash=row["hash"], runner=SELF, term=1)
    assert ticks(world) == 1


async def test_w4_an_agent_that_another_member_runs_stands_by_loaded_and_quiet(world: World) -> None:
    world.executor.presence(ROOM, [LOW])
    await world.run("quiet")
    assert (await world.row(KEY))["state"] == "standby"
    await says(world, LOW, 3)
    row = await world.row(KEY)
    assert (row["state"], row["runner"]) == ("standby", LOW[:8])
    await wait(world, 20)
    await says(world, LOW, 3)
    await wait(world, 20)
    await world.tell(changed())
    assert ticks(world) == 0
    assert world.live(KEY).instance is not None
    assert not world.executor.may_run(KEY)
    (event,) = [one for one in world.events(AgentLeased) if one.runner]
    assert (event.runner, event.name, event.term, event.own) == (LOW, LOW[:8], 3, False)


async def test_the_runner_is_shown_by_its_name(world: World) -> None:
    mara = world.rooms.join("mara")
    world.executor.presence(ROOM, [mara])
    await world.run("quiet")
    await says(world, mara, 3)
    row = await world.row(KEY)
    assert (row["state"], row["runner"]) == ("standby", "mara")


async def test_w4_it_takes_over_when_the_runner_leaves(world: World) -> None:
    world.executor.presence(ROOM, [LOW])
    await world.run("quiet")
    await says(world, LOW, 3)
    await wait(world, SETTLE_S)
    sent = told(world)
    world.executor.presence(ROOM, [HIGH])
    await world.idle()
    assert [(one.runner, one.term) for one in sent] == [(SELF, 4)]
    row = await world.row(KEY)
    assert (row["state"], row["runner"]) == ("active", "self")
    await world.tell(changed())
    assert ticks(world) == 1


async def test_w4_it_takes_over_when_the_runner_is_silent(world: World) -> None:
    world.executor.presence(ROOM, [LOW])
    await world.run("quiet")
    await says(world, LOW, 3)
    await wait(world, SILENT_S - 1)
    assert not world.executor.may_run(KEY)
    await wait(world, 1)
    assert world.executor.may_run(KEY)
    assert (await world.row(KEY))["state"] == "active"


async def test_w4_it_runs_again_once_it_is_alone(world: World) -> None:
    world.executor.presence(ROOM, [LOW])
    await world.run("quiet")
    await says(world, LOW, 3)
    world.executor.presence(ROOM, [])
    await world.tick()
    assert ((await world.row(KEY))["state"], ticks(world)) == ("active", 1)


async def test_w4_the_loser_yields_at_once_and_its_waiting_calls_with_it(world: World) -> None:
    await world.run("quiet")
    world.executor.presence(ROOM, [LOW])
    live = world.live(KEY)
    await wait(world, 20)
    live.tick_due = True
    await says(world, LOW, 1)
    assert not live.tick_due
    await wait(world, 20)
    assert (ticks(world), (await world.row(KEY))["state"]) == (0, "standby")


async def test_w4_what_an_agent_emits_when_it_is_not_its_turn_is_dropped(world: World) -> None:
    world.executor.presence(ROOM, [LOW])
    await world.run(emits(NEW, on="init"))
    assert world.rooms.tasks == {}
    (drop,) = world.events(TickCompleted)[0].dropped
    assert drop.reason == "another member runs this agent now"


async def test_w4_what_a_call_emits_that_began_before_the_lease_was_lost_is_dropped(world: World) -> None:
    await world.run(emits(NEW))
    world.executor.presence(ROOM, [LOW])
    world.clock.advance(30)
    world.executor.poke()
    await says(world, LOW, 9)
    assert world.rooms.tasks == {}
    assert ticks(world) in {0, 1}


async def test_w4_an_agent_that_is_switched_off_gives_the_lease_back(world: World) -> None:
    await world.run("quiet")
    world.executor.presence(ROOM, [LOW])
    sent = told(world)
    await world.executor.deactivate(KEY)
    assert [(one.hash, one.term) for one in sent] == [("", 1)]
    row = await world.row(KEY)
    assert (row["state"], row["runner"]) == ("off", "")


async def test_w4_an_agent_that_trips_gives_the_lease_back(world: World) -> None:
    await world.run("trap_tick")
    world.executor.presence(ROOM, [LOW])
    sent = told(world)
    await world.tick(3)
    assert len(world.events(BreakerTripped)) == 1
    assert sent[-1].hash == ""


async def test_w4_a_program_that_ends_gives_its_leases_back(world: World) -> None:
    await world.run("quiet")
    world.executor.presence(ROOM, [LOW])
    sent = told(world)
    await world.stop()
    assert [(one.hash, one.runner) for one in sent] == [("", SELF)]


async def test_a_lease_of_an_agent_that_is_not_here_changes_nothing(world: World) -> None:
    world.executor.presence(ROOM, [LOW])
    world.executor.heard(Lease(room=ROOM, agent="nobody", hash="00", runner=LOW, term=1))
    world.executor.heard(Lease(room="cd" * 16, agent="guest", hash="00", runner=LOW, term=1))
    await world.upload("quiet")
    world.executor.heard(Lease(room=ROOM, agent="guest", hash="00", runner=LOW, term=1))
    assert (await world.row(KEY))["state"] == "off"


async def test_the_state_of_rows_follows_the_events(world: World) -> None:
    from console.row_folds import AgentFigures, fold_agent
    from console.rows import AgentRow
    from runtime.shapes import from_wire

    world.executor.presence(ROOM, [LOW])
    await world.run("quiet")
    first = {**(await world.row(KEY)), "room_name": "test", "state": "off"}
    await says(world, LOW, 3)
    await wait(world, SILENT_S)
    await world.tick()
    row, figures = from_wire(AgentRow, first), AgentFigures()
    for record in world.records:
        row = fold_agent(row, figures, record.event, record.ts_ms)
    now = from_wire(AgentRow, {**(await world.row(KEY)), "room_name": "test"})
    assert (row.state, row.runner, row.calls) == (now.state, now.runner, now.calls) == ("active", "self", row.calls)


# --- two members ----------------------------------------------------------------------------------------------------


@pytest.fixture
async def other(tmp_path: Path, compiler: Compiler, world: World) -> AsyncIterator[World]:
    """A second member's program, on the same clock; everything that one says reaches the other."""
    path = tmp_path / "other"
    path.mkdir()
    state = StateDir(path)
    store = Store.open(state.database, world.clock, owner=True)
    made = World(state, store, world.clock, Vault(Vault.new_key()), compiler)
    await made.start(runner=LOW)
    yield made
    await made.stop()
    await asyncio.to_thread(store.close)


async def together(*members: World, seconds: float) -> None:
    for _ in range(int(seconds)):
        members[0].clock.advance(1)
        for one in members:
            one.executor.poke()
            await one.idle()


async def test_w4_of_two_members_one_runs_the_agent_and_the_other_takes_over(world: World, other: World) -> None:
    assert isinstance(world.clock, ManualClock)
    for one in (world, other):
        await one.run("quiet")
    world.executor.leases = lambda leases: [other.executor.heard(one) for one in leases] and None
    other.executor.leases = lambda leases: [world.executor.heard(one) for one in leases] and None
    world.executor.presence(ROOM, [LOW])
    other.executor.presence(ROOM, [SELF])
    await together(world, other, seconds=90)
    before = ticks(world)
    assert (before, ticks(other)) == (0, 3)
    assert ((await world.row(KEY))["state"], (await other.row(KEY))["state"]) == ("standby", "active")
    await other.executor.deactivate(KEY)
    await together(world, other, seconds=90)
    assert (ticks(world), ticks(other)) == (3, 3)
    assert (await world.row(KEY))["runner"] == "self"
