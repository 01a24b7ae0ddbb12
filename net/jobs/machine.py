"""What this machine has, measured: architecture, cores, free memory."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["Figures", "measure"]

_MIB: Final = 1 << 20
_CGROUP: Final = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured.

    Attributes:
        arch: as the kernel names it.
        cpu_cores: that this process may use.
        free_mb: memory, mebibytes.
    """

    arch: str
    cpu_cores: int
    free_mb: int


def measure() -> Figures:
    """Measures now; what cannot be read is not counted."""
    return Figures(platform.machine(), len(os.sched_getaffinity(0)), min(_available(), _cgroup_left()) // _MIB)


def _available() -> int:
    for line in _text(Path("/proc/meminfo")).splitlines():
        name, _, rest = line.partition(":")
        if name == "MemAvailable":
            return int(rest.split()[0]) * 1024
    return 0


def _cgroup_left() -> int:
    most, used = _text(_CGROUP / "memory.max").strip(), _text(_CGROUP / "memory.current").strip()
    if most.isdecimal() and used.isdecimal():
        return max(0, int(most) - int(used))
    return 1 << 62


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
