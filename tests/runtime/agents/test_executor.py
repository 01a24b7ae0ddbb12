"""The life of agents: started, ticked, told of events, stopped, tripped, probed, brought back; nothing left behind."""

import asyncio
import json
import re
import struct

import pytest

import assets
from runtime.agents.binary import BinaryRefusedError
from runtime.agents.keys import AgentKey
from runtime.agents.manifest import Permission, read_manifest
from runtime.agents.records import read_breaker
from runtime.agents.signature import SignatureRefusedError
from runtime.agents.uploads import Upload
from runtime.errors import FailedError, NotFoundError, RefusedError, UnavailableError, UsageError
from runtime.events import (
    AgentActivated,
    AgentDeactivated,
    AgentDeleted,
    AgentFailed,
    AgentGranted,
    AgentLog,
    AgentPaused,
    AgentRefused,
    AgentUploaded,
    BreakerClosed,
    BreakerProbed,
    BreakerTripped,
    CoreError,
    TaskChanged,
    TaskRejected,
    TickCompleted,
    TickFailed,
    TickSummary,
)
from tests.hostile import agent, agent_wat, data, emits, fails_before, wat
from tests.runtime.agents.world import ALL, INTERVAL_MS, ROOM, SELF, World, changed, manifest, task

KEY = AgentKey(ROOM, "guest")


def triggers(world: World) -> list[tuple[str, str]]:
    return [(one.agent, one.trigger) for one in world.events(TickCompleted)]


async def trip(world: World, guest: str | bytes = "trap_tick") -> None:
    await world.run(guest)
    await world.tick(3)
    assert (await world.row(KEY))["state"] == "tripped"


# --- activation -----------------------------------------------------------------------------------------------------


async def test_none_is_active_at_the_start(world: World) -> None:
    assert await world.rows() == []
    await world.upload("quiet")
    row = await world.row(KEY)
    assert (row["state"], row["calls"], row["last_ms"]) == ("off", 0, None)
    await world.tick()
    assert world.events(TickCompleted) == []


async def test_activation_calls_init_once_and_a_second_one_does_nothing(world: World) -> None:
    await world.run("quiet")
    await world.executor.activate(KEY)
    assert triggers(world) == [("guest", "init")]
    assert [one.hash for one in world.events(AgentActivated)] == [(await world.row(KEY))["hash"]]


async def test_activating_an_unknown_agent_says_so(world: World) -> None:
    with pytest.raises(NotFoundError, match=f"Module not found: {ROOM}:guest"):
        await world.executor.activate(KEY)
    with pytest.raises(NotFoundError):
        await world.executor.deactivate(KEY)


async def test_activations_of_the_same_agent_at_once_are_one(world: World) -> None:
    await world.upload("quiet")
    await asyncio.gather(*(world.executor.activate(KEY) for _ in range(5)))
    assert len(world.events(AgentActivated)) == 1


async def test_what_init_emits_is_admitted(world: World) -> None:
    await world.run(emits('{"type":"task_created","taskId":"new","task":{"title":"x"}}', on="init"))
    assert world.rooms.tasks["new"].title == "x"


async def test_w2_a_failed_activation_leaves_nothing_behind(world: World) -> None:
    await world.upload("trap_init")
    with pytest.raises(FailedError):
        await world.executor.activate(KEY)
    assert not world.executor._live
    assert world.executor._live.next_due() is None
    assert not (await world.modules.get(KEY)).active
    (failed,) = world.events(AgentFailed)
    assert failed.reason.startswith("unreachable")
    assert world.events(TickFailed) == []
    await world.tick(2)
    assert world.events(TickFailed) == []


async def test_an_activation_that_fails_trips_nothing(world: World) -> None:
    await world.upload("trap_init")
    for _ in range(4):
        with pytest.raises(FailedError):
            await world.executor.activate(KEY)
    assert world.events(BreakerTripped) == []
    assert (await world.row(KEY))["failures"] == 0


async def test_w41_an_activation_error_at_the_start_is_shown_at_the_agent(world: World) -> None:
    await world.run("quiet")
    path = next(world.state.modules.rglob("sha256/*/*"))
    path.write_bytes(agent("trap_tick"))
    assert await world.restart() == 0
    row = await world.row(KEY)
    assert row["state"] == "failed"
    assert row["problem"].startswith("WASM hash mismatch at instantiation: expected ")
    assert not (await world.modules.get(KEY)).active


# --- deactivation ---------------------------------------------------------------------------------------------------


async def test_a_deactivated_agent_gets_neither_ticks_nor_events(world: World) -> None:
    await world.run("quiet")
    await world.executor.deactivate(KEY)
    await world.tick()
    await world.tell(changed())
    assert triggers(world) == [("guest", "init")]
    assert [one.reason for one in world.events(AgentDeactivated)] == ["operator"]
    assert (await world.row(KEY))["state"] == "off"
    await world.executor.deactivate(KEY)
    assert len(world.events(AgentDeactivated)) == 1
    await world.executor.activate(KEY)
    assert (await world.row(KEY))["state"] == "active"


async def test_w34_deactivation_writes_no_state(world: World) -> None:
    await world.run("counts_ticks")
    await world.tick()
    version = world.live(KEY).state_version
    await world.executor.deactivate(KEY)
    await world.executor.activate(KEY)
    assert world.live(KEY).state_version == version == 1


