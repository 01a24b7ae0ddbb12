"""The hostile agents against the bare sandbox: host functions that answer 0, ten milliseconds of patience."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import wasmtime

import runtime
from runtime.sandbox.call import instantiate, run
from runtime.sandbox.engine import AGENT_PAGES, EpochTicker, agent_engine, limit_agent_store
from runtime.sandbox.outcome import Outcome
from tests.hostile import AGENTS, agent, emits, fails_before

SPINS = {"spin_init", "spin_start", "spin_tick", "spin_event", "spin_on_host", "grows_in_a_loop", "fills_in_a_loop"}
TRAPS = {
    "trap_tick": "UNREACHABLE",
    "trap_event": "UNREACHABLE",
    "trap_init": "UNREACHABLE",
    "trap_start": "UNREACHABLE",
    "divides_by_zero": "INTEGER_DIVISION_BY_ZERO",
    "loads_outside": "MEMORY_OUT_OF_BOUNDS",
    "fails_while_no_tasks": "UNREACHABLE",
    "state_then_trap": "UNREACHABLE",
    "escape_in_function_name": "UNREACHABLE",
}
DEEP = {"recurse_tick", "recurse_start"}
UNLINKABLE = {
    "unknown_import",
    "unknown_module",
    "wrong_import_kind",
    "wasi_import",
    "memory_as_function",
    "memory_min161",
}
INCOMPLETE = {"missing_init", "missing_event", "missing_tick", "tick_is_a_global"}


@pytest.fixture
def ticker() -> Iterator[EpochTicker]:
    made = EpochTicker(agent_engine())
    yield made
    made.close()


def zero(kind: wasmtime.FuncType) -> int | float | None:
    results = [str(result) for result in kind.results]
    return None if not results else 0.0 if results[0].startswith("f") else 0


def play(wasm: bytes, ticker: EpochTicker, limit_ms: int) -> list[Outcome]:
    """Instantiates, then calls the three exports, until something fails."""
    store = wasmtime.Store(agent_engine())
    limit_agent_store(store)
    module = wasmtime.Module(agent_engine(), wasm)
    items: list[wasmtime.Func | wasmtime.Memory] = []
    for entry in module.imports:
        kind = entry.type
        if isinstance(kind, wasmtime.MemoryType) and kind.limits.min <= AGENT_PAGES:
            limits = wasmtime.Limits(max(1, kind.limits.min), min(AGENT_PAGES, kind.limits.max or AGENT_PAGES))
            items.append(wasmtime.Memory(store, wasmtime.MemoryType(limits)))
        elif (
            isinstance(kind, wasmtime.FuncType)
            and entry.module == "env"
            and entry.name not in ("host_launch", "memory")
        ):
            items.append(wasmtime.Func(store, kind, lambda *_, kind=kind: zero(kind)))
    made, outcome = instantiate(store, lambda: wasmtime.Instance(store, module, items), ticker, limit_ms)
    outcomes = [outcome]
    if made is not None:
        exports = made.exports(store)
        for name in ("init", "on_task_event", "on_tick"):
            func = exports.get(name)
            if isinstance(func, wasmtime.Func) and outcomes[-1].ok:
                outcomes.append(run(func, store, ticker, limit_ms))
    store.close()
    return outcomes


@pytest.mark.parametrize("name", sorted(AGENTS))
def test_each_agent_ends_as_its_name_says(name: str, ticker: EpochTicker) -> None:
    *before, last = play(agent(name), ticker, 10 if name in SPINS else 10_000)
    assert all(outcome.ok for outcome in before)
    if name in SPINS:
        assert last.kind == "deadline"
    elif name in DEEP:
        assert last.kind == "stack"
    elif name in TRAPS:
        assert (last.kind, last.trap) == ("trap", TRAPS[name])
    elif name in UNLINKABLE:
        assert (before, last.kind) == ([], "host")
    else:
        assert last.ok, last
        assert len(before) == 2 + (name not in INCOMPLETE)


def test_the_parametrised_agents_run(ticker: EpochTicker) -> None:
    assert play(emits("{}", b"\xff", on="event"), ticker, 10_000)[-1].ok
    assert play(emits("x" * 70_000), ticker, 10_000)[-1].ok
    assert play(fails_before(0), ticker, 10_000)[-1].ok
    assert play(fails_before(1), ticker, 10_000)[-1].kind == "trap"


def test_checks_and_compilation_load_no_engine() -> None:
    names = "outcome engine modulecheck compile compile_process compile_child cache errors facts sections wasi_types"
    program = (
        f"import sys; sys.path.insert(0, sys.argv[1])\nfor name in {names.split()!r}:\n"
        "    __import__('runtime.sandbox.' + name)\n"
        "print(sorted({'wasmtime', 'cryptography', 'nacl', 'textual', 'asyncio'} & set(sys.modules)))"
    )
    root = str(Path(runtime.__file__).parent.parent)
    done = subprocess.run([sys.executable, "-I", "-c", program, root], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
