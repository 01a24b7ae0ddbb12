import time

from runtime.clock import ManualClock, SystemClock


def test_the_machine_s_clock() -> None:
    before = time.time_ns() // 1_000_000
    clock = SystemClock()
    assert before <= clock.wall_ms() <= time.time_ns() // 1_000_000
    assert clock.monotonic() <= clock.monotonic()


def test_a_clock_that_is_moved() -> None:
    clock = ManualClock(now_ms=5)
    assert (clock.wall_ms(), clock.monotonic()) == (5, 0.0)
    clock.advance(1.5)
    assert (clock.wall_ms(), clock.monotonic()) == (1505, 1.5)
