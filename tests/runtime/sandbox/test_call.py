"""What the engine raises, row by row, and what becomes of it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import wasmtime

from runtime.sandbox.call import MemoryGauge, ProcExitError, enter, instantiate, prepare, run
from runtime.sandbox.engine import PAGE, EpochTicker, agent_engine, job_engine, limit_agent_store, limit_job_store
from runtime.sandbox.outcome import Outcome
from tests.hostile import agent, binary, job, job_exits, wat

FUEL = 10**12


class StillTicker:
    """No thread: the epoch moves only where a test (or its guest) moves it."""

    @contextmanager
    def running(self) -> Iterator[None]:
        yield

    def deadline_ticks(self, ms: int) -> int:
        return ms


STILL = StillTicker()


@pytest.fixture
def ticker() -> Iterator[EpochTicker]:
    made = EpochTicker(job_engine())
    yield made
    made.close()


def job_store(*, fuel: int = FUEL, memory: int = 64 * PAGE, wasi: bool = True) -> wasmtime.Store:
    store = wasmtime.Store(job_engine())
    store.set_fuel(fuel)
    limit_job_store(store, memory)
    if wasi:
        store.set_wasi(wasmtime.WasiConfig())
    return store


def native_linker() -> wasmtime.Linker:
    linker = wasmtime.Linker(job_engine())
    linker.define_wasi()
    return linker


def instance_of(store: wasmtime.Store, wasm: bytes, linker: wasmtime.Linker | None = None) -> wasmtime.Instance:
    made, outcome = instantiate(
        store,
        lambda: (linker or native_linker()).instantiate(store, wasmtime.Module(job_engine(), wasm)),
        STILL,
        10**6,
    )
    assert made is not None, outcome
    return made


def start_of(store: wasmtime.Store, wasm: bytes, linker: wasmtime.Linker | None = None) -> wasmtime.Func:
    func = instance_of(store, wasm, linker).exports(store)["_start"]
    assert isinstance(func, wasmtime.Func)
    return func


def ends(wasm: bytes, *, fuel: int = FUEL) -> Outcome:
    store = job_store(fuel=fuel)
    return run(start_of(store, wasm), store, STILL, 10**6)


@pytest.mark.parametrize(
    ("name", "kind", "trap", "words"),
    [
        ("returns", "returned", "", ""),
        ("recursion", "stack", "STACK_OVERFLOW", "call stack exhausted"),
        ("c_stack_overflow", "trap", "MEMORY_OUT_OF_BOUNDS", "out of bounds memory access"),
        ("loads_outside", "trap", "MEMORY_OUT_OF_BOUNDS", "out of bounds memory access"),
        ("unreachable", "trap", "UNREACHABLE", "unreachable instruction executed"),
        ("divides_by_zero", "trap", "INTEGER_DIVISION_BY_ZERO", "integer division by zero"),
        ("integer_overflow", "trap", "INTEGER_OVERFLOW", "integer overflow"),
        ("bad_conversion", "trap", "BAD_CONVERSION_TO_INTEGER", "invalid conversion to integer"),
        ("table_outside", "trap", "TABLE_OUT_OF_BOUNDS", "out of bounds table access"),
        ("null_call", "trap", "INDIRECT_CALL_TO_NULL", "indirect call to null"),
        ("wrong_signature", "trap", "BAD_SIGNATURE", "indirect call with a wrong type"),
        ("pointer_outside", "host", "", "Pointer out of bounds"),
        ("random_4gib", "host", "", "exceeds limit"),
    ],
)
def test_each_end_has_its_kind(name: str, kind: str, trap: str, words: str) -> None:
    outcome = ends(job(name))
    assert (outcome.kind, outcome.trap, outcome.exit_code) == (kind, trap, None)
    assert words in outcome.detail
    assert "\n" not in outcome.detail


def test_fuel_that_is_gone_or_was_never_given() -> None:
    assert ends(job("spin"), fuel=10_000).kind == "fuel"
    never = ends(job("spin"), fuel=0)
    assert (never.kind, never.detail, never.trap) == ("fuel", "all fuel consumed", "OUT_OF_FUEL")


@pytest.mark.parametrize("code", [0, 3, 125])
def test_an_exit_code_that_the_engine_tells(code: int) -> None:
    outcome = ends(job_exits(code))
    assert (outcome.kind, outcome.exit_code, outcome.trap) == ("exit", code, "")


@pytest.mark.parametrize("code", [126, 255, 256, 4_294_967_295])
def test_an_exit_code_that_the_engine_keeps_to_itself(code: int) -> None:
    outcome = ends(job_exits(code))
    assert (outcome.kind, outcome.exit_code) == ("exit", None)
    assert not outcome.ok


def raising(error: Callable[[], Exception]) -> tuple[wasmtime.Linker, bytes]:
    linker = wasmtime.Linker(job_engine())

    def fail() -> None:
        raise error()

    linker.define_func("env", "fail", wasmtime.FuncType([], []), fail)
    return linker, wat('(module (import "env" "fail" (func $f)) (func (export "_start") call $f))')


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (lambda: ProcExitError(4_294_967_295), Outcome("exit", "exit code 4294967295", exit_code=4_294_967_295)),
        (lambda: KeyError("\x1b[2Jboom"), Outcome("host", "KeyError: '\\x1b[2Jboom'")),
        (lambda: wasmtime.WasmtimeError("denied"), Outcome("host", "denied")),
        (lambda: ValueError("a\nb"), Outcome("host", "ValueError: a⏎b")),
        (lambda: wasmtime.Trap("denied by the host"), Outcome("trap", "denied by the host")),
    ],
)
def test_an_exception_of_a_host_function(error: Callable[[], Exception], outcome: Outcome) -> None:
    store = job_store()
    linker, wasm = raising(error)
    ended = run(start_of(store, wasm, linker), store, STILL, 10**6)
    assert (ended.kind, ended.trap, ended.exit_code) == (outcome.kind, outcome.trap, outcome.exit_code)
    assert ended.detail.replace("\\\\", "\\") == outcome.detail


def test_a_trap_code_without_a_name_is_still_a_trap(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_: wasmtime.Trap) -> None:
        raise ValueError("99 is not a valid TrapCode")

    monkeypatch.setattr(wasmtime.Trap, "trap_code", property(unknown))
    outcome = ends(job("unreachable"))
    assert (outcome.kind, outcome.trap, outcome.detail) == (
        "trap",
        "",
        "wasm trap: wasm `unreachable` instruction executed",
    )


def test_a_deadline_without_any_waiting() -> None:
    store = job_store()
    linker = wasmtime.Linker(job_engine())
    linker.define_func("env", "bump", wasmtime.FuncType([], []), job_engine().increment_epoch)
    wasm = wat('(module (import "env" "bump" (func $b)) (func (export "_start") call $b (loop br 0)))')
    outcome = run(start_of(store, wasm, linker), store, STILL, 1)
    assert (outcome.kind, outcome.trap, outcome.detail) == ("deadline", "INTERRUPT", "over its deadline")


@pytest.mark.parametrize("name", ["spin", "fills_in_a_loop"])
def test_a_spinning_guest_ends_by_the_ticker(name: str, ticker: EpochTicker) -> None:
    store = job_store(memory=160 * PAGE)
    assert run(start_of(store, job(name)), store, ticker, 20).kind == "deadline"


def test_a_loop_in_the_start_section_ends_too(ticker: EpochTicker) -> None:
    store = job_store()
    module = wasmtime.Module(job_engine(), job("spin_start"))
    made, outcome = instantiate(store, lambda: native_linker().instantiate(store, module), ticker, 20)
    assert made is None
    assert outcome.kind == "deadline"


def test_a_deadline_that_an_earlier_call_left_over_does_not_fire() -> None:
    store = job_store()
    func = start_of(store, job("returns"))
    assert run(func, store, STILL, 1).kind == "returned"
    job_engine().increment_epoch()
    job_engine().increment_epoch()
    assert run(func, store, STILL, 1).kind == "returned"


@pytest.mark.parametrize(
    ("wasm", "kind", "words"),
    [
        (wat('(module (import "env" "nope" (func)))'), "host", "unknown import"),
        (job("wrong_wasi_type"), "host", "types incompatible"),
        (job("data_outside"), "trap", "out of bounds memory access"),
        (wat("(module (func $s unreachable) (start $s))"), "trap", "unreachable"),
        (wat("(module (func $s call $s) (start $s))"), "stack", "call stack exhausted"),
        (wat("(module (memory 65))"), "host", "exceeds memory limits"),
        (binary("table_10001"), "host", "exceeds table limits"),
    ],
)
def test_an_instantiation_that_fails(wasm: bytes, kind: str, words: str) -> None:
    store = job_store()
    module = wasmtime.Module(job_engine(), wasm)
    made, outcome = instantiate(store, lambda: native_linker().instantiate(store, module), STILL, 10**6)
    assert made is None
    assert outcome.kind == kind
    assert words in outcome.detail


def memory_run(name: str, limit: int) -> Outcome:
    store = job_store(memory=limit)
    instance = instance_of(store, job(name))
    exports = instance.exports(store)
    func, memory = exports["_start"], exports["memory"]
    assert isinstance(func, wasmtime.Func)
    assert isinstance(memory, wasmtime.Memory)
    return run(func, store, STILL, 10**6, MemoryGauge(limit, lambda: memory.data_len(store)))


@pytest.mark.parametrize("pages", [16, 64, 1024])
def test_a_trap_at_the_memory_limit_is_memory(pages: int) -> None:
    outcome = memory_run("grows_and_traps", pages * PAGE)
    assert (outcome.kind, outcome.trap) == ("memory", "UNREACHABLE")
    assert "memory limit" in outcome.detail


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("grows_and_returns", "returned"),
        ("grows_and_exits", "exit"),
        ("grows_little_and_traps", "trap"),
        ("unreachable", "trap"),
        ("recursion", "stack"),
    ],
)
def test_what_is_not_memory(name: str, kind: str) -> None:
    assert memory_run(name, 1024 * PAGE).kind == kind


def test_fuel_near_the_memory_limit_stays_fuel() -> None:
    store = job_store(fuel=200_000, memory=16 * PAGE)
    wasm = wat(
        '(module (memory (export "memory") 1) (func (export "_start") (drop (memory.grow (i32.const 15))) (loop br 0)))'
    )
    exports = instance_of(store, wasm).exports(store)
    func, memory = exports["_start"], exports["memory"]
    assert isinstance(func, wasmtime.Func)
    assert isinstance(memory, wasmtime.Memory)
    assert run(func, store, STILL, 10**6, MemoryGauge(16 * PAGE, lambda: memory.data_len(store))).kind == "fuel"


def test_missing_arguments_are_zeros_and_results_are_ignored() -> None:
    store = wasmtime.Store(agent_engine())
    memory = wasmtime.Memory(store, wasmtime.MemoryType(wasmtime.Limits(1, 160)))
    limit_agent_store(store)
    module = wasmtime.Module(agent_engine(), agent("all_params"))
    made, _ = instantiate(store, lambda: wasmtime.Instance(store, module, [memory]), STILL, 10**6)
    assert made is not None
    func = made.exports(store)["on_task_event"]
    assert isinstance(func, wasmtime.Func)
    call = prepare(func, store)
    assert call.args == (0, 0, 0.0, 0.0)
    assert call(10**6).kind == "returned"
    assert call(10**6).duration_us >= 0


def test_a_function_of_references_is_padded_with_nulls() -> None:
    store = wasmtime.Store(agent_engine())
    store.set_epoch_deadline(10**6)
    guest = wat(
        '(module (func (export "f") (param funcref) (if (i32.eqz (ref.is_null (local.get 0))) (then unreachable))))'
    )
    func = wasmtime.Instance(store, wasmtime.Module(agent_engine(), guest), []).exports(store)["f"]
    assert isinstance(func, wasmtime.Func)
    assert run(func, store, STILL, 10**6).kind == "returned"


def test_names_that_a_guest_chose_never_reach_the_words() -> None:
    outcome = ends(binary("function_name_escape"))
    assert outcome.detail == "unreachable instruction executed"
    assert ends(binary("function_name_1mib")).detail == outcome.detail


def test_a_store_lives_on_after_a_trap() -> None:
    store = job_store()
    func = start_of(store, job("unreachable"))
    assert run(func, store, STILL, 10**6).kind == "trap"
    assert run(func, store, STILL, 10**6).kind == "trap"


def test_a_store_may_be_handed_from_thread_to_thread() -> None:
    store = job_store()
    func = start_of(store, job("returns"))
    kinds: list[str] = []
    for _ in range(5):
        thread = threading.Thread(target=lambda: kinds.append(run(func, store, STILL, 10**6).kind))
        thread.start()
        thread.join()
    assert kinds == ["returned"] * 5


def entering(fail: Callable[[wasmtime.Store], None]) -> tuple[wasmtime.Func, wasmtime.Store]:
    store = job_store()
    linker = wasmtime.Linker(job_engine())
    linker.define_func("env", "host", wasmtime.FuncType([], []), lambda: fail(store))
    wasm = wat('(module (import "env" "host" (func $h)) (func (export "_start") call $h))')
    return start_of(store, wasm, linker), store


def test_a_host_function_cannot_enter_its_guest_again() -> None:
    inner: list[Outcome] = []
    func, store = entering(lambda store: inner.append(run(func, store, STILL, 10**6)))
    assert run(func, store, STILL, 10**6).kind == "returned"
    assert [(outcome.kind, outcome.detail) for outcome in inner] == [("host", "the store is in use by another call")]


def test_a_second_thread_cannot_enter_a_store_that_runs() -> None:
    inside, done = threading.Event(), threading.Event()

    def wait(_: wasmtime.Store) -> None:
        inside.set()
        done.wait(30)

    func, store = entering(wait)
    outer: list[Outcome] = []
    thread = threading.Thread(target=lambda: outer.append(run(func, store, STILL, 10**6)))
    thread.start()
    assert inside.wait(30)
    second = run(func, store, STILL, 10**6)
    done.set()
    thread.join()
    assert (second.kind, second.detail) == ("host", "the store is in use by another call")
    assert outer[0].kind == "returned"
    assert run(func, store, STILL, 10**6).kind == "returned"


def test_a_closed_store_is_an_outcome_and_not_an_exception() -> None:
    store = job_store()
    func = start_of(store, job("returns"))
    call = prepare(func, store)
    store.close()
    assert call(10**6).kind == "host"
    assert enter(store, lambda: 1, 1)[1].kind == "host"


def test_two_guests_at_once_end_each_in_its_own_way(ticker: EpochTicker) -> None:
    """Traps are told apart although several threads run guests: nothing of an outcome is global."""
    names = ["unreachable", "divides_by_zero", "loads_outside", "recursion"] * 2
    wanted = [ends(job(name)).kind + ends(job(name)).trap for name in names]
    got: dict[int, list[str]] = {}

    def work(index: int) -> None:
        store = job_store()
        func = start_of(store, job(names[index]))
        outcomes = [run(func, store, ticker, 5_000) for _ in range(25)]
        got[index] = [outcome.kind + outcome.trap for outcome in outcomes]
        store.close()

    threads = [threading.Thread(target=work, args=(index,)) for index in range(len(names))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == {index: [want] * 25 for index, want in enumerate(wanted)}
