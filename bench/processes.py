"""What the kernel says about processes: CPU time, memory, descendants; read from /proc, proc(5)."""

import contextlib
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["ROOT", "Ran", "busy_s", "cpu_s", "environment", "memory_kib", "orlop", "pss_kib", "run", "tree"]

ROOT: Final = Path(__file__).resolve().parents[1]
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Ran:
    """A program that ended: its wall and CPU time in milliseconds, and its standard output."""

    wall_ms: float
    cpu_ms: float
    out: bytes


def orlop(*args: str) -> list[str]:
    """The command line of the installed program, else of this tree."""
    script = Path(sys.executable).with_name("orlop")
    return [str(script), *args] if script.exists() else [sys.executable, "-m", "console", *args]


def environment(home: Path) -> dict[str, str]:
    """What measured programs inherit: nothing of this user's configuration."""
    return {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
    }


def run(argv: Sequence[str], home: Path) -> Ran:
    """Runs a program to its end.

    Args:
        argv: the program and its arguments.
        home: its home directory.

    Raises:
        RuntimeError: it failed; its last line is told.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    done = subprocess.run(argv, env=environment(home), cwd=ROOT, capture_output=True, check=False, timeout=60)
    wall_ms = (time.perf_counter() - began) * 1000
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)} ended with {done.returncode}: {done.stderr.decode(errors='replace')}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Ran(wall_ms, cpu * 1000, done.stdout)


def cpu_s(pid: int) -> float:
    """CPU seconds that a process has used, all its threads, in steps of 10 ms."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def memory_kib(pid: int) -> tuple[int, int]:
    """What a process has resident, and the part of it that it shares with no other process, in KiB."""
    found = _rollup(pid)
    return found["Rss"], found["Private_Clean"] + found["Private_Dirty"]


def pss_kib(pid: int) -> int:
    """What a process has resident, each page divided by the number of processes that share it, in KiB."""
    return _rollup(pid)["Pss"]


def _rollup(pid: int) -> dict[str, int]:
    found: dict[str, int] = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, _, rest = line.partition(":")
        found[name] = int(rest.split()[0])
    return found


def tree(pid: int) -> list[int]:
    """The descendants of a process that are alive."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(folder.name))
    found: list[int] = []
    waiting = [pid]
    while waiting:
        of = children.get(waiting.pop(), [])
        found += of
        waiting += of
    return found


def busy_s() -> float:
    """CPU seconds that all processes of the machine have used since it started."""
    user, nice, system, _idle, _wait, irq, soft = (int(n) for n in Path("/proc/stat").read_text().split()[1:8])
    return (user + nice + system + irq + soft) / _TICKS_PER_S
