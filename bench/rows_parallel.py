"""Two workers beside one, with a job that computes for 20 ms: what the node itself takes from two cores."""

import asyncio
import time
from typing import Final

import wasmtime

from bench.measure import Figure, figure
from bench.node import BenchNode, open_node
from runtime.jobs.spec import JobLimits, JobRequest
from runtime.jobs.streams import Streams

__all__ = ["measure"]

_LIMITS: Final = JobLimits()
_AIM_MS: Final = 20.0
_BOUND: Final = 1 / 1.8
"""Two workers do in one second at least 1.8 times what one does."""


def measure(*, quick: bool) -> list[Figure]:
    """Measures it."""
    return asyncio.run(_measure(rounds=2 if quick else 7, many=10 if quick else 60))


async def _measure(*, rounds: int, many: int) -> list[Figure]:
    async with open_node(workers=1) as one, open_node(workers=2) as two:
        module, alone = await _calibrated(one)
        await _all(two, module, 6)
        singles, pairs = [], []
        for _ in range(rounds):
            singles.append(await _all(one, module, many))
            pairs.append(await _all(two, module, many))
    return [
        figure(
            f"a job that computes for {alone:.1f} ms, each of {many} at once with 2 workers",
            "ms",
            pairs,
            against=("with 1 worker", singles),
            bound=_BOUND,
            bound_of="ratio",
            note=f"{min(singles) / min(pairs):.2f} times as many in the same time",
        )
    ]


async def _calibrated(node: BenchNode) -> tuple[bytes, float]:
    """A job that takes about 20 ms in a worker here, and what it takes."""
    turns, took = 10_000_000, 0.0
    while abs(took - _AIM_MS) > 1:
        module = _counts(turns)
        await _wall_ms(node, module)
        took = min([await _wall_ms(node, module) for _ in range(9)])
        if abs(took - _AIM_MS) > 1:
            turns = max(1000, round(turns * _AIM_MS / max(1, took)))
    return _counts(turns), took


def _counts(turns: int) -> bytes:
    return bytes(
        wasmtime.wat2wasm(
            '(module (memory (export "memory") 1) (func (export "_start") (local $n i32)'
            "(loop $again (local.set $n (i32.add (local.get $n) (i32.const 1)))"
            f"(br_if $again (i32.lt_u (local.get $n) (i32.const {turns}))))))"
        )
    )


async def _all(node: BenchNode, module: bytes, many: int) -> float:
    """Milliseconds of each, when so many are asked for at once."""
    began = time.perf_counter()
    await asyncio.gather(*(_wall_ms(node, module) for _ in range(many)))
    return (time.perf_counter() - began) * 1000 / many


async def _wall_ms(node: BenchNode, module: bytes) -> float:
    """What the guest alone took, by the job's own record."""
    end = await node.jobs.run(JobRequest(name="counts", limits=_LIMITS), module=module, streams=Streams())
    if end.outcome != "exit":
        raise RuntimeError(f"the job ended otherwise: {end.outcome} {end.reason}")
    return float(end.usage.wall_ms)
