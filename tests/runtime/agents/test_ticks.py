"""The schedule: first tick after one interval, no drift, nothing made up for."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from runtime.agents.ticks import TickSchedule


def test_the_first_tick_comes_one_interval_after_the_start() -> None:
    schedule: TickSchedule[str] = TickSchedule(30)
    schedule.start("a", 100.0)
    assert schedule.next_due() == 130.0
    assert schedule.take(129.9) == []
    assert schedule.take(130.0) == ["a"]
    assert schedule.next_due() == 160.0


def test_a_late_tick_does_not_shift_the_next() -> None:
    schedule: TickSchedule[str] = TickSchedule(30)
    schedule.start("a", 0.0)
    assert schedule.take(41.0) == ["a"]
    assert schedule.next_due() == 60.0


def test_missed_intervals_are_skipped() -> None:
    schedule: TickSchedule[str] = TickSchedule(30)
    schedule.start("a", 0.0)
    assert schedule.take(100.0) == ["a"]
    assert schedule.next_due() == 120.0


def test_a_stopped_key_is_not_due() -> None:
    schedule: TickSchedule[str] = TickSchedule(30)
    schedule.start("a", 0.0)
    schedule.start("b", 1.0)
    schedule.stop("a")
    schedule.stop("unknown")
    assert schedule.next_due() == 31.0
    assert schedule.take(50.0) == ["b"]
    schedule.stop("b")
    assert schedule.next_due() is None


def test_starting_again_begins_anew() -> None:
    schedule: TickSchedule[str] = TickSchedule(30)
    schedule.start("a", 0.0)
    schedule.start("a", 20.0)
    assert schedule.take(30.0) == []
    assert schedule.take(50.0) == ["a"]


@given(st.lists(st.floats(min_value=0.01, max_value=200), max_size=40))
def test_ticks_lie_on_whole_intervals_and_never_before_their_time(waits: Any) -> None:
    schedule: TickSchedule[str] = TickSchedule(10)
    schedule.start("a", 0.0)
    now, taken = 0.0, 0
    for wait in waits:
        now += wait
        before = schedule.next_due()
        due = schedule.take(now)
        assert bool(due) == (before is not None and before <= now)
        taken += len(due)
        after = schedule.next_due()
        assert after is not None
        assert after > now
        assert abs(after / 10 - round(after / 10)) < 1e-6
    assert taken <= now / 10
