import contextlib

import pytest
import wasmtime
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import RefusedError
from runtime.sandbox.engine import job_engine
from runtime.sandbox.facts import Export, FuncType, Import, Limits
from runtime.sandbox.modulecheck import (
    JOB_CAPS,
    ModuleRefusedError,
    check_agent,
    check_caps,
    check_job,
    module_hash,
    strip_custom,
)
from runtime.sandbox.sections import read_module
from runtime.sandbox.wasi_types import WASI_MODULE, WASI_TYPES
from tests.hostile import AGENTS, JOBS, agent, binary, job, job_min_pages, leb, module, section, vec, wat

MIB = 1024 * 1024


def refusal(wasm: bytes) -> ModuleRefusedError:
    with pytest.raises(ModuleRefusedError) as caught:
        check_caps("job", wasm)
    return caught.value


@pytest.mark.parametrize(
    ("name", "check", "words"),
    [
        ("empty", "empty", "the file is empty"),
        ("four_bytes", "truncated", "truncated"),
        ("version_2", "version", "version 2"),
        ("junk", "magic", "no WebAssembly module"),
        ("elf", "magic", "no WebAssembly module"),
        ("text_format", "text", "text, not a binary"),
        ("component", "component", "a component"),
        ("truncated", "truncated", "ends early"),
        ("cut_in_section_size", "truncated", "type section ends early"),
        ("trailing_bytes", "truncated", "ends early"),
        ("unknown_section", "sections", "no section 14"),
        ("overlong_leb", "leb", "too long"),
        ("huge_count", "types", "4,294,967,295 types"),
        ("huge_section", "truncated", "ends early"),
        ("many_functions", "functions", "110,000 functions, and 100,000"),
        ("many_types", "types", "100,001 types"),
        ("many_exports", "exports", "10,000 exports, and 1,000"),
        ("many_imports", "imports", "1,001 imports"),
        ("export_name_escape", "names", r"\x1b[2Jgone"),
        ("export_name_newline", "names", "a⏎fake line"),
        ("export_name_bidi", "names", r"a\u202eb"),
        ("export_name_long", "names", "257 bytes, and 256"),
        ("export_name_10mb", "names", "10,000,000 bytes"),
        ("export_name_invalid_utf8", "names", "not UTF-8"),
        ("huge_table", "tables", "4,000,000,000 elements"),
        ("table_10001", "tables", "10,001 elements"),
        ("many_tables", "tables", "5 tables, and 4"),
        ("shared_memory", "shared-memory", "shared memory"),
        ("imported_shared_memory", "shared-memory", "shared memory"),
        ("memory64", "memory64", "memory64"),
        ("custom_page_size", "feature", "custom page sizes"),
        ("two_memories", "memory", "2 memories, and 1 is allowed"),
        ("many_data_segments", "data", "1,001 data segments"),
        ("data_above_memory", "data", "65,537 bytes, and its memory begins with 65,536"),
        ("locals_of_one_function", "locals", "10,001 locals"),
        ("locals_in_groups", "locals", "10,001 groups"),
        ("locals_bomb", "locals", "49,999 locals"),
        ("gc_type", "feature", "garbage collection"),
        ("exception_tag", "feature", "exceptions"),
        ("typed_reference", "feature", "newer proposal"),
    ],
)
def test_each_bad_file_is_refused_in_words(name: str, check: str, words: str) -> None:
    error = refusal(binary(name))
    assert error.check == check
    assert words in str(error)
    assert "\n" not in str(error)
    assert "\x1b" not in str(error)
    assert isinstance(error, RefusedError)
    assert error.code == "refused"


def test_many_small_functions_of_many_locals_add_up() -> None:
    body = vec([leb(9_999) + b"\x7f"]) + b"\x0b"
    many = module(
        section(1, vec([b"\x60\0\0"])),
        section(3, vec([b"\0"] * 51)),
        section(10, vec([leb(len(body)) + body] * 51)),
    )
    assert refusal(many).check == "locals"


def test_a_repeated_section_passes_no_cap() -> None:
    exports = section(7, vec([b"\1f\0\0"] * 600))
    assert (
        refusal(module(section(1, vec([b"\x60\0\0"])), section(3, vec([b"\0"])), exports, exports)).check == "exports"
    )
    memory = section(5, vec([b"\0\1"]))
    assert refusal(module(memory, memory)).check == "memory"


def test_an_imported_and_an_own_memory_are_two() -> None:
    both = module(section(2, vec([b"\3env\6memory\2\0\1"])), section(5, vec([b"\0\1"])))
    assert refusal(both).check == "memory"


