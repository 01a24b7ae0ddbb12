"""A whole job through the node: two signatures, a worker, the commitment, a commit with fsync; then many at once."""

import asyncio
import time
from typing import Final

from bench.disk import Disk
from bench.guests import HELLO
from bench.measure import Figure, figure
from bench.node import open_node
from runtime.jobs.jobs import Jobs
from runtime.jobs.limits import JobLimits
from runtime.jobs.spec import JobRequest
from runtime.jobs.streams import Streams

__all__ = ["measure"]

_WORKERS: Final = 2


def measure(*, quick: bool) -> list[Figure]:
    """Measures it."""
    return asyncio.run(_measure(20 if quick else 200))


async def _measure(many: int) -> list[Figure]:
    module = HELLO.read_bytes()
    async with open_node(workers=_WORKERS) as node:
        for _ in range(10):
            await _job(node.jobs, module)
        alone, syncs = [], []
        with Disk(node.folder / "disk") as disk:
            for _ in range(many):
                alone.append(await _job(node.jobs, module))
                syncs.append(disk.append_ms())
        began, used = time.perf_counter(), time.process_time()
        await asyncio.gather(*(_job(node.jobs, module) for _ in range(many)))
        wall, cpu = time.perf_counter() - began, time.process_time() - used
    return [
        figure(
            "one job, from the request to its stored receipt", "ms", alone, against=("append and fsync of 4 KiB", syncs)
        ),
        figure(
            f"each of {many} at once, {_WORKERS} workers, refilling",
            "ms",
            [wall / many * 1000],
            against=("one at a time", alone),
            note=f"{many / wall:,.0f} jobs/s, {cpu / many * 1000:.2f} ms of the node's CPU each",
        ),
    ]


async def _job(jobs: Jobs, module: bytes) -> float:
    request = JobRequest(name="hello.wasm", limits=JobLimits())
    began = time.perf_counter()
    end = await jobs.run(request, module=module, streams=Streams(stdin=b"hello, orlop"))
    if end.outcome != "exit" or end.exit_code != 0:
        raise RuntimeError(f"the job ended otherwise: {end.outcome} {end.reason}")
    return (time.perf_counter() - began) * 1000
