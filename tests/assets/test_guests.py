"""The shipped guests: what their files say about each other, and how the modules behave under the bare ABI."""

import hashlib
import json
import struct
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wasmtime import Config, Engine, ExitTrap, Linker, MemoryType, Module, Store, Trap, TrapCode, WasiConfig

import assets
from tests.assets.bare_host import Host
from tools import guests

AGENTS = ["auto-balance", "digest", "due-watch", "faulty", "overdue", "triage", "unblock"]
READER = Path(__file__).parent / "kit" / "reader.wasm"


def shipped(name: str) -> bytes:
    return assets.path(f"agents/{name}/{name}.wasm").read_bytes()


def layout_a(tasks: list[tuple[str, bool]], members: list[tuple[str, int]]) -> bytes:
    out = struct.pack("<II", len(tasks), len(members))
    out += b"".join(struct.pack("<36s?", task.encode(), blocked) for task, blocked in tasks)
    return out + b"".join(struct.pack("<36sII", who.encode()[:36], load, 0) for who, load in members)


@pytest.mark.parametrize("name", AGENTS)
def test_manifest_fits_module_and_metadata(name: str) -> None:
    wasm = shipped(name)
    guest = guests.agent(name)
    needed = guests.check_module(guest, wasm)
    raw = assets.path(f"agents/{name}/{name}.json").read_bytes()
    assert raw == guests.manifest(wasm, assets.path(f"agents/{name}/agent.toml").read_text(), needed)
    assert json.loads(raw)["name"] == name
    assert json.loads(raw)["wasmHash"] == hashlib.sha256(wasm).hexdigest()


@pytest.mark.parametrize(
    ("name", "imports"),
    [
        (
            "auto-balance",
            {"host_get_assignment_data", "host_emit_assignment", "host_get_state", "host_set_state", "host_get_now"},
        ),
        ("unblock", {"host_get_dependency_data", "host_emit_urgency"}),
        ("faulty", {"host_get_state", "host_set_state", "host_get_now", "host_log"}),
        (
            "due-watch",
            {"host_get_tasks", "host_get_event", "host_get_now", "host_get_state", "host_set_state"}
            | {"host_emit_event", "host_log"},
        ),
        (
            "triage",
            {"host_get_tasks", "host_get_members", "host_get_event", "host_get_state", "host_set_state"}
            | {"host_emit_event", "host_log"},
        ),
        ("digest", {"host_get_tasks", "host_get_members", "host_get_now", "host_emit_event", "host_log"}),
    ],
)
def test_agents_import_only_what_they_call(name: str, imports: set[str]) -> None:
    module = Module(Engine(Config()), shipped(name))
    assert {item.name for item in module.imports} == imports | {"memory"}
    memory = next(item.type for item in module.imports if item.name == "memory")
    assert isinstance(memory, MemoryType)
    assert (memory.limits.min, memory.limits.max) == (1, 160)
    assert {item.name for item in module.exports} == {"init", "on_task_event", "on_tick"}


def test_auto_balance_takes_the_least_loaded_first_on_a_tie() -> None:
    host = Host(
        layout_a=layout_a(
            [("t1", False), ("t2", True), ("t3", False), ("t4", False)], [("alice", 2), ("bob", 0), ("carol", 1)]
        )
    )
    host.start(shipped("auto-balance"))("on_tick")
    assert host.emitted == [("t1", "bob"), ("t3", "bob"), ("t4", "carol")]
    assert host.state == struct.pack("<I", host.now % 2**32)


def test_auto_balance_emits_full_fields_without_terminator() -> None:
    task, who = "t" * 36, "m" * 43
    host = Host(layout_a=layout_a([(task, False)], [(who, 0)]))
    host.start(shipped("auto-balance"))("on_tick")
    assert host.emitted == [(task, who[:36])]


@pytest.mark.parametrize(
    ("tasks", "members", "emitted"),
    [(0, 3, 0), (3, 0, 0), (200, 17, 200), (206, 17, 0)],
    ids=["no tasks", "no members", "8,156 bytes fit", "8,378 bytes do not"],
)
def test_auto_balance_leaves_its_state_alone_when_it_returns_early(tasks: int, members: int, emitted: int) -> None:
    host = Host(
        state=b"old!",
        layout_a=layout_a([(f"t{i}", False) for i in range(tasks)], [(f"m{i}", 0) for i in range(members)]),
    )
    host.start(shipped("auto-balance"))("on_tick")
    assert len(host.emitted) == emitted
    assert (host.state == b"old!") is (emitted == 0)