async def test_a_call_that_runs_is_thrown_away_by_deactivation(world: World) -> None:
    world.limit_ms = 60_000
    await world.stop()
    await world.start()
    await world.run("spin_tick")
    world.clock.advance(INTERVAL_MS / 1000)
    world.executor.poke()
    await world.executor.deactivate(KEY)
    assert (await world.row(KEY))["state"] == "off"
    await world.upload("quiet")
    await world.executor.activate(KEY)
    await world.executor.shutdown()
    assert world.events(TickFailed) == []


async def test_shutdown_ends_whoever_spins_and_keeps_the_flags(world: World) -> None:
    world.limit_ms = 60_000
    await world.stop()
    await world.start()
    for name in ("one", "two", "three"):
        await world.run("spin_tick", name)
    world.clock.advance(INTERVAL_MS / 1000)
    world.executor.poke()
    await world.executor.shutdown()
    await world.executor.shutdown()
    await world.idle()
    assert world.events(TickFailed) == []
    assert [one.reason for one in world.events(AgentDeactivated)] == ["shutdown"] * 3
    assert all(record.active for record in await world.modules.list())


async def test_shutdown_ends_an_activation_that_spins(world: World) -> None:
    world.limit_ms = 60_000
    await world.stop()
    await world.start()
    await world.upload("spin_init")
    starting = asyncio.ensure_future(world.executor.activate(KEY))
    await world.until(lambda: world.executor._runner.inside)
    await world.executor.shutdown()
    with pytest.raises(UnavailableError, match="the program is ending"):
        await starting


# --- ticks ----------------------------------------------------------------------------------------------------------


async def test_the_first_tick_comes_one_interval_after_activation(world: World) -> None:
    await world.run("quiet")
    world.clock.advance(INTERVAL_MS / 1000 - 0.001)
    world.executor.poke()
    await world.idle()
    assert triggers(world) == [("guest", "init")]
    world.clock.advance(0.001)
    world.executor.poke()
    await world.idle()
    assert triggers(world)[1:] == [("guest", "tick")]


async def test_a_late_tick_does_not_shift_the_next(world: World) -> None:
    await world.run("quiet")
    for seconds, calls in ((41, 2), (18, 2), (1, 3), (100, 4), (19, 4), (1, 5)):
        world.clock.advance(seconds)
        world.executor.poke()
        await world.idle()
        assert (await world.row(KEY))["calls"] == calls


async def test_the_timer_ticks_without_help(world: World) -> None:
    await world.stop()
    await world.start(interval_ms=1)
    await world.run("quiet")
    world.clock.advance(1)
    await world.until(lambda: world.events(TickCompleted)[1:])


async def test_an_uneventful_tick_is_told_live_and_summed_up_for_the_journal(world: World) -> None:
    await world.run("quiet")
    await world.tick(5)
    assert len(world.events(TickCompleted)) == 6
    summaries = world.events(TickSummary)
    await world.executor.deactivate(KEY)
    await world.idle()
    summaries = world.events(TickSummary)
    assert sum(one.count for one in summaries) == 5
    journalled = [record.event.TYPE for record in world.journal.read(0, limit=1000)]
    assert journalled.count("tick.completed") == 1
    assert journalled.count("tick.summary") == len(summaries)


async def test_summaries_come_with_the_minutes(world: World) -> None:
    await world.run("quiet")
    await world.tick(9)
    assert sum(one.count for one in world.events(TickSummary)) >= 6


async def test_w14_durations_are_measured(world: World) -> None:
    await world.run("quiet")
    await world.tick(25)
    row = await world.row(KEY)
    assert row["last_duration_us"] >= 0
    assert row["p95_us"] >= row["last_duration_us"] or row["p95_us"] >= 0
    assert all(one.duration_us >= 0 for one in world.events(TickCompleted))


async def test_w43_the_last_run_is_shown(world: World) -> None:
    await world.run("trap_tick")
    await world.tick()
    row = await world.row(KEY)
    assert (row["last_ms"], row["last_trigger"]) == (world.clock.now_ms, "tick")
    runs = (await world.show(KEY))["runs"]
    assert [(run["trigger"], run["ok"]) for run in runs] == [("init", True), ("tick", False)]
    assert runs[1]["reason"].startswith("unreachable instruction executed")


# --- events ---------------------------------------------------------------------------------------------------------


async def test_events_reach_every_agent_of_the_room_in_order(world: World) -> None:
    for name in ("one", "two"):
        await world.run("event_to_state", name)
    await world.tell(changed(number=1), changed(number=2))
    assert triggers(world)[2:].count(("one", "event")) == triggers(world)[2:].count(("two", "event")) == 2
    state = json.loads(await world.kept(AgentKey(ROOM, "two")) or b"")
    assert state["timestamp"] == 1_600_000_000_002


async def test_events_of_another_room_do_not(world: World) -> None:
    await world.run("event_to_state")
    world.executor.dispatch("cd" * 16, [changed()])
    await world.idle()
    assert triggers(world) == [("guest", "init")]


