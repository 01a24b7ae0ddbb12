"""The bucket that slows agents down that emit without end (W3)."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from runtime.agents.pace import BURST, PER_SECOND, Pace


def test_w3_a_burst_passes_and_then_the_rate_counts() -> None:
    pace = Pace(0.0)
    assert [pace.take(64, 0.0) for _ in range(5)] == [64, 64, 64, 64, 0]
    assert pace.take(64, 0.5) == 32
    assert pace.take(64, 1000.0) == 64


@given(st.lists(st.tuples(st.integers(0, 64), st.floats(0, 5))))
def test_never_more_than_burst_and_rate_together(calls: Any) -> None:
    pace, now, got = Pace(0.0), 0.0, 0
    for wanted, wait in calls:
        now += wait
        taken = pace.take(wanted, now)
        assert 0 <= taken <= wanted
        got += taken
    assert got <= BURST + now * PER_SECOND + 1e-6
