"""Whether a release fits into the memory of this machine, asked before its first byte comes."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from boot.errors import BootRefusedError
from boot.trust.manifest import Artifact
from runtime.errors import UnavailableError

__all__ = ["available", "check_memory", "needed"]

_SPARE: Final = 96 << 20
_AVAILABLE: Final = re.compile(r"^MemAvailable: +([0-9]{1,15}) kB$", re.MULTILINE | re.ASCII)
MEMINFO: Final = Path("/proc/meminfo")


def needed(artifacts: Iterable[Artifact]) -> int:
    """Bytes that must be free: what comes, its copy for the next kernel, and room to work.

    Args:
        artifacts: those that are taken.
    """
    return sum(one.size for one in artifacts) * 22 // 10 + _SPARE


def available(text: str) -> int:
    """Bytes that the kernel can give.

    Args:
        text: of `/proc/meminfo`.

    Raises:
        UnavailableError: it does not say.
    """
    match = _AVAILABLE.search(text)
    if match is None:
        raise UnavailableError("does not say how much memory there is", where=str(MEMINFO))
    return int(match[1]) << 10


def check_memory(artifacts: Iterable[Artifact], free: int) -> None:
    """Refuses what does not fit.

    Args:
        artifacts: those that are taken.
        free: bytes.

    Raises:
        BootRefusedError: `memory`.
    """
    wanted = needed(artifacts)
    if free < wanted:
        raise BootRefusedError("memory", f"{free >> 20} MiB are free, {(wanted >> 20) + 1} MiB are needed")
