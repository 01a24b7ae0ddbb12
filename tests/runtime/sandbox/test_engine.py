import ctypes
import importlib.metadata
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import wasmtime

import runtime
from runtime.sandbox.engine import (
    ENGINE,
    ENGINE_VERSION,
    PAGE,
    SETTINGS,
    EngineKind,
    EpochTicker,
    agent_engine,
    build_engine,
    job_engine,
    limit_agent_store,
    limit_job_store,
    settings_digest,
)
from tests.hostile import agent, binary, module, section, vec, wat

KINDS: list[EngineKind] = ["agent", "job", "deterministic"]


def test_the_installed_engine_is_the_one_that_everything_here_was_measured_with() -> None:
    assert importlib.metadata.version("wasmtime") == ENGINE_VERSION
    assert f"wasmtime {ENGINE_VERSION}" == ENGINE


def _engine(kind: EngineKind) -> wasmtime.Engine:
    return agent_engine() if kind == "agent" else job_engine(deterministic=kind == "deterministic")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("guest", "words"),
    [
        (binary("shared_memory"), "threads must be enabled"),
        (binary("imported_shared_memory"), "threads must be enabled"),
        (binary("atomics"), "threads"),
        (binary("memory64"), "memory64 must be enabled"),
        (module(section(4, vec([b"\x70\4\1"]))), "memory64 must be enabled"),
        (binary("two_memories"), "multiple memories"),
        (binary("gc_type"), "gc"),
        (wat("(module (func (param externref)))"), "gc types are disallowed"),
        (binary("typed_reference"), "function references"),
        (binary("exceptions"), "exceptions"),
        (binary("exception_tag"), "exceptions"),
        (binary("tail_call"), "tail calls"),
        (binary("wide_arithmetic"), "wide arithmetic"),
        (binary("relaxed_simd"), "relaxed SIMD"),
        (binary("custom_page_size"), "custom page sizes"),
        (module(section(1, vec([b"\x60\0\0", b"\x5d\0"]))), "stack switching"),
        (binary("component"), "component"),
    ],
)
def test_each_feature_that_is_switched_off_is_refused(kind: EngineKind, guest: bytes, words: str) -> None:
    with pytest.raises(wasmtime.WasmtimeError, match=f"(?i){words}"):
        wasmtime.Module(_engine(kind), guest)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "guest",
    [
        binary("simd"),
        wat("(module (memory 1) (func (memory.fill (i32.const 0) (i32.const 0) (i32.const 1))))"),
        wat("(module (table 1 funcref) (elem (i32.const 0) $f) (func $f (drop (ref.func $f))))"),
        wat("(module (func (result i32 i32) i32.const 1 i32.const 2))"),
    ],
)
def test_what_compilers_emit_is_accepted(kind: EngineKind, guest: bytes) -> None:
    wasmtime.Module(_engine(kind), guest)


def test_there_is_one_engine_of_each_kind() -> None:
    assert agent_engine() is agent_engine()
    assert job_engine() is job_engine(deterministic=False)
    assert job_engine(deterministic=True) is job_engine(deterministic=True)
    assert len({agent_engine(), job_engine(), job_engine(deterministic=True)}) == 3


def test_what_is_alive_at_the_end_of_the_program_prints_nothing() -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from runtime.sandbox.engine import agent_engine\n"
        "import wasmtime\n"
        "store, linker = wasmtime.Store(agent_engine()), wasmtime.Linker(agent_engine())\n"
        "cycle = [store]; cycle.append(cycle)\n"
    )
    root = str(Path(runtime.__file__).parent.parent)
    done = subprocess.run([sys.executable, "-I", "-c", program, root], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_agents_have_no_fuel_and_jobs_have() -> None:
    with pytest.raises(wasmtime.WasmtimeError, match="fuel is not configured"):
        wasmtime.Store(agent_engine()).set_fuel(1)
    for deterministic in (False, True):
        store = wasmtime.Store(job_engine(deterministic=deterministic))
        store.set_fuel(5)
        assert store.get_fuel() == 5


@pytest.mark.parametrize("kind", KINDS)
def test_every_engine_obeys_epochs(kind: EngineKind) -> None:
    engine = _engine(kind)
    store = wasmtime.Store(engine)
    if kind != "agent":
        store.set_fuel(10**12)
    linker = wasmtime.Linker(engine)
    linker.define_func("env", "bump", wasmtime.FuncType([], []), engine.increment_epoch)
    guest = wat('(module (import "env" "bump" (func $b)) (func (export "f") call $b (loop br 0)))')
    store.set_epoch_deadline(1)
    instance = linker.instantiate(store, wasmtime.Module(engine, guest))
    func = instance.exports(store)["f"]
    assert isinstance(func, wasmtime.Func)
    with pytest.raises(wasmtime.Trap) as caught:
        func(store)
    assert caught.value.trap_code == wasmtime.TrapCode.INTERRUPT


def _depth(kind: EngineKind) -> int:
    """How many empty calls fit on the stack."""
    engine = _engine(kind)
    store = wasmtime.Store(engine)
    if kind != "agent":
        store.set_fuel(10**12)
    store.set_epoch_deadline(10**9)
    guest = wat(
        '(module (global $n (export "n") (mut i32) (i32.const 0))'
        '(func $f (export "f") (global.set $n (i32.add (global.get $n) (i32.const 1))) call $f))'
    )
    exports = wasmtime.Instance(store, wasmtime.Module(engine, guest), []).exports(store)
    func, depth = exports["f"], exports["n"]
    assert isinstance(func, wasmtime.Func)
    assert isinstance(depth, wasmtime.Global)
    with pytest.raises(wasmtime.Trap):
        func(store)
    return int(depth.value(store))


def test_the_stacks_are_those_of_the_settings() -> None:
    # 1 MiB against 256 KiB; a frame with fuel is larger. The engine's own default holds over 32,000 such calls.
    agent_depth, job_depth = _depth("agent"), _depth("job")
    assert agent_depth < 10_000
    assert job_depth > 2 * agent_depth


def test_only_deterministic_jobs_have_one_kind_of_nan() -> None:
    # A NaN whose payload comes from the operand: the canonical one differs from it.
    guest = wat(
        '(module (func (export "f") (param i64) (result i64)'
        "(i64.reinterpret_f64 (f64.add (f64.reinterpret_i64 (local.get 0)) (f64.const 1)))))"
    )

    def bits(kind: EngineKind) -> int:
        store = wasmtime.Store(_engine(kind))
        store.set_fuel(1_000)
        store.set_epoch_deadline(10**9)
        func = wasmtime.Instance(store, wasmtime.Module(_engine(kind), guest), []).exports(store)["f"]
        assert isinstance(func, wasmtime.Func)
        return int(func(store, 0x7FF8_0000_0000_1234)) & 0x7FFF_FFFF_FFFF_FFFF

    assert bits("deterministic") == 0x7FF8_0000_0000_0000
    assert bits("job") == 0x7FF8_0000_0000_1234


def test_engines_start_no_thread_of_the_compiler() -> None:
    before = _threads()
    for kind in KINDS:
        wasmtime.Module(build_engine(kind), binary("thousand_exports"))
    assert _threads() <= before


def _threads() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("Threads:"))