def test_auto_balance_keeps_the_time_when_every_task_is_blocked() -> None:
    host = Host(layout_a=layout_a([("t1", True)], [("alice", 0)]))
    host.start(shipped("auto-balance"))("on_tick")
    assert host.emitted == []
    assert len(host.state) == 4


@pytest.mark.parametrize(("count", "fits"), [(420, True), (421, False)])
def test_unblock_marks_what_two_wait_for(count: int, fits: bool) -> None:
    rows = [
        ("a", 0, 0, 2),
        ("b", 1, 0, 255),
        ("done", 2, 0, 9),
        ("already", 0, 1, 9),
        ("one", 0, 0, 1),
        ("é" * 18, 0, 0, 3),
    ]
    rows += [(f"t{i}", 0, 0, 0) for i in range(count - len(rows))]
    host = Host()
    host.layout_d = struct.pack("<I", count) + b"".join(struct.pack("<36sBBB", t.encode(), *rest) for t, *rest in rows)
    host.start(shipped("unblock"))("on_tick")
    assert host.emitted == ([("a",), ("b",), ("é" * 18,)] if fits else [])


def fail(call: Callable[[str], None]) -> TrapCode:
    with pytest.raises(Trap) as trap:
        call("on_tick")
    assert trap.value.trap_code is not None
    return trap.value.trap_code


THREE_WAYS = {TrapCode.UNREACHABLE, TrapCode.MEMORY_OUT_OF_BOUNDS, TrapCode.STACK_OVERFLOW}


def activate(host: Host, wasm: bytes) -> Callable[[str], None]:
    """An activation, whose `init` succeeds, so that its state is kept."""
    call = host.start(wasm)
    host.kept = host.state
    return call


def three_ticks(host: Host, wasm: bytes, interval_ms: int, jitter: tuple[int, int, int]) -> list[TrapCode]:
    """Three ticks as a host makes them: the second and third on fresh instances, nothing of a failed call is kept."""
    call: Callable[[str], None] | None = activate(host, wasm)
    started, ways = host.now, []
    for n, late in enumerate(jitter, start=1):
        host.now = started + n * interval_ms + late
        host.state = host.kept
        ways.append(fail(call or host.start(wasm)))
        call = None
    host.state = host.kept
    return ways


@given(
    st.sampled_from([2000, 30_000]),
    st.tuples(st.integers(-50, 900), st.integers(-50, 900), st.integers(-50, 900)),
    st.integers(2**40, 2**41),
    st.integers(0, 200_000),
)
def test_faulty_fails_in_three_ways_however_late_its_ticks(
    interval_ms: int, jitter: tuple[int, int, int], now: int, pause_ms: int
) -> None:
    host = Host(now=now)
    assert set(three_ticks(host, shipped("faulty"), interval_ms, jitter)) == THREE_WAYS
    host.now += pause_ms
    assert set(three_ticks(host, shipped("faulty"), interval_ms, jitter)) == THREE_WAYS, "activated again"


def test_faulty_goes_by_the_clock_without_a_state() -> None:
    host, ways = Host(), []
    for _ in range(3):
        call = host.start(shipped("faulty"))
        host.state = b""
        ways.append(fail(call))
        host.now += 2000
    assert set(ways) == THREE_WAYS


def test_faulty_says_that_it_fails_on_purpose() -> None:
    host = Host()
    fail(host.start(shipped("faulty")))
    assert host.log[0].startswith("failing on purpose")
    assert "on purpose" in json.loads(assets.path("agents/faulty/faulty.json").read_bytes())["description"]


def hello(stdin: bytes, folder: Path) -> tuple[bytes, int]:
    store = Store(Engine(Config()))
    wasi = WasiConfig()
    (folder / "in").write_bytes(stdin)
    wasi.stdin_file = folder / "in"
    wasi.stdout_file = folder / "out"
    store.set_wasi(wasi)
    linker = Linker(store.engine)
    linker.define_wasi()
    wasm = assets.path("jobs/hello/hello.wasm").read_bytes()
    code = 0
    try:
        linker.instantiate(store, Module(store.engine, wasm)).exports(store)["_start"](store)
    except ExitTrap as exit_trap:
        code = exit_trap.code
    return (folder / "out").read_bytes(), code


