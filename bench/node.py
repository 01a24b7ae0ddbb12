"""A node that runs jobs, without a console around it."""

import contextlib
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from runtime.clock import SystemClock
from runtime.jobs.jobs import Jobs
from runtime.jobs.limits import CEILINGS
from runtime.node import NodeParts, OpenDirectory

__all__ = ["BenchNode", "open_node"]


@dataclass(frozen=True, slots=True)
class BenchNode:
    """Its folder, its parts and its jobs."""

    folder: Path
    parts: NodeParts
    jobs: Jobs


@contextlib.asynccontextmanager
async def open_node(*, workers: int) -> AsyncIterator[BenchNode]:
    """Opens one in a folder of its own, its workers warm.

    Args:
        workers: how many jobs run at a time.
    """
    clock = SystemClock()
    with tempfile.TemporaryDirectory(prefix="orlop-bench-") as folder:
        directory = OpenDirectory.open(Path(folder, "state"), clock, owner=True)
        parts = NodeParts(directory.state, directory.store, clock)
        jobs = parts.new_jobs(workers=workers, ceilings=CEILINGS)
        try:
            await jobs.recover()
            jobs.warm()
            yield BenchNode(Path(folder), parts, jobs)
        finally:
            await jobs.close(drain_s=0)
            await parts.close_compiler()
            directory.close()
