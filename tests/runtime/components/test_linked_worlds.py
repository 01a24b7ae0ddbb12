"""A real component of every world links and runs with the bindings, with neither too much nor too little defined."""

import functools
import importlib
import tempfile
from pathlib import Path

import pytest
import wasmtime
from wasmtime.component import Component, Linker

from runtime.components import host_functions
from runtime.components.bindings import operations
from runtime.components.bindings.core_component_lifecycle import ComponentLifecycle
from runtime.components.errors import ComponentError
from runtime.components.guest_calls import Guest, exported_name
from tests.runtime.components.echo import Frame, tool, wit
from tools import wit_writer

WITH_LIFECYCLE = [name for name in operations.WORLDS if not name.endswith("/imports")]
LIFECYCLE = "orlop:core/component-lifecycle"


@functools.cache
def dummy(world: str) -> bytes:
    """A component that imports and exports a whole world, and whose every function traps."""
    with tempfile.TemporaryDirectory() as name:
        embedded = str(Path(name, "embedded.wasm"))
        tool("component", "embed", "--dummy", "-w", world, "assets/wit", "-o", embedded)
        return tool("component", "new", embedded)


def linker_of(engine: wasmtime.Engine, interfaces: frozenset[str]) -> Linker:
    """A linker with these interfaces, whose hosts are never called."""
    linker = Linker(engine)
    with linker.root() as root:
        for one in wit().interfaces:
            if one.functions and f"{one.package}/{one.name}" in interfaces:
                name = wit_writer.module_of(one.package, one.name)
                module = importlib.import_module(f"runtime.components.bindings.{name}")
                getattr(module, f"link_{wit_writer.snake(wit_writer.host_of(one))}")(root, None, Frame())
    return linker


@pytest.mark.parametrize("world", sorted(operations.WORLDS))
def test_a_component_of_a_world_links_with_that_world(world: str) -> None:
    store = wasmtime.Store()
    linker = linker_of(store.engine, operations.WORLDS[world])
    linker.instantiate(store, Component(store.engine, dummy(world)))


@pytest.mark.parametrize("world", sorted(operations.WORLDS))
def test_a_component_of_a_world_does_not_link_without_one_of_its_interfaces(world: str) -> None:
    engine = wasmtime.Engine()
    component = Component(engine, dummy(world))
    with_functions = {f"{one.package}/{one.interface}" for one in operations.IMPORTS}
    for missing in sorted(operations.WORLDS[world] & with_functions):
        linker = linker_of(engine, operations.WORLDS[world] - {missing})
        with pytest.raises(wasmtime.WasmtimeError, match=missing):
            linker.instantiate(wasmtime.Store(engine), component)


def test_the_linker_defines_the_imported_operations_and_nothing_else() -> None:
    before = set(host_functions._FUNCTIONS)
    linker = linker_of(wasmtime.Engine(), operations.WORLDS["orlop:worlds/full"])
    assert len(set(host_functions._FUNCTIONS) - before) == len(operations.IMPORTS)
    linker.close()


@pytest.mark.parametrize("world", WITH_LIFECYCLE)
def test_every_export_is_called_by_its_name(world: str) -> None:
    engine = wasmtime.Engine()
    component = Component(engine, dummy(world))
    name = exported_name(list(component.type.exports(engine)), LIFECYCLE)
    assert name == f"{LIFECYCLE}@{operations.VERSION}"
    for call in ("metadata", "health"):
        store = wasmtime.Store(engine)
        instance = linker_of(engine, operations.WORLDS[world]).instantiate(store, component)
        with pytest.raises(wasmtime.WasmtimeError, match="unreachable"):
            getattr(ComponentLifecycle(Guest(store, instance, name)), call)()


def test_an_interface_that_a_component_does_not_export_is_an_error() -> None:
    store = wasmtime.Store()
    component = Component(store.engine, dummy("orlop:ext-process/imports"))
    assert exported_name(list(component.type.exports(store.engine)), LIFECYCLE) is None
    instance = linker_of(store.engine, operations.WORLDS["orlop:ext-process/imports"]).instantiate(store, component)
    with pytest.raises(ComponentError, match="does not export"):
        ComponentLifecycle(Guest(store, instance, f"{LIFECYCLE}@1.0.0")).health()


def test_the_name_of_an_interface_is_the_components_own_version() -> None:
    assert exported_name(["a:b/c@1.0.0", f"{LIFECYCLE}@1.0.3"], LIFECYCLE) == f"{LIFECYCLE}@1.0.3"
