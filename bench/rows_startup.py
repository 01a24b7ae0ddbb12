"""Commands that answer at once, beside the bare interpreter."""

import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from bench.measure import Figure, alternate, figure
from bench.processes import ROOT, Ran, environment, orlop, run

__all__ = ["measure"]

_BOUND_MS: Final = 200.0


def measure(*, quick: bool) -> list[Figure]:
    """Measures it."""
    with tempfile.TemporaryDirectory(prefix="orlop-bench-") as folder:
        home, state, owned = Path(folder), str(Path(folder) / "state"), str(Path(folder) / "owned")
        programs = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "orlop --version": orlop("--version"),
            "orlop status --json, no directory yet": orlop(
                "--state-dir", str(Path(folder) / "none"), "status", "--json"
            ),
            "orlop status --json": orlop("--state-dir", state, "status", "--json"),
            "orlop status --json beside a running one": orlop("--state-dir", owned, "status", "--json"),
        }
        run(orlop("--state-dir", state, "init"), home)
        owner = subprocess.Popen(
            orlop("--state-dir", owned, "--no-ui", "--for", "100s"),
            env=environment(home),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        ran: dict[str, list[Ran]] = {name: [] for name in programs}

        def once(name: str) -> float:
            ran[name].append(run(programs[name], home))
            return ran[name][-1].wall_ms

        try:
            if owner.stdout is not None:
                owner.stdout.readline()  # it is there
            alternate(3 if quick else 15, *(lambda name=name: once(name) for name in programs))
        finally:
            owner.send_signal(signal.SIGTERM)
            owner.communicate(timeout=20)
    bare, *ours = programs
    lines = []
    for name in ours:
        cpu = min(one.cpu_ms for one in ran[name])
        lines.append(
            figure(
                name,
                "ms",
                [one.wall_ms for one in ran[name]],
                against=(bare, [one.wall_ms for one in ran[bare]]),
                bound=_BOUND_MS,
                note=f"CPU {cpu:.0f} ms",
            )
        )
    return lines
