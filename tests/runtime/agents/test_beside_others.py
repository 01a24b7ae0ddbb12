"""Each agent of the table of required outcomes in a room where others work: they go on as if it were not there."""

import struct

import pytest

from runtime.agents.binary import BinaryRefusedError
from runtime.agents.keys import AgentKey
from runtime.errors import FailedError
from runtime.events import TickCompleted, TickFailed
from tests.hostile import agent, fails_before
from tests.runtime.agents.world import ROOM, World, changed, task

HOSTILE = {
    "spin_init": "failed",
    "spin_start": "failed",
    "trap_init": "failed",
    "trap_start": "failed",
    "recurse_start": "failed",
    "spin_event": "tripped",
    "spin_tick": "tripped",
    "trap_tick": "tripped",
    "trap_event": "tripped",
    "recurse_tick": "tripped",
    "divides_by_zero": "tripped",
    "loads_outside": "tripped",
    "grows_in_a_loop": "tripped",
    "fills_in_a_loop": "tripped",
    "now_i32": "active",
    "now_i64": "active",
    "now_f64": "active",
    "memory_min2": "active",
    "memory_max10": "active",
    "memory_max160": "active",
    "own_memory": "active",
    "event_two_params": "active",
    "grows": "active",
    "out_of_bounds": "active",
    "state_1mib": "active",
    "state_1mib_plus1": "active",
    "members_to_state": "active",
    "tasks_to_state": "active",
    "event_to_state": "active",
    "reemits": "active",
    "emits_invalid_utf8": "active",
    "emits_mix": "active",
    "emits_flood": "active",
    "emits_huge_event": "active",
    "logs_flood": "active",
    "logs_huge_line": "active",
    "logs_escapes": "active",
}
"""What becomes of each after three ticks and three events."""
ENDLESS = {"spin_init", "spin_start", "spin_event", "spin_tick", "grows_in_a_loop", "fills_in_a_loop"}
"""Those that end at their deadline; all others get one that they cannot meet on the slowest machine."""
REFUSED = ("unknown_import", "wasi_import", "missing_tick", "missing_init", "missing_event", "memory_min161")
COUNTS, WATCHES = AgentKey(ROOM, "counts"), AgentKey(ROOM, "watches")


async def others(world: World, limit_ms: int = 60_000) -> None:
    """Two that work: one counts its ticks, one keeps what it is told."""
    await world.stop()
    await world.start(limit_ms=limit_ms)
    world.rooms.put(task("t1"))
    await world.run("counts_ticks", "counts")
    await world.run("event_to_state", "watches")


async def rounds(world: World) -> None:
    for number in range(3):
        await world.tick()
        await world.tell(changed(number=number))


async def check_others(world: World, ticks: int) -> None:
    assert struct.unpack("<I", await world.kept(COUNTS) or b"") == (ticks,)
    assert b"task_status_changed" in (await world.kept(WATCHES) or b"")
    for key in (COUNTS, WATCHES):
        row = await world.row(key)
        assert (row["state"], row["failures"], row["dropped"]) == ("active", 0, 0)
    assert {one.agent for one in world.events(TickFailed)} <= {"guest"}


@pytest.mark.parametrize(("guest", "outcome"), HOSTILE.items(), ids=HOSTILE)
async def test_the_others_keep_working(world: World, guest: str, outcome: str) -> None:
    await others(world, 500 if guest in ENDLESS else 60_000)
    await world.upload(guest)
    key = AgentKey(ROOM, "guest")
    if outcome == "failed":
        with pytest.raises(FailedError):
            await world.executor.activate(key)
    else:
        await world.executor.activate(key)
    await rounds(world)
    assert (await world.row(key))["state"] == outcome
    await check_others(world, 3)
    calls = [one for one in world.events(TickCompleted) if one.agent == "counts" and one.trigger == "tick"]
    assert len(calls) == 3


@pytest.mark.parametrize("guest", REFUSED)
async def test_what_is_refused_disturbs_nobody(world: World, guest: str) -> None:
    await others(world)
    with pytest.raises(BinaryRefusedError):
        await world.upload(guest)
    await rounds(world)
    await check_others(world, 3)
    assert len(await world.rows()) == 2


async def test_one_that_fails_twice_and_recovers_disturbs_nobody(world: World) -> None:
    await others(world)
    await world.run(fails_before(world.clock.now_ms + 75_000))
    await rounds(world)
    assert (await world.row(AgentKey(ROOM, "guest")))["state"] == "active"
    await check_others(world, 3)


async def test_all_that_end_at_once_disturb_nobody(world: World) -> None:
    await others(world)
    wanted = {
        name: outcome for name, outcome in HOSTILE.items() if outcome != "failed" and name not in ENDLESS | {"reemits"}
    }
    for name in wanted:
        await world.run(agent(name), name.replace("_", "-"))
    await rounds(world)
    states = {row["agent"].replace("-", "_"): row["state"] for row in await world.rows()}
    assert states == wanted | {"counts": "active", "watches": "active"}
    assert struct.unpack("<I", await world.kept(COUNTS) or b"") == (3,)
