"""The C header of a world: components that are compiled with it say every value as the bindings do.

Those that compile need `ziglang`, which is 400 MB: run by `make test-kit`.
"""

import functools
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import wasmtime
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wasmtime.component import Component

from runtime.components.authoring.c_header import c_header
from runtime.components.bindings import core_types, operations
from runtime.components.bindings.core_component_lifecycle import ComponentLifecycle
from runtime.components.bindings.ext_filesystem_filesystem import link_filesystem
from runtime.components.bindings.ext_filesystem_types import FileOpenOptions, FilePermissions, NotFound, TextResult
from runtime.components.guest_calls import Guest
from runtime.components.values import Err, Ok
from runtime.components.wit import Named, WitError
from tests.runtime.components.echo import (
    ROOT,
    Echo,
    Frame,
    Mirror,
    component,
    echo,
    echo_wit,
    named_types,
    strategy,
    tool,
    wit,
)

FLAGS = [
    "-target", "wasm32-freestanding", "-mcpu=generic", "-Os", "-std=c11", "-nostdlib", "-ffreestanding",
    "-Wall", "-Wextra", "-Werror", "-Wl,--no-entry", "-Wl,-z,stack-size=65536", "-s",
]  # fmt: skip


def compiled(source: str, header: str, folder: Path) -> bytes:
    """A core module."""
    (folder / "orlop_world.h").write_text(header)
    (folder / "it.c").write_text(source)
    cache = ROOT / "build/zig"
    env = os.environ | {"ZIG_GLOBAL_CACHE_DIR": str(cache / "global"), "ZIG_LOCAL_CACHE_DIR": str(cache / "local")}
    command = [sys.executable, "-m", "ziglang", "cc", *FLAGS, "-o", "it.wasm", "it.c"]
    run = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return (folder / "it.wasm").read_bytes()


@pytest.mark.parametrize("world", sorted(operations.WORLDS))
def test_a_header_declares_every_operation_of_its_world(world: str) -> None:
    header = c_header(wit(), world)
    declared = set(re.findall(r'ORLOP_IMPORT\("(orlop:[^@]+)@1.0.0", "(?:\[method\])?([^"\[]+)"\)', header))
    assert declared == {
        (f"{one.package}/{one.interface}", one.name)
        for one in operations.IMPORTS
        if f"{one.package}/{one.interface}" in operations.WORLDS[world]
    }
    exported = set(re.findall(r'ORLOP_EXPORT\("orlop:[^#"]+#([^"]+)"\)', header))
    assert exported == ({one.name for one in operations.EXPORTS} if not world.endswith("/imports") else set())


def test_a_world_that_is_not_there_is_an_error_that_names_those_that_are() -> None:
    with pytest.raises(WitError, match=r"orlop:none/none: the worlds are orlop:core/component, .*orlop:worlds/full"):
        c_header(wit(), "orlop:none/none")


@functools.cache
def echo_in_c(folder: Path) -> Echo:
    """The echo, compiled with a header that is made of its own WIT."""
    tree = echo().tree
    header = c_header(tree, "orlop:echo/echo")
    wanted = re.findall(r"^void orlop_echo_(\w+?)_echo_(\w+)\(([^)]*)\);$", header, re.MULTILINE)
    assert len(wanted) == len(named_types())
    defined = [
        f"void orlop_echo_{place}_echo_{name}({parameters}) {{ orlop_mirror_{place}_mirror_{name}(value, result); }}"
        for place, name, parameters in wanted
    ]
    core = compiled("\n".join(["#define ORLOP_COMPONENT", '#include "orlop_world.h"', *defined]), header, folder)
    return Echo(tree, component(echo_wit(), "orlop:echo/echo", core)[0])


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    return echo_in_c(tmp_path_factory.mktemp("echo")).linked(Mirror(), Frame(), wasmtime.Store())


@pytest.mark.kit
@pytest.mark.parametrize("kind", named_types(), ids=lambda kind: f"{kind.package[6:]}/{kind.name}")
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_kit_a_value_of_any_type_comes_back_through_c(
    exports: dict[str, object], kind: Named, data: st.DataObject
) -> None:
    value = data.draw(strategy(kind))
    assert echo().call(exports, kind, value) == value


class File:
    """One that is read once."""

    def read_text(self, max_bytes: int, encoding: str) -> object:
        assert (max_bytes, encoding) == (100, "utf8")
        return Ok(TextResult("what it holds", True))


class Files:
    """A host with one file."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame

    def open(self, path: str, options: FileOpenOptions) -> object:
        assert options == FileOpenOptions("read-write", True, False, False, False, FilePermissions(0o640))
        return Ok(self.frame.handles.add(File())) if path == "/a file" else Err(NotFound(f"no {path}"))


@pytest.mark.kit
def test_kit_a_component_in_c_is_started_called_and_stopped(tmp_path: Path) -> None:
    source = Path(__file__).with_name("probe.c").read_text()
    core = compiled(source, c_header(wit(), "orlop:worlds/full"), tmp_path)
    (tmp_path / "core.wasm").write_bytes(core)
    embedded = tmp_path / "embedded.wasm"
    tool("component", "embed", str(ROOT / "assets/wit"), "-w", "orlop:worlds/full", str(tmp_path / "core.wasm"),
         "-o", str(embedded))  # fmt: skip
    made = tool("component", "new", str(embedded))
    store, frame = wasmtime.Store(), Frame()
    linker = wasmtime.component.Linker(store.engine)
    with linker.root() as root:
        link_filesystem(root, Files(frame), frame)  # type: ignore[arg-type]
    instance = linker.instantiate(store, Component(store.engine, made))  # it imports no more than it calls
    guest = ComponentLifecycle(Guest(store, instance, "orlop:core/component-lifecycle@1.0.0"))
    limits = core_types.ResourceLimits(1, 2, 3, None, 5)
    context = core_types.ExecutionContext(1, 2, core_types.CallerInfo(None, "an operator"), "trace 5")

    assert guest.init(core_types.ComponentConfig((("HOME", "/home"),), None, limits, 1)) == Ok(None)
    assert guest.metadata().name == "probe"
    assert guest.health() == core_types.HealthReport("degraded", "as ever")
    for _ in range(1000):  # the heap is emptied after each, but for what init kept
        assert guest.execute("environment", bytes(5000), context) == Ok(b"/home")
    assert guest.execute("trace", b"", context) == Ok(b"trace 5")
    assert guest.execute("open", b"/a file", context) == Ok(b"what it holds")
    assert frame.handles.open == {}
    assert guest.execute("open", b"/none", context) == Err(core_types.ExecutionProcessingFailed("no /none"))
    assert guest.execute("dance", b"", context) == Err(core_types.ExecutionUnknownOperation("dance"))
    sender, at = core_types.ComponentId("acme", "other", "1.2.3", 0), core_types.Timestamp(-1, 5)
    for request, reply in ((None, None), (2**64 - 1, b"ping")):
        message = core_types.Message(sender, request, "text/plain", b"ping", at, at, "weather")
        assert guest.handle_message(message) == Ok(reply)
    assert guest.handle_callback(7, Ok(b"pong")) == Ok(None)
    assert guest.handle_callback(7, Err("gone")) == Err(core_types.ComponentNotFound("gone"))
    assert guest.shutdown("limit") == Err(core_types.ComponentInvalidState("not now"))
    assert guest.shutdown("stopping") == Ok(None)
