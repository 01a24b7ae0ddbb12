"""The screen while nothing happens: CPU, bytes to the terminal, memory; with an empty directory and with the demo."""

import tempfile
import time
from pathlib import Path
from typing import Final

from bench.measure import Figure, figure
from bench.processes import cpu_s, memory_kib, orlop, tree
from bench.rows_paint import painted
from bench.terminal import Terminal

__all__ = ["measure"]

_CPU: Final = 1.0
_RESIDENT_MB: Final = 110.0
_KIB_PER_MB: Final = 1000 / 1.024


def measure(*, quick: bool) -> list[Figure]:
    """Measures it."""
    quiet, seconds = (2.0, 4.0) if quick else (5.0, 20.0)
    with tempfile.TemporaryDirectory(prefix="orlop-bench-") as folder:
        home = Path(folder)
        argv = orlop("--state-dir", str(home / "state"))
        with Terminal(argv, home) as terminal:  # the first start greets the operator
            terminal.until(painted)
            terminal.pump_for(2.0)
        with Terminal(argv, home) as terminal:
            lines = _watch(terminal, "nothing runs", quiet, seconds, bounded=True)
        with Terminal(orlop("--state-dir", str(home / "demo"), "--demo"), home) as terminal:
            lines += _watch(terminal, "the demo runs", quiet, seconds / 2, bounded=False)
    return lines


def _watch(terminal: Terminal, what: str, quiet: float, seconds: float, *, bounded: bool) -> list[Figure]:
    terminal.until(painted)
    terminal.pump_for(quiet)
    pid = terminal.process.pid
    began, used, written = time.monotonic(), cpu_s(pid), terminal.written
    workers = {child: cpu_s(child) for child in tree(pid)}
    terminal.pump_for(seconds)
    took = time.monotonic() - began
    cpu, bytes_ = cpu_s(pid) - used, terminal.written - written
    beside = sum(cpu_s(child) - before for child, before in workers.items() if Path(f"/proc/{child}").exists())
    resident, own = memory_kib(pid)
    others = [memory_kib(child)[1] for child in tree(pid)]
    return [
        figure(
            f"{what}: CPU over {seconds:g} s",
            "% of a core",
            [cpu / took * 100],
            bound=_CPU if bounded else None,
            note=f"{beside / took * 100:.2f} % in its other processes; {bytes_ / took:,.0f} bytes/s to the terminal",
        ),
        figure(
            f"{what}: resident without workers",
            "MB",
            [resident / _KIB_PER_MB],
            bound=_RESIDENT_MB,
            note=f"{own / _KIB_PER_MB:.0f} MB its own alone; "
            f"{len(others)} other processes with {sum(others) / _KIB_PER_MB:.0f} MB of their own",
        ),
    ]
