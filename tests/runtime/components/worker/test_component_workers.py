"""Real components in real workers: what they are given, what stops them, and who feels it."""

import base64
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
import wasmtime

from runtime.canonical import Json
from runtime.components.errors import ComponentRefusedError, WireError, WorkerUnavailableError
from runtime.components.permissions import Policy
from runtime.components.permissions.rules import PatternRule, Rules, StorageRule
from runtime.components.running import Running
from runtime.components.worker.wire import MountPoint
from runtime.components.workers import HostMount, Start, Workers
from runtime.sandbox.compile import Compiler
from tests.runtime.components.test_linked_worlds import dummy
from tests.runtime.components.worker.component_life import (
    LONG_MS,
    RememberingDesk,
    be_patient,
    compiled,
    config,
    execute,
    said,
    start_of,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

MAY_STORE = Policy(
    Rules(storage=(StorageRule("storage.namespaces", 0, "permissions", "doer:notes", ("read", "write")),))
)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    be_patient(monkeypatch)


@pytest.fixture(scope="module")
def doer() -> bytes:
    return compiled("doer")


@pytest.fixture(scope="module")
def filer() -> bytes:
    return compiled("filer")


@pytest.fixture(scope="module")
def desk() -> RememberingDesk:
    return RememberingDesk()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def workers(desk: RememberingDesk) -> AsyncIterator[Workers]:
    trouble: list[str] = []
    workers = Workers(desk, trouble.append)
    yield workers
    await workers.close()
    assert trouble == []


@pytest_asyncio.fixture(loop_scope="module")
async def running(workers: Workers, desk: RememberingDesk, doer: bytes) -> AsyncIterator[Running]:
    desk.heard.clear()
    desk.asked.clear()
    running = await workers.start(start_of(doer, policy=MAY_STORE))
    yield running
    await running.unload()


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def text(component: str) -> bytes:
    with Compiler(None) as compiler:
        return compiler.compile("component", bytes(wasmtime.wat2wasm(component)))


# --- its life -------------------------------------------------------------------------------------------------------


async def test_a_component_lives_from_init_to_shutdown(running: Running) -> None:
    metadata = await running.call("metadata", {}, LONG_MS)
    assert isinstance(metadata.value, dict)
    assert (metadata.value["name"], metadata.value["version"]) == ("doer", "1.0.0")
    assert (await running.call("init", config(), LONG_MS)).value == {"ok": None}
    assert (await running.call("health", {}, LONG_MS)).value == {"status": "healthy", "detail": "as always"}
    assert said(await execute(running, "echo", b"hello")) == "hello"
    assert (await running.call("shutdown", {"reason": "stopping"}, LONG_MS)).value == {"ok": None}


async def test_an_instance_keeps_its_state_between_calls(running: Running) -> None:
    assert [said(await execute(running, "count")) for _ in range(3)] == ["1", "2", "3"]


async def test_instances_in_one_worker_know_nothing_of_each_other(
    workers: Workers, running: Running, doer: bytes
) -> None:
    other = await workers.start(start_of(doer, instance=1))
    assert other.process_id == running.process_id
    await execute(running, "count")
    assert said(await execute(other, "count")) == "1"
    await other.unload()


async def test_errors_of_a_component_come_back_with_case_and_reason(running: Running) -> None:
    assert said(await execute(running, "fly")) == "error: unknown-operation: fly"
    assert (await running.call("init", config(b"fail"), LONG_MS)).value == {
        "err": ["configuration-invalid", "told to fail"]
    }


async def test_a_message_and_its_reply(running: Running) -> None:
    sender: Json = {"namespace": "acme", "name": "teller", "version": "1.0.0", "instance": 0}
    message: dict[str, Json] = {
        "sender": sender,
        "request_id": 7,
        "content_type": "text/plain",
        "payload": base64.b64encode(b"ping").decode(),
        "sent_at": {"seconds": 1, "nanoseconds": 0},
        "deadline": None,
        "topic": None,
    }
    replied = await running.call("handle-message", {"message": message}, LONG_MS)
    assert replied.value == {"ok": base64.b64encode(b"ping").decode()}
    silent = await running.call("handle-message", {"message": message | {"request_id": None}}, LONG_MS)
    assert silent.value == {"ok": None}


async def test_both_outcomes_of_a_callback(running: Running) -> None:
    good = await running.call("handle-callback", {"request_id": 1, "outcome": {"ok": "AAE="}}, LONG_MS)
    bad = await running.call("handle-callback", {"request_id": 1, "outcome": {"err": "timeout"}}, LONG_MS)
    assert (good.value, bad.value) == ({"ok": None}, {"err": ["not-found", "timeout"]})


@pytest.mark.parametrize(
    ("export", "arguments"),
    [
        ("fly", {}),
        ("metadata", {"more": 1}),
        ("init", {}),
        ("shutdown", {"reason": "boredom"}),
        ("handle-callback", {"request_id": -1, "outcome": {"err": "x"}}),
        ("handle-callback", {"request_id": 1, "outcome": {}}),
        ("handle-callback", {"request_id": 1, "outcome": {"ok": "%"}}),
    ],
)
async def test_arguments_that_do_not_fit_end_the_call_and_not_the_instance(
    running: Running, export: str, arguments: dict[str, Json]
) -> None:
    called = await running.call(export, arguments, LONG_MS)
    assert (called.kind, called.value) == ("host", None)
    assert said(await execute(running, "echo", b"still here")) == "still here"


async def test_an_input_that_fits_into_no_frame_is_refused_before_it_is_sent(running: Running) -> None:
    with pytest.raises(WireError, match="a frame holds"):
        await execute(running, "echo", bytes(2 << 20))
    assert said(await execute(running, "count")) == "1"


async def test_what_a_component_returns_may_be_too_large_for_it(running: Running) -> None:
    assert len(said(await execute(running, "large", b"1048576"))) == 1_048_576
    too_large = await execute(running, "large", b"2097152")
    assert (too_large.kind, too_large.detail) == ("host", "what it returned does not fit into a frame")


# --- what it is given -----------------------------------------------------------------------------------------------


async def test_a_component_knows_itself_and_its_limits(running: Running) -> None:
    assert said(await execute(running, "who-am-i")) == "doer"
    assert said(await execute(running, "memory-limit")) == str(16 << 20)


async def test_random_bytes_are_bounded(running: Running) -> None:
    assert said(await execute(running, "random", b"65536")) == "65536"
    assert said(await execute(running, "random", b"65537")) == "at most 65,536 bytes at a time"


async def test_the_log_is_harmless_to_look_at_and_paced(running: Running, desk: RememberingDesk) -> None:
    await execute(running, "log", b"20000")
    await running.unload()
    lines = desk.lines()
    assert lines[0] == "a line\\x1b[2J"
    told = [str(line) for line in lines if "left out" in str(line)]
    left_out = sum(int(line.split()[0]) for line in told)
    assert left_out + len(lines) - len(told) == 20_000
    assert told[-1] == f"{told[-1].split()[0]} lines were left out: more than limits.log_rate allows"


async def test_what_it_stores_goes_to_the_core_and_comes_back(running: Running, desk: RememberingDesk) -> None:
    assert said(await execute(running, "store", b"remember")) == "remember"
    assert [kind for kind, _ in desk.asked] == ["storage.set", "storage.get"]


async def test_what_is_not_granted_is_denied_without_asking_the_core(
    workers: Workers, desk: RememberingDesk, doer: bytes
) -> None:
    desk.asked.clear()
    poor = await workers.start(start_of(doer))
    assert said(await execute(poor, "store", b"x")).startswith("error: processing-failed: ")
    assert said(await execute(poor, "may-store", b"doer:notes")) != "granted"
    await poor.unload()
    assert desk.asked == []


async def test_a_new_policy_holds_from_the_next_operation_on(running: Running, desk: RememberingDesk) -> None:
    assert said(await execute(running, "may-store", b"doer:notes")) == "granted"
    running.replace_policy(Policy(version=2))
    assert said(await execute(running, "may-store", b"doer:notes")) != "granted"
    records = [fields["records"] for _, kind, fields in desk.heard if kind == "audit"]
    versions = [record["rules_version"] for batch in records for record in batch]  # type: ignore[index, union-attr, call-overload]
    assert versions == [1, 2]


async def test_a_core_that_fails_is_an_error_of_the_interface_and_is_told(
    running: Running, desk: RememberingDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: object) -> Json:
        raise LookupError("broken\x1b[2J")

    monkeypatch.setattr(desk, "answer", fails)
    assert said(await execute(running, "store", b"x")) == "error: processing-failed: the host could not answer"
    assert [fields for _, kind, fields in desk.heard if kind == "fault"] == [
        {"op": "storage.set", "trace": r"LookupError: broken\x1b[2J"}
    ]


async def test_a_sleep_is_cut_short_by_the_deadline_of_the_call(running: Running) -> None:
    called = await execute(running, "sleep", b"3600000", timeout_ms=50)
    assert called.kind == "deadline" or said(called) == "cut"


async def test_a_sleep_is_cut_short_by_the_wish_to_stop(running: Running) -> None:
    running.request_stop()
    assert said(await execute(running, "sleep", b"3600000")) == "cut"
    assert said(await execute(running, "sleep", b"0")) == "slept"


# --- what stops it --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "timeout_ms", "end"),
    [
        ("spin", 50, ("deadline", "INTERRUPT")),
        ("memory-bomb", 200, ("deadline", "INTERRUPT")),
        ("trap", LONG_MS, ("trap", "UNREACHABLE")),
        ("dig", LONG_MS, ("trap", "MEMORY_OUT_OF_BOUNDS")),
    ],
)
async def test_a_hostile_operation_ends_its_instance(
    running: Running, operation: str, timeout_ms: int, end: tuple[str, str]
) -> None:
    called = await execute(running, operation, timeout_ms=timeout_ms)
    assert (called.kind, called.trap, called.value) == (*end, None)
    again = await execute(running, "echo", b"x")
    assert (again.kind, again.trap) == ("host", "DEAD")


