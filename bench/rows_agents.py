"""Many live agents: whether every tick comes on time, what they keep resident, what they cost."""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.farm import Farm
from bench.guests import TOUCH
from bench.measure import Figure, figure, percentile, wall_us
from bench.rows_call import bare_call
from runtime.sandbox.engine import agent_engine

__all__ = ["measure", "measure_farm", "on_time"]

_LATE_MS: Final = 100.0


def measure(*, quick: bool) -> list[Figure]:
    """Measures it."""
    return measure_farm(100 if quick else 1_000, interval_ms=5_000, seconds=6 if quick else 25)


def measure_farm(agents: int, *, interval_ms: int, seconds: float, resident_mib: float | None = None) -> list[Figure]:
    """Brings agents to life and watches them.

    Args:
        agents: how many.
        interval_ms: between two ticks of each.
        seconds: how long.
        resident_mib: the bound on what all of them may keep resident.
    """
    with (
        tempfile.TemporaryDirectory(prefix="orlop-bench-") as folder,
        Farm(Path(folder), {"honest": (TOUCH, agents)}, interval_ms=interval_ms) as farm,
    ):
        before = farm.resident_kib()
        started = farm.start()
        time.sleep(interval_ms / 1000)  # the first ticks warm up
        farm.forget()
        began, used = time.monotonic(), time.process_time()
        time.sleep(seconds)
        cpu, took = time.process_time() - used, time.monotonic() - began
        late, lag, failed = farm.late_ms["honest"], list(farm.core_lag.late_ms), farm.failed
        resident = farm.resident_kib() - before
    if failed:
        raise RuntimeError(f"{failed} ticks failed")
    rate = len(late) / took
    what = f"{agents:,} agents, {rate:,.0f} ticks/s"
    return [
        *on_time(what, late),
        figure(f"{what}: lag of the core's loop, p95", "ms", [percentile(lag, 95)], note=f"max {max(lag):.1f}"),
        figure(f"{what}: CPU", "% of a core", [cpu / took * 100]),
        figure(
            f"{what}: CPU of a whole tick, from due to told",
            "µs",
            [cpu / len(late) * 1e6],
            against=("engine's public call, empty", [wall_us(bare_call(agent_engine()), 500) for _ in range(20)]),
        ),
        figure(f"{what}: resident each", "KiB", [resident / agents]),
        figure(
            f"{what}: resident together, beyond the core without them", "MiB", [resident / 1024], bound=resident_mib
        ),
        figure(f"{agents:,} agents of a stopped program active again", "s", [started]),
    ]


def on_time(what: str, late: Sequence[float]) -> list[Figure]:
    """Lateness as lines: of the median tick, of 95 % and of the worst, which the bound is for.

    Args:
        what: whose ticks.
        late: milliseconds from when a tick was due until it was done.
    """
    return [
        figure(f"{what}: late, p50", "ms", [percentile(late, 50)], note=f"{len(late):,} ticks"),
        figure(f"{what}: late, p95", "ms", [percentile(late, 95)]),
        figure(f"{what}: late, the worst", "ms", [max(late)], bound=_LATE_MS),
    ]
