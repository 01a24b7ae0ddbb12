"""One real component for each text of the engine that tells how a component ended."""

import pytest
import wasmtime
import wasmtime.component as wc

from runtime.components.worker.outcomes import outcome_of
from runtime.sandbox.engine import build_engine, limit_component_store
from runtime.sandbox.outcome import Outcome

LIFT = '(func (export "f") (canon lift (core func $i "f")))'
HANDLES = """
(component
  (import "t:x/y@1.0.0" (instance $h
    (export "r" (type $r (sub resource)))
    (export "make" (func (result (own $r)))) (export "look" (func (param "a" (borrow $r))))
    (export "both" (func (param "a" (borrow $r)) (param "b" (borrow $r))))))
  (alias export $h "r" (type $R))
  (core func $make (canon lower (func $h "make")))
  (core func $look (canon lower (func $h "look")))
  (core func $both (canon lower (func $h "both")))
  (core func $drop (canon resource.drop $R))
  (core module $m
    (import "h" "make" (func $make (result i32))) (import "h" "look" (func $look (param i32)))
    (import "h" "drop" (func $drop (param i32))) (import "h" "both" (func $both (param i32 i32)))
    (func (export "guess") (call $look (i32.const 12345)))
    (func (export "pair") (call $both (call $make) (call $make)))
    (func (export "twice") (local i32)
      (local.set 0 (call $make)) (call $drop (local.get 0)) (call $drop (local.get 0))))
  (core instance $i (instantiate $m (with "h" (instance
    (export "make" (func $make)) (export "look" (func $look)) (export "drop" (func $drop))
    (export "both" (func $both))))))
  (func (export "f") (canon lift (core func $i "NAME"))))
"""


def component(body: str, lift: str = LIFT) -> str:
    return f"(component (core module $m {body}) (core instance $i (instantiate $m)) {lift})"


def function(code: str, before: str = "") -> str:
    return component(f'{before} (func $f (export "f") {code})')


def returning(result: str, value: int, data: str = "") -> str:
    """A component that gives this pointer or number for a value of a type."""
    memory = "(memory (core memory $i " + '"m"))'
    return component(
        f'(memory (export "m") 1) {data} (func (export "f") (result i32) (i32.const {value}))',
        f'(func (export "f") (result {result}) (canon lift (core func $i "f") {memory}))',
    )


def outcomes(text: str, *, fuel: int = 10**12, deadline: int = 1_000_000, calls: int = 1) -> list[Outcome]:
    engine = build_engine("component")
    store = wasmtime.Store(engine)
    limit_component_store(store, memory=65_536, table_elements=10, instances=2, memories=1)
    store.set_fuel(fuel)
    store.set_epoch_deadline(deadline)
    linker = wc.Linker(engine)
    with linker.root() as root, root.add_instance("t:x/y@1.0.0") as inside:
        inside.add_resource("r", wc.ResourceType.host(1), lambda _store, _rep: None)
        inside.add_func("make", lambda _store: wc.ResourceHost.own(1, 1))
        inside.add_func("look", lambda store, handle: handle.drop(store))
        inside.add_func("both", lambda _store, *_: None)
    found: list[Outcome] = []
    entry = None
    for _ in range(calls):
        try:
            instance = linker.instantiate(store, wc.Component(engine, text)) if entry is None else None
            entry = entry or (instance and instance.get_func(store, "f"))
            assert entry is not None
            engine.increment_epoch()
            entry(store)
        except wasmtime.WasmtimeError as error:
            found.append(outcome_of(error, instantiated=entry is not None))
    store.close()
    return found


TABLE = "(table 1 funcref) (type $t (func (param i32)))"


