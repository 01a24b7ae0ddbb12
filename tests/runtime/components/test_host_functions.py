"""What a real guest sees of its host's functions and resources, also when the host fails or the guest is a stranger."""

import functools
from pathlib import Path

import pytest
import wasmtime
from wasmtime.component import Component, Func, Instance, Linker

from runtime.components import host_functions
from runtime.components.bindings.core_host_services import link_services
from runtime.components.bindings.ext_filesystem_filesystem import link_filesystem
from runtime.components.bindings.ext_filesystem_types import Closed, FilesystemQuota
from runtime.components.bindings.ext_network_connection import link_connection
from runtime.components.bindings.ext_network_socket import link_socket
from runtime.components.values import Err, Ok
from tests.runtime.components.echo import Frame, component

PROBE = """
package orlop:probe@1.0.0;
world probe {
    import orlop:ext-filesystem/filesystem@1.0.0;
    import orlop:ext-network/socket@1.0.0;
    import orlop:ext-network/connection@1.0.0;
    /// Opens a file, seeks in it and drops it: 0, or 100 and the error's case of open, or 200 and that of seek.
    export seek: func(offset: s64) -> u32;
    /// Opens a file and keeps it.
    export keep: func() -> u32;
    export quota: func() -> u64;
    /// Makes a pool and a socket and gives the socket to the pool.
    export release: func() -> u32;
}
"""
CORE = """
(module
  (import "orlop:ext-filesystem/filesystem@1.0.0" "open"
    (func $open (param i32 i32 i32 i32 i32 i32 i32 i32 i32)))
  (import "orlop:ext-filesystem/filesystem@1.0.0" "[method]file.seek" (func $seek (param i32 i64 i32 i32)))
  (import "orlop:ext-filesystem/filesystem@1.0.0" "[resource-drop]file" (func $drop (param i32)))
  (import "orlop:ext-filesystem/filesystem@1.0.0" "quota" (func $quota (param i32)))
  (import "orlop:ext-network/connection@1.0.0" "create-pool" (func $pool (param i32 i64 i64 i32)))
  (import "orlop:ext-network/connection@1.0.0" "[method]connection-pool.pool-release"
    (func $release (param i32 i32 i32)))
  (import "orlop:ext-network/socket@1.0.0" "create-socket" (func $socket (param i32 i32 i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "/x")
  (global $top (mut i32) (i32.const 8192))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (global.set $top (i32.add (global.get $top) (i32.add (local.get 3) (i32.const 8))))
    (i32.sub (global.get $top) (local.get 3)))
  (func $opened (result i32)
    (call $open (i32.const 16) (i32.const 2) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
      (i32.const 0) (i32.const 1024))
    (i32.load8_u (i32.const 1024)))
  (func (export "seek") (param i64) (result i32)
    (if (call $opened) (then (return (i32.add (i32.const 100) (i32.load8_u (i32.const 1028))))))
    (call $seek (i32.load (i32.const 1028)) (local.get 0) (i32.const 0) (i32.const 1040))
    (call $drop (i32.load (i32.const 1028)))
    (if (result i32) (i32.load8_u (i32.const 1040))
      (then (i32.add (i32.const 200) (i32.load8_u (i32.const 1048)))) (else (i32.const 0))))
  (func (export "keep") (result i32) (call $opened))
  (func (export "quota") (result i64) (call $quota (i32.const 1024)) (i64.load (i32.const 1024)))
  (func (export "release") (result i32)
    (call $pool (i32.const 1) (i64.const 1) (i64.const 1) (i32.const 1024))
    (call $socket (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 1056))
    (call $release (i32.load (i32.const 1028)) (i32.load (i32.const 1060)) (i32.const 1088))
    (i32.load8_u (i32.const 1088))))
"""
IO_ERROR, CLOSED = 3, 13  # places in filesystem-error


class Thing:
    """A file, a socket, a pool: what it answers to `seek`, and what it was asked."""

    def __init__(self, answer: object = None) -> None:
        self.answer = answer
        self.asked: list[object] = []

    def seek(self, offset: int, origin: str) -> object:
        self.asked.append((offset, origin))
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer or Ok(offset)

    def pool_release(self, socket: object) -> object:
        self.asked.append(socket)
        return Ok(None)