async def test_w42_an_emission_is_applied_after_the_call_and_does_not_re_enter(world: World) -> None:
    await world.run(
        wat(
            agent_wat(
                "(call $host_emit_urgency (i32.const 0) (i32.const 2))"
                "(if (call $host_get_event (i32.const 64) (i32.const 1000)) (then unreachable))",
                event="unreachable",
                hosts=("host_emit_urgency", "host_get_event"),
                decls=data(0, b"t1"),
            )
        )
    )
    world.rooms.put(task("t1"))
    await world.tick()
    assert world.rooms.tasks["t1"].urgent is True
    assert world.events(TickFailed) == []


async def test_w3_an_agent_is_never_told_of_its_own_events_and_others_are(world: World) -> None:
    await world.run(emits('{"type":"task_created","taskId":"new","task":{}}'), "emitter")
    await world.run("event_to_state", "listener")
    await world.tick()
    assert ("emitter", "event") not in triggers(world)
    state = json.loads(await world.kept(AgentKey(ROOM, "listener")) or b"")
    assert (state["type"], state["taskId"]) == ("task_created", "new")


async def test_w3_answers_to_answers_end(world: World) -> None:
    world.rooms.put(task("t1"))
    for name in ("one", "two"):
        await world.run("reemits", name)
    await world.tell(changed())
    await world.tick()
    notes = [note["text"] for name in ("one", "two") for note in (await world.show(AgentKey(ROOM, name)))["notes"]]
    assert notes == ["its events were not passed on to other agents: they answer 5 agents in a row"] * 2


async def test_w3_events_beyond_the_queue_are_counted(world: World) -> None:
    await world.run("event_to_state")
    await world.tell(*(changed(number=n) for n in range(300)))
    assert len(triggers(world)) == 1 + 256
    await world.tick()
    assert "44 events were not delivered: too many were waiting" in json.dumps((await world.show(KEY))["notes"])


async def test_w3_a_flood_of_emissions_is_cut_at_64(world: World) -> None:
    world.rooms.put(task("t1"))
    await world.run("emits_flood")
    await world.tick()
    last = world.events(TickCompleted)[-1]
    assert last.emitted == 1
    assert len(last.dropped) == 64
    assert last.dropped[-1].reason == "more than 64 emissions in one call: 936 dropped"


async def test_w3_the_rate_of_emissions_is_limited(world: World) -> None:
    world.rooms.put(task("t1"))
    await world.run(
        emits(*['{"type":"task_status_changed","taskId":"t1","task":{"status":"pending"}}'] * 64, on="event")
    )
    await world.tell(*(changed(number=n) for n in range(5)))
    assert [one.emitted for one in world.events(TickCompleted)[1:]] == [64, 64, 64, 64, 0]
    assert world.events(TickCompleted)[-1].dropped[0].reason.startswith("rate limit")


async def test_w1_w35_every_call_sees_the_room_as_it_is_now(world: World) -> None:
    key = await world.run("members_to_state")
    await world.tick()
    assert len(json.loads(await world.kept(key) or b"")) == 1
    world.rooms.join("Bob")
    await world.tick()
    assert [one["displayName"] for one in json.loads(await world.kept(key) or b"")] == ["self", "Bob"]


async def test_w35_a_member_who_came_or_went_since_is_seen_by_any_call_without_a_change_of_a_task(
    world: World,
) -> None:
    copy = "(call $host_set_state (i32.const 0) (call $host_get_members (i32.const 0) (i32.const 65536)))"
    wasm = wat(agent_wat(copy, init=copy, event=copy, hosts=("host_get_members", "host_set_state")))

    async def seen() -> list[str]:
        return [one["displayName"] for one in json.loads(await world.kept(KEY) or b"")]

    await world.upload(wasm)
    bob = world.rooms.join("Bob")
    await world.executor.activate(KEY)
    assert await seen() == ["self", "Bob"]
    world.rooms.join("Eve")
    await world.tell(changed())
    assert await seen() == ["self", "Bob", "Eve"]
    world.rooms.remove_member(ROOM, bob).result()
    await world.tick()
    assert await seen() == ["self", "Eve"]


async def test_w6_a_prefix_of_a_member_becomes_his_full_key(world: World) -> None:
    bob = world.rooms.join("Bob")
    world.rooms.put(task("t1"))
    who = data(0, b"t1") + data(64, bob.encode()[:36])
    call = "(call $host_emit_assignment (i32.const 0) (i32.const 2) (i32.const 64) (i32.const 36))"
    await world.run(wat(agent_wat(call, hosts=("host_emit_assignment",), decls=who)))
    await world.tick()
    assert world.rooms.tasks["t1"].assignee == bob


# --- failures -------------------------------------------------------------------------------------------------------


async def test_nothing_of_a_failed_call_lasts(world: World) -> None:
    await world.run("state_then_trap")
    await world.tick()
    assert await world.kept(KEY) is None
    assert world.live(KEY).instance is None


async def test_w39_a_timeout_is_one_failure_and_a_fresh_instance_follows(world: World) -> None:
    counted = agent_wat(
        "(i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))"
        "(call $host_set_state (i32.const 0) (i32.const 4))"
        "(if (i32.ge_u (i32.load (i32.const 0)) (i32.const 2)) (then (loop br 0)))",
        hosts=("host_set_state",),
    )
    await world.run(wat(counted))
    await world.tick(4)
    assert [one.kind for one in world.events(TickFailed)] == ["deadline", "deadline"]
    assert await world.kept(KEY) == struct.pack("<I", 1)
    assert (await world.row(KEY))["state"] == "active"


