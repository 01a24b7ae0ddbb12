import contextlib
import os
from pathlib import Path

import pytest
import wasmtime
import wasmtime.component as wc
from hypothesis import given
from hypothesis import strategies as st

from runtime.jobs.zygote_process import sealed_module
from runtime.sandbox.compile import Compiler, budget_for, load_component
from runtime.sandbox.componentcheck import COMPONENT_CAPS, COMPONENT_PREAMBLE, check_component, strip_component
from runtime.sandbox.engine import build_engine, component_engine, limit_component_store
from runtime.sandbox.errors import ModuleRefusedError, StaleModuleError
from runtime.sandbox.modulecheck import check_caps
from tests.hostile import job, leb, module, section, vec

ADDER = """
(component
  (import "demo:x/clock@1.0.0" (instance $clock (export "now" (func (result u64)))))
  (core module $m
    (memory (export "memory") 2 10)
    (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))
  (core instance $i (instantiate $m))
  (func $add (param "a" u32) (param "b" u32) (result u32) (canon lift (core func $i "add")))
  (export "add" (func $add))
  (component (core module (memory 7 9))))
"""
LOOPS = """
(component
  (core module $m (func $spin (loop (br 0))) (start $spin))
  (core instance (instantiate $m)))
"""


def component(text: str) -> bytes:
    return bytes(wasmtime.wat2wasm(text))


def refusal(data: bytes) -> ModuleRefusedError:
    with pytest.raises(ModuleRefusedError) as caught:
        check_component(data)
    return caught.value


def test_facts_of_a_component_are_read_without_compiling_it() -> None:
    facts = check_component(component(ADDER))
    assert facts.imports == ("demo:x/clock@1.0.0",)
    assert facts.exports == ("add",)
    assert (facts.modules, facts.memories, facts.memory_pages) == (2, 2, 7)


def test_a_core_module_given_as_a_component_is_called_so() -> None:
    error = refusal(job("returns"))
    assert error.check == "core-module"
    assert "wasm-tools component new" in str(error)


def test_a_component_given_as_a_core_module_is_called_so() -> None:
    with pytest.raises(ModuleRefusedError, match="this is a component, not a core module"):
        check_caps("job", component(ADDER))


@pytest.mark.parametrize(
    ("data", "check", "words"),
    [
        (b"", "empty", "the file is empty"),
        (b"\0asm\x0d", "truncated", "header ends early"),
        (b"\x7fELF\2\1\1\0", "magic", "no WebAssembly component"),
        (b"(component)", "text", "text, not a binary component"),
        (b"\0asm\x0e\0\1\0", "version", "version 14 of layer 1"),
        (COMPONENT_PREAMBLE + b"\x0d\0", "sections", "no section 13"),
        (COMPONENT_PREAMBLE + b"\x01\x7f", "truncated", "core module section ends early"),
        (COMPONENT_PREAMBLE + b"\x04\x01\0", "truncated", "has no header"),
        (COMPONENT_PREAMBLE + section(10, leb(1_001)), "imports", "1,001 imports"),
        (COMPONENT_PREAMBLE + section(10, vec([b"\2\1a\1\0"])), "names", "of a newer kind"),
        (COMPONENT_PREAMBLE + section(10, vec([b"\0\1\x1b\1\0"])), "names", r"\x1b"),
        (COMPONENT_PREAMBLE + section(10, vec([b"\0\1a\2\0"])), "kind", "of a newer kind"),
        (COMPONENT_PREAMBLE + section(1, module(section(13, b"\0"))), "feature", "exceptions"),
        (COMPONENT_PREAMBLE + section(1, module()) * 257, "modules", "more than 256 core modules"),
    ],
)
def test_what_is_no_component_or_too_much_is_refused(data: bytes, check: str, words: str) -> None:
    error = refusal(data)
    assert error.check == check
    assert words in str(error)


def test_a_component_within_a_component_too_often_is_refused() -> None:
    nested = COMPONENT_PREAMBLE
    for _ in range(9):
        nested = COMPONENT_PREAMBLE + section(4, nested)
    assert refusal(nested).check == "nesting"


def test_a_component_over_its_size_is_refused() -> None:
    assert refusal(COMPONENT_PREAMBLE + bytes(COMPONENT_CAPS.size)).check == "size"


@given(st.binary(max_size=200))
def test_damaged_components_are_refused_and_nothing_else_happens(noise: bytes) -> None:
    whole = component(ADDER)
    for data in (COMPONENT_PREAMBLE + noise, whole[: len(whole) // 2] + noise):
        with contextlib.suppress(ModuleRefusedError):
            assert check_component(data).size == len(data)


def test_names_that_a_guest_chose_are_dropped_at_every_level() -> None:
    named = section(0, b"\4evil" + b"x" * 300)
    inner = module(named)
    whole = COMPONENT_PREAMBLE + named + section(1, inner) + section(4, COMPONENT_PREAMBLE + section(1, inner) + named)
    bare = COMPONENT_PREAMBLE + section(1, module()) + section(4, COMPONENT_PREAMBLE + section(1, module()))
    assert strip_component(whole) == bare


def test_a_component_is_compiled_in_the_child_kept_loaded_and_runs(tmp_path: Path) -> None:
    with Compiler(tmp_path / "cache", bytes(32)) as compiler:
        code = compiler.compile("component", component(LOOPS))
    with Compiler(tmp_path / "cache", bytes(32)) as again:
        assert again.compile("component", component(LOOPS)) == code
    sealed = sealed_module(code)
    engine = component_engine()
    store = wasmtime.Store(engine)
    limit_component_store(store, memory=1 << 20, table_elements=100, instances=1, memories=1)
    store.set_fuel(10_000)
    store.set_epoch_deadline(1_000_000)
    with pytest.raises(wasmtime.WasmtimeError, match="all fuel consumed"):
        wc.Linker(engine).instantiate(store, load_component(engine, sealed))
    os.close(sealed)


def test_code_of_another_engine_is_stale() -> None:
    sealed = sealed_module(b"no code")
    with pytest.raises(StaleModuleError):
        load_component(component_engine(), sealed)
    os.close(sealed)


def test_an_invalid_component_is_refused_with_the_words_of_the_engine() -> None:
    broken = COMPONENT_PREAMBLE + section(10, vec([b"\0\1a\1\x63"]))
    with Compiler(None) as compiler, pytest.raises(ModuleRefusedError, match="unknown type") as caught:
        compiler.compile("component", broken)
    assert caught.value.check == "invalid"


def test_components_get_two_minutes_of_the_compiler() -> None:
    budget = budget_for("component", 18 << 20)
    assert (budget.cpu_s, budget.wall_s) == (120, 360.0)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("(component (core module $m (memory 9)) (core instance (instantiate $m)))", "exceeds memory limits"),
        ("(component (core module $m (table 99 funcref)) (core instance (instantiate $m)))", "exceeds table limits"),
        (
            "(component (core module $m) (core instance (instantiate $m)) (core instance (instantiate $m)))",
            "instance count too high",
        ),
        (
            "(component (core module $m (memory 1) (memory 1)) (core instance (instantiate $m)))",
            "multiple memories",
        ),
    ],
)
def test_what_a_component_begins_with_is_limited(text: str, words: str) -> None:
    engine = build_engine("component")
    store = wasmtime.Store(engine)
    limit_component_store(store, memory=8 * 65_536, table_elements=98, instances=1, memories=1)
    store.set_fuel(1_000)
    store.set_epoch_deadline(1_000_000)
    with pytest.raises(wasmtime.WasmtimeError, match=words):
        wc.Linker(engine).instantiate(store, wc.Component(engine, component(text)))
