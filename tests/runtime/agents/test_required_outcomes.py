"""Every row of the table of required outcomes, on a real module that does what the row says."""

import json
import struct

import pytest

from runtime.agents.binary import BinaryRefusedError
from runtime.agents.keys import AgentKey
from runtime.canonical import timestamp
from runtime.errors import FailedError
from runtime.events import AgentFailed, BreakerTripped, TickCompleted, TickFailed
from tests.hostile import emits, emits_mix, fails_before
from tests.runtime.agents.world import ALL, ROOM, SELF, World, changed, task

KEY = AgentKey(ROOM, "guest")


@pytest.mark.parametrize("guest", ["spin_init", "spin_start"])
async def test_spins_for_ever_in_init_or_start(world: World, guest: str) -> None:
    await world.upload(guest)
    with pytest.raises(FailedError, match="over its deadline"):
        await world.executor.activate(KEY)
    assert (await world.row(KEY))["state"] == "failed"
    assert not world.executor._live


@pytest.mark.parametrize(("guest", "trigger"), [("spin_tick", "tick"), ("spin_event", "event")])
async def test_spins_for_ever_in_an_event_or_a_tick(world: World, guest: str, trigger: str) -> None:
    await world.run(guest)
    for number in (1, 2, 3):
        if trigger == "tick":
            await world.tick()
        else:
            await world.tell(changed())
        failed = world.events(TickFailed)[-1]
        assert (failed.kind, failed.trigger, failed.failures) == ("deadline", trigger, number)
    row = await world.row(KEY)
    assert (row["state"], row["failures"]) == ("tripped", 3)
    assert not world.executor._live
    await world.tick()
    assert len(world.events(TickFailed)) == 3


@pytest.mark.parametrize(("guest", "kind"), [("trap_tick", "trap"), ("recurse_tick", "stack")])
async def test_traps_or_recurses_in_every_tick(world: World, guest: str, kind: str) -> None:
    await world.run(guest)
    await world.tick(2)
    assert (await world.row(KEY))["state"] == "active"
    await world.tick()
    assert (await world.row(KEY))["state"] == "tripped"
    assert [one.kind for one in world.events(TickFailed)] == [kind] * 3
    (tripped,) = world.events(BreakerTripped)
    assert (tripped.trigger, tripped.failures, len(tripped.reasons)) == ("tick", 3, 3)
    assert tripped.next_probe == timestamp(world.clock.now_ms + 300_000)


@pytest.mark.parametrize(("guest", "form"), [("now_i64", "<q"), ("now_f64", "<d"), ("now_i32", "<i")])
async def test_declares_host_get_now_as_i64_f64_or_i32(world: World, guest: str, form: str) -> None:
    await world.run(guest)
    await world.tick()
    now = world.clock.now_ms
    (got,) = struct.unpack_from(form, await world.kept(KEY) or b"")
    assert got == (now if form != "<i" else struct.unpack("<i", struct.pack("<q", now)[:4])[0])


async def test_fails_two_ticks_then_succeeds(world: World) -> None:
    await world.run(fails_before(world.clock.now_ms + 90_000))
    await world.tick(2)
    assert (await world.row(KEY))["failures"] == 2
    await world.tick(2)
    row = await world.row(KEY)
    assert (row["state"], row["failures"], row["reasons"]) == ("active", 0, [])


async def test_traps_in_on_task_event(world: World) -> None:
    await world.run("trap_event")
    for _ in range(3):
        await world.tell(changed())
        await world.tick()
    (tripped,) = world.events(BreakerTripped)
    assert tripped.trigger == "event"
    assert (await world.row(KEY))["state"] == "tripped"


@pytest.mark.parametrize("guest", ["trap_init", "trap_start"])
async def test_traps_in_init_or_start(world: World, guest: str) -> None:
    await world.upload(guest)
    for attempt in (1, 2):
        with pytest.raises(FailedError, match="Failed to activate agent: unreachable"):
            await world.executor.activate(KEY)
        assert len(world.events(AgentFailed)) == attempt
    row = await world.row(KEY)
    assert row["state"] == "failed"
    assert "unreachable" in row["problem"]
    await world.upload("quiet")
    await world.executor.activate(KEY)
    assert (await world.row(KEY))["state"] == "active"


@pytest.mark.parametrize("guest", ["memory_min2", "memory_max10", "memory_max160", "memory_min0"])
async def test_imports_a_memory_with_limits_of_its_own(world: World, guest: str) -> None:
    await world.run(guest)
    await world.tick()
    assert (await world.row(KEY))["calls"] == 2


@pytest.mark.parametrize(
    ("guest", "named"),
    [
        ("unknown_import", "env.host_launch"),
        ("wasi_import", "wasi_snapshot_preview1.fd_write"),
        ("missing_tick", "Missing required export: on_tick"),
    ],
)
async def test_has_an_unknown_import_or_wasi_or_lacks_on_tick(world: World, guest: str, named: str) -> None:
    with pytest.raises(BinaryRefusedError, match=named):
        await world.upload(guest)
    assert await world.modules.list() == []


