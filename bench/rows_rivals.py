"""A warm hello beside other ways to run a small program that is not trusted; one request, one answer, each in turn.

All get 12 bytes and give them backwards. The worker, and `node:wasi` in a process that stays, run the same module anew
for each request. Extism keeps one instance, in this process, which later requests find as earlier ones left it.
`python -c` is a new process for each, without any wall. Only the worker has limits of memory, time and instructions.
"""

import asyncio
import importlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import wasmtime

from bench.guests import HELLO
from bench.measure import Figure, absent, figure
from runtime.jobs.pool import Pool, Worker
from runtime.jobs.wire import RunMessage
from runtime.sandbox.engine import job_engine

__all__ = ["measure"]

_TEXT: Final = b"hello, orlop"
_WARM_UP: Final = 5
_Once = Callable[[], Awaitable[bytes]]

_NODE: Final = """
import { openSync, closeSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { WASI } from "node:wasi";
const [module, input, stdout] = process.argv.slice(2);
const options = { version: "preview1", args: ["hello"], env: {}, stdout: Number(stdout), returnOnExit: true };
const compiled = new WebAssembly.Module(readFileSync(module));
for await (const _ of createInterface({ input: process.stdin })) {
  const stdin = openSync(input);
  const wasi = new WASI({ ...options, stdin });
  wasi.start(new WebAssembly.Instance(compiled, wasi.getImportObject()));
  closeSync(stdin);
  process.stdout.write("done\\n");
}
"""

_EXTISM: Final = """
(module
  (import "extism:host/env" "input_length" (func $length (result i64)))
  (import "extism:host/env" "input_load_u8" (func $load (param i64) (result i32)))
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "store_u8" (func $store (param i64 i32)))
  (import "extism:host/env" "output_set" (func $output (param i64 i64)))
  (func (export "hello") (result i32)
    (local $n i64) (local $i i64) (local $out i64)
    (local.set $n (call $length))
    (local.set $out (call $alloc (local.get $n)))
    (loop $again
      (call $store (i64.add (local.get $out) (i64.sub (i64.sub (local.get $n) (local.get $i)) (i64.const 1)))
        (call $load (local.get $i)))
      (br_if $again (i64.lt_u (local.tee $i (i64.add (local.get $i) (i64.const 1))) (local.get $n))))
    (call $output (local.get $out) (local.get $n))
    (i32.const 0)))
"""


def measure(*, quick: bool) -> list[Figure]:
    """Measures it."""
    return asyncio.run(_measure(20 if quick else 300))


async def _measure(rounds: int) -> list[Figure]:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="orlop-bench-")))
        ours = await _worker(stack, folder)
        rivals = {
            "node:wasi in a process that stays": _node(stack, folder),
            "Extism, one instance that stays": _extism(),
            "a process with `python -c`": _python,
        }
        taken: dict[str, list[float]] = {what: [] for what in ("", *rivals)}
        for _ in range(rounds + _WARM_UP):
            for what, once in (("", ours), *rivals.items()):
                if once is not None:
                    taken[what].append(await _ms(once))
    own = ("message to an idle worker until its reply", taken.pop("")[_WARM_UP:])
    return [
        figure(what, "ms", samples[_WARM_UP:], against=own) if samples else absent(what, "not installed")
        for what, samples in taken.items()
    ]


async def _ms(once: _Once) -> float:
    began = time.perf_counter()
    answer = await once()
    took = (time.perf_counter() - began) * 1000
    if answer.strip() != _TEXT[::-1]:
        raise RuntimeError(f"not the answer: {answer[:100]!r}")
    return took


async def _worker(stack: AsyncExitStack, folder: Path) -> _Once:
    pool = Pool(folder, 1, 1 << 32, _raise)
    stack.push_async_callback(pool.close)
    pool.warm()
    worker = await pool.acquire("bench", alone=False)
    compiled = pool.keep_module("hello", bytes(wasmtime.Module(job_engine(), HELLO.read_bytes()).serialize()))
    stack.callback(pool.release, worker, None, 128 << 20, alone=True)
    out, written = os.pipe()
    errors, complained = os.pipe()
    for descriptor in (out, written, errors, complained):
        stack.callback(os.close, descriptor)
    return lambda: _in_worker(worker, compiled, out, written, complained)


async def _in_worker(worker: Worker, compiled: int, out: int, written: int, complained: int) -> bytes:
    message = RunMessage(
        module="hello",
        argv=("hello",),
        env=(),
        dirs=(),
        stdin=False,
        memory=128 << 20,
        fuel=10**9,
        timeout_ms=30_000,
        input=_TEXT,
    )
    if await worker.run(message, [compiled, written, complained]) is None:
        raise RuntimeError("the worker ended")
    return os.read(out, 4096)


def _node(stack: AsyncExitStack, folder: Path) -> _Once | None:
    program = shutil.which("node")
    if program is None:
        return None
    (folder / "serve.mjs").write_text(_NODE)
    (folder / "input").write_bytes(_TEXT)
    out, written = os.pipe()
    stack.callback(os.close, out)
    argv = [program, "--no-warnings", "serve.mjs", str(HELLO), "input", str(written)]
    process = stack.enter_context(
        subprocess.Popen(argv, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, pass_fds=[written])
    )
    os.close(written)
    asked, told = process.stdin, process.stdout
    if asked is None or told is None:
        raise RuntimeError("node has no pipes")

    async def once() -> bytes:
        asked.write(b"run\n")
        told.readline()
        return os.read(out, 4096)

    return once


def _extism() -> _Once | None:
    if importlib.util.find_spec("extism") is None:
        return None
    plugin = importlib.import_module("extism").Plugin({"wasm": [{"data": bytes(wasmtime.wat2wasm(_EXTISM))}]})

    async def once() -> bytes:
        return bytes(plugin.call("hello", _TEXT))

    return once


async def _python() -> bytes:
    program = [sys.executable, "-I", "-S", "-c", "import sys; sys.stdout.write(sys.stdin.read()[::-1])"]
    return subprocess.run(program, input=_TEXT, capture_output=True, check=True).stdout  # noqa: ASYNC221 - measured


def _raise(words: str) -> None:
    raise RuntimeError(words)
