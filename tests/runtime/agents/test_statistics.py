"""What agents did, by the minute for a day and by the hour for two weeks."""

import asyncio

import pytest

from runtime.agents import statistics
from runtime.agents.keys import AgentKey
from runtime.agents.quota import MINUTE_MS, Minute
from runtime.agents.statistics import NO_HISTORY, History, Span, Statistics, read_history
from tests.runtime.agents.world import ROOM, World, changed

KEY = AgentKey(ROOM, "guest")
NOW = 28_333_333
"""A minute."""


def minute(number: int, calls: int = 1, took_us: int = 10) -> Minute:
    made = Minute(number)
    for _ in range(calls):
        made.used(duration_us=took_us, cpu_us=5, emissions=0, log_bytes=0)
        made.ended(ok=True, emitted=2, dropped=1)
    return made


async def written(world: World, made: Statistics) -> None:
    made.flush()
    await asyncio.wrap_future(world.store.write(lambda _: None))


async def history(world: World, now: int = NOW, key: AgentKey = KEY) -> History:
    return await asyncio.wrap_future(world.store.read(lambda c: read_history(c, key, now * MINUTE_MS)))


async def test_minutes_are_written_together_and_read_back_oldest_first(world: World) -> None:
    made = Statistics(world.store, lambda: 1)
    for number in (NOW - 1, NOW):
        made.add(KEY, minute(number, calls=3))
    made.add(KEY, Minute(NOW))
    assert await history(world) == NO_HISTORY
    await written(world, made)
    found = await history(world)
    assert found.minutes == tuple(Span(number, 3, 0, 6, 3, 15, 10) for number in (NOW - 1, NOW))
    assert sum(hour.calls for hour in found.hours) == 6


async def test_the_same_minute_counted_in_two_parts_is_one(world: World) -> None:
    made = Statistics(world.store, lambda: 1)
    made.add(KEY, minute(NOW, calls=1, took_us=10))
    await written(world, made)
    made.add(KEY, minute(NOW, calls=2, took_us=30))
    await written(world, made)
    assert (await history(world)).minutes == (Span(NOW, 3, 0, 6, 3, 15, 30),)


async def test_a_full_batch_is_written_by_itself(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "_BATCH", 2)
    made = Statistics(world.store, lambda: 1)
    for number in range(3):
        made.add(KEY, minute(NOW - number))
    await asyncio.wrap_future(world.store.write(lambda _: None))
    assert len((await history(world)).minutes) == 2


async def test_minutes_become_hours_after_a_day_and_hours_go_after_two_weeks(world: World) -> None:
    made = Statistics(world.store, lambda: 1)
    day = 24 * 60
    for number in (NOW - 15 * day, NOW - 2 * day, NOW - 2 * day + 1, NOW - day + 1, NOW):
        made.add(KEY, minute(number))
        await written(world, made)
    rows = world.store.read_now(lambda c: c.execute("SELECT minute FROM agent_minutes ORDER BY minute").fetchall())
    assert [number for (number,) in rows] == [NOW - day + 1, NOW]
    found = await history(world)
    assert [one.number for one in found.minutes] == [NOW]
    assert sum(hour.calls for hour in found.hours) == 4
    assert all(hour.number >= NOW // 60 - 14 * 24 for hour in found.hours)


async def test_of_very_many_agents_less_is_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "_ROWS_KEPT", 10)
    made = Statistics(world.store, lambda: 5)
    for number in range(NOW - 9, NOW + 1):
        made.add(KEY, minute(number))
        await written(world, made)
    rows = world.store.read_now(lambda c: c.execute("SELECT minute FROM agent_minutes ORDER BY minute").fetchall())
    assert [number for (number,) in rows] == [NOW - 2, NOW - 1, NOW]


def test_minutes_that_are_not_written_belong_to_what_is_shown() -> None:
    assert NO_HISTORY.plus([]) == NO_HISTORY
    once = NO_HISTORY.plus([Span.of(minute(NOW))])
    assert [one.number for one in once.minutes] == [NOW]
    twice = once.plus([Span.of(minute(NOW))])
    assert [(one.number, one.calls) for one in twice.minutes] == [(NOW, 2)]
    assert [(one.number, one.calls) for one in twice.hours] == [(NOW // 60, 2)]
    assert [one.number for one in once.plus([Span.of(minute(NOW + 1))]).minutes] == [NOW, NOW + 1]


async def test_what_an_agent_did_is_shown_over_time_and_survives_a_restart(world: World) -> None:
    await world.run("counts_ticks")
    await world.tick(5)
    await world.tell(changed())
    before = await world.show(KEY)
    assert sum(one["calls"] for one in before["minutes"]) == 7
    assert [one["from_ms"] % MINUTE_MS for one in before["minutes"]] == [0] * len(before["minutes"])
    assert all(one["cpu_us"] > 0 for one in before["minutes"])
    await world.restart()
    after = await world.show(KEY)
    assert sum(one["calls"] for one in after["minutes"]) == 8
    assert sum(one["calls"] for one in after["hours"]) == 8


async def test_failures_count(world: World) -> None:
    await world.run("trap_tick")
    await world.tick(3)
    shown = await world.show(KEY)
    assert sum(one["failures"] for one in shown["minutes"]) == 3


async def test_a_deleted_agent_leaves_no_statistics(world: World) -> None:
    await world.run("quiet")
    await world.tick(5)
    await world.executor.delete(KEY)
    await world.stop()
    for table in ("agent_minutes", "agent_hours"):
        rows = world.store.read_now(lambda c, name=table: c.execute(f"SELECT agent FROM {name}").fetchall())
        assert rows == []