@pytest.mark.parametrize(
    "broken",
    [
        module(section(1, b"\1\x60\5\x7f")),  # parameters beyond the end
        module(section(2, vec([b"\3env\1f\0"]))),  # import without its type
        module(section(2, vec([b"\3env\1f\0\7"]))),  # import of a type that is not there
        module(section(2, vec([b"\3env\1f\7\0"]))),  # import of an unknown kind
        module(section(3, vec([b"\0"])), section(7, vec([b"\1f\0\1"]))),  # export of a function that is not there
        module(section(3, vec([b"\0"])), section(7, vec([b"\1f\0\0"]))),  # export of a function without type
        module(section(5, vec([b"\x10\1"]))),  # unknown flags of a memory
        module(section(8, b"")),
        module(section(10, vec([b"\x09\0"]))),  # a body beyond the end
        module(section(11, vec([b"\0\x41\0"]))),  # an offset without its end
        module(section(4, vec([b"\x40\0\x70\0\1"]))),  # a table with an initial value
    ],
)
def test_damage_inside_a_section_is_a_refusal(broken: bytes) -> None:
    assert refusal(broken).check in {"truncated", "types", "feature", "exports"}


def test_the_size_is_checked_first() -> None:
    with pytest.raises(ModuleRefusedError) as caught:
        check_agent(bytes(512_001))
    assert (caught.value.check, str(caught.value)) == ("size", "the module has 512,001 bytes, and 512,000 are allowed")
    with pytest.raises(ModuleRefusedError, match="512,000") as caught:
        check_agent(binary("custom_10mb"))
    with pytest.raises(ModuleRefusedError) as caught:
        check_job(bytes(16 * MIB + 1), MIB)
    assert caught.value.check == "size"


def test_agents_have_fewer_functions_than_jobs() -> None:
    with pytest.raises(ModuleRefusedError, match=r"20,001 functions, and 20,000"):
        check_agent(binary("agents_many_functions"))
    assert check_caps("job", binary("agents_many_functions")).functions == 20_001


@pytest.mark.parametrize("name", sorted(AGENTS))
def test_the_caps_leave_agents_alone(name: str) -> None:
    """What is wrong with them is for the agents' interface, the engine or the deadline to say."""
    if name == "memory_min161":
        with pytest.raises(ModuleRefusedError, match="at least 161 pages, and an agent gets 160"):
            check_agent(agent(name))
    else:
        check_agent(agent(name))


def test_the_facts_of_an_agent() -> None:
    facts = check_agent(agent("memory_max10"))
    assert facts.imports == (Import("env", "memory", "memory", limits=Limits(1, 10)),)
    assert facts.memory_import == facts.imports[0]
    assert [entry.name for entry in facts.exports] == ["init", "on_task_event", "on_tick"]
    assert facts.export("on_tick") == Export("on_tick", "func", FuncType((), ()))
    assert facts.export("memory") is None
    assert (facts.functions, facts.memory_minimum, facts.has_start) == (3, 1, False)
    assert check_agent(agent("trap_start")).has_start
    assert check_agent(agent("no_memory")).memory_minimum == 0
    own = check_agent(agent("own_memory"))
    assert (own.memory_import, own.memories, own.data_segments, own.data_bytes) == (None, (Limits(1, None),), 1, 4)
    odd = check_agent(agent("all_params")).export("on_task_event")
    assert odd is not None
    assert str(odd.type) == "(i32, i64, f32, f64) -> (i32, i64)"
    assert str(check_agent(agent("now_f64")).imports[0].type) == "() -> f64"
    assert check_agent(agent("wrong_import_kind")).imports[0].kind == "global"


def test_imported_tables_and_functions_of_many_types_are_read() -> None:
    types = "".join(f"(type (func (param {'i32 ' * (n % 7)}{'i64 ' * (n // 7)})))" for n in range(200))
    facts = check_caps(
        "job", wat(f'(module {types} (import "m" "t" (table 3 9 funcref)) (func (export "f") (type 199)))')
    )
    assert facts.imports[0] == Import("m", "t", "table", limits=Limits(3, 9))
    assert facts.exports[0].type == FuncType(("i32",) * 3 + ("i64",) * 28, ())


@pytest.mark.parametrize(
    ("name", "check", "words"),
    [
        ("no_start", "start", "has no `_start`"),
        ("start_with_params", "start", "(i32, i64) -> ()"),
        ("start_with_result", "start", "() -> i32"),
        ("start_is_a_global", "start", "is a global"),
        ("no_memory_export", "memory", "exports no memory"),
        ("unknown_import", "imports", "env.nope"),
        ("unknown_wasi", "imports", "sock_connect"),
        ("wasi_unstable", "imports", "rebuild it for wasi_snapshot_preview1"),
        ("wrong_wasi_type", "imports", "(i64) -> (), and it is (i32) -> ()"),
        ("imported_memory", "imports", "env.memory"),
        ("min_257_pages", "memory-limit", "at least 16.1MiB of memory, and the limit is 16MiB"),
    ],
)
def test_each_job_that_cannot_run_is_refused_in_words(name: str, check: str, words: str) -> None:
    with pytest.raises(ModuleRefusedError) as caught:
        check_job(job(name), 16 * MIB)
    assert caught.value.check == check
    assert words in str(caught.value)