async def test_memory_ends_at_its_limit_and_the_guest_hears_so(running: Running) -> None:
    assert said(await execute(running, "take-all-memory")) == str(16 << 20)


async def test_fuel_bounds_each_call(workers: Workers, doer: bytes) -> None:
    frugal = await workers.start(start_of(doer, fuel=100_000))
    for _ in range(3):
        assert said(await execute(frugal, "work", b"1000")) == "1000"
    assert (await execute(frugal, "work", b"1000000")).kind == "fuel"
    await frugal.unload()


@pytest.mark.parametrize("export", ["init", "health", "shutdown", "handle-message"])
async def test_a_loop_in_any_export_is_stopped_by_its_deadline(workers: Workers, running: Running, export: str) -> None:
    sender: Json = {"namespace": "a", "name": "b", "version": "1.0.0", "instance": 0}
    message: Json = {
        "sender": sender, "request_id": None, "content_type": "", "payload": "",
        "sent_at": {"seconds": 0, "nanoseconds": 0}, "deadline": None, "topic": None,
    }  # fmt: skip
    arguments: dict[str, dict[str, Json]] = {
        "init": config(b"spin"), "health": {}, "shutdown": {"reason": "limit"}, "handle-message": {"message": message},
    }  # fmt: skip
    await execute(running, "spin-in", export.encode())
    assert (await running.call(export, arguments[export], 50)).kind == "deadline"