async def test_defines_its_own_memory(world: World) -> None:
    uploaded = await world.upload("own_memory")
    assert "memory of its own" in uploaded.warnings[0]
    await world.executor.activate(KEY)
    await world.tick()
    assert (await world.row(KEY))["state"] == "active"
    assert await world.logged(KEY) == []


async def test_declares_on_task_event_with_two_parameters(world: World) -> None:
    await world.run("event_two_params")
    await world.tell(changed())
    assert [one.trigger for one in world.events(TickCompleted)] == ["init", "event"]


async def test_grows_its_memory_to_the_limit(world: World) -> None:
    await world.run("grows")
    await world.tick()
    assert struct.unpack("<iii", await world.kept(KEY) or b"") == (1, -1, 160)
    await world.tick()
    assert struct.unpack("<iii", await world.kept(KEY) or b"") == (-1, -1, 160)


async def test_passes_out_of_bounds_pointers_to_every_host_function(world: World) -> None:
    await world.run("out_of_bounds")
    assert await world.kept(KEY) == b"keep"
    await world.tick()
    assert (await world.row(KEY))["state"] == "active"
    assert world.events(TickFailed) == []
    assert await world.kept(KEY) == b"keep"
    assert await world.logged(KEY) == ["alive"]


async def test_stores_a_state_of_exactly_one_mebibyte_then_more(world: World) -> None:
    await world.run("state_at_limit")
    await world.tick()
    assert await world.kept(KEY) == b"a" * 1_048_576
    assert "1048577 bytes are more than 1048576" in (await world.show(KEY))["notes"][0]["text"]


async def test_copies_what_host_get_tasks_and_members_return_during_a_tick(world: World) -> None:
    world.rooms.put(task("t1", title="Käse"))
    tasks, members = await world.run("tasks_to_state", "tasks"), await world.run("members_to_state", "members")
    await world.tick()
    assert json.loads(await world.kept(tasks) or b"")[0]["title"] == "Käse"
    assert json.loads(await world.kept(members) or b"") == [{"identityKey": SELF, "displayName": "self"}]


async def test_stores_the_raw_json_of_each_event(world: World) -> None:
    await world.run("event_to_state")
    await world.tell(changed())
    assert await world.kept(KEY) == (
        b'{"type":"task_status_changed","taskId":"t1","task":{"status":"in_progress"},'
        b'"timestamp":1600000000001,"actorId":"' + SELF.encode() + b'"}'
    )


async def test_counts_its_ticks_in_its_state(world: World) -> None:
    await world.run("counts_ticks")
    await world.tick(3)
    assert await world.restart() == 1
    await world.tick()
    assert await world.kept(KEY) == struct.pack("<I", 4)


async def test_its_state_survives_being_switched_off_and_on(world: World) -> None:
    await world.run("counts_ticks")
    await world.tick(2)
    await world.executor.deactivate(KEY)
    await world.tick()
    await world.executor.activate(KEY)
    await world.tick()
    assert await world.kept(KEY) == struct.pack("<I", 3)


async def test_emits_again_every_event_that_it_receives(world: World) -> None:
    world.rooms.put(task("t1"))
    await world.run("reemits", "one")
    await world.tell(changed())
    assert sum(one.emitted for one in world.events(TickCompleted)) == 1
    await world.run("reemits", "two")
    await world.run("reemits", "three")
    await world.tell(changed(number=2))
    emitted = sum(one.emitted for one in world.events(TickCompleted)) - 1
    assert 3 <= emitted <= 3 * sum(2**hop for hop in range(5))


async def test_emits_invalid_utf8(world: World) -> None:
    await world.run("emits_invalid_utf8")
    await world.tick()
    last = world.events(TickCompleted)[-1]
    assert last.emitted == 0
    assert [one.detail for one in last.dropped] == [
        "Event is not valid JSON: not UTF-8 at byte 0",
        "Event is not valid JSON: not UTF-8 at byte 33",
    ]
    assert len((await world.show(KEY))["drops"]) == 2


async def test_emits_a_mix_of_honest_and_dishonest_events(world: World) -> None:
    alice = world.rooms.join("alice")
    world.rooms.put(task("t1"), task("t2"))
    await world.run(emits_mix(alice))
    await world.tick()
    tasks = world.rooms.tasks
    assert {one.id: (one.title, one.assignee, one.urgent, one.created_by) for one in tasks.values()} == {
        "t1": ("t1", alice, None, SELF),
        "t2": ("t2", alice, True, SELF),
        "fresh": ("fresh", None, None, f"agent:{ROOM}:guest@{SELF}"),
    }
    last = world.events(TickCompleted)[-1]
    assert last.emitted == 4
    assert len(last.dropped) == 8
    assert all(one.reason for one in last.dropped)


async def test_an_honest_agent_beside_all_of_them_keeps_ticking(world: World) -> None:
    await world.run(emits('{"type":"task_created","taskId":"fresh","task":{}}'), "honest")
    for guest in ("trap_tick", "spin_tick", "recurse_tick", "loads_outside"):
        await world.run(guest, guest.replace("_", "-"), ALL)
    await world.tick(3)
    rows = {row["agent"]: row for row in await world.rows()}
    assert (rows["honest"]["calls"], rows["honest"]["state"]) == (4, "active")
    assert [row["state"] for name, row in rows.items() if name != "honest"] == ["tripped"] * 4
