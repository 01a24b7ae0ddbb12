"""The demo's start: from the start of the program until all its agents are active."""

import json
import select
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final

from bench.measure import Figure, alternate, figure
from bench.processes import ROOT, environment, orlop

__all__ = ["measure"]

_AGENTS: Final = 3
_BOUND_S: Final = 2.0
_LIMIT_S: Final = 20.0


def measure(*, quick: bool) -> list[Figure]:
    """Measures it."""
    rounds = 2 if quick else 5
    with tempfile.TemporaryDirectory(prefix="orlop-bench-") as folder:
        home = Path(folder)
        seeded = home / "seeded"
        _start(seeded, home)

        def fresh() -> float:
            shutil.rmtree(home / "fresh", ignore_errors=True)
            return _start(home / "fresh", home)

        def emptied() -> float:
            for entry in (seeded / "cache").rglob("*"):
                if entry.is_file():
                    entry.unlink()
            return _start(seeded, home)

        new, cold, warm = alternate(rounds, fresh, emptied, lambda: _start(seeded, home))
    return [
        figure(f"all {_AGENTS} agents active, directory seeded, cache empty", "s", cold, bound=_BOUND_S),
        figure(f"all {_AGENTS} agents active, directory seeded, cache warm", "s", warm, bound=_BOUND_S),
        figure(f"all {_AGENTS} agents active, no directory before: seeded, compiled, uploaded", "s", new),
    ]


def _start(state: Path, home: Path) -> float:
    """Seconds until as many agents are active as the demo has; the program is ended afterwards."""
    argv = orlop("--state-dir", str(state), "--demo", "--no-ui", "--for", f"{_LIMIT_S:g}s")
    began = time.perf_counter()
    process = subprocess.Popen(
        argv, env=environment(home), cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        return _until_active(process, began)
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=_LIMIT_S)


def _until_active(process: "subprocess.Popen[bytes]", began: float) -> float:
    active: set[str] = set()
    if process.stdout is None:
        raise RuntimeError("no output")
    rest = b""
    while time.perf_counter() - began < _LIMIT_S and select.select([process.stdout], [], [], _LIMIT_S)[0]:
        data = process.stdout.read1()  # type: ignore[attr-defined]
        if not data:
            break
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            event = json.loads(line)
            if event["type"] == "agent.activated":
                active.add(event["agent"])
        if len(active) == _AGENTS:
            return time.perf_counter() - began
    raise RuntimeError(f"only {sorted(active)} became active")
