"""Eight agents that spin until their deadline, beside 1,000 honest ones; and a screen's loop in the same process."""

import asyncio
import tempfile
from pathlib import Path
from typing import Final

from bench.farm import Farm, Lag
from bench.guests import SPIN, TOUCH
from bench.measure import Figure, figure, percentile
from bench.rows_agents import on_time

__all__ = ["measure"]

_SPINNERS: Final = 8
_INTERVAL_MS: Final = 5_000
_LAG_MS: Final = 20.0


def measure(*, quick: bool) -> list[Figure]:
    """Measures it."""
    honest = 100 if quick else 1_000
    with tempfile.TemporaryDirectory(prefix="orlop-bench-") as folder:
        kinds = {"honest": (TOUCH, honest), "spin": (SPIN, _SPINNERS)}
        with Farm(Path(folder), kinds, interval_ms=_INTERVAL_MS) as farm:
            farm.start()
            screen = Lag()
            # From the first spinner's first tick on; two may spin at a time, and each trips at its third deadline.
            asyncio.run(_watch(screen, _INTERVAL_MS / 1000 + 1.0))
            farm.forget()
            screen.late_ms.clear()
            asyncio.run(_watch(screen, 5 if quick else 30))
            late, core, spun = farm.late_ms["honest"], list(farm.core_lag.late_ms), farm.failed
    what = f"{honest:,} honest agents beside {_SPINNERS} spinners"
    return [
        *on_time(what, late),
        figure(
            "lag of a screen's loop meanwhile, p95",
            "ms",
            [percentile(screen.late_ms, 95)],
            bound=_LAG_MS,
            note=f"max {max(screen.late_ms):.1f}",
        ),
        figure(
            "lag of the core's loop meanwhile, p95",
            "ms",
            [percentile(core, 95)],
            bound=_LAG_MS,
            note=f"max {max(core):.1f}; {spun} calls stopped at their deadline",
        ),
    ]


async def _watch(lag: Lag, seconds: float) -> None:
    try:
        await asyncio.wait_for(lag.watch(), seconds)
    except TimeoutError:
        return