def _address(pointer: "ctypes._Pointer[ctypes.c_ubyte]") -> int | None:
    return ctypes.cast(pointer, ctypes.c_void_p).value


def test_an_agents_memory_never_moves_and_reserves_ten_mebibytes() -> None:
    store = wasmtime.Store(agent_engine())
    limit_agent_store(store)
    memory = wasmtime.Memory(store, wasmtime.MemoryType(wasmtime.Limits(1, 160)))
    before = memory.data_ptr(store)
    memory.grow(store, 159)
    assert memory.data_len(store) == 160 * PAGE
    assert _address(memory.data_ptr(store)) == _address(before)
    with pytest.raises(wasmtime.WasmtimeError):
        memory.grow(store, 1)
    store.close()


def test_a_job_gets_the_memory_of_its_limit_and_no_more() -> None:
    for minimum, fits in ((4, True), (5, False)):
        store = wasmtime.Store(job_engine())
        store.set_fuel(1_000)
        store.set_epoch_deadline(10**9)
        limit_job_store(store, 4 * PAGE)
        guest = wasmtime.Module(job_engine(), wat(f'(module (memory (export "memory") {minimum}))'))
        if fits:
            wasmtime.Instance(store, guest, [])
        else:
            with pytest.raises(wasmtime.WasmtimeError, match="exceeds memory limits"):
                wasmtime.Instance(store, guest, [])
        store.close()


@pytest.mark.parametrize("limit", [limit_agent_store, lambda store: limit_job_store(store, PAGE)])
def test_tables_are_capped(limit: Callable[[wasmtime.Store], None]) -> None:
    engine = build_engine("agent")
    store = wasmtime.Store(engine)
    store.set_epoch_deadline(10**9)
    limit(store)
    with pytest.raises(wasmtime.WasmtimeError, match="exceeds table limits"):
        wasmtime.Instance(store, wasmtime.Module(engine, binary("table_10001")), [])


def test_the_digest_names_every_setting() -> None:
    assert len({settings_digest(kind) for kind in KINDS}) == 3
    assert all(len(settings_digest(kind)) == 64 for kind in KINDS)


def test_a_misspelt_setting_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.sandbox.engine.SETTINGS", {**SETTINGS, "agent": {"epoch_interuption": True}})
    with pytest.raises(AttributeError, match="epoch_interuption"):
        build_engine("agent")


class CountingEngine:
    """Stands in for an engine whose epoch can be watched."""

    def __init__(self, until: int) -> None:
        self.epoch, self.until, self.reached = 0, until, threading.Event()

    def increment_epoch(self) -> None:
        self.epoch += 1
        if self.epoch >= self.until:
            self.reached.set()


def test_the_ticker_runs_only_while_a_guest_does() -> None:
    engine = CountingEngine(until=3)
    ticker = EpochTicker(engine)  # type: ignore[arg-type]
    names = [thread.name for thread in threading.enumerate()]
    assert "orlop-epoch" not in names
    with ticker.running(), ticker.running():
        assert engine.reached.wait(10)
    assert ticker._guests == 0
    ticker.close()
    stopped = engine.epoch
    assert "orlop-epoch" not in [thread.name for thread in threading.enumerate()]
    assert stopped >= 3
    with pytest.raises(RuntimeError, match="closed"), ticker.running():
        pass


def test_the_ticker_wakes_again() -> None:
    engine = CountingEngine(until=2)
    ticker = EpochTicker(engine)  # type: ignore[arg-type]
    for _ in range(3):
        engine.reached.clear()
        engine.until = engine.epoch + 2
        with ticker.running():
            assert engine.reached.wait(10)
    ticker.close()


def test_a_ticker_that_never_ran_closes() -> None:
    EpochTicker(agent_engine()).close()


@pytest.mark.parametrize(("ms", "ticks"), [(1, 2), (10, 2), (11, 3), (5_000, 501), (0, 2), (-5, 2)])
def test_a_deadline_is_never_early(ms: int, ticks: int) -> None:
    assert EpochTicker(agent_engine()).deadline_ticks(ms) == ticks


def test_agents_of_every_shape_compile_under_the_agents_engine() -> None:
    for name in ("quiet", "out_of_bounds", "state_at_limit", "now_f64"):
        wasmtime.Module(agent_engine(), agent(name))
