"""The checks of modules: their order, their wordings in both forms, and everything that is no agent."""

import pytest

from runtime.agents.binary import BinaryRefusedError, check_binary, invalid_binary, module_digest
from runtime.sandbox.errors import ModuleRefusedError
from tests.hostile import AGENTS, BINARIES, agent, binary
from tests.runtime.agents.world import manifest


def refusal(wasm: bytes, **changes: str) -> BinaryRefusedError:
    with pytest.raises(BinaryRefusedError) as refused:
        check_binary(wasm, manifest(wasm, **changes))
    error = refused.value
    assert str(error).startswith("Invalid WASM binary")
    assert str(error).isprintable()
    assert error.check
    return error


def test_a_good_module_passes_without_warnings() -> None:
    checked = check_binary(agent("quiet"), manifest(agent("quiet")))
    assert checked.warnings == ()
    assert checked.facts.memory_minimum == 1


def test_1_too_large_in_both_wordings() -> None:
    text = refusal(agent("quiet") + bytes(512_000), wasmHash="no").text
    size = len(agent("quiet")) + 512_000
    assert f"WASM binary exceeds max size ({size} > 512000)" in text
    assert "WASM binary exceeds size limit" in text


def test_exactly_512000_bytes_are_not_too_large() -> None:
    wasm = agent("quiet")
    size = 512_000 - len(wasm) - 4
    leb = bytes([size & 0x7F | 0x80, size >> 7 & 0x7F | 0x80, size >> 14])
    padded = wasm + b"\0" + leb + b"\1x" + bytes(size - 2)
    assert len(padded) == 512_000
    check_binary(padded, manifest(padded))
    assert refusal(padded + b"\0").check == "size"


@pytest.mark.parametrize("wasm", [b"", b"junk", b"\0asm", b"\x7fELF", b"(module)", agent("quiet")[:-3]])
def test_2_invalid_in_both_wordings(wasm: bytes) -> None:
    text = refusal(wasm, wasmHash="no").text
    assert "Invalid WASM binary" in text
    assert "Invalid WASM module" in text


@pytest.mark.parametrize("name", sorted(BINARIES))
def test_whatever_is_no_agent_is_refused_in_one_line(name: str) -> None:
    wasm = binary(name)
    if name not in _COMPILER:
        refusal(wasm)


_COMPILER = {"bad_section_order", "trailing_bytes"} & BINARIES.keys()


def test_3_hash_mismatch_in_both_wordings() -> None:
    wasm = agent("quiet")
    text = refusal(wasm, wasmHash="ab" * 32).text
    assert f"Hash mismatch: expected {'ab' * 32}, got {module_digest(wasm)}" in text
    assert "WASM hash mismatch" in text


def test_the_hash_is_checked_before_the_exports() -> None:
    assert refusal(agent("missing_tick"), wasmHash="").check == "hash"


@pytest.mark.parametrize("claim", ["", "é", "\ud800", "\x1b[2J", "A" * 10_000])
def test_any_claimed_hash_is_answered(claim: str) -> None:
    assert refusal(agent("quiet"), wasmHash=claim).check == "hash"


def test_an_upper_case_hash_is_another_one() -> None:
    wasm = agent("quiet")
    assert refusal(wasm, wasmHash=module_digest(wasm).upper()).check == "hash"


@pytest.mark.parametrize(
    ("name", "export"),
    [
        ("missing_init", "init"),
        ("missing_event", "on_task_event"),
        ("missing_tick", "on_tick"),
        ("no_memory", "memory"),
    ],
)
def test_4_a_missing_export_is_named(name: str, export: str) -> None:
    assert refusal(agent(name)).text == f"Missing required export: {export}"


def test_5_an_export_of_another_kind() -> None:
    assert (
        refusal(agent("tick_is_a_global")).text == "Failed to inspect WASM exports: on_tick is a global, not a function"
    )


def test_w32_an_imported_or_an_exported_memory_is_enough() -> None:
    assert check_binary(agent("quiet"), manifest(agent("quiet"))).warnings == ()
    (warning,) = check_binary(agent("own_memory"), manifest(agent("own_memory"))).warnings
    assert "a memory of its own" in warning


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("unknown_import", "env.host_launch"),
        ("unknown_module", "sys.host_log"),
        ("wasi_import", "wasi_snapshot_preview1.fd_write"),
        ("wrong_import_type", "env.host_log has type (i64) -> (), and it is (i32, i32) -> ()"),
        ("wrong_import_kind", "env.host_log is a function, not a global"),
        ("now_f32", "env.host_get_now has type () -> f32, and it is () -> i32 or () -> i64 or () -> f64"),
    ],
)
def test_w28_an_import_that_agents_do_not_have_is_named(name: str, named: str) -> None:
    error = refusal(agent(name))
    assert error.check == "imports"
    assert named in error.text


def test_a_memory_of_more_than_160_pages_is_refused_by_name() -> None:
    text = refusal(agent("memory_min161")).text
    assert "161 pages" in text
    assert "160" in text


def test_every_other_guest_of_the_collection_passes() -> None:
    refused = {
        "memory_min161",
        "memory_as_function",
        "no_memory",
        "unknown_import",
        "unknown_module",
        "wrong_import_type",
        "wrong_import_kind",
        "wasi_import",
        "missing_init",
        "missing_event",
        "missing_tick",
        "tick_is_a_global",
        "now_f32",
    }
    for name in AGENTS.keys() - refused:
        check_binary(agent(name), manifest(agent(name)))


def test_the_hash_is_64_lower_case_digits_stable_and_of_the_content() -> None:
    digest = module_digest(b"a")
    assert len(digest) == 64
    assert digest == digest.lower() == module_digest(b"a")
    assert digest != module_digest(b"b")
    assert int(digest, 16)


@pytest.mark.parametrize(
    ("check", "plain"), [("compile-cpu", True), ("functions", True), ("invalid", False), ("magic", False)]
)
def test_what_is_too_much_is_not_called_invalid(check: str, plain: bool) -> None:
    error = invalid_binary(ModuleRefusedError("why", check=check))
    assert str(error).startswith("Invalid WASM binary")
    assert ("Invalid WASM module" in str(error)) is not plain