def test_an_import_of_the_wrong_kind_is_refused() -> None:
    wasm = wat(f'(module (import "{WASI_MODULE}" "proc_exit" (global i32)) (func (export "_start")))')
    with pytest.raises(ModuleRefusedError, match="as a global, and it is a function"):
        check_job(wasm, MIB)


def test_names_of_imports_are_shown_harmless() -> None:
    wasm = wat('(module (import "\\1b[2J" "a\\nb" (func)) (func (export "_start")))')
    with pytest.raises(ModuleRefusedError) as caught:
        check_job(wasm, MIB)
    assert "\x1b" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_job_that_only_exits_needs_no_memory() -> None:
    wasm = wat(f'(module (import "{WASI_MODULE}" "proc_exit" (func (param i32))) (func (export "_start")))')
    assert check_job(wasm, MIB).memory_minimum == 0


def test_the_minimum_of_a_job_is_held_against_its_limit() -> None:
    assert check_job(job_min_pages(16), MIB).memory_minimum == 16
    with pytest.raises(ModuleRefusedError):
        check_job(job_min_pages(17), MIB)


REFUSED_JOBS = {
    "no_start",
    "start_with_params",
    "start_with_result",
    "start_is_a_global",
    "no_memory_export",
    "unknown_import",
    "unknown_wasi",
    "wasi_unstable",
    "wrong_wasi_type",
    "imported_memory",
}


@pytest.mark.parametrize("name", sorted(JOBS.keys() - REFUSED_JOBS))
def test_the_checks_leave_other_jobs_alone(name: str) -> None:
    check_job(job(name), 64 * MIB)


def test_the_table_of_wasi_is_the_engines() -> None:
    linker = wasmtime.Linker(job_engine())
    linker.define_wasi()
    store = wasmtime.Store(job_engine())
    for name, signature in WASI_TYPES.items():
        func = linker.get(store, WASI_MODULE, name)
        assert isinstance(func, wasmtime.Func)
        kind = func.type(store)
        assert FuncType(tuple(map(str, kind.params)), tuple(map(str, kind.results))) == signature


def test_custom_sections_are_dropped_and_nothing_else() -> None:
    assert strip_custom(binary("function_name_1mib")) == strip_custom(job("unreachable"))
    assert strip_custom(binary("custom_10mb")) == binary("bare")
    plain = agent("counts_ticks")
    stripped = strip_custom(plain)
    assert strip_custom(stripped) == stripped
    assert check_agent(stripped).exports == check_agent(plain).exports


def test_the_hash_is_sha256() -> None:
    assert module_hash(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


CORPUS = [
    agent("out_of_bounds"),
    agent("all_params"),
    agent("own_memory"),
    agent("trap_start"),
    agent("now_f64"),
    job("echo"),
    job("null_call"),
    job("wrong_signature"),
    wat(
        '(module (import "m" "t" (table 1 funcref)) (import "m" "g" (global (mut i64))) (memory 2 5) (data "passive"))'
    ),
    wat("(module (type (func (param v128) (result f32 f64))) (table 3 9 externref) (func (type 0) unreachable))"),
]

CAPS = {"names", "data", "tables", "locals", "memory"}
"""Checks that may refuse what the engine would take."""


@given(st.sampled_from(CORPUS), st.lists(st.tuples(st.integers(0, 4_000), st.integers(0, 255)), max_size=4))
def test_the_walk_agrees_with_the_engine_about_mutated_modules(wasm: bytes, changes: list[tuple[int, int]]) -> None:
    raw = bytearray(wasm)
    for at, byte in changes:
        raw[at % len(raw)] = byte
    mutated = bytes(raw)
    try:
        wasmtime.Module.validate(job_engine(), mutated)
        module = wasmtime.Module(job_engine(), mutated) if mutated[:4] == b"\0asm" else None
    except wasmtime.WasmtimeError:
        module = None
    refused, facts = "", None
    try:
        facts = read_module(mutated, JOB_CAPS)
        strip_custom(mutated)
    except ModuleRefusedError as error:
        refused = error.check
    if module is None:
        return
    if facts is None:
        assert refused in CAPS
        return
    assert [(e.module, e.name) for e in facts.imports] == [(i.module, i.name) for i in module.imports]
    assert [e.name for e in facts.exports] == [e.name for e in module.exports]
    for fact, export in zip(facts.exports, module.exports, strict=True):
        kind = export.type
        if isinstance(kind, wasmtime.FuncType):
            assert fact.type == FuncType(tuple(map(str, kind.params)), tuple(map(str, kind.results)))
        else:
            assert fact.type is None


@given(st.binary(max_size=300))
def test_no_bytes_whatever_raise_anything_else(raw: bytes) -> None:
    for wasm in (raw, b"\0asm\1\0\0\0" + raw):
        with contextlib.suppress(ModuleRefusedError):
            check_agent(wasm)