class Host:
    """All hosts of the probe in one."""

    def __init__(self, frame: Frame, thing: Thing) -> None:
        self.frame = frame
        self.thing = thing

    def open(self, path: str, _options: object) -> object:
        assert path == "/x"
        return Ok(self.frame.handles.add(self.thing))

    def create_socket(self, *_arguments: object) -> object:
        return Ok(self.frame.handles.add("socket"))

    def create_pool(self, *_arguments: object) -> object:
        return Ok(self.frame.handles.add(self.thing))

    def quota(self) -> object:
        return FilesystemQuota(5, 6, 7, 8)


@functools.cache
def probe() -> bytes:
    return component(PROBE, "orlop:probe/probe", CORE)[0]


class Guest:
    """An instance of the probe."""

    def __init__(self, answer: object = None, host: type[Host] = Host) -> None:
        self.frame, self.thing = Frame(), Thing(answer)
        made = host(self.frame, self.thing)
        self.store = wasmtime.Store()
        self.linker = Linker(self.store.engine)
        with self.linker.root() as root:
            link_filesystem(root, made, self.frame)  # type: ignore[arg-type]
            link_socket(root, made, self.frame)  # type: ignore[arg-type]
            link_connection(root, made, self.frame)  # type: ignore[arg-type]
        self.instance: Instance = self.linker.instantiate(self.store, Component(self.store.engine, probe()))

    def call(self, name: str, *arguments: int) -> object:
        function = self.instance.get_func(self.store, name)
        assert isinstance(function, Func)
        return function(self.store, *arguments)


def test_a_handle_stands_for_what_was_opened_until_it_is_dropped() -> None:
    guest = Guest()
    assert guest.call("seek", -5) == 200 + IO_ERROR  # Ok(-5) is no u64
    assert guest.thing.asked == [(-5, "start")]
    assert guest.frame.handles.dropped == [1]
    assert guest.call("seek", 5) == 0
    assert guest.frame.handles.dropped == [1, 2]
    assert guest.frame.handles.open == {}


def test_operations_are_recorded_by_their_names_and_those_on_handles_are_hot() -> None:
    guest = Guest()
    guest.call("seek", 1)
    assert guest.frame.ops == [("filesystem.open", False), ("filesystem.file.seek", True)]


def test_an_error_of_the_host_is_the_guests_to_handle() -> None:
    guest = Guest(Err(Closed("it is closed")))
    assert guest.call("seek", 1) == 200 + CLOSED
    assert guest.frame.faults == []


def test_a_host_that_raises_answers_io_error_and_the_instance_lives() -> None:
    guest = Guest(RuntimeError("secret"))
    assert guest.call("seek", 1) == 200 + IO_ERROR
    assert guest.frame.faults == ["secret"]
    guest.thing.answer = None
    assert guest.call("seek", 1) == 0


def test_a_host_that_opens_something_it_does_not_hold_answers_io_error() -> None:
    class Forgetful(Host):
        def open(self, _path: str, _options: object) -> object:
            return Ok(Thing())

    assert Guest(host=Forgetful).call("seek", 1) == 100 + IO_ERROR


def test_a_fault_without_an_error_in_the_wit_ends_the_instance_with_a_text() -> None:
    class Broken(Host):
        def quota(self) -> object:
            raise RuntimeError("secret")

    guest = Guest(host=Broken)
    with pytest.raises(wasmtime.WasmtimeError, match="internal") as raised:
        guest.call("quota")
    assert "secret" not in str(raised.value)
    assert guest.frame.faults == ["secret"]
    with pytest.raises(wasmtime.WasmtimeError, match="cannot enter"):
        guest.call("quota")


def test_a_record_is_the_answer_of_a_function_without_an_error() -> None:
    assert Guest().call("quota") == 5


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_no_exception_of_any_kind_goes_through_the_engine(stop: type[BaseException]) -> None:
    guest = Guest(stop())
    with pytest.raises(wasmtime.WasmtimeError, match=stop.__name__):
        guest.call("seek", 1)


def test_a_handle_that_is_given_away_leaves_the_table_and_does_not_end() -> None:
    guest = Guest()
    assert guest.call("release") == 0
    assert guest.thing.asked == ["socket"]
    assert list(guest.frame.handles.open) == [1]  # the pool