@pytest.mark.parametrize(
    ("text", "kind", "trap", "words"),
    [
        (function("unreachable"), "trap", "UNREACHABLE", "unreachable instruction executed"),
        (function("(call $f)"), "stack", "STACK_OVERFLOW", "call stack exhausted"),
        (function("(drop (i32.div_s (i32.const 1) (i32.const 0)))"), "trap", "INTEGER_DIVISION_BY_ZERO", "by zero"),
        (function("(drop (i32.div_s (i32.const 0x80000000) (i32.const -1)))"), "trap", "INTEGER_OVERFLOW", "overflow"),
        (function("(drop (i32.trunc_f32_s (f32.const nan)))"), "trap", "BAD_CONVERSION_TO_INTEGER", "conversion"),
        (
            function("(drop (i32.load (i32.const 65536)))", "(memory 1)"),
            "trap",
            "MEMORY_OUT_OF_BOUNDS",
            "memory access",
        ),
        (
            function("(call_indirect (type $t) (i32.const 0) (i32.const 9))", TABLE),
            "trap",
            "TABLE_OUT_OF_BOUNDS",
            "table",
        ),
        (
            function("(call_indirect (type $t) (i32.const 0) (i32.const 0))", TABLE),
            "trap",
            "INDIRECT_CALL_TO_NULL",
            "null",
        ),
        (
            function("(call_indirect (type $t) (i32.const 0) (i32.const 0))", f"{TABLE} (elem (i32.const 0) $f)"),
            "trap",
            "BAD_SIGNATURE",
            "wrong type",
        ),
        (
            returning("string", 0, r'(data (i32.const 0) "\10\00\00\00\01") (data (i32.const 16) "\ff")'),
            "trap",
            "TEXT",
            "utf-8",
        ),
        (returning("string", 0, r'(data (i32.const 0) "\00\00\ff\7f\01")'), "trap", "POINTER", "string pointer/length"),
        (
            returning("(list u8)", 0, r'(data (i32.const 0) "\00\00\ff\7f\01")'),
            "trap",
            "POINTER",
            "list pointer/length",
        ),
        (returning("string", 3), "trap", "POINTER", "return pointer not aligned"),
        (returning("string", 0x7FFFFFF0), "trap", "POINTER", "pointer out of bounds of memory"),
        (returning("(result)", 9), "trap", "VALUE", "discriminant 9 out of range"),
        (returning("char", 0xD800), "trap", "VALUE", "out of range for `char`"),
        (HANDLES.replace("NAME", "guess"), "trap", "HANDLE", "unknown handle index 12345"),
        (HANDLES.replace("NAME", "twice"), "trap", "HANDLE", "unknown handle index 1"),
        (HANDLES.replace("NAME", "pair"), "trap", "ENGINE", "a fault of the engine: deferred host scope"),
        (component("(memory 2)", ""), "memory", "", "its memory begins above its limit"),
        (component("(table 11 funcref)", ""), "memory", "", "a table of it begins above its limit"),
        (
            "(component (core module $m)" + " (core instance (instantiate $m))" * 3 + ")",
            "memory",
            "",
            "it has more instances, tables or memories than its limits allow",
        ),
        ('(component (import "now" (func)))', "host", "", "component imports function `now`"),
    ],
)
def test_each_text_of_the_engine_is_told_apart(text: str, kind: str, trap: str, words: str) -> None:
    (outcome,) = outcomes(text)
    assert (outcome.kind, outcome.trap) == (kind, trap)
    assert words in outcome.detail


def test_a_loop_is_stopped_by_its_deadline() -> None:
    assert outcomes(function("(loop (br 0))"), deadline=1) == [Outcome("deadline", "over its deadline", "INTERRUPT")]


def test_a_loop_is_stopped_by_its_fuel() -> None:
    assert outcomes(function("(loop (br 0))"), fuel=1_000) == [Outcome("fuel", "all fuel consumed", "OUT_OF_FUEL")]


def test_an_instance_that_trapped_is_dead() -> None:
    first, second = outcomes(function("unreachable"), calls=2)
    assert first.kind == "trap"
    assert second == Outcome("host", "the instance trapped before, and is not entered again", "DEAD")


def test_a_fault_of_the_host_is_never_called_the_guests() -> None:
    assert outcome_of(TypeError("boom\x1b[2J"), instantiated=True) == Outcome("host", r"boom\x1b[2J")
    assert outcome_of(MemoryError(), instantiated=True) == Outcome("host", "MemoryError")


def test_a_text_of_the_engine_that_is_not_known_is_the_guests_once_it_runs() -> None:
    error = wasmtime.WasmtimeError("error while executing\n\nCaused by:\n    wasm trap: something new")
    assert outcome_of(error, instantiated=True) == Outcome("trap", "something new")
    assert outcome_of(wasmtime.WasmtimeError("odd"), instantiated=True) == Outcome("trap", "odd")
