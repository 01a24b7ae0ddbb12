"""Who descends from whom, and what a process uses, as `/proc` tells it."""

import contextlib
import os
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import Final

__all__ = ["family_of", "kill_family", "orphans", "usage_of"]

_TICK_MS: Final = 1000 // os.sysconf("SC_CLK_TCK")
_STATE, _PARENT, _SESSION, _USER_TIME, _SYSTEM_TIME, _THREADS = 0, 1, 3, 11, 12, 17
"""Places behind the name in `/proc/PID/stat`."""


def family_of(pid: int) -> list[int]:
    """All that descend from a process, itself not included; what appears meanwhile may be missing."""
    family: list[int] = []
    waiting = [pid]
    while waiting:
        for child in _children(waiting.pop()):
            family.append(child)
            waiting.append(child)
    return family


def kill_family(pid: int) -> int:
    """Kills all that descend from a process; what they start meanwhile is for the next time.

    Returns:
        How many there were, ended ones that nobody reaped included.
    """
    family = family_of(pid)
    members = {pid, *family}
    for member in family:
        with contextlib.suppress(OSError):
            # A descriptor stays with its process: whose parent is one of the family *after* it was opened is the one.
            descriptor = os.pidfd_open(member)
            try:
                if _field(member, _PARENT) in members:
                    signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            finally:
                os.close(descriptor)
    return len(family)


def orphans(leaders: Iterable[int]) -> list[int]:
    """Children of this process that it did not start, and that belong to no session of those that it did.

    Args:
        leaders: what it started and did not reap.
    """
    kept = set(leaders)
    return [pid for pid in _children(os.getpid()) if pid not in kept and _field(pid, _SESSION) not in kept]


def usage_of(pid: int) -> dict[str, int | str]:
    """What a process uses: state, milliseconds of CPU, bytes and threads.

    Raises:
        OSError: there is no such process.
    """
    fields = _stat(pid)
    status = dict(_lines(f"/proc/{pid}/status"))
    moved = dict(_lines(f"/proc/{pid}/io", may_fail=True))
    return {
        "state": fields[_STATE],
        "cpu_ms": (int(fields[_USER_TIME]) + int(fields[_SYSTEM_TIME])) * _TICK_MS,
        "memory": _kib(status.get("VmRSS", "0")),
        "peak": _kib(status.get("VmHWM", "0")),
        "threads": int(fields[_THREADS]),
        "read": int(moved.get("rchar", "0")),
        "written": int(moved.get("wchar", "0")),
    }


def _children(pid: int) -> list[int]:
    """Direct children of a process, of all its threads."""
    found: list[int] = []
    try:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (thread / "children").read_text().split())
    except OSError:
        return found if Path(f"/proc/self/task/{os.getpid()}/children").exists() else _children_by_parent(pid)
    return found


def _children_by_parent(pid: int) -> list[int]:
    """The same where the kernel keeps no lists of children."""
    numbers = (int(place.name) for place in Path("/proc").iterdir() if place.name.isdecimal())
    return [number for number in numbers if _field(number, _PARENT) == pid]


def _field(pid: int, place: int) -> int:
    """A number of a process; -1 when it is gone."""
    try:
        return int(_stat(pid)[place])
    except OSError:
        return -1


def _stat(pid: int) -> list[str]:
    text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    return text.rpartition(")")[2].split()


def _lines(path: str, *, may_fail: bool = False) -> list[tuple[str, str]]:
    try:
        text = Path(path).read_text(encoding="ascii", errors="replace")
    except OSError:
        if may_fail:
            return []
        raise
    pairs = (line.partition(":") for line in text.splitlines())
    return [(name, value.strip()) for name, _, value in pairs]


def _kib(text: str) -> int:
    return int(text.partition(" ")[0]) * 1024