START = "(component (core module $m {} (start $f)) (core instance (instantiate $m)))"


@pytest.mark.parametrize(
    ("component", "why"),
    [
        (START.format("(func $f unreachable)"), "its start function: unreachable instruction executed"),
        (START.format("(func $f (call $f))"), "its start function: call stack exhausted"),
        (START.format("(memory 257) (func $f)"), "its memory begins above its limit"),
        (START.format("(table 20001 funcref) (func $f)"), "a table of it begins above its limit"),
        (START.format("(func $f)"), "does not export orlop:core/component-lifecycle"),
        ('(component (import "acme:gpu/compute@1.0.0" (instance (export "go" (func)))))', "acme:gpu/compute"),
        (
            # Grows its table for as long as it can, and traps if that was beyond the limit.
            START.format(
                "(table $t 0 funcref) (func $f (loop $l (br_if $l (i32.ge_s"
                " (table.grow $t (ref.null func) (i32.const 1000)) (i32.const 0))))"
                " (if (i32.gt_u (table.size $t) (i32.const 20000)) (then unreachable)))"
            ),
            "does not export orlop:core/component-lifecycle",
        ),
    ],
)
async def test_a_component_that_cannot_be_instantiated_is_refused(workers: Workers, component: str, why: str) -> None:
    start = replace(start_of(text(component)), timeout_ms=LONG_MS)
    with pytest.raises(ComponentRefusedError, match=why):
        await workers.start(start)


