"""Telling processes apart beyond their numbers, which are used again: by boot and start time."""

from functools import cache
from pathlib import Path

__all__ = ["is_running", "start_mark", "start_of"]


@cache
def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", "")[:12]


def start_of(pid: int | str) -> str:
    """A mark of the process that has this number now, other than that of any process that had it before.

    Returns:
        Boot and start time; empty when there is no such process, or only what is left of it.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
    # The name in brackets may hold anything; behind it come the state and, as the 20th field, the start time.
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] in {"Z", "X"} else f"{_boot()}.{fields[19]}"


@cache
def start_mark() -> str:
    """The mark of this process."""
    return start_of("self")


def is_running(pid: int, mark: str) -> bool:
    """Whether the very process with this number and mark still runs."""
    return mark != "" and start_of(pid) == mark