@pytest.mark.parametrize("text", ["Hello, World", "añ€😀z", "", "e\u0301", "x" * 200_000])
def test_hello_reverses_code_points(text: str, tmp_path: Path) -> None:
    assert hello(text.encode(), tmp_path) == (text[::-1].encode(), 0)


@pytest.mark.parametrize("raw", [b"a\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82"])
def test_hello_traps_on_what_is_not_utf8_without_output(raw: bytes, tmp_path: Path) -> None:
    with pytest.raises(Trap) as trap:
        hello(raw, tmp_path)
    assert trap.value.trap_code == TrapCode.UNREACHABLE
    assert (tmp_path / "out").read_bytes() == b""


def tokens(value: object) -> list[list[str]]:
    """The kit's tokens of a JSON value, by the standard library."""
    if isinstance(value, dict):
        inner = [t for k, v in value.items() for t in [*tokens(k), *tokens(v)]]
        return [["{", "{"], *inner, ["}", "}"]]
    if isinstance(value, list):
        return [["[", "["], *(t for v in value for t in tokens(v)), ["]", "]"]]
    text = json.dumps(value, ensure_ascii=False)
    if isinstance(value, str):
        return [["s", text[1:-1]]]
    return [["0" if isinstance(value, int) and not isinstance(value, bool) else text[0], text]]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=20,
)


def run_reader(raw: bytes, call: str) -> Host:
    host = Host(tasks=raw)
    host.start(READER.read_bytes())(call)
    return host


@given(values, st.sampled_from([None, 1]))
def test_kit_reads_and_writes_json(value: object, indent: int | None) -> None:
    raw = json.dumps(value, ensure_ascii=False, indent=indent).encode("utf-8", "replace")
    document = json.loads(run_reader(raw, "on_tick").emitted[0][0])
    expected = tokens(json.loads(raw))
    assert document["tokens"] == expected
    assert document["count"] == len(expected)
    assert document["numbers"] == [-(2**63), 2**63 - 1]


@given(values, st.binary(max_size=8))
def test_kit_skips_exactly_one_value(value: object, rest: bytes) -> None:
    raw = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace") + b" " + rest
    assert run_reader(raw, "on_task_event").state == b" " + rest


@given(values, st.integers(0, 200), st.binary(max_size=3))
def test_kit_ends_on_broken_json(value: object, cut: int, junk: bytes) -> None:
    raw = json.dumps(value, ensure_ascii=True).encode()[:cut] + junk
    run_reader(raw, "on_tick")
    run_reader(raw, "on_task_event")


def test_build_compares_hashes_sizes_and_the_first_difference() -> None:
    text = guests.difference("x.wasm", b"abcd", b"abXde")
    assert "offset 2" in text
    assert hashlib.sha256(b"abcd").hexdigest() + " (4 bytes)" in text
    assert "(5 bytes)" in text


@pytest.mark.parametrize(
    ("asked", "says"),
    [('["read_tasks"]', "the imports need"), ('["read_tasks", "emit_events", "persist_state"]', "the imports need")],
)
def test_build_refuses_permissions_that_are_more_or_less_than_needed(asked: str, says: str) -> None:
    metadata = f'name = "n"\nversion = "1"\ndescription = ""\nauthor = ""\npermissions = {asked}\n'
    with pytest.raises(guests.BuildError, match=says):
        guests.manifest(b"", metadata, frozenset({"read_tasks", "emit_events"}))


def test_build_settles_a_difference_only_when_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(guests, "ROOT", tmp_path)
    assert not guests.settle("new.wasm", b"1", write=False)
    assert "new.wasm: differs" in capsys.readouterr().err
    assert guests.settle("new.wasm", b"1", write=True)
    assert guests.settle("new.wasm", b"1", write=False)


def test_build_says_which_compiler_it_needs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert guests.main(["build", "--check"]) == 1
    assert "ziglang 0.17.0 is needed" in capsys.readouterr().err
