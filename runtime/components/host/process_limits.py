"""Limits of a child: what the kernel holds it to."""

import resource
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

__all__ = ["CEILINGS", "apply_limits", "limits_of"]

CEILINGS: Final[Mapping[str, int]] = MappingProxyType(
    {"memory": 1 << 30, "cpu": 3600, "file_size": 1 << 30, "open_files": 256, "processes": 64}
)
"""What a child may have where its guest asks for nothing: bytes, seconds of CPU, bytes of a file, and counts."""

_KINDS: Final = MappingProxyType(
    {
        "cpu": resource.RLIMIT_CPU,
        "file_size": resource.RLIMIT_FSIZE,
        "open_files": resource.RLIMIT_NOFILE,
        "memory": resource.RLIMIT_DATA,  # the last: what sets them needs memory too
    }
)
"""The number of processes is counted by the spawner: the kernel counts all of a user's together, and none of root's."""


def apply_limits(limits: Mapping[str, int], pid: int = 0) -> None:
    """Sets limits, never above what is in force.

    Args:
        limits: some of `CEILINGS`.
        pid: whose; 0 for this process.

    Raises:
        OSError: there is no such process, or the kernel refused.
    """
    for name, kind in _KINDS.items():
        if name not in limits:
            continue
        _, hard = resource.prlimit(pid, kind)
        ceiling = limits[name] if hard == resource.RLIM_INFINITY else min(limits[name], hard)
        # A second between the two: SIGXCPU first, by which the end can be told from any other SIGKILL.
        soft = max(1, ceiling - 1) if name == "cpu" and ceiling == hard else ceiling
        above = ceiling if name != "cpu" or ceiling == hard else ceiling + 1
        resource.prlimit(pid, kind, (soft, above))


def limits_of(pid: int) -> dict[str, int]:
    """The limits in force for a process.

    Raises:
        OSError: there is no such process.
    """
    return {name: resource.prlimit(pid, kind)[0] for name, kind in _KINDS.items()}
