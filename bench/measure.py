"""What is measured and how it is judged: figures with a baseline of the same run and a bound, and fair sampling."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["BoundOf", "Figure", "absent", "alternate", "cpu_ms", "figure", "percentile", "wall_us"]

BoundOf = Literal["median", "best", "ratio"]

_NS_PER_US: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the results.

    Attributes:
        what: what was measured.
        unit: of all figures but the ratios.
        median: of the samples.
        best: the least of them; what a loaded machine distorts least.
        samples: how many there were; 0 where there was nothing to measure, and `note` says why.
        baseline: what the baseline is; empty for none.
        base: the median of its samples, taken in turns with the others.
        base_best: the least of them.
        ratio: `median` to `base`.
        ratio_best: `best` to `base_best`.
        bound: the most that is allowed; None when the line only informs.
        bound_of: what is held to the bound.
        note: what a reader should know beside.
    """

    what: str
    unit: str
    median: float
    best: float
    samples: int
    baseline: str = ""
    base: float | None = None
    base_best: float | None = None
    ratio: float | None = None
    ratio_best: float | None = None
    bound: float | None = None
    bound_of: BoundOf = "best"
    note: str = ""

    @property
    def kept(self) -> bool | None:
        """Whether the bound is kept; None without one."""
        if self.bound is None:
            return None
        held = {"median": self.median, "best": self.best, "ratio": self.ratio}[self.bound_of]
        return held is not None and held <= self.bound


def figure(
    what: str,
    unit: str,
    samples: Sequence[float],
    *,
    against: tuple[str, Sequence[float]] | None = None,
    bound: float | None = None,
    bound_of: BoundOf = "best",
    note: str = "",
) -> Figure:
    """Makes a line of samples in which less is better.

    Args:
        what: what was measured.
        unit: of the samples.
        samples: at least one.
        against: what the baseline is, and its samples in the same unit.
        bound: the most that is allowed.
        bound_of: what is held to it.
        note: what a reader should know beside.
    """
    median, best = statistics.median(samples), min(samples)
    base = statistics.median(against[1]) if against else None
    base_best = min(against[1]) if against else None
    return Figure(
        what=what,
        unit=unit,
        median=median,
        best=best,
        samples=len(samples),
        baseline=against[0] if against else "",
        base=base,
        base_best=base_best,
        ratio=median / base if base else None,
        ratio_best=best / base_best if base_best else None,
        bound=bound,
        bound_of=bound_of,
        note=note,
    )


def absent(what: str, why: str) -> Figure:
    """A line for what could not be measured here, which is no failure.

    Args:
        what: what would have been measured.
        why: such as `not installed`.
    """
    return Figure(what=what, unit="", median=0.0, best=0.0, samples=0, note=why)


def alternate(rounds: int, *measures: Callable[[], float]) -> list[list[float]]:
    """Takes samples in turns, A B A B, so that what else the machine does falls on all alike.

    Args:
        rounds: samples of each.
        measures: each takes one sample and returns it.

    Returns:
        The samples of each, in the order of `measures`.
    """
    taken: list[list[float]] = [[] for _ in measures]
    for _ in range(rounds):
        for samples, measure in zip(taken, measures, strict=True):
            samples.append(measure())
    return taken


def wall_us(work: Callable[[], object], times: int = 1) -> float:
    """Microseconds of wall time that one call takes.

    Args:
        work: what is called.
        times: how often, in one sample.
    """
    began = time.perf_counter_ns()
    for _ in range(times):
        work()
    return (time.perf_counter_ns() - began) / times / _NS_PER_US


def cpu_ms(work: Callable[[], object]) -> float:
    """Milliseconds of this process's CPU time, all threads, that one call takes."""
    began = time.process_time_ns()
    work()
    return (time.process_time_ns() - began) / 1e6


def percentile(values: Sequence[float], percent: float) -> float:
    """The value below which so many of them lie; 0 for none."""
    ordered = sorted(values)
    if not ordered:
        return 0.0
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]
