"""A job that writes 1 GiB: kept, hashed, and passed on to a program that reads; time for each MB, and memory."""

import asyncio
import contextlib
import gc
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import wasmtime

from bench.measure import Figure, figure
from bench.node import BenchNode, open_node
from runtime.jobs.limits import JobLimits
from runtime.jobs.spec import JobRequest
from runtime.jobs.streams import Streams

__all__ = ["measure"]

_GIB: Final = 1 << 30
_PIECE: Final = 65_536
_BOUND_MS: Final = 1000 / 200
"""Of a million bytes, at 200 MB/s."""

_BOUND_MB: Final = 40.0


def measure(*, quick: bool) -> list[Figure]:
    """Measures it."""
    return asyncio.run(_measure(_GIB >> 4 if quick else _GIB, 1 if quick else 3))


async def _measure(size: int, rounds: int) -> list[Figure]:
    kept, passed, growth = [], [], []
    async with open_node(workers=1) as node:
        await _run(node, _floods(1 << 20), 1 << 20, None)
        module = _floods(size)
        for _ in range(rounds):
            gc.collect()
            before = _peak_anew()
            kept.append(await _run(node, module, size, None))
            with _reader() as descriptor:
                passed.append(await _run(node, module, size, descriptor))
            growth.append((_status_kib("VmHWM") - before) * 1024 / 1e6)
    written = f"{size / _GIB:g} GiB of stdout"
    return [
        figure(
            f"{written}, kept and passed on to `cat`, each MB",
            "ms",
            passed,
            bound=_BOUND_MS,
            note=f"{1000 / min(passed):,.0f} MB/s",
        ),
        figure(f"{written}, kept only, each MB", "ms", kept, bound=_BOUND_MS, note=f"{1000 / min(kept):,.0f} MB/s"),
        figure(f"{written}: memory of the node, growth at its peak", "MB", growth, bound=_BOUND_MB, bound_of="median"),
    ]


@contextlib.contextmanager
def _reader() -> Iterator[int]:
    """The input of a program that reads."""
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as cat:
        if cat.stdin is None:
            raise RuntimeError("cat has no input")
        yield cat.stdin.fileno()
        cat.stdin.close()


def _floods(size: int) -> bytes:
    """Writes so many bytes to stdout."""
    return bytes(
        wasmtime.wat2wasm(
            '(module (import "wasi_snapshot_preview1" "fd_write" (func $w (param i32 i32 i32 i32) (result i32)))'
            '(memory (export "memory") 2) (func (export "_start") (local $n i64)'
            f"(i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (i32.const {_PIECE}))"
            "(loop $again (if (call $w (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)) (then unreachable))"
            "(local.set $n (i64.add (local.get $n) (i64.load32_u (i32.const 16))))"
            f"(br_if $again (i64.lt_u (local.get $n) (i64.const {size}))))))"
        )
    )


async def _run(node: BenchNode, module: bytes, size: int, reader: int | None) -> float:
    """Milliseconds for each million bytes, from the request to the stored receipt."""
    limits = JobLimits.of(memory_bytes=1 << 20, timeout_ms=120_000, max_output_bytes=size)
    began = time.perf_counter()
    request = JobRequest(name="floods", limits=limits)
    end = await node.jobs.run(request, module=module, streams=Streams(stdout=reader))
    took = time.perf_counter() - began
    if end.outcome != "exit" or end.usage.stdout_bytes != size:
        raise RuntimeError(f"the job ended otherwise: {end.outcome} {end.reason} {end.usage}")
    (node.parts.state.output / end.job).unlink()
    return took * 1000 / (size / 1e6)


def _peak_anew() -> int:
    """Has the kernel measure this process's peak from now on; KiB resident now."""
    Path("/proc/self/clear_refs").write_text("5")
    return _status_kib("VmRSS")


def _status_kib(name: str) -> int:
    for line in Path(f"/proc/{os.getpid()}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise RuntimeError(f"the kernel does not say {name}")
