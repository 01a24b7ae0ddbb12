"""What a job is held against before it gets a worker: the operator's ceilings, and what its module is."""

import asyncio
import functools
from typing import Final

from runtime.errors import OrlopError
from runtime.jobs.feed import known_size
from runtime.jobs.inputs import Given, too_large
from runtime.jobs.limits import JobLimits, LimitRefusedError
from runtime.jobs.queue import QueueLimits
from runtime.sandbox.errors import ModuleRefusedError
from runtime.sandbox.modulecheck import OVER_MEMORY, check_job

__all__ = ["admit", "checked", "struck"]

_SMALL: Final = 65_536
"""Bytes of a module that is checked on the loop, in far less than a millisecond."""

_check_small = functools.lru_cache(maxsize=16)(check_job)
"""What is small and asked for again and again was found good before; a refusal is not kept."""


async def admit(given: Given, limits: JobLimits, *, ceilings: JobLimits, queue: QueueLimits) -> None:
    """Holds a job against what the operator allows, and its module against what a job can be.

    Args:
        given: its inputs.
        limits: what it asks for.
        ceilings: the most that it may ask for.
        queue: the most that its inputs may be.

    Raises:
        RefusedError: it is not run.
    """
    if above := limits.above(ceilings):
        raise above
    if len(given.module) > queue.module_bytes:
        raise too_large("module_bytes", "module", len(given.module), queue.module_bytes)
    size = known_size(given.source)
    if size > queue.stdin_bytes:
        raise too_large("stdin_bytes", "standard input", size, queue.stdin_bytes)
    await checked(given.module, limits.memory_bytes)


async def checked(module: bytes, memory_bytes: int) -> None:
    """Finds out whether a module can be a job at all.

    Args:
        module: its file.
        memory_bytes: what the job may have.

    Raises:
        RefusedError: it cannot.
    """
    if len(module) <= _SMALL:
        _check_small(module, memory_bytes)
    else:
        await asyncio.to_thread(check_job, module, memory_bytes)


def struck(error: OrlopError) -> str:
    """The name of the limit that a job was refused for."""
    if isinstance(error, ModuleRefusedError) and error.check == OVER_MEMORY:
        return "memory_bytes"
    return error.tripped if isinstance(error, LimitRefusedError) else ""
