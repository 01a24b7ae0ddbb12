import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.events import Drop, TickCompleted, TickSummary
from runtime.summaries import TickSummaries, is_uneventful

TICK = TickCompleted(room="r", agent="a", n=1, trigger="tick", duration_us=5, emitted=0, state_bytes=9)


def test_what_is_uneventful() -> None:
    assert is_uneventful(TICK)
    for change in (
        {"trigger": "event"},
        {"trigger": "init"},
        {"emitted": 1},
        {"dropped": (Drop(reason="x"),)},
        {"state_changed": True},
    ):
        assert not is_uneventful(dataclasses.replace(TICK, **change))


def test_a_minute_is_one_summary() -> None:
    summaries = TickSummaries()
    assert summaries.add(TICK, 60_000) is None
    assert summaries.add(dataclasses.replace(TICK, duration_us=50), 90_000) is None
    assert summaries.add(TICK, 119_999) is None
    first = summaries.add(TICK, 120_000)
    assert first == TickSummary(room="r", agent="a", from_ms=60_000, to_ms=119_999, count=3, max_us=50)
    assert summaries.flush(239_999) == []
    assert summaries.flush(240_000) == [
        TickSummary(room="r", agent="a", from_ms=120_000, to_ms=120_000, count=1, max_us=5)
    ]
    assert summaries.drain() == []


@pytest.mark.parametrize(
    ("room", "agent", "ended"),
    [(None, None, 3), ("r", None, 2), ("r", "a", 1), (None, "a", 2), ("x", None, 0)],
)
def test_draining_what_ends(room: str | None, agent: str | None, ended: int) -> None:
    summaries = TickSummaries()
    for place in (("r", "a"), ("r", "b"), ("s", "a")):
        summaries.add(dataclasses.replace(TICK, room=place[0], agent=place[1]), 0)
    assert len(summaries.drain(room, agent)) == ended
    assert len(summaries.drain()) == 3 - ended


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 300_000), st.integers(1, 99), st.booleans())))
def test_every_tick_is_counted_once(ticks: list[Any]) -> None:
    summaries = TickSummaries()
    out: list[TickSummary] = []
    for agent, ts_ms, duration, flush in ticks:
        ended = summaries.add(dataclasses.replace(TICK, agent=agent, duration_us=duration), ts_ms)
        out += [ended] if ended else []
        out += summaries.flush(ts_ms) if flush else []
    out += summaries.drain()
    assert sum(summary.count for summary in out) == len(ticks)
    assert max((summary.max_us for summary in out), default=0) == max((tick[2] for tick in ticks), default=0)
    for summary in out:
        assert summary.from_ms <= summary.to_ms
        assert summary.from_ms // 60_000 == summary.to_ms // 60_000
