"""What a component's call to its host costs: orlop's conversion beside wasmtime's own, with the same real component."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal

import wasmtime
from wasmtime.component import Component, Linker, LinkerInstance

from bench.measure import Figure, alternate, figure, wall_us
from runtime.canonical import Json
from runtime.components.host.context import ComponentId, Context, HostLimits
from runtime.components.host_functions import add_function, answer_or_trap
from runtime.components.lift import Value, lift_bytes, lift_string, lift_u32
from runtime.components.lower import lower_bytes, lower_string, lower_u32
from runtime.components.permissions import Policy
from runtime.components.permissions.rules import PatternRule, Rules

__all__ = ["measure"]

_SIZE: Final = 65_536
_BYTES: Final = bytes(range(256)) * (_SIZE // 256)
_TEXT: Final = "x" * _SIZE

_Name = Literal["add", "take-bytes", "give-bytes", "take-text", "give-text"]
_NAMES: Final[tuple[_Name, ...]] = ("add", "take-bytes", "give-bytes", "take-text", "give-text")

_COMPONENT: Final = f"""
(component
  (import "host" (instance $host
    (export "add" (func (param "a" u32) (param "b" u32) (result u32)))
    (export "take-bytes" (func (param "data" (list u8)) (result u32)))
    (export "give-bytes" (func (param "size" u32) (result (list u8))))
    (export "take-text" (func (param "data" string) (result u32)))
    (export "give-text" (func (param "size" u32) (result string)))))
  (core module $memory
    (memory (export "memory") 8)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const {_SIZE * 2})))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $bytes))
  (alias core export $memory "realloc" (core func $realloc))
  (core func $add (canon lower (func $host "add")))
  (core func $take-bytes (canon lower (func $host "take-bytes") (memory $bytes)))
  (core func $give-bytes (canon lower (func $host "give-bytes") (memory $bytes) (realloc $realloc)))
  (core func $take-text (canon lower (func $host "take-text") (memory $bytes)))
  (core func $give-text (canon lower (func $host "give-text") (memory $bytes) (realloc $realloc)))
  (core module $guest
    (import "host" "add" (func $add (param i32 i32) (result i32)))
    (import "host" "take-bytes" (func $take-bytes (param i32 i32) (result i32)))
    (import "host" "give-bytes" (func $give-bytes (param i32 i32)))
    (import "host" "take-text" (func $take-text (param i32 i32) (result i32)))
    (import "host" "give-text" (func $give-text (param i32 i32)))
    {{loops}})
  (core instance $guest (instantiate $guest (with "host" (instance
    (export "add" (func $add)) (export "take-bytes" (func $take-bytes)) (export "give-bytes" (func $give-bytes))
    (export "take-text" (func $take-text)) (export "give-text" (func $give-text))))))
  {{exports}})
