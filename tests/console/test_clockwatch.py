"""A clock that is set back is told once, one that is put right is not."""

from hypothesis import given
from hypothesis import strategies as st

from console.clockwatch import FALL_MS, ClockWatch

NOW = 1_700_000_000_000


def test_a_fall_is_told_once_with_its_size() -> None:
    watch = ClockWatch()
    assert watch.check(NOW, 0.0) == ""
    assert watch.check(NOW - 7_200_000, 5.0) == "the clock was set back by 2h"
    assert watch.check(NOW - 7_195_000, 10.0) == ""


def test_a_jump_forward_and_small_corrections_are_nothing() -> None:
    watch = ClockWatch()
    watch.check(NOW, 0.0)
    assert watch.check(NOW + 86_400_000, 5.0) == ""
    assert watch.check(NOW + 86_400_000 - FALL_MS + 10_000, 10.0) == ""


def test_a_start_before_the_newest_event_is_told() -> None:
    assert ClockWatch(NOW).check(NOW - 3_600_000, 0.0) == "the clock is 1h behind the newest event"
    assert ClockWatch(NOW).check(NOW - FALL_MS, 0.0) == ""


@given(st.lists(st.floats(0, 1e6, allow_nan=False), min_size=1, max_size=20))
def test_a_steady_clock_is_never_told(steps: list[float]) -> None:
    watch, at = ClockWatch(NOW), 0.0
    for step in steps:
        at += step
        assert watch.check(NOW + round(at * 1000), at) == ""
