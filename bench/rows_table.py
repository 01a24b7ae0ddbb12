"""10,000 rows and 500 updates a second, half of them in the window: the whole screen, our table, Textual's table."""

import json
import sys
import tempfile
from pathlib import Path
from typing import Final

from bench.measure import Figure, figure
from bench.terminal import Terminal

__all__ = ["measure"]

_ROWS: Final = 10_000
_CPU: Final = 10.0
_LAG_MS: Final = 10.0
_LIMIT_S: Final = 60.0


def measure(*, quick: bool) -> list[Figure]:
    """Measures it."""
    rounds, seconds, rows = (1, 3.0, 1_000) if quick else (2, 5.0, _ROWS)
    taken: dict[str, list[dict[str, float]]] = {"pane": [], "live": [], "data": []}
    for _ in range(rounds):
        for kind, samples in taken.items():
            samples.append(_run(kind, rows, seconds))
    data = ("Textual's DataTable", [one["cpu"] for one in taken["data"]])
    lag = ("Textual's DataTable", [one["lag_ms"] for one in taken["data"]])
    return [
        figure(
            f"the screen with {rows:,} agents, CPU",
            "% of a core",
            [one["cpu"] for one in taken["pane"]],
            against=data,
            bound=_CPU,
        ),
        figure(
            "lag of the core's loop meanwhile, p95", "ms", [one["other_lag_ms"] for one in taken["pane"]], bound=_LAG_MS
        ),
        figure("lag of the screen's loop, p95", "ms", [one["lag_ms"] for one in taken["pane"]], against=lag),
        figure("our table alone, CPU", "% of a core", [one["cpu"] for one in taken["live"]], against=data, bound=_CPU),
        figure("its loop's lag, p95", "ms", [one["lag_ms"] for one in taken["live"]], against=lag),
    ]


def _run(kind: str, rows: int, seconds: float) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="orlop-bench-") as folder:
        into = Path(folder) / "measured.json"
        argv = [sys.executable, "-m", "bench.table_apps", kind, str(rows), str(seconds), str(into)]
        with Terminal(argv, Path(folder), watch=False) as terminal:
            terminal.pump_for(_LIMIT_S)
        if not into.exists():
            raise RuntimeError(f"{kind}: {terminal.tail}")
        measured: dict[str, float] = json.loads(into.read_text())
    return measured
