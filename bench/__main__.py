"""`python -m bench [--quick] [ROW…]`: runs rows, each in a process of its own, prints and keeps what they measured.

All rows together write `bench/results.json` and `bench/RESULTS.md`; single rows and quick runs are only printed.
A bound that is missed says so and changes no exit code.
"""

import argparse
import importlib
import json
import os
import platform
import resource
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Final, Protocol, cast

from bench.measure import Figure
from bench.processes import ROOT, busy_s
from bench.report import RowResult, as_json, as_markdown, as_text

__all__ = ["main"]

ROWS: Final = {
    "paint": "the first frame of the screen",
    "idle": "the screen while nothing happens",
    "startup": "commands that answer at once",
    "table": "a table of 10,000 rows at 500 updates a second",
    "agents": "1,000 live agents that tick every 5 s",
    "crowd": "10,000 live agents that tick every 30 s",
    "spinners": "eight agents that spin beside 1,000 honest ones",
    "memory": "memory of agents",
    "call": "one call of an agent",
    "shipped": "a tick of each shipped agent",
    "hostcalls": "calls of a component to its host",
    "messages": "messages between components",
    "components": "components in C that start, and that rest",
    "pycomponent": "a component in Python",
    "warmjob": "a warm hello job",
    "rivals": "a warm hello job beside other ways to run a program",
    "wholejob": "a whole hello job",
    "parallel": "two workers beside one",
    "stream": "1 GiB of output of a job",
    "verify": "10,000 receipts verified",
    "history": "a history of 100,000 jobs and receipts",
    "cold": "the demo from nothing to all agents active",
    "compile": "compiling and the cache",
    "store": "the store and the journal",
    "reducer": "the fold of task events",
    "log": "the log of a room",
    "rooms": "encrypted rooms within one program",
    "wire": "connections between peers beside TLS 1.3",
    "remote": "jobs on a peer, beside the same jobs here",
    "dht": "finding peers, in a DHT and on the LAN",
    "artifacts": "a release to many machines, beside a bare loop of sendfile",
    "bootimage": "images that machines boot, made and checked",
    "machine": "machines that boot in QEMU",
    "package": "the Debian package and its service",
}
"""Name of each row's module, `bench.rows_NAME`, and what it is about."""

_LIMIT_S: Final = 120
_LONGER_S: Final = {"bootimage": 600, "machine": 900, "package": 300}
"""For rows that build images or packages, and boot machines without KVM."""


class Row(Protocol):
    """A module `bench.rows_NAME`."""

    def measure(self, *, quick: bool) -> list[Figure]:
        """Measures it."""
        ...


def _row(name: str) -> Row:
    return cast(Row, importlib.import_module(f"bench.rows_{name}"))


def main() -> int:
    """Reads the command line and runs what it says."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure orlop.")
    parser.add_argument("rows", metavar="ROW", nargs="*", help=f"of {', '.join(ROWS)}; all by default")
    parser.add_argument("--quick", action="store_true", help="small counts: shows that it works, measures badly")
    parser.add_argument("--into", help=argparse.SUPPRESS)
    options = parser.parse_args()
    unknown = [name for name in options.rows if name not in ROWS]
    if unknown:
        parser.error(f"no such row: {', '.join(unknown)}; there are {', '.join(ROWS)}")
    if options.into:
        figures = _row(options.rows[0]).measure(quick=options.quick)
        Path(options.into).write_text(json.dumps([asdict(one) for one in figures]))
        return 0
    load = os.getloadavg()
    results = []
    for name in options.rows or ROWS:
        results.append(_run(name, quick=options.quick))
        print(as_text(results[-1]), end="", flush=True)
    if not options.rows and not options.quick:
        _keep(results, load)
    return 0


def _run(name: str, *, quick: bool) -> RowResult:
    """Runs a row in a process of its own, so that memory and threads of another do not count."""
    with tempfile.TemporaryDirectory(prefix="orlop-bench-") as folder:
        into = Path(folder) / "figures.json"
        argv = [sys.executable, "-m", "bench", name, "--into", str(into), *(["--quick"] if quick else [])]
        began, busy, own = time.monotonic(), busy_s(), _children_s()
        with (Path(folder) / "talk").open("w+b") as talk:
            process = subprocess.Popen(argv, cwd=ROOT, stdout=talk, stderr=talk, start_new_session=True)
            trouble, limit = "", _LONGER_S.get(name, _LIMIT_S)
            try:
                if process.wait(limit):
                    talk.seek(0)
                    lines = [line for line in talk.read().decode(errors="replace").splitlines() if line.strip()]
                    trouble = lines[-1] if lines else f"ended with status {process.returncode}"
            except subprocess.TimeoutExpired:
                trouble = f"not done within {limit} s"
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
        seconds = time.monotonic() - began
        others = max(0.0, busy_s() - busy - (_children_s() - own)) / seconds
        figures = [] if trouble else [Figure(**fields) for fields in json.loads(into.read_text())]
    return RowResult(name=name, title=ROWS[name], seconds=seconds, others=others, figures=figures, trouble=trouble)


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _keep(results: list[RowResult], load: tuple[float, float, float]) -> None:
    seconds = sum(row.seconds for row in results)
    others = sum(row.others * row.seconds for row in results) / seconds
    revision = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    machine = {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": str(len(os.sched_getaffinity(0))),
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "revision": revision,
        "seconds": f"{seconds:.0f}",
        "load_before": f"{load[0]:.2f}",
        "cores_used_by_others": f"{others:.2f}",
    }
    about = (
        f"{machine['cores']} cores, {machine['system']}, Python {machine['python']}, {machine['date']}, revision "
        f"{revision}; {seconds:.0f} s in all.\nLoad before the run {load[0]:.2f}; other programs kept {others:.2f} "
        "cores busy meanwhile."
    )
    folder = Path(__file__).parent
    (folder / "results.json").write_text(json.dumps(as_json(results, machine), indent=1, ensure_ascii=False) + "\n")
    (folder / "RESULTS.md").write_text(as_markdown(results, about))
    print(f"{seconds:.0f} s; wrote bench/results.json and bench/RESULTS.md")


if __name__ == "__main__":
    sys.exit(main())