async def test_init_on_a_fresh_instance_counts_as_the_call_for_which_it_was_made(world: World) -> None:
    await world.run(fails_in_init_later(world.clock.now_ms + 1000))
    await world.tell(changed())
    await world.tick(2)
    failed = world.events(TickFailed)
    assert [(one.trigger, one.failures) for one in failed] == [("event", 1), ("tick", 1), ("tick", 2)]
    assert failed[1].message.startswith("in init on a fresh instance: unreachable")


def fails_in_init_later(ms: int) -> bytes:
    """Its events trap; its `init` does so as well once the time has come."""
    return wat(
        agent_wat(
            init=f"(if (i64.ge_s (call $host_get_now) (i64.const {ms})) (then unreachable))",
            event="unreachable",
            hosts=("host_get_now",),
            types={"host_get_now": "(result i64)"},
        )
    )


async def test_what_a_failing_agent_logged_is_kept(world: World) -> None:
    await world.run(
        wat(
            agent_wat(
                "(call $host_log (i32.const 0) (i32.const 4)) unreachable", hosts=("host_log",), decls=data(0, b"last")
            )
        )
    )
    await world.tick()
    assert await world.logged(KEY) == ["last"]
    items = await world.items(KEY)
    assert [item["kind"] for item in items] == ["log", "failure"]


async def test_w2_a_trip_stores_its_reasons_clears_the_flag_and_survives_a_restart(world: World) -> None:
    await trip(world)
    record = await world.modules.get(KEY)
    assert not record.active
    assert [one.reason for one in world.events(AgentDeactivated)] == ["breaker"]
    before = await world.show(KEY)
    assert before["breaker"]["state"] == "open"
    assert before["breaker"]["failures"] == {"tick": 3, "event": 0}
    assert len(before["breaker"]["reasons"]) == 3
    assert await world.restart() == 0
    after = await world.row(KEY)
    assert (after["state"], after["failures"]) == ("tripped", 3)
    assert after["reasons"] == before["breaker"]["reasons"]
    await world.tick(2)
    assert len(world.events(TickFailed)) == 3


async def test_failures_are_stored_with_their_call(world: World) -> None:
    await world.run("trap_tick")
    await world.tick(2)
    breaker = await asyncio.wrap_future(world.store.read(lambda connection: read_breaker(connection, KEY)))
    assert breaker.failures == 2


async def test_w38_a_host_that_cannot_store_pauses_the_agent_and_counts_nothing(world: World) -> None:
    await world.run(emits('{"type":"task_created","taskId":"new","task":{}}'))
    world.rooms.fails = UnavailableError("the disk is full", where="orlop.db")
    await world.tick()
    row = await world.row(KEY)
    assert (row["state"], row["failures"], row["problem"]) == ("paused", 0, "orlop.db: the disk is full")
    assert [one.reason for one in world.events(AgentPaused)] == ["orlop.db: the disk is full"]
    assert [one.where for one in world.events(CoreError)] == [f"agent {ROOM}:guest"]
    await world.tick(2)
    assert (await world.row(KEY))["calls"] == 2
    assert len(world.events(AgentPaused)) == 1
    world.rooms.fails = None
    await world.tick()
    row = await world.row(KEY)
    assert (row["state"], row["problem"]) == ("active", "")
    assert world.events(TickFailed) == []


async def test_activating_a_paused_agent_tries_at_once(world: World) -> None:
    await world.run(emits('{"type":"task_created","taskId":"new","task":{}}'))
    world.rooms.fails = UnavailableError("the disk is full")
    await world.tick()
    world.rooms.fails = None
    await world.executor.activate(KEY)
    await world.idle()
    assert (await world.row(KEY))["state"] == "active"


async def test_a_paused_agent_can_be_switched_off(world: World) -> None:
    await world.run(emits('{"type":"task_created","taskId":"new","task":{}}'))
    world.rooms.fails = UnavailableError("the disk is full")
    await world.tick()
    await world.executor.deactivate(KEY)
    assert (await world.row(KEY))["state"] == "off"


async def test_emissions_wait_while_the_clock_is_behind(world: World) -> None:
    await world.run(emits('{"type":"task_created","taskId":"new","task":{}}'))
    world.rooms.put(task("t1"))
    world.clock.now_ms -= 3_600_000
    await world.tick()
    row = await world.row(KEY)
    assert (row["state"], row["failures"]) == ("paused", 0)
    assert "clock is 59 minutes behind" in row["problem"]
    assert list(world.rooms.tasks) == ["t1"]
    assert not world.events(TickFailed)
    assert not world.events(TaskRejected)
    world.clock.now_ms += 3_600_000
    await world.tick()
    assert list(world.rooms.tasks) == ["t1", "new"]
    assert (await world.row(KEY))["state"] == "active"
    assert world.events(TickCompleted)[0].dropped == ()


async def test_what_init_emits_waits_while_the_clock_is_behind(world: World) -> None:
    await world.upload(emits('{"type":"task_created","taskId":"new","task":{}}', on="init"))
    world.rooms.put(task("t1"))
    world.clock.now_ms -= 3_600_000
    await world.executor.activate(KEY)
    assert (await world.row(KEY))["state"] == "paused"
    assert [one.agent for one in world.events(AgentActivated)] == ["guest"]
    world.clock.now_ms += 3_600_000
    await world.tick()
    assert list(world.rooms.tasks) == ["t1", "new"]
    assert (await world.row(KEY))["state"] == "active"


