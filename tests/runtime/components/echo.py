"""A component that gives back every value of every type of the WIT, by way of a host that gives it back too.

It is made of a WIT that is made of ours, and of a core module that only passes its parameters on: an import and an
export of one type have the same core parameters.
"""

import functools
import importlib
import subprocess
import sysconfig
import tempfile
import types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import wasmtime
from hypothesis import strategies as st
from wasmtime.component import Component, Linker

from runtime.components.authoring.c_types import CTypes
from runtime.components.guest_calls import Guest
from runtime.components.values import Err, Ok
from runtime.components.wit import (
    Alias,
    Definition,
    Enum,
    Flags,
    Interface,
    ListOf,
    Named,
    OptionOf,
    Primitive,
    Record,
    ResourceType,
    ResultOf,
    TupleOf,
    Type,
    Variant,
    Wit,
)
from runtime.components.wit_reader import read
from tools import wit_python, wit_types, wit_writer

ROOT = Path(__file__).resolve().parents[3]
TOOL = str(Path(sysconfig.get_path("scripts"), "wasm-tools"))
FLAT_PARAMETERS = 16


@functools.cache
def wit() -> Wit:
    """Ours."""
    return read((ROOT / "assets/wit/resolved.json").read_text())


def named_types() -> list[Named]:
    """Every type that is a value."""
    return [
        Named(interface.package, interface.name, one.name)
        for interface in wit().interfaces
        for one in interface.definitions
        if not isinstance(one.shape, ResourceType)
    ]


@functools.cache
def python(name: Named, identifier: str) -> object:
    """Something of the module of bindings in which a type is."""
    module = f"runtime.components.bindings.{wit_writer.module_of(name.package, name.interface)}"
    return getattr(importlib.import_module(module), identifier)


def strategy(kind: Type | None) -> st.SearchStrategy[object]:  # noqa: C901, PLR0911 - one for each kind
    """Values of a type, the edges of its range among them."""
    match kind:
        case None:
            return st.none()
        case Primitive("bool"):
            return st.booleans()
        case Primitive("string"):
            return st.text(max_size=20)
        case Primitive(name):
            bits = int(name[1:])
            low, high = (0, 2**bits - 1) if name[0] == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
            return st.sampled_from([low, high]) | st.integers(low, high)
        case ListOf(Primitive("u8")):
            return st.binary(max_size=40)
        case ListOf(element):
            return st.lists(strategy(element), max_size=3).map(tuple)
        case OptionOf(some):
            return st.none() | strategy(some)
        case TupleOf(elements):
            return st.tuples(*map(strategy, elements))
        case ResultOf(good, bad):
            return strategy(good).map(Ok) | strategy(bad).map(Err)
        case Named():
            return of_definition(kind, wit().definition(kind))
        case _:
            raise AssertionError(kind)


def of_definition(name: Named, one: Definition) -> st.SearchStrategy[object]:
    """Values of a type that has a name."""
    match one.shape:
        case Alias(inner):
            return strategy(inner)
        case Enum(names):
            return st.sampled_from(names)
        case Flags(names):
            return st.frozensets(st.sampled_from(names))
        case Record(fields):
            make = python(name, wit_writer.camel(one.name))
            return st.builds(make, *(strategy(part.type) for part in fields))
        case Variant(cases):
            defining = next(i for i in wit().interfaces if (i.package, i.name) == (name.package, name.interface))
            classes = wit_types.case_names(defining)
            made = [(python(name, classes[one.name, case.name]), case.type) for case in cases]
            return st.one_of(st.builds(make, *([strategy(kind)] if kind else [])) for make, kind in made)
        case _:
            raise AssertionError(one)


def echo_wit() -> str:
    """A package with two functions for each type, one that is exported and one that is imported."""
    parts = ["package orlop:echo@1.0.0;"]
    for way in ("echo", "mirror"):
        for interface in interfaces():
            names = [one.name for one in interface.definitions if not isinstance(one.shape, ResourceType)]
            parts.append(f"interface {named(interface, way)} {{ use {interface.id}.{{{', '.join(names)}}};")
            parts += [
                f"/// Gives it back.\n/// @perm none\n/// @fix none\n{way}-{name}: func(value: {name}) -> {name};"
                for name in names
            ]
            parts.append("}")
    uses = "".join(f"import {named(i, 'mirror')}; export {named(i, 'echo')}; " for i in interfaces())
    return "\n".join([*parts, f"world echo {{ {uses}}}"])


def interfaces() -> list[Interface]:
    """Those of ours that define types."""
    return [one for one in wit().interfaces if any(not isinstance(d.shape, ResourceType) for d in one.definitions)]


def named(interface: Interface, way: str) -> str:
    """Its counterpart here."""
    return f"{way}-{interface.package.partition(':')[2]}-{interface.name}"


