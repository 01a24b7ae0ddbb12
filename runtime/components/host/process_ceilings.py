"""What a guest may ask for its children: never nothing at all, never more than there is."""

from collections.abc import Mapping

from runtime.components.bindings.ext_process_types import ResourceLimits
from runtime.components.host.process_answers import ProcessRefusedError

__all__ = ["checked_limits", "limits_record"]


def checked_limits(limits: ResourceLimits | None, ceilings: Mapping[str, int]) -> dict[str, int]:
    """All limits that a child gets.

    Args:
        limits: what was asked for; None, and a limit of None, is the ceiling.
        ceilings: the most of each.

    Raises:
        ProcessRefusedError: `invalid-argument`: a limit of 0, or above its ceiling.
    """
    if limits is None:
        return dict(ceilings)
    asked = {
        "memory": limits.max_memory,
        "cpu": limits.max_cpu_time,
        "file_size": limits.max_file_size,
        "open_files": limits.max_open_files,
        "processes": limits.max_processes,
    }
    wanted = dict(ceilings)
    for name, value in asked.items():
        if value is None:
            continue
        if not 0 < value <= ceilings[name]:
            raise ProcessRefusedError("invalid-argument", f"{name.replace('_', ' ')}: from 1 to {ceilings[name]}")
        wanted[name] = value
    return wanted


def limits_record(limits: Mapping[str, int]) -> ResourceLimits:
    """Limits as guests see them."""
    return ResourceLimits(
        limits["memory"], limits["cpu"], limits["file_size"], limits["open_files"], limits["processes"]
    )
