"""The part of `requirements.lock` that the program needs when it runs; what only builds it stays out of packages."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from runtime.errors import UnavailableError

__all__ = ["locked_wheels", "needed_at_runtime", "the_lock"]

_NAME: Final = "requirements.lock"
_OURS: Final = "orlop (pyproject.toml)"
_HEAD: Final = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)


def the_lock() -> str:
    """The lock of this orlop: of its checkout, or the one that was installed with it.

    Raises:
        UnavailableError: there is none.
    """
    here = Path(__file__).resolve()
    for place in (here.parents[2] / _NAME, here.with_name(_NAME)):
        if place.is_file():
            return place.read_text()
    raise UnavailableError("is missing", where=_NAME, hint="install orlop again, from its wheel or package")


def needed_at_runtime(lock: str) -> str:
    """The lock with those packages only that orlop needs, itself or through others, with their hashes.

    Args:
        lock: a lock as `uv pip compile` writes it: below each package stands who wants it.
    """
    blocks = _blocks(lock)
    wanted_by = {name: _wanted_by(block) for name, block in blocks.items()}
    needed = {name for name, by in wanted_by.items() if _OURS in by}
    while more := {name for name, by in wanted_by.items() if by & needed} - needed:
        needed |= more
    return "".join(block for name, block in blocks.items() if name in needed)


def locked_wheels(lock: str) -> tuple[tuple[str, str], ...]:
    """Name and version of each package of a lock.

    Args:
        lock: as above.
    """
    return tuple((match[1], match[2]) for match in _HEAD.finditer(lock))


def _blocks(lock: str) -> Mapping[str, str]:
    starts = [*_HEAD.finditer(lock)]
    ends = [*(start.start() for start in starts[1:]), len(lock)]
    return {start[1]: lock[start.start() : end] for start, end in zip(starts, ends, strict=True)}


def _wanted_by(block: str) -> set[str]:
    _, _, said = block.partition("# via")
    return {line.removeprefix("#").strip() for line in (line.strip() for line in said.splitlines())} - {""}