def test_destructors_do_not_run_when_a_store_goes() -> None:
    guest = Guest()
    assert guest.call("keep") == 0
    guest.store.close()
    assert guest.frame.handles.dropped == []  # the frame's duty, not the engine's


def test_definitions_go_with_their_linker() -> None:
    before = len(host_functions._FUNCTIONS), len(host_functions._RESOURCES)
    guest = Guest()
    assert len(host_functions._FUNCTIONS) > before[0]
    guest.call("seek", 1)
    guest.store.close()
    guest.linker.close()
    assert (len(host_functions._FUNCTIONS), len(host_functions._RESOURCES)) == before


STRANGE_CORE = """
(module
  (import "orlop:core/host-services@1.0.0" "{name}" (func $it {core}))
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func (export "run") {call}))
"""


@pytest.mark.parametrize(
    ("name", "wit", "core", "call"),
    [
        ("current-time-millis", "func(x: u32) -> u64", "(param i32) (result i64)", "(drop (call $it (i32.const 1)))"),
        ("current-time-millis", "func()", "", "(call $it)"),
        ("current-time-millis", "func() -> string", "(param i32)", "(call $it (i32.const 512))"),
        ("sleep-millis", "func(x: string) -> bool", "(param i32 i32) (result i32)",
         "(drop (call $it (i32.const 0) (i32.const 8)))"),
        ("random-bytes", "func(x: list<u32>) -> list<u32>", "(param i32 i32 i32)",
         "(call $it (i32.const 0) (i32.const 4) (i32.const 512))"),
    ],
)  # fmt: skip
def test_a_guest_with_another_wit_ends_and_nothing_is_followed_or_written(
    tmp_path: Path, name: str, wit: str, core: str, call: str
) -> None:
    (tmp_path / "core").mkdir()
    (tmp_path / "core" / "it.wit").write_text(f"package orlop:core@1.0.0; interface host-services {{ {name}: {wit}; }}")
    text = "package orlop:probe@1.0.0; world probe { import orlop:core/host-services@1.0.0; export run: func(); }"
    made, _ = component(text, "orlop:probe/probe", STRANGE_CORE.format(name=name, core=core, call=call), tmp_path)

    class Services:
        def current_time_millis(self) -> int:
            return 1

        def sleep_millis(self, _duration: int) -> bool:
            raise AssertionError

        random_bytes = sleep_millis

    store = wasmtime.Store()
    linker = Linker(store.engine)
    with linker.root() as root:
        link_services(root, Services(), Frame())  # type: ignore[arg-type]
    instance = linker.instantiate(store, Component(store.engine, made))
    run = instance.get_func(store, "run")
    assert isinstance(run, Func)
    with pytest.raises(wasmtime.WasmtimeError):
        run(store)


FLOOD = """
(component
  (import "host" (instance $host (export "take" (func (param "data" (list u8))))))
  (core module $memory (memory (export "memory") 1024))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $bytes))
  (core func $take (canon lower (func $host "take") (memory $bytes)))
  (core module $guest
    (import "host" "take" (func $take (param i32 i32)))
    (func (export "run") (param i32) (call $take (i32.const 0) (local.get 0))))
  (core instance $guest (instantiate $guest (with "host" (instance (export "take" (func $take))))))
  (func (export "run") (param "size" u32) (canon lift (core func $guest "run"))))
"""


def test_a_list_that_would_fill_the_hosts_memory_ends_the_guest_before_the_host_is_asked() -> None:
    """In the engine an element of a list takes 48 bytes, whatever it is in the guest; it allows 128 MiB a call."""
    taken = []
    store = wasmtime.Store()
    linker = Linker(store.engine)
    with linker.root() as root, root.add_instance("host") as part:
        host_functions.add_function(part, "take", lambda _context, values, _at: taken.append(values[0][1]), 1, 0)
    instance = linker.instantiate(store, Component(store.engine, FLOOD))
    run = instance.get_func(store, "run")
    assert isinstance(run, Func)
    run(store, 1 << 20)
    assert taken == [1 << 20]
    with pytest.raises(wasmtime.WasmtimeError, match="too much data is being copied between the host and the guest"):
        run(store, 8 << 20)
    assert taken == [1 << 20]
