"""Whether a component is well."""

from runtime.components.health import UNASKED, Health, answered, busy, silent


def test_reports_are_shown_as_they_are_and_harmless() -> None:
    assert answered(UNASKED, "degraded", "slow\x1b[31m disk") == Health("degraded", "slow\\x1b[31m disk", 0)
    assert len(answered(UNASKED, "healthy", "x" * 1000).detail) == 256


def test_bad_ones_in_a_row_are_counted_and_a_good_one_forgets_them() -> None:
    health = silent(answered(UNASKED, "unhealthy", "no disk"), "no answer in 5 s")
    assert health == Health("unhealthy", "no answer in 5 s", 2)
    assert answered(health, "degraded", "").bad == 0


def test_who_works_is_not_ill_and_not_well() -> None:
    ill = answered(UNASKED, "unhealthy", "no disk")
    assert busy(ill, 3.21) == Health("unknown", "busy 3.2 s", 1)
