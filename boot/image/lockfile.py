"""The part of `requirements.lock` that the program needs when it runs; what only builds it stays out of the package."""

import re
from collections.abc import Mapping

__all__ = ["needed_at_runtime"]

_OURS = "orlop (pyproject.toml)"
_HEAD = re.compile(r"^([A-Za-z0-9._-]+)==", re.MULTILINE)


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


def _blocks(lock: str) -> Mapping[str, str]:
    starts = [*_HEAD.finditer(lock)]
    ends = [*(start.start() for start in starts[1:]), len(lock)]
    return {start[1]: lock[start.start() : end] for start, end in zip(starts, ends, strict=True)}


def _wanted_by(block: str) -> set[str]:
    _, _, said = block.partition("# via")
    return {line.removeprefix("#").strip() for line in (line.strip() for line in said.splitlines())} - {""}
