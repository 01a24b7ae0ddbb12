"""What agents may use in a minute: counted per call, shown, and held, without a failure of theirs."""

from runtime.agents.figures import Figures, Run
from runtime.agents.keys import AgentKey
from runtime.agents.limits import MAX_STATE_BYTES
from runtime.agents.quota import MINUTE_MS, Minute, Quotas, RoomBudgets
from runtime.events import AgentPaused, BreakerTripped, TickCompleted, TickFailed
from tests.hostile import agent_wat, emits, wat
from tests.runtime.agents.world import ALL, INTERVAL_MS, ROOM, World, changed, task

KEY = AgentKey(ROOM, "guest")
BURNS = agent_wat(
    "(local i32) (loop (local.set 0 (i32.add (local.get 0) (i32.const 1)))"
    " (br_if 0 (i32.lt_u (local.get 0) (i32.const 20000000))))"
)
"""Burns some milliseconds of CPU time in every tick."""


def made(*names: str) -> bytes:
    return emits(*(f'{{"type":"task_created","taskId":"{name}","task":{{}}}}' for name in names))


async def bounded(world: World, **quotas: int) -> None:
    """Starts the executor anew, with these quotas and a deadline that no honest call meets on any machine."""
    await world.stop()
    await world.start(quotas=Quotas(**quotas), limit_ms=60_000)


async def to_next_minute(world: World) -> None:
    world.clock.advance((MINUTE_MS - world.clock.now_ms % MINUTE_MS) / 1000)
    world.executor.poke()
    await world.idle()


# --- counting -------------------------------------------------------------------------------------------------------


def test_a_minute_adds_up_and_knows_its_95th_percentile() -> None:
    minute = Minute(7)
    for number in range(100):
        minute.used(duration_us=number, cpu_us=2, emissions=1, log_bytes=3)
        minute.ended(ok=number % 10 > 0, emitted=1, dropped=2)
    assert (minute.calls, minute.cpu_us, minute.emissions, minute.log_bytes) == (100, 200, 100, 300)
    assert (minute.failures, minute.emitted, minute.dropped) == (10, 100, 200)
    assert 90 <= minute.p95_us <= 99
    assert Minute().p95_us == 0


def test_a_call_counts_as_failed_in_the_figures_and_their_minute() -> None:
    figures = Figures()
    figures.ran(Run(1, "tick", 10, False, "no"))
    assert figures.minute.failures == 1


def test_w3_a_rooms_budget_is_shared_and_begins_anew_each_minute() -> None:
    budgets = RoomBudgets(5)
    assert [budgets.take("a", 3, 1), budgets.take("a", 3, 1), budgets.take("a", 3, 1)] == [3, 2, 0]
    assert budgets.take("b", 9, 1) == 5
    assert budgets.take("a", 3, 2) == 3


async def test_w14_the_cpu_time_of_each_call_is_measured_and_shown(world: World) -> None:
    await bounded(world)
    await world.run(wat(BURNS))
    await world.tick()
    ticked = world.events(TickCompleted)[-1]
    assert ticked.cpu_us > 0
    row = await world.row(KEY)
    assert row["used_cpu_us"] >= ticked.cpu_us
    assert row["minute"] == world.clock.now_ms // MINUTE_MS
    limits = (await world.show(KEY))["limits"]
    assert (limits["cpu_ms"], limits["calls"], limits["state_bytes"]) == (20_000, 1_200, MAX_STATE_BYTES)


async def test_what_was_used_of_each_quota_is_shown(world: World) -> None:
    await world.run("logs_escapes")
    await to_next_minute(world)
    await world.tick()
    row = await world.row(KEY)
    assert (row["used_calls"], row["used_emissions"]) == (2, 0)
    assert row["used_log_bytes"] > 0
    assert world.events(TickCompleted)[-1].log_bytes * 2 == row["used_log_bytes"]


# --- calls and CPU time ---------------------------------------------------------------------------------------------


async def test_w14_an_agent_that_used_up_its_cpu_time_pauses_until_the_next_minute(world: World) -> None:
    await to_next_minute(world)
    await bounded(world, cpu_ms=1)
    await world.run(wat(BURNS))
    await world.tick()
    calls = len(world.events(TickCompleted))
    world.clock.advance(1)
    await world.tell(changed())
    row = await world.row(KEY)
    assert row["state"] == "paused"
    assert row["problem"].startswith("quota: ")
    assert "of CPU time of 1ms in this minute" in row["problem"]
    assert [one.reason for one in world.events(AgentPaused)] == [row["problem"]]
    assert len(world.events(TickCompleted)) == calls
    await to_next_minute(world)
    assert len(world.events(TickCompleted)) > calls
    assert world.events(TickFailed) == []
    assert world.events(BreakerTripped) == []


