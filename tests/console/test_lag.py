"""The lag monitor, on a loop whose clock the test moves."""

from collections.abc import Callable

from console.lag import LagMonitor
from runtime.events import CoreLag


class Loop:
    """As much of an event loop as a timer needs."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[tuple[float, Callable[..., None], tuple[object, ...]]] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, work: Callable[..., None], *args: object) -> None:
        self.timers.append((when, work, args))

    def run(self, late: float) -> None:
        when, work, args = self.timers.pop()
        self.now = when + late
        work(*args)


def measured(*lateness: float) -> list[CoreLag]:
    told: list[CoreLag] = []
    loop = Loop()
    LagMonitor(told.append)._arm(loop)  # type: ignore[arg-type]
    for late in lateness:
        loop.run(late)
    return told


def test_a_loop_on_time_is_not_worth_an_event() -> None:
    assert measured(*[0.001] * 100) == []


def test_a_late_loop_is_told_once_a_window() -> None:
    assert measured(*[0.0] * 19, 0.25) == [CoreLag(p95_ms=250, max_ms=250)]
    assert measured(*[0.03] * 40) == [CoreLag(p95_ms=30, max_ms=30)] * 2
