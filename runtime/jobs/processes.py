"""Telling processes apart beyond their numbers, which are used again: by boot and start time."""

import os
from functools import cache
from pathlib import Path

__all__ = ["is_running", "start_mark", "start_of"]


@cache
def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", "")[:12]


def start_of(pid: int | str) -> str:
    """A mark of the process that has this number now, other than that of any process that had it before.

    Returns:
        Boot and start time; empty when there is no such process, only what is left of it, or none that we may see.
    """
    fields = _fields(pid)
    return "" if fields is None or fields[0] in {"Z", "X"} else f"{_boot()}.{fields[19]}"


@cache
def start_mark() -> str:
    """The mark of this process."""
    return start_of("self")


def is_running(pid: int, mark: str) -> bool:
    """Whether the very process with this number and mark still runs; one that we may not see counts as that one."""
    if mark == "":
        return False
    return _answers(pid) if _fields(pid) is None else start_of(pid) == mark


def _fields(pid: int | str) -> list[str] | None:
    """State, parent and so on, as the kernel tells them; None when it does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    # The name in brackets may hold anything; behind it come the state and, as the 20th field, the start time.
    return stat.rpartition(")")[2].split()


def _answers(pid: int) -> bool:
    """Whether we could send a signal there.

    Where `/proc` is mounted with `hidepid`, a process that keeps its memory private, as ours do, is hidden from its own
    user too. Its job must not be taken for lost.
    """
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True
