"""10,000 live agents at the interval of the product."""

from typing import Final

from bench.measure import Figure
from bench.rows_agents import measure_farm

__all__ = ["measure"]

_RESIDENT_MIB: Final = 300.0


def measure(*, quick: bool) -> list[Figure]:
    """Measures it."""
    if quick:
        return measure_farm(1_000, interval_ms=3_000, seconds=4, resident_mib=_RESIDENT_MIB)
    return measure_farm(10_000, interval_ms=30_000, seconds=32, resident_mib=_RESIDENT_MIB)
