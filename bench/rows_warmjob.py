"""A warm hello job: from the message to an idle worker until its reply, beside the same guest in this process.

All capture output on pipes that exist before the clock starts and are read after it stopped; all have the module loaded
and linked. In this process the call ends when its store is freed; a worker frees it after its reply. The node sends a
known input in the message; the package's public interface takes a file or a pipe, so that is the call it is held to.
"""

import asyncio
import ctypes
import gc
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import wasmtime
from wasmtime import _ffi as ffi

from bench.echo import echo_ms
from bench.guests import HELLO
from bench.measure import Figure, figure
from runtime.jobs.pool import Pool, Worker
from runtime.jobs.wire import RunMessage
from runtime.sandbox.engine import job_engine, limit_job_store

__all__ = ["measure"]

_BOUND: Final = 1.3
_MEMORY: Final = 128 << 20
_FUEL: Final = 10**9
_TEXT: Final = b"hello, orlop"
_WARM_UP: Final = 20


def measure(*, quick: bool) -> list[Figure]:
    """Measures it."""
    return asyncio.run(_measure(100 if quick else 1_500))


async def _measure(rounds: int) -> list[Figure]:
    module = wasmtime.Module(job_engine(), HELLO.read_bytes())
    here, ping = _in_process(module), echo_ms()
    taken: dict[str, list[float]] = {"sent": [], "piped": [], "here": [], "bytes": [], "ping": []}
    with tempfile.TemporaryDirectory(prefix="orlop-bench-") as folder:
        pool = Pool(Path(folder), 1, 1 << 32, _raise)
        try:
            pool.warm()
            worker = await pool.acquire("bench", alone=False)
            compiled = pool.keep_module("hello", bytes(module.serialize()))
            for number in range(rounds + _WARM_UP):
                taken["sent"].append(await _in_worker(worker, compiled, piped=False))
                taken["here"].append(here(True))
                taken["ping"].append(ping())
                taken["piped"].append(await _in_worker(worker, compiled, piped=True))
                taken["bytes"].append(here(False))
                gc.collect() if number % 100 == 0 else None
            pool.release(worker, None, _MEMORY, alone=True)
        finally:
            await pool.close()
    sent, piped, inside, without, pings = (samples[_WARM_UP:] for samples in taken.values())
    public = ("in this process by the public interface, all on pipes", inside)
    return [
        figure("message to an idle worker until its reply", "ms", sent, against=public, bound=_BOUND, bound_of="ratio"),
        figure("the same with the input on a pipe", "ms", piped, against=public),
        figure(
            "in this process past the public interface, input as bytes",
            "ms",
            without,
            against=("message to an idle worker until its reply", sent),
        ),
        figure("a byte to another process and back, what the machine takes for waking it", "ms", pings),
    ]


@contextmanager
def _pipes() -> Iterator[tuple[int, int, int]]:
    """What the guest gets: its input, filled, and two ends to write to. Checks what it wrote."""
    given, feed = os.pipe()
    out, written = os.pipe()
    errors, complained = os.pipe()
    os.write(feed, _TEXT)
    os.close(feed)
    try:
        yield given, written, complained
        if os.read(out, 4096).strip() != _TEXT[::-1]:
            raise RuntimeError("the guest did not answer")
    finally:
        for descriptor in (given, out, written, errors, complained):
            os.close(descriptor)


async def _in_worker(worker: Worker, compiled: int, *, piped: bool) -> float:
    with _pipes() as (given, written, complained):
        began = time.perf_counter()
        message = RunMessage(
            module="hello",
            argv=("hello",),
            env=(),
            dirs=(),
            stdin=piped,
            memory=_MEMORY,
            fuel=_FUEL,
            timeout_ms=30_000,
            input=b"" if piped else _TEXT,
        )
        reply = await worker.run(message, [compiled, written, complained, *([given] if piped else [])])
        took = time.perf_counter() - began
        if reply is None or reply.outcome.kind not in {"returned", "exit"}:
            raise RuntimeError(f"the worker did not run it: {reply}")
    return took * 1000


def _in_process(module: wasmtime.Module) -> Callable[[bool], float]:
    linker = wasmtime.Linker(job_engine())
    linker.define_wasi()
    ready = linker.instantiate_pre(module)

    def once(piped: bool) -> float:
        with _pipes() as (given, written, complained):
            began = time.perf_counter()
            store = wasmtime.Store(job_engine())
            limit_job_store(store, _MEMORY)
            store.set_fuel(_FUEL)
            store.set_epoch_deadline(1)
            config = wasmtime.WasiConfig()
            config.argv = ["hello"]
            if piped:
                config.stdin_file = f"/proc/self/fd/{given}"
            else:
                ffi.wasi_config_set_stdin_bytes(config.ptr(), ctypes.byref(ffi.bytes_to_capi(_TEXT)))
            config.stdout_file = f"/proc/self/fd/{written}"
            config.stderr_file = f"/proc/self/fd/{complained}"
            store.set_wasi(config)
            exports = ready.instantiate(store).exports(store)
            start, memory = exports["_start"], exports["memory"]
            if not isinstance(start, wasmtime.Func) or not isinstance(memory, wasmtime.Memory):
                raise TypeError("no job")
            start(store)
            store.get_fuel()
            memory.data_len(store)
            store.close()
            took = time.perf_counter() - began
        return took * 1000

    return once


def _raise(words: str) -> None:
    raise RuntimeError(words)