async def test_an_error_in_a_host_function_is_the_hosts_fault(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.run("tasks_to_state")
    monkeypatch.setattr("runtime.agents.view.task_to_json", None)
    world.rooms.put(task("t1"))
    await world.tick()
    (failed,) = world.events(TickFailed)
    assert (failed.kind, failed.failures) == ("host", 0)
    assert "a host function failed: TypeError" in failed.message
    assert world.events(CoreError)
    monkeypatch.undo()
    await world.tick()
    assert await world.kept(KEY) is not None


async def test_a_module_that_was_changed_is_not_instantiated_again(world: World) -> None:
    await world.run("trap_tick")
    await world.tick()
    next(world.state.modules.rglob("sha256/*/*")).write_bytes(agent("quiet"))
    await world.tick()
    row = await world.row(KEY)
    assert row["state"] == "failed"
    assert "WASM hash mismatch at instantiation" in row["problem"]
    assert len(world.events(TickFailed)) == 1


# --- breaker: probe, activate, upload -------------------------------------------------------------------------------


async def test_a_good_probe_closes_the_breaker(world: World) -> None:
    await trip(world, fails_before(world.clock.now_ms + 100_000))
    assert await world.executor.probe(KEY) is False
    assert (await world.row(KEY))["state"] == "tripped"
    world.clock.advance(60)
    assert await world.executor.probe(KEY) is True
    row = await world.row(KEY)
    assert (row["state"], row["failures"], row["calls"]) == ("active", 0, 1)
    assert [one.ok for one in world.events(BreakerProbed)] == [False, True]
    assert [one.by for one in world.events(BreakerClosed)] == ["probe"]
    assert (await world.modules.get(KEY)).active
    await world.tick()
    assert (await world.row(KEY))["calls"] == 2


async def test_a_failed_probe_says_why_and_leaves_it_open(world: World) -> None:
    await trip(world)
    assert await world.executor.probe(KEY) is False
    (probed,) = world.events(BreakerProbed)
    assert probed.reason.startswith("unreachable")
    assert not (await world.modules.get(KEY)).active
    assert not world.executor._live


async def test_a_closed_breaker_cannot_be_probed(world: World) -> None:
    await world.run("quiet")
    with pytest.raises(UsageError, match="breaker is closed"):
        await world.executor.probe(KEY)
    assert (await world.row(KEY))["state"] == "active"


async def test_a_probe_of_a_changed_module_stays_open(world: World) -> None:
    await trip(world)
    next(world.state.modules.rglob("sha256/*/*")).write_bytes(agent("quiet"))
    assert await world.executor.probe(KEY) is False
    assert "hash mismatch" in world.events(BreakerProbed)[0].reason


async def test_activating_a_tripped_agent_closes_its_breaker(world: World) -> None:
    await trip(world)
    await world.executor.activate(KEY)
    assert [one.by for one in world.events(BreakerClosed)] == ["operator"]
    row = await world.row(KEY)
    assert (row["state"], row["failures"], row["reasons"]) == ("active", 0, [])


async def test_deactivating_a_tripped_agent_leaves_it_tripped(world: World) -> None:
    await trip(world)
    await world.executor.deactivate(KEY)
    assert (await world.row(KEY))["state"] == "tripped"


async def test_an_upload_closes_the_breaker_and_leaves_the_agent_off(world: World) -> None:
    await trip(world)
    uploaded = await world.upload("quiet", version="2.0.0")
    assert uploaded.versions == 2
    assert [one.by for one in world.events(BreakerClosed)] == ["upload"]
    row = await world.row(KEY)
    assert (row["state"], row["failures"], row["version"]) == ("off", 0, "2.0.0")
    assert [one["version"] for one in (await world.show(KEY))["versions"]] == ["1.0.0", "2.0.0"]


async def test_an_upload_stops_what_ran_before(world: World) -> None:
    await world.run("quiet")
    await world.upload("counts_ticks")
    assert [one.reason for one in world.events(AgentDeactivated)] == ["upload"]
    await world.tick()
    assert triggers(world) == [("guest", "init")]
    assert not (await world.modules.get(KEY)).active


async def test_w10_an_upload_deletes_the_state_only_when_the_module_changed(world: World) -> None:
    await world.run("counts_ticks")
    await world.tick()
    await world.upload("counts_ticks", version="1.0.1")
    assert await world.kept(KEY) == struct.pack("<I", 1)
    await world.upload("quiet", version="1.0.2")
    assert await world.kept(KEY) is None


async def test_w10_deletion_takes_everything_with_it(world: World) -> None:
    await world.run("counts_ticks")
    await world.run("trap_tick", "other")
    await world.tick()
    await world.executor.delete(KEY)
    assert world.events(AgentDeleted)
    assert [one.reason for one in world.events(AgentDeactivated)] == ["deleted"]
    assert await world.kept(KEY) is None
    tables = ("agents", "agent_versions", "agent_state", "agent_breakers", "agent_diagnostics")
    for table in tables:
        rows = world.store.read_now(lambda connection, t=table: connection.execute(f"SELECT agent FROM {t}").fetchall())
        assert ("guest",) not in rows
    assert len(list(world.state.modules.rglob("sha256/*/*"))) == 1
    with pytest.raises(NotFoundError):
        await world.show(KEY)
    await world.run("counts_ticks")
    await world.tick()
    assert await world.kept(KEY) == struct.pack("<I", 1)


async def test_a_built_in_agent_cannot_be_deleted_or_replaced_by_an_upload(world: World) -> None:
    upload, key = shipped("unblock"), AgentKey(ROOM, "unblock")
    await world.executor.upload(upload)
    await world.executor.activate(key)
    with pytest.raises(RefusedError, match="built-in agents cannot be deleted"):
        await world.executor.delete(key)
    with pytest.raises(RefusedError, match="the room has a built-in agent of this name"):
        await world.upload("quiet", "unblock")
    row = await world.row(key)
    assert (row["builtin"], row["state"], row["mark"]) == (True, "active", "shipped")
    await world.executor.upload(upload)
    await world.upload("quiet", "overdue")
    with pytest.raises(RefusedError, match="an agent that was uploaded"):
        await world.executor.upload(shipped("overdue"))


async def test_w33_what_is_built_in_is_part_of_orlop_and_never_a_matter_of_its_name(world: World) -> None:
    await world.upload("quiet", "builtin.quiet")
    assert (await world.row(AgentKey(ROOM, "builtin.quiet")))["builtin"] is False
    await world.executor.delete(AgentKey(ROOM, "builtin.quiet"))
    raw = agent("quiet")
    claims = Upload(room=ROOM, wasm=raw, manifest=manifest(raw), granted=ALL, builtin=True, unsigned=True)
    with pytest.raises(SignatureRefusedError, match="only what is part of orlop is built in"):
        await world.executor.upload(claims)
    assert await world.rows() == []


def shipped(name: str) -> Upload:
    """An agent that is part of orlop, as the demo stores it."""
    folder = assets.path(f"agents/{name}")
    described = read_manifest((folder / f"{name}.json").read_bytes())
    wasm = (folder / f"{name}.wasm").read_bytes()
    return Upload(room=ROOM, wasm=wasm, manifest=described, granted=described.permissions, by="demo", builtin=True)


async def test_a_refused_upload_changes_nothing_and_is_noted(world: World) -> None:
    await world.run("counts_ticks")
    await world.tick()
    with pytest.raises(BinaryRefusedError):
        await world.upload("unknown_import")
    assert (await world.row(KEY))["state"] == "active"
    assert await world.kept(KEY) == struct.pack("<I", 1)
    await world.idle()
    (refused,) = world.events(AgentRefused)
    assert (refused.name, refused.check) == ("guest", "imports")
    assert len(list(world.state.modules.rglob("sha256/*/*"))) == 1


# --- permissions ----------------------------------------------------------------------------------------------------


async def test_w13_the_operator_grants_a_subset_and_can_revoke_it(world: World) -> None:
    world.rooms.put(task("t1"))
    await world.upload("tasks_to_state", granted=(Permission.PERSIST_STATE, Permission.READ_TASKS))
    await world.executor.activate(KEY)
    await world.tick()
    assert json.loads(await world.kept(KEY) or b"")[0]["id"] == "t1"
    await world.executor.grant(KEY, (Permission.READ_TASKS,))
    world.rooms.put(task("t2"))
    await world.tick()
    assert len(json.loads(await world.kept(KEY) or b"")) == 1
    assert "persist_state is not granted" in json.dumps((await world.show(KEY))["notes"])
    row = await world.row(KEY)
    assert row["granted"] == ["read_tasks"]
    assert row["permissions"] == [one.value for one in Permission]
    assert [one.permissions for one in world.events(AgentGranted)] == [("read_tasks", "persist_state"), ("read_tasks",)]


async def test_more_than_the_manifest_asks_for_cannot_be_granted(world: World) -> None:
    with pytest.raises(UsageError, match="does not ask for emit_events"):
        await world.upload("quiet", permissions=["read_tasks"], granted=(Permission.EMIT_EVENTS,))
    await world.upload("quiet", permissions=["read_tasks"], granted=())
    with pytest.raises(UsageError, match="does not ask for emit_events"):
        await world.executor.grant(KEY, (Permission.EMIT_EVENTS,))
    assert (await world.row(KEY))["granted"] == []
    assert [one.signed_by for one in world.events(AgentUploaded)] == ["unsigned"]


# --- diagnostics ----------------------------------------------------------------------------------------------------


async def test_w9_log_lines_are_live_events_with_content_and_kept_sealed(world: World) -> None:
    await world.run("logs_escapes")
    await world.tick()
    (line,) = world.events(AgentLog)
    assert "\x1b" not in line.text
    assert await world.logged(KEY) == [line.text]
    rows = world.store.read_now(lambda c: c.execute("SELECT sealed FROM agent_diagnostics").fetchall())
    assert b"owned" not in rows[0][0]
    bodies = world.store.read_now(lambda c: c.execute("SELECT group_concat(body) FROM journal").fetchone()[0])
    assert "owned" not in bodies


async def test_w9_why_a_host_function_answered_0_is_noted_once(world: World) -> None:
    await world.run("tiny_buffer")
    await world.tick(3)
    notes = [one["text"] for one in (await world.show(KEY))["notes"]]
    assert notes == ["host_get_tasks: 2 bytes do not fit into a buffer of 1"]


async def test_w15_a_room_that_is_too_large_is_noted(world: World) -> None:
    world.rooms.put(*(task(f"t{n}", title="x" * 500) for n in range(200)))
    await world.run("tasks_to_state")
    await world.tick()
    assert "do not fit into a buffer of 65536" in (await world.show(KEY))["notes"][0]["text"]


async def test_w45_logs_are_capped(world: World) -> None:
    await world.run("logs_flood", "flood")
    await world.run("logs_huge_line", "huge")
    await world.tick()
    flood = await world.show(AgentKey(ROOM, "flood"))
    assert len(flood["log"]) == 64
    assert [one["text"] for one in flood["notes"]] == ["9936 more log lines in this call"]
    assert len((await world.logged(AgentKey(ROOM, "huge")))[0]) <= 2100


async def test_w45_a_huge_event_is_dropped(world: World) -> None:
    await world.run("emits_huge_event")
    await world.tick()
    assert [one.reason for one in world.events(TickCompleted)[-1].dropped] == [
        "an event of 6000000 bytes is larger than 16384"
    ]


async def test_w44_drops_carry_reason_and_event(world: World) -> None:
    await world.run(emits('{"type":"task_updated","taskId":"t1"}'))
    await world.tick()
    (drop,) = (await world.show(KEY))["drops"]
    assert drop["reason"] == "Disallowed event type: task_updated"
    assert json.loads(drop["event"]) == {"type": "task_updated", "taskId": "t1"}
    (item,) = await world.items(KEY)
    assert (item["kind"], item["ts_ms"]) == ("drop", world.clock.now_ms)


async def test_no_content_reaches_the_journal(world: World) -> None:
    await world.run(emits('{"type":"task_created","taskId":"new","task":{"title":"confidential"}}', '{"type":"secret!'))
    await world.tick()
    bodies = world.store.read_now(lambda c: c.execute("SELECT group_concat(body) FROM journal").fetchone()[0])
    assert "confidential" not in bodies
    assert "secret!" not in bodies


# --- state ----------------------------------------------------------------------------------------------------------


async def test_w34_a_state_is_written_exactly_when_it_changed(world: World) -> None:
    await world.run("tasks_to_state")
    await world.tick(3)
    assert [one.state_changed for one in world.events(TickCompleted)] == [False, True, False, False]
    assert world.live(KEY).state_version == 1
    assert (await world.row(KEY))["state_bytes"] == 2


async def test_w40_a_state_that_does_not_open_is_reported_and_counts_as_none(world: World) -> None:
    await world.run("counts_ticks")
    await world.tick(2)
    await world.executor.deactivate(KEY)
    spoil = "UPDATE main.agent_state SET sealed = zeroblob(length(sealed))"
    await asyncio.wrap_future(world.store.write(lambda tx: tx.execute(spoil).rowcount))
    await world.executor.activate(KEY)
    (error,) = world.events(CoreError)
    assert "the stored state cannot be opened" in error.error
    (aside,) = re.findall(r"its bytes are kept as (guest![0-9a-f]{8}) in the table agent_state", error.error)
    assert "counts as none" in (await world.show(KEY))["notes"][0]["text"]
    await world.tick()
    kept = "SELECT version, sealed = zeroblob(length(sealed)) FROM agent_state WHERE agent = ?"
    assert world.store.read_now(lambda c: c.execute(kept, (aside,)).fetchall()) == [(2, 1)]
    assert await world.kept(KEY) == struct.pack("<I", 1)
    assert world.live(KEY).state_version == 3


async def test_nothing_that_a_guest_wrote_comes_into_the_journal_by_way_of_what_was_dropped(world: World) -> None:
    world.rooms.put(task("t1"))
    said = (
        '{"type":"WORD","taskId":"t1"}',
        '{"type":"task_assigned","taskId":"WORD","task":{"assignee":"a"}}',
        '{"type":"task_status_changed","taskId":"t1","task":{"WORD":1}}',
        '{"type":"task_assigned","taskId":"t1","task":{"assignee":"WORDWORD"}}',
        '{"type":"subtask_created","taskId":"t2","task":{"parentId":"WORD"}}',
        '{"type":"task_dependencies_changed","taskId":"t1","task":{"blockedBy":["WORD"]}}',
        '{"WORD":1,"WORD":2}',
        "WORD",
    )
    await world.run(emits(*said))
    await world.tick()
    (ticked,) = [one for one in world.events(TickCompleted) if one.trigger == "tick"]
    assert len(ticked.dropped) == len(said)
    assert all("WORD" in (one.detail or "") + (one.event or "") for one in ticked.dropped)
    assert len(world.events(TaskRejected)) == 4
    assert all("WORD" in (one.detail or "") for one in world.events(TaskRejected))
    shown = (await world.show(KEY))["drops"]
    assert [one["reason"] for one in shown] == [one.detail for one in ticked.dropped]
    rows = world.store.read_now(lambda c: c.execute("SELECT type, body FROM journal").fetchall())
    assert {"tick.completed", "task.rejected"} <= {kind for kind, _ in rows}
    assert [body for _, body in rows if "WORD" in body] == []


async def test_emissions_state_and_event_of_a_call_commit_together_or_not_at_all(world: World) -> None:
    both = agent_wat(
        "(call $host_emit_event (i32.const 0) (i32.const 48)) (call $host_set_state (i32.const 0) (i32.const 4))",
        hosts=("host_emit_event", "host_set_state"),
        decls=data(0, b'{"type":"task_created","taskId":"n","task":{} }  '),
    )
    await world.run(wat(both))
    world.rooms.fails = UnavailableError("no")
    await world.tick()
    assert await world.kept(KEY) is None
    assert [one.trigger for one in world.events(TickCompleted)] == ["init"]


# --- suspects -------------------------------------------------------------------------------------------------------


async def test_an_agent_that_ran_long_is_a_suspect_until_a_call_stays_short(world: World) -> None:
    spins_while_no_tasks = agent_wat(
        "(if (i32.le_s (call $host_get_tasks (i32.const 0) (i32.const 65536)) (i32.const 2)) (then (loop br 0)))",
        hosts=("host_get_tasks",),
    )
    await world.run(wat(spins_while_no_tasks))
    await world.tick()
    assert world.live(KEY).suspect
    world.rooms.put(task("t1"))
    await world.tick()
    assert not world.live(KEY).suspect


async def test_w5_self_is_among_the_members(world: World) -> None:
    key = await world.run("assignments_to_state")
    await world.tick()
    assert struct.unpack_from("<II", await world.kept(key) or b"") == (0, 1)


async def test_w4_the_actor_names_the_runner(world: World) -> None:
    await world.run(emits('{"type":"task_created","taskId":"new","task":{},"actorId":"mallory"}'))
    await world.tick()
    assert [one.actor for one in world.events(TaskChanged)] == [f"agent:{ROOM}:guest@{SELF}"]


async def test_w8_emissions_of_one_call_rise_by_a_millisecond_each(world: World) -> None:
    await world.run(emits(*(f'{{"type":"task_created","taskId":"n{n}","task":{{}},"timestamp":7}}' for n in range(64))))
    await world.tick()
    times = [one.created_at for one in world.rooms.tasks.values()]
    assert times == [world.clock.now_ms + n for n in range(64)]


async def test_w29_now_is_bound_by_its_declared_type_beside_other_agents(world: World) -> None:
    for form in ("i32", "i64", "f64"):
        await world.run(f"now_{form}", form)
    await world.tick()
    now = world.clock.now_ms
    found = {form: await world.kept(AgentKey(ROOM, form)) or b"" for form in ("i32", "i64", "f64")}
    assert struct.unpack("<I", found["i32"][:4]) == (now & 0xFFFFFFFF,)
    assert struct.unpack("<q", found["i64"]) == (now,)
    assert struct.unpack("<d", found["f64"]) == (float(now),)


async def test_eight_spinners_and_many_honest_agents_coexist(world: World) -> None:
    world.limit_ms = 60_000
    await world.stop()
    await world.start(honest=1)
    await world.upload("spin_tick", "spinner-0")
    for number in range(8):
        await world.run("spin_tick", f"spinner-{number}")
    honest = [await world.run("quiet", f"honest-{number}") for number in range(40)]
    for round_ in (1, 2, 3):
        world.clock.advance(INTERVAL_MS / 1000)
        world.executor.poke()
        await world.until(lambda calls=1 + round_: all(world.live(key).figures.calls == calls for key in honest))
    assert world.events(TickFailed) == []
    await world.until(lambda: len(world.executor._runner.tasks) == 8)
    await world.executor.shutdown()


async def test_w38_a_state_that_is_too_large_counts(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.agents.state.MAX_STATE_BYTES", 3)
    await world.run("counts_ticks")
    await world.tick(3)
    assert [(one.kind, one.failures) for one in world.events(TickFailed)] == [("state", 1), ("state", 2), ("state", 3)]
    assert (await world.row(KEY))["state"] == "tripped"
    assert await world.kept(KEY) is None


async def test_a_host_that_cannot_store_an_activation_is_not_the_agents_fault(world: World) -> None:
    await world.upload(emits('{"type":"task_created","taskId":"new","task":{}}', on="init"))
    world.rooms.fails = UnavailableError("the disk is full")
    with pytest.raises(UnavailableError, match="the disk is full"):
        await world.executor.activate(KEY)
    assert (await world.row(KEY))["problem"] == "the disk is full"
    assert not world.executor._live
    world.rooms.fails = None
    await world.executor.activate(KEY)
    assert list(world.rooms.tasks) == ["new"]


async def test_a_restart_on_a_full_disk_keeps_the_flag(world: World) -> None:
    await world.run(emits('{"type":"task_created","taskId":"new","task":{}}', on="init"))
    world.rooms.fails = UnavailableError("the disk is full")
    assert await world.restart() == 0
    assert (await world.modules.get(KEY)).active
    world.rooms.fails = None
    assert await world.restart() == 1


async def test_a_probe_that_the_host_cannot_store_leaves_everything_as_it_was(world: World) -> None:
    await trip(world, fails_before(world.clock.now_ms + 100_000))
    world.clock.advance(60)
    original = world.store.write

    def refuse(*_: object, **__: object) -> None:
        raise UnavailableError("the disk is full")

    world.store.write = refuse  # type: ignore[method-assign]
    with pytest.raises(UnavailableError):
        await world.executor.probe(KEY)
    world.store.write = original  # type: ignore[method-assign]
    assert (await world.row(KEY))["state"] == "tripped"
    assert world.events(BreakerProbed) == []
    assert await world.executor.probe(KEY) is True