async def test_calls_beyond_the_quota_wait_for_the_next_minute_and_are_then_made(world: World) -> None:
    await bounded(world, calls=3)
    await world.run("quiet")
    await world.tell(*(changed(number=number) for number in range(4)))
    assert (await world.row(KEY))["used_calls"] == 3
    assert (await world.row(KEY))["state"] == "paused"
    assert len(world.live(KEY).pending) == 2
    await to_next_minute(world)
    row = await world.row(KEY)
    assert (row["state"], row["problem"], row["used_calls"]) == ("active", "", 3)
    assert not world.live(KEY).pending
    assert len(world.events(AgentPaused)) == 1
    assert "quota: 3 calls of 3" in str((await world.show(KEY))["notes"])


async def test_an_agent_that_pauses_delays_no_other_and_can_be_switched_off(world: World) -> None:
    await bounded(world, calls=3)
    await world.run("quiet")
    other = await world.run("quiet", "other")
    world.executor._running.dispatch(ROOM, [changed(number=number) for number in range(4)], origin=other)
    await world.idle()
    assert [row["state"] for row in await world.rows()] == ["paused", "active"]
    await world.tell(changed())
    assert (await world.row(other))["calls"] == 2
    await world.executor.deactivate(KEY)
    await to_next_minute(world)
    assert [row["state"] for row in await world.rows()] == ["off", "active"]


async def test_what_was_used_stays_used_when_an_agent_is_started_again(world: World) -> None:
    await bounded(world, calls=3)
    await world.run("quiet")
    for _ in range(2):
        await world.executor.deactivate(KEY)
        await world.executor.activate(KEY)
    assert (await world.row(KEY))["used_calls"] == 3
    await world.tell(changed())
    assert (await world.row(KEY))["state"] == "paused"


# --- emissions ------------------------------------------------------------------------------------------------------


async def test_w3_what_an_agent_emits_beyond_its_minute_is_dropped_with_a_reason(world: World) -> None:
    await bounded(world, emissions=3)
    await world.run(made(*"abcde"))
    await world.tick()
    assert list(world.rooms.tasks) == ["a", "b", "c"]
    reason = "quota: more emissions than 3 in one minute"
    assert [one.reason for one in world.events(TickCompleted)[-1].dropped] == [reason, reason]
    row = await world.row(KEY)
    assert (row["used_emissions"], row["dropped"], row["state"]) == (3, 2, "active")
    assert (await world.show(KEY))["limits"]["emissions"] == 3
    assert [one["reason"] for one in (await world.show(KEY))["drops"]] == [reason, reason]


async def test_w3_what_a_room_s_agents_emit_together_is_bounded(world: World) -> None:
    await bounded(world, room_emissions=3)
    await world.run(made(*"ab"), "one")
    await world.run(made(*"cd"), "two")
    await world.tick()
    assert len(world.rooms.tasks) == 3
    dropped = [drop.reason for one in world.events(TickCompleted) for drop in one.dropped]
    assert dropped == ["quota: more emissions than 3 in one minute by all agents of the room"]


async def test_w3_two_agents_that_answer_each_other_end(world: World) -> None:
    world.rooms.put(task("t1"))
    for name in ("one", "two"):
        await world.run(
            emits('{"type":"task_status_changed","taskId":"t1","task":{"status":"in_progress"}}', on="event"), name
        )
    await world.tell(changed())
    assert len(world.events(TickCompleted)) < 40
    await world.tick()
    assert [row["state"] for row in await world.rows()] == ["active", "active"]


# --- log and state --------------------------------------------------------------------------------------------------


async def test_log_lines_beyond_the_minute_are_dropped_with_a_note(world: World) -> None:
    await bounded(world, log_bytes=100)
    await world.run("logs_escapes")
    await to_next_minute(world)
    for _ in range(20):
        await world.tell(changed())
    await world.tick()
    row = await world.row(KEY)
    assert 0 < row["used_log_bytes"] <= 100


async def test_a_log_line_that_does_not_fit_into_the_minute_is_told(world: World) -> None:
    await bounded(world, log_bytes=1)
    await world.run("logs_escapes")
    await world.tick()
    shown = await world.show(KEY)
    assert shown["log"] == []
    notes = [one["text"] for one in shown["notes"]]
    assert notes == ["host_log: more than 1B in one minute", "1 more log lines in this call"]


async def test_a_state_beyond_its_quota_is_not_taken(world: World) -> None:
    await bounded(world, state_bytes=3)
    await world.run("counts_ticks")
    await world.tick(2)
    assert await world.kept(KEY) is None
    assert "4 bytes are more than 3; the state is as it was" in str((await world.show(KEY))["notes"])
    assert (await world.row(KEY))["state"] == "active"


async def test_many_calls_in_many_minutes_meet_no_default(world: World) -> None:
    await world.upload("quiet", granted=ALL)
    await world.executor.activate(KEY)
    for _ in range(5):
        world.clock.advance(INTERVAL_MS / 1000)
        world.executor.poke()
        await world.tell(*(changed(number=number) for number in range(100)))
    assert world.events(AgentPaused) == []