def core_module() -> str:
    """Passes on what it gets; the heap starts anew after each call."""
    imports, functions = [], []
    types_in_c = CTypes(wit())
    for interface in interfaces():
        here, there = (f"orlop:echo/{named(interface, way)}@1.0.0" for way in ("echo", "mirror"))
        for one in interface.definitions:
            if isinstance(one.shape, ResourceType):
                continue
            core = types_in_c.core(Named(interface.package, interface.name, one.name))
            inner = core if len(core) <= FLAT_PARAMETERS else ["i32"]
            passed = " ".join(f"(local.get {index})" for index in range(len(inner)))
            parameters = f"(param {' '.join(inner)})"
            symbol = f"$f{len(imports)}"
            if len(core) == 1:
                signature, body = f"{parameters} (result {core[0]})", f"(call {symbol} {passed})"
                outer = signature
            else:
                signature, outer = f"(param {' '.join([*inner, 'i32'])})", f"{parameters} (result i32)"
                body = f"(call {symbol} {passed} (i32.const 1024)) (i32.const 1024)"
            export = f"{here}#echo-{one.name}"
            imports.append(f'(import "{there}" "mirror-{one.name}" (func {symbol} {signature}))')
            functions.append(f'(func (export "{export}") {outer} {body})')
            functions.append(
                f'(func (export "cabi_post_{export}") (param {core[0] if len(core) == 1 else "i32"}) (call $empty))'
            )
    heap = """
      (memory (export "memory") 64)
      (global $top (mut i32) (i32.const 8192))
      (func $empty (global.set $top (i32.const 8192)))
      (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
        (local.set $at (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
        (global.set $top (i32.add (local.get $at) (local.get 3)))
        (local.get $at))"""
    return "\n".join(["(module", *imports, heap, *functions, ")"])


def tool(*arguments: str) -> bytes:
    """Runs wasm-tools."""
    return subprocess.run([TOOL, *arguments], check=True, capture_output=True).stdout


@dataclass(frozen=True, slots=True)
class Echo:
    """The component, ready to be called."""

    tree: Wit
    """Of the WIT for it."""
    component: bytes

    def linked(self, hosts: object, calls: object, store: wasmtime.Store) -> dict[str, object]:
        """An instance's exports by interface, whose imports `hosts` has as methods."""
        linker = Linker(store.engine)
        with linker.root() as root:
            for interface in self.interfaces("mirror"):
                code = module(wit_python.host_module(self.tree, interface, {}))
                getattr(code, f"link_{wit_writer.snake(interface.name)}")(root, hosts, calls)
        instance = linker.instantiate(store, Component(store.engine, self.component))
        found = {}
        for interface in self.interfaces("echo"):
            code = module(wit_python.guest_module(self.tree, interface))
            exports = getattr(code, wit_writer.camel(interface.name))
            found[interface.name] = exports(Guest(store, instance, interface.id))
        return found

    def interfaces(self, way: str) -> list[Interface]:
        """Those that it has."""
        return [one for one in self.tree.interfaces if one.package == "orlop:echo" and one.name.startswith(way)]

    def call(self, exports: dict[str, object], kind: Named, value: object) -> object:
        """Has a value of a type given back."""
        interface = next(one for one in interfaces() if (one.package, one.name) == (kind.package, kind.interface))
        return getattr(exports[named(interface, "echo")], f"echo_{wit_writer.snake(kind.name)}")(value)


class Mirror:
    """A host whose every function gives back what it got."""

    def __getattr__(self, _name: str) -> object:
        return lambda value: value


def module(text: str) -> types.ModuleType:
    """A generated module, run."""
    made = types.ModuleType("generated")
    exec(compile(text, "generated", "exec"), made.__dict__)
    return made


def component(wit_text: str, world: str, core: str | bytes, deps: Path = ROOT / "assets/wit/deps") -> tuple[bytes, str]:
    """A component of a core module in text or bytes, and the resolved tree of its WIT."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "root.wit").write_text(wit_text)
        (folder / "deps").symlink_to(deps)
        (folder / "core.wat").write_bytes(core.encode() if isinstance(core, str) else core)
        tree = tool("component", "wit", name, "--json").decode()
        tool("component", "embed", name, "-w", world, str(folder / "core.wat"), "-o", str(folder / "embedded.wasm"))
        return tool("component", "new", str(folder / "embedded.wasm")), tree


@functools.cache
def echo() -> Echo:
    """Made anew, with the wasm-tools that the checked-in files are made with."""
    made, tree = component(echo_wit(), "orlop:echo/echo", core_module())
    return Echo(read(tree), made)


class Frame:
    """The frame of an instance, of which only that it is passed through is of interest."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.ops: list[tuple[str, bool]] = []
        self.handles = Table()

    def call(self, op: str, work: Callable[[], object], failed: Callable[[str], object], *, hot: bool) -> object:
        """Runs it."""
        self.ops.append((op, hot))
        try:
            return work()
        except Exception as error:  # noqa: BLE001 - as the frame does
            self.faults.append(str(error))
            return failed("internal")


class Table:
    """Handles, as a frame has them."""

    def __init__(self) -> None:
        self.open: dict[int, object] = {}
        self.dropped: list[int] = []

    def add(self, resource: object) -> object:
        """Opens one."""
        self.open[len(self.open) + len(self.dropped) + 1] = resource
        return resource

    def number_of(self, resource: object) -> int:
        """Its number."""
        return next(number for number, one in self.open.items() if one is resource)

    def resource(self, number: int) -> object:
        """What it stands for."""
        return self.open[number]

    def take(self, number: int) -> object:
        """The guest gave it away."""
        self.dropped.append(number)
        return self.open.pop(number)

    def drop(self, number: int) -> None:
        """The guest let go of it."""
        self.take(number)
