from hypothesis import given
from hypothesis import strategies as st

from runtime.components.cpu_quota import CpuQuota


def test_a_component_that_used_nothing_does_not_wait() -> None:
    assert CpuQuota(1_000).wait_s(100.0) == 0


def test_it_may_go_on_until_its_minute_is_used_up() -> None:
    quota = CpuQuota(1_000)
    quota.spend(100.0, 999)
    assert quota.wait_s(100.0) == 0
    quota.spend(101.0, 1)
    assert quota.wait_s(102.0) == 58.0


def test_what_lies_a_minute_back_is_forgotten() -> None:
    quota = CpuQuota(1_000)
    quota.spend(100.0, 600)
    quota.spend(130.0, 600)
    assert quota.wait_s(131.0) == 29.0
    assert quota.wait_s(160.0) == 0
    quota.spend(161.0, 399)
    assert quota.wait_s(162.0) == 0


def test_a_call_over_the_whole_quota_is_waited_out_once() -> None:
    quota = CpuQuota(1_000)
    quota.spend(100.0, 90_000)
    assert quota.wait_s(100.0) == 60.0
    assert quota.wait_s(160.0) == 0


@given(st.lists(st.tuples(st.floats(0, 200), st.floats(0, 900)), max_size=30), st.integers(1, 2_000))
def test_after_the_wait_the_last_minute_is_below_the_quota(spent: list[tuple[float, float]], per_minute: int) -> None:
    quota = CpuQuota(per_minute)
    now = 0.0
    for at, ms in sorted(spent):
        quota.spend(at, ms)
        now = at
    end = now + quota.wait_s(now)
    assert quota.wait_s(end) < 1e-6
