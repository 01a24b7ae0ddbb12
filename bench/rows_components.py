"""Components in C: how soon one runs, and what a hundred take that do nothing."""

import asyncio
import os
import time
from collections.abc import Sequence
from typing import Final

from bench.harbor import Harbor, open_harbor
from bench.measure import Figure, figure, wall_us
from bench.processes import cpu_s, pss_kib, tree

__all__ = ["measure"]

_START_MS: Final = 20.0
_MEMORY_MB: Final = 500.0
_KIB_PER_MB: Final = 1000 / 1.024
_OWN_WORKER: Final = '[limits]\nmemory = "128MiB"\n'


def measure(*, quick: bool) -> list[Figure]:
    """Measures it."""
    starts, many, seconds = (5, 10, 1.0) if quick else (40, 100, 5.0)
    return asyncio.run(_starts(starts)) + asyncio.run(_crowd(many, seconds))


async def _starts(rounds: int) -> list[Figure]:
    """All are installed, their code is in the cache, and the process that forks workers is there."""
    async with open_harbor() as harbor:
        beside, own = await harbor.install("beside"), await harbor.install("own", more=_OWN_WORKER)
        await harbor.start_ms(await harbor.install("first"))  # keeps the shared worker
        taken: dict[str, list[float]] = {beside: [], own: []}
        bare = []
        for _ in range(rounds + 1):
            for name, samples in taken.items():
                samples.append(await harbor.start_ms(name))
                await harbor.components.stop(name)
            bare.append(wall_us(_forked) / 1000)
    return [
        figure(
            f"start of a component until it runs, {where}",
            "ms",
            taken[name][1:],
            against=("a fork of this process and its end", bare[1:]),
            bound=_START_MS,
            bound_of="median",
            note="bytes hashed, code from the cache, linked, `metadata`, `init` and `health` called",
        )
        for where, name in (("in a shared worker", beside), ("in a worker of its own", own))
    ]


async def _crowd(many: int, seconds: float) -> list[Figure]:
    async with open_harbor() as harbor:
        none = _pss_mb()
        names = [await harbor.install(f"n{number}") for number in range(many)]
        began = time.perf_counter()
        for name in names:
            await harbor.start_ms(name)
        took = time.perf_counter() - began
        return [
            figure(
                f"proportional set size of all processes with {many} components at rest",
                "MB",
                [_pss_mb()],
                against=("without components", [none]),
                bound=_MEMORY_MB,
                note=f"{len(tree(os.getpid()))} processes beside the core; started in {took:.1f} s",
            ),
            await _idle(harbor, many, seconds),
        ]


async def _idle(harbor: Harbor, many: int, seconds: float) -> Figure:
    await asyncio.sleep(1)
    core, workers = os.getpid(), harbor.components.workers.process_ids
    began, before = time.monotonic(), (cpu_s(core), _cpu_s(workers))
    await asyncio.sleep(seconds)
    per_cent = 100 / (time.monotonic() - began)
    of_core, of_workers = (cpu_s(core) - before[0]) * per_cent, (_cpu_s(workers) - before[1]) * per_cent
    note = f"{of_core:.1f} % in the core, {of_workers:.1f} % in the workers"
    return figure(f"CPU of {many} components at rest", "% of a core", [of_core + of_workers], note=note)


def _forked() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def _pss_mb() -> float:
    own = os.getpid()
    return sum(pss_kib(pid) for pid in (own, *tree(own))) / _KIB_PER_MB


def _cpu_s(processes: Sequence[int]) -> float:
    return sum(cpu_s(pid) for pid in processes)
