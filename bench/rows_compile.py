"""Compiling in a child with limits, beside finding the result in the authenticated cache."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bench.guests import HELLO, shipped
from bench.measure import Figure, alternate, figure, wall_us
from runtime.sandbox.compile import Compiler
from runtime.sandbox.engine import EngineKind, agent_engine, job_engine

__all__ = ["measure"]

_KEY: Final = bytes(range(32))


def measure(*, quick: bool) -> list[Figure]:
    """Measures it."""
    rounds = 3 if quick else 15
    lines = []
    with tempfile.TemporaryDirectory(prefix="orlop-bench-") as folder, Compiler(Path(folder), _KEY) as compiler:
        compiler.prepare()
        for kind, path in (("agent", shipped("auto-balance")), ("job", HELLO)):
            lines += _module(compiler, "agent" if kind == "agent" else "job", path, rounds)
    return lines


def _module(compiler: Compiler, kind: EngineKind, path: Path, rounds: int) -> list[Figure]:
    wasm = path.read_bytes()
    engine = agent_engine() if kind == "agent" else job_engine()

    def fresh() -> float:
        compiler.forget(kind, wasm)
        return _ms(lambda: compiler.module(kind, wasm, engine))

    def kept() -> float:
        return _ms(lambda: compiler.module(kind, wasm, engine))

    fresh()
    compiled, found = alternate(rounds, fresh, kept)
    what = f"{path.stem} ({len(wasm):,} bytes)"
    return [
        figure(
            f"{what} found in the cache, verified and loaded", "ms", found, against=("compiled in a child", compiled)
        )
    ]


def _ms(work: Callable[[], object]) -> float:
    return wall_us(work) / 1000