"""
_CALLS: Final[Mapping[_Name, str]] = {
    "add": "(drop (call $add (local.get 0) (i32.const 5)))",
    "take-bytes": f"(drop (call $take-bytes (i32.const 0) (i32.const {_SIZE})))",
    "give-bytes": f"(call $give-bytes (i32.const {_SIZE}) (i32.const 16))",
    "take-text": f"(drop (call $take-text (i32.const 0) (i32.const {_SIZE})))",
    "give-text": f"(call $give-text (i32.const {_SIZE}) (i32.const 16))",
}


def measure(*, quick: bool) -> list[Figure]:
    """Measures it."""
    rounds, calls = (5, 50) if quick else (40, 500)
    ours, stock = _Guest(_define_ours), _Guest(_define_stock)
    lines = []
    samples = alternate(rounds, lambda: ours.call_us("add", calls), lambda: stock.call_us("add", calls))
    lines.append(
        figure(
            "call with two integers, permission check and record included",
            "µs",
            samples[0],
            against=("wasmtime's conversion alone", samples[1]),
            bound=30,
            bound_of="median",
            note="values read and written in the engine's memory by generated code",
        )
    )
    for name, what, bound in (
        ("take-bytes", "64 KiB to the host as list<u8>", 5_000),
        ("give-bytes", "64 KiB to the guest as list<u8>", 5_000),
        ("take-text", "64 KiB to the host as text", 1_000),
        ("give-text", "64 KiB to the guest as text", 1_000),
    ):
        lines.append(_bulk(ours, stock, name, what, bound, rounds=max(3, rounds // 4)))
    return lines


def _bulk(ours: "_Guest", stock: "_Guest", name: str, what: str, bound: float, *, rounds: int) -> Figure:
    (known,) = [one for one in _NAMES if one == name]
    times = 1 if known.endswith("bytes") else 50
    mine, theirs = alternate(rounds, lambda: ours.call_us(known, 5 * times), lambda: stock.call_us(known, times))
    note = f"{min(theirs) / min(mine):.0f} times as fast as wasmtime's conversion"
    against = ("wasmtime's conversion alone", theirs)
    return figure(what, "µs", mine, against=against, bound=bound, bound_of="best", note=note)


class _Guest:
    """An instance whose exports call the host so many times."""

    def __init__(self, define: Callable[[LinkerInstance], None]) -> None:
        self._store = wasmtime.Store()
        engine = self._store.engine
        self._linker = Linker(engine)
        with self._linker.root() as root, root.add_instance("host") as part:
            define(part)
        loops = "".join(
            f'(func (export "{name}") (param i32) (loop {_CALLS[name]}'
            " (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))"
            for name in _NAMES
        )
        exports = "".join(
            f'(func (export "run-{name}") (param "times" u32) (canon lift (core func $guest "{name}")))'
            for name in _NAMES
        )
        text = _COMPONENT.replace("{loops}", loops).replace("{exports}", exports)
        instance = self._linker.instantiate(self._store, Component(engine, text))
        found = {name: instance.get_func(self._store, f"run-{name}") for name in _NAMES}
        self._functions = {name: function for name, function in found.items() if function is not None}

    def call_us(self, name: _Name, times: int) -> float:
        """Microseconds that one of so many calls to the host takes."""
        return wall_us(lambda: self._functions[name](self._store, times)) / times


def _define_stock(part: LinkerInstance) -> None:
    part.add_func("add", lambda _store, a, b: a + b & 0xFFFF_FFFF)
    part.add_func("take-bytes", lambda _store, data: len(data))
    part.add_func("give-bytes", lambda _store, _size: _BYTES)
    part.add_func("take-text", lambda _store, data: len(data))
    part.add_func("give-text", lambda _store, _size: _TEXT)


class _Nobody:
    """A core that is told and never asked."""

    def request(self, kind: str, fields: Mapping[str, Json]) -> Json:
        """Is not called."""
        raise NotImplementedError(kind, fields)

    def notify(self, kind: str, fields: Mapping[str, Json]) -> None:
        """Takes it."""


def _define_ours(part: LinkerInstance) -> None:
    rules = Rules((PatternRule("filesystem.read", 0, "permissions", "/data/**"),))
    limits = HostLimits()
    context = Context(ComponentId("local", "bench", "1.0.0", 0), Policy(rules), limits, _Nobody())

    def add(_context: int, values: Sequence[Value], at: int) -> None:
        a, b = lift_u32(values[0]), lift_u32(values[1])

        def work() -> int:
            if not context.allow(context.policy.read("/data/in/numbers"), "/data/in/numbers"):
                raise PermissionError
            return a + b & 0xFFFF_FFFF

        answer_or_trap(context, "bench.add", at, work, lower_u32, hot=False)

    def take_bytes(_context: int, values: Sequence[Value], at: int) -> None:
        data = lift_bytes(values[0])
        answer_or_trap(context, "bench.take-bytes", at, lambda: len(data), lower_u32, hot=True)

    def give_bytes(_context: int, _values: Sequence[Value], at: int) -> None:
        answer_or_trap(context, "bench.give-bytes", at, lambda: _BYTES, lower_bytes, hot=True)

    def take_text(_context: int, values: Sequence[Value], at: int) -> None:
        text = lift_string(values[0])
        answer_or_trap(context, "bench.take-text", at, lambda: len(text), lower_u32, hot=True)

    def give_text(_context: int, _values: Sequence[Value], at: int) -> None:
        answer_or_trap(context, "bench.give-text", at, lambda: _TEXT, lower_string, hot=True)

    add_function(part, "add", add, 2, 1)
    for name, adapter in (
        ("take-bytes", take_bytes),
        ("give-bytes", give_bytes),
        ("take-text", take_text),
        ("give-text", give_text),
    ):
        add_function(part, name, adapter, 1, 1)
