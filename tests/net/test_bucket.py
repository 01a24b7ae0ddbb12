"""A bucket of tokens."""

from hypothesis import given
from hypothesis import strategies as st

from net.bucket import Bucket


def test_full_at_first_and_refilled_steadily() -> None:
    bucket = Bucket(2.0, 3)
    assert [bucket.take(100.0) for _ in range(4)] == [True, True, True, False]
    assert bucket.take(100.5)
    assert not bucket.take(100.5)
    assert [bucket.take(200.0) for _ in range(4)] == [True, True, True, False]


def test_it_knows_when_it_has_forgotten_everything() -> None:
    bucket = Bucket(1.0, 2)
    assert bucket.full(0.0)
    bucket.take(0.0)
    assert not bucket.full(0.5)
    assert bucket.full(1.0)


def test_time_that_falls_stands_still() -> None:
    bucket = Bucket(1.0, 1)
    assert bucket.take(10.0)
    assert not bucket.take(0.0)
    assert not bucket.take(0.5)


@given(times=st.lists(st.floats(0, 50), max_size=200), rate=st.floats(0.1, 20), burst=st.integers(1, 20))
def test_never_more_than_burst_and_rate_allow(times: list[float], rate: float, burst: int) -> None:
    bucket = Bucket(rate, burst)
    taken = [now for now in sorted(times) if bucket.take(now)]
    for first in range(len(taken)):
        for last in range(first, len(taken)):
            assert last - first + 1 <= burst + rate * (taken[last] - taken[first]) + 1e-6