async def test_a_loop_in_a_start_function_is_stopped_by_its_deadline(workers: Workers) -> None:
    start = replace(start_of(text(START.format("(func $f (loop (br 0)))"))), timeout_ms=50)
    with pytest.raises(ComponentRefusedError, match="its start function: over its deadline"):
        await workers.start(start)


async def test_code_that_is_none_is_refused(workers: Workers) -> None:
    with pytest.raises(ComponentRefusedError, match="compiled code is not usable"):
        await workers.start(start_of(b"no code"))


@pytest.mark.parametrize("world", ["orlop:core/component", "orlop:worlds/with-filesystem", "orlop:worlds/with-process"])
async def test_all_that_a_world_imports_is_linked(workers: Workers, world: str) -> None:
    with Compiler(None) as compiler:
        code = compiler.compile("component", dummy(world))
    running = await workers.start(replace(start_of(code), world=world))
    assert (await running.call("metadata", {}, LONG_MS)).trap == "UNREACHABLE"
    await running.unload()


# --- files and handles ----------------------------------------------------------------------------------------------


def files_of(code: bytes, folder: Path) -> Start:
    rules = Rules(
        tuple(PatternRule(f"filesystem.{action}", 0, "permissions", "/data/**") for action in ("read", "list"))
    )
    start = start_of(code, policy=Policy(rules))
    mounts = (HostMount(MountPoint("/data", "operator", read_only=True), folder),)
    return replace(start, world="orlop:worlds/with-filesystem", mounts=mounts)


async def test_a_component_with_files_has_its_worker_for_itself(
    workers: Workers, running: Running, filer: bytes, tmp_path: Path
) -> None:
    (tmp_path / "note").write_text("in the file")
    reader = await workers.start(files_of(filer, tmp_path))
    assert (reader.alone, running.alone) == (True, False)
    assert reader.process_id != running.process_id
    assert said(await execute(reader, "open", b"/data/note")) == "/data/note"
    assert said(await execute(reader, "read")) == "in the file"
    assert said(await execute(reader, "open", b"/etc/hostname")).startswith("error: processing-failed: ")
    await reader.unload()


@pytest.mark.parametrize("operation", ["guess", "drop-twice"])
async def test_a_handle_that_is_not_there_ends_the_instance(
    workers: Workers, filer: bytes, tmp_path: Path, operation: str
) -> None:
    (tmp_path / "note").write_text("x")
    reader = await workers.start(files_of(filer, tmp_path))
    called = await execute(reader, operation, b"/data/note")
    assert (called.kind, called.trap) == ("trap", "HANDLE")
    await reader.unload()


async def test_a_file_that_is_closed_twice_is_an_answer(workers: Workers, filer: bytes, tmp_path: Path) -> None:
    (tmp_path / "note").write_text("x")
    reader = await workers.start(files_of(filer, tmp_path))
    assert said(await execute(reader, "close-twice", b"/data/note")).startswith("error: processing-failed: ")
    assert said(await execute(reader, "open", b"/data/note")) == "/data/note"
    await reader.unload()


async def test_a_permission_that_is_taken_back_closes_what_it_opened(
    workers: Workers, filer: bytes, tmp_path: Path
) -> None:
    (tmp_path / "note").write_text("x")
    reader = await workers.start(files_of(filer, tmp_path))
    assert said(await execute(reader, "open", b"/data/note")) == "/data/note"
    reader.replace_policy(Policy(version=2))
    assert "taken back" in said(await execute(reader, "read"))
    await reader.unload()


async def test_a_folder_that_is_not_there_is_named(workers: Workers, filer: bytes, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    before = open_files()
    for folder in (tmp_path / "gone", tmp_path / "link"):
        with pytest.raises(WorkerUnavailableError, match="the folder for /data cannot be opened"):
            await workers.start(files_of(filer, folder))
    assert open_files() == before
