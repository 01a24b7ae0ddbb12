"""Two workers beside one, with a job that computes for 20 ms: what the node itself takes from two cores.

Two cores of a virtual machine are seldom twice one core. What they are is measured in the same rounds: the same guest
in one and in two bare processes that share nothing. Whatever the node computes for a job, it takes from the guests: of
two cores, 20 ms of guest leave about 2 ms to node and worker together for 1.8 times as many jobs. So its CPU time is a
line of its own, and the one that other programs on the machine distort least.
"""

import asyncio
import multiprocessing
import time
from multiprocessing.connection import Connection
from typing import Final

import wasmtime

from bench.measure import Figure, figure
from bench.node import BenchNode, open_node
from runtime.jobs.limits import JobLimits
from runtime.jobs.spec import JobRequest
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
        singles, pairs, alones, besides, own = [], [], [], [], []
        for _ in range(rounds):
            singles.append(await _all(one, module, many))
            began_ns = time.process_time_ns()
            pairs.append(await _all(two, module, many))
            own.append((time.process_time_ns() - began_ns) / 1e6 / many)
            alones.append(await asyncio.to_thread(_bare, module, many, 1))
            besides.append(await asyncio.to_thread(_bare, module, many, 2))
    return [
        figure(
            f"a job that computes for {alone:.1f} ms, each of {many} at once with 2 workers",
            "ms",
            pairs,
            against=("with 1 worker", singles),
            bound=_BOUND,
            bound_of="ratio",
            note=f"{min(singles) / min(pairs):.2f} times as many in the same time",
        ),
        figure(
            "the same guest in 2 bare processes without a node: what this machine's second core gives",
            "ms",
            besides,
            against=("in 1 process", alones),
            note=f"{min(alones) / min(besides):.2f} times as many in the same time",
        ),
        figure("CPU time of the node, all its threads and without its workers, for each job with 2 workers", "ms", own),
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


def _bare(module: bytes, many: int, processes: int) -> float:
    """Milliseconds of each, when so many bare processes share the runs."""
    spawn = multiprocessing.get_context("spawn")
    ends = []
    for _ in range(processes):
        ours, theirs = spawn.Pipe()
        process = spawn.Process(target=_runs, args=(theirs, module, many // processes))
        process.start()
        ours.recv()  # it has compiled the guest
        ends.append((ours, process))
    began = time.perf_counter()
    for end, _ in ends:
        end.send(True)
    for end, _ in ends:
        end.recv()
    took = time.perf_counter() - began
    for _, process in ends:
        process.join()
    return took * 1000 / many


def _runs(parent: Connection, module: bytes, many: int) -> None:
    engine = wasmtime.Engine()
    compiled = wasmtime.Module(engine, module)
    parent.send(True)
    parent.recv()
    for _ in range(many):
        store = wasmtime.Store(engine)
        start = wasmtime.Instance(store, compiled, []).exports(store)["_start"]
        assert isinstance(start, wasmtime.Func)  # noqa: S101 - the module above exports it
        start(store)
    parent.send(True)


async def _wall_ms(node: BenchNode, module: bytes) -> float:
    """What the guest alone took, by the job's own record."""
    end = await node.jobs.run(JobRequest(name="counts", limits=_LIMITS), module=module, streams=Streams())
    if end.outcome != "exit":
        raise RuntimeError(f"the job ended otherwise: {end.outcome} {end.reason}")
    return float(end.usage.wall_ms)
