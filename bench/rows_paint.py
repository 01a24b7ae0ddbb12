"""The first frame: from the start of the program until its first and its last row are on the screen."""

import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from bench.measure import Figure, alternate, figure
from bench.processes import cpu_s, memory_kib, orlop
from bench.terminal import Terminal

__all__ = ["measure", "painted"]

_BOUND_S: Final = 1.0


def measure(*, quick: bool) -> list[Figure]:
    """Measures it."""
    with tempfile.TemporaryDirectory(prefix="orlop-bench-") as folder:
        home = Path(folder)
        argv = orlop("--state-dir", str(home / "state"))
        floor = [sys.executable, "-m", "bench.floor_app"]
        used: list[float] = []
        resident: list[float] = []

        def start(program: Sequence[str], seen: Callable[[Sequence[str]], bool], *, ours: bool) -> float:
            with Terminal(program, home) as terminal:
                took = terminal.until(seen)
                if ours:
                    used.append(cpu_s(terminal.process.pid))
                    resident.append(memory_kib(terminal.process.pid)[0] / 1024)
            return took

        start(argv, painted, ours=False)  # makes the directory, and compiles Python's own cache
        first, least = alternate(
            2 if quick else 7,
            lambda: start(argv, painted, ours=True),
            lambda: start(floor, lambda lines: any("floor" in line for line in lines), ours=False),
        )
    note = f"CPU {min(used):.2f} s, {min(resident):.0f} MiB resident at that moment"
    smallest = ("smallest Textual app, one Static", least)
    return [
        figure("start to header and keys row on the screen", "s", first, against=smallest, bound=_BOUND_S, note=note)
    ]


def painted(lines: Sequence[str]) -> bool:
    """Whether header and keys row of orlop's screen are there."""
    return lines[0].startswith(" orlop") and "? help" in lines[-1]
