"""What this machine has now, as far as this process may use it: cores within affinity and quota, memory that is free.

Both generations of control groups are read, at every level above this process. What cannot be read does not limit.
"""

import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["Measured", "measure"]

_ROOT: Final = Path("/")
_NO_LIMIT: Final = 1 << 60
"""Control groups of the first generation say so much when they mean none."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What there is.

    Attributes:
        arch: as the kernel names it.
        os: as the kernel names it, in lower case.
        cpus: cores, 1 at least.
        cpu_free_milli: thousandths of a core that nobody used in the last minute.
        mem_total: bytes that this process may have at most.
        mem_free: bytes that it could have now.
    """

    arch: str
    os: str
    cpus: int
    cpu_free_milli: int
    mem_total: int
    mem_free: int


def measure(root: Path = _ROOT, affinity: int | None = None) -> Measured:
    """Measures.

    Args:
        root: where `/proc` and `/sys` are.
        affinity: cores that the scheduler gives this process; asked by default.
    """
    cores = len(os.sched_getaffinity(0)) if affinity is None else affinity
    cpus = max(1, min([cores, *_quotas(root)]))
    memory = _meminfo(root)
    total, free = memory.get("MemTotal", 0), memory.get("MemAvailable", 0)
    for most, used in _memory_limits(root):
        total, free = min(total, most), min(free, max(0, most - used))
    busy = _first_number(_text(root / "proc/loadavg"))
    cpu_free = max(0, round(1000 * (cpus - busy)))
    return Measured(platform.machine(), platform.system().lower(), cpus, cpu_free, total, free)


def _meminfo(root: Path) -> dict[str, int]:
    found: dict[str, int] = {}
    for line in _text(root / "proc/meminfo").splitlines():
        name, _, rest = line.partition(":")
        words = rest.split()
        if words and words[0].isdecimal():
            found[name] = int(words[0]) * 1024
    return found


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """The control groups of this process for a controller, and those above them; of the second generation with ""."""
    base = root / "sys/fs/cgroup" / controller
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        if controller in names.split(","):
            group = base / path.lstrip("/")
            yield group
            yield from (parent for parent in group.parents if parent == base or base in parent.parents)


def _quotas(root: Path) -> Iterator[int]:
    for group in _groups(root, ""):
        words = _text(group / "cpu.max").split()
        if len(words) == len(("quota", "period")) and all(word.isdecimal() for word in words):
            yield int(words[0]) // max(1, int(words[1]))
    for group in _groups(root, "cpu"):
        quota, period = _number(group / "cpu.cfs_quota_us"), _number(group / "cpu.cfs_period_us")
        if quota is not None and period:
            yield quota // period


def _memory_limits(root: Path) -> Iterator[tuple[int, int]]:
    names = (("", "memory.max", "memory.current"), ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes"))
    for controller, limit, usage in names:
        for group in _groups(root, controller):
            most, used = _number(group / limit), _number(group / usage)
            if most is not None and most < _NO_LIMIT:
                yield most, used or 0


def _number(path: Path) -> int | None:
    text = _text(path).strip()
    return int(text) if text.isdecimal() else None


def _first_number(text: str) -> float:
    try:
        return float(text.split(maxsplit=1)[0])
    except (IndexError, ValueError):
        return 0.0


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
