"""Values in the memory of a guest, as the canonical ABI lays them out: written here apart from the host's conversion.

In Python a record is a tuple of its fields, a variant a pair of its case and payload, an enum its name, flags a set, a
result `("ok", value)` or `("err", (case, reason))`, a handle its number.
"""

import functools
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from runtime.components import wit_reader
from runtime.components.bindings.operations import IMPORTS
from runtime.components.wit import (
    Enum,
    Flags,
    Function,
    Handle,
    ListOf,
    Named,
    OptionOf,
    Part,
    Primitive,
    Record,
    ResultOf,
    TupleOf,
    Type,
    Variant,
    Wit,
)

__all__ = ["RESULT", "Memory", "Seen", "flat_size", "functions", "label_of", "parameters"]

RESULT: Final = 1024
"""Bytes for what an operation comes back with."""
_BITS: Final = {"bool": 8, "u8": 8, "s8": 8, "u16": 16, "s16": 16, "u32": 32, "s32": 32, "u64": 64, "s64": 64}


@functools.cache
def wit() -> Wit:
    """Ours."""
    return wit_reader.read((Path(__file__).parents[3] / "assets/wit/resolved.json").read_text())


@functools.cache
def functions() -> dict[str, tuple[str, Function]]:
    """Every imported function by its label, with its interface in full."""
    exported = wit().exported
    return {
        f"{interface.name}.{function.name}": (f"{interface.package}/{interface.name}", function)
        for interface in wit().interfaces
        if f"{interface.package}/{interface.name}" not in exported
        for function in interface.functions
    }


def label_of(name: str) -> str:
    """The label of an operation by the end of its name, such as `file.read`.

    Raises:
        AssertionError: none has it, or several.
    """
    found = [one.label for one in IMPORTS if one.label == name or one.label.endswith(f".{name}")]
    assert len(found) == 1, f"{name}: {found}"
    return found[0]


def parameters(label: str) -> list[Type]:
    """The types of an operation's parameters, with that of its `self`."""
    interface, function = functions()[label]
    own = [kind for _, kind in function.parameters]
    if function.resource is None:
        return own
    package, _, name = interface.partition("/")
    return [Handle(Named(package, name, function.resource), owned=False), *own]


def shape_of(kind: Type) -> Any:
    """What a type is, with names followed to the end."""
    kind = wit().resolved(kind)
    return wit().definition(kind).shape if isinstance(kind, Named) else kind


def cases_of(shape: Any) -> list[tuple[str, Type | None]] | None:
    """The cases of what is laid out as a variant, else None."""
    match shape:
        case Variant(cases):
            return [(case.name, case.type) for case in cases]
        case OptionOf(some):
            return [("none", None), ("some", some)]
        case ResultOf(ok, error):
            return [("ok", ok), ("err", error)]
        case _:
            return None


def fields_of(shape: Any) -> list[Type] | None:
    """The fields of what is laid out as a record, else None."""
    match shape:
        case Record(fields):
            return [kind_of(field) for field in fields]
        case TupleOf(elements):
            return list(elements)
        case _:
            return None


def kind_of(part: Part) -> Type:
    """The type of a field."""
    assert part.type is not None
    return part.type


def size_and_align(kind: Type) -> tuple[int, int]:
    """In bytes."""
    shape = shape_of(kind)
    if (fields := fields_of(shape)) is not None:
        at, largest = 0, 1
        for field in fields:
            size, align = size_and_align(field)
            at, largest = up(at, align) + size, max(largest, align)
        return up(at, largest), largest
    if (cases := cases_of(shape)) is not None:
        start, largest = payload_of(cases)
        end = max(start + size_and_align(case)[0] if case is not None else start for _, case in cases)
        return up(end, largest), largest
    match shape:
        case Primitive("string") | ListOf():
            return 8, 4
        case Primitive(name):
            return _BITS[name] // 8, _BITS[name] // 8
        case Handle():
            return 4, 4
        case _:
            return 1, 1  # enums and flags of ours fit into a byte


def payload_of(cases: Sequence[tuple[str, Type | None]]) -> tuple[int, int]:
    """Where the payload of a variant begins, and the alignment of the whole."""
    largest = max([1, *(size_and_align(case)[1] for _, case in cases if case is not None)])
    return largest, largest


def up(at: int, align: int) -> int:
    """The next place that is aligned."""
    return -(-at // align) * align


def flat_size(kind: Type) -> int:
    """How many core values a type takes."""
    shape = shape_of(kind)
    if (fields := fields_of(shape)) is not None:
        return sum(map(flat_size, fields))
    if (cases := cases_of(shape)) is not None:
        return 1 + max(0 if case is None else flat_size(case) for _, case in cases)
    return 2 if shape == Primitive("string") or isinstance(shape, ListOf) else 1


def case_of(shape: Any, value: Any) -> tuple[int, Type | None, Any]:
    """Which case a value is, of what type, and its payload."""
    cases = cases_of(shape) or []
    name, payload = ("none" if value is None else "some", value) if isinstance(shape, OptionOf) else value
    index = [case for case, _ in cases].index(name)
    return index, cases[index][1], payload


def small(shape: Any, value: Any) -> int:
    """A value that is one number."""
    match shape:
        case Enum(names):
            return names.index(value)
        case Flags(names):
            return sum(1 << names.index(name) for name in value)
        case _:
            return int(value)


class Memory:
    """What is to lie in the guest's memory.

    Args:
        start: its address.
    """

    def __init__(self, start: int) -> None:
        self.start = start
        self.bytes = bytearray()

    def place(self, kind: Type, value: Any) -> int:
        """Puts a value there; gives its address."""
        size, align = size_and_align(kind)
        at = self._room(size, align)
        self._store(kind, value, at)
        return at

    def flat(self, kind: Type, value: Any) -> list[int]:
        """A value as core values."""
        shape = shape_of(kind)
        if (fields := fields_of(shape)) is not None:
            return [core for field, one in zip(fields, value, strict=True) for core in self.flat(field, one)]
        if cases_of(shape) is not None:
            index, case, payload = case_of(shape, value)
            inner = [] if case is None else self.flat(case, payload)
            return [index, *inner, *[0] * (flat_size(kind) - 1 - len(inner))]
        if isinstance(shape, ListOf) or shape == Primitive("string"):
            return list(self._sequence(shape, value))
        return [small(shape, value)]

    def _sequence(self, shape: Any, value: Any) -> tuple[int, int]:
        if isinstance(value, str | bytes):
            raw = value.encode() if isinstance(value, str) else value
            at = self._room(len(raw), 1)
            self.bytes[at - self.start : at - self.start + len(raw)] = raw
            return at, len(raw)
        size, align = size_and_align(shape.element)
        at = self._room(size * len(value), align)
        for index, one in enumerate(value):
            self._store(shape.element, one, at + index * size)
        return at, len(value)

    def _store(self, kind: Type, value: Any, at: int) -> None:
        shape = shape_of(kind)
        if (fields := fields_of(shape)) is not None:
            for field, one in zip(fields, value, strict=True):
                size, align = size_and_align(field)
                at = up(at, align)
                self._store(field, one, at)
                at += size
        elif (cases := cases_of(shape)) is not None:
            index, case, payload = case_of(shape, value)
            self._put(at, "<B", index)
            if case is not None:
                self._store(case, payload, at + payload_of(cases)[0])
        elif isinstance(shape, ListOf) or shape == Primitive("string"):
            self._put(at, "<II", *self._sequence(shape, value))
        else:
            raw = (small(shape, value) & (1 << 64) - 1).to_bytes(8, "little")[: size_and_align(kind)[0]]
            self.bytes[at - self.start : at - self.start + len(raw)] = raw

    def _put(self, at: int, form: str, *values: int) -> None:
        struct.pack_into(form, self.bytes, at - self.start, *values)

    def _room(self, size: int, align: int) -> int:
        at = up(self.start + len(self.bytes), align)
        self.bytes.extend(bytes(at + size - self.start - len(self.bytes)))
        return at


class Seen:
    """What lies in the guest's memory after a call.

    Args:
        start: the address of the result.
        heap: that of the heap.
        said: bytes of the result, then of the heap.
    """

    def __init__(self, start: int, heap: int, said: bytes) -> None:
        self._start = start
        self._heap = heap
        self._said = said

    def direct(self, kind: Type, core: int) -> Any:
        """A value that came back as a core value."""
        match shape_of(kind):
            case Primitive("bool"):
                return bool(core & 1)
            case Primitive("u64"):
                return core
            case _:
                return core & 0xFFFF_FFFF

    def load(self, kind: Type, at: int) -> Any:
        """A value by its address."""
        shape = shape_of(kind)
        if (fields := fields_of(shape)) is not None:
            return self._fields(fields, at)
        if (cases := cases_of(shape)) is not None:
            name, case = cases[self._bytes(at, 1)[0]]
            payload = None if case is None else self.load(case, at + payload_of(cases)[0])
            return payload if isinstance(shape, OptionOf) else (name, payload)
        match shape:
            case Primitive("string"):
                return self._bytes(*struct.unpack("<II", self._bytes(at, 8))).decode()
            case ListOf(Primitive("u8")):
                return self._bytes(*struct.unpack("<II", self._bytes(at, 8)))
            case ListOf(element):
                first, count = struct.unpack("<II", self._bytes(at, 8))
                return [self.load(element, first + index * size_and_align(element)[0]) for index in range(count)]
            case _:
                return self._small(shape, int.from_bytes(self._bytes(at, size_and_align(kind)[0]), "little"))

    def _small(self, shape: Any, number: int) -> Any:
        match shape:
            case Enum(names):
                return names[number]
            case Flags(names):
                return {name for index, name in enumerate(names) if number >> index & 1}
            case Primitive("bool"):
                return number == 1
            case Primitive(name) if name.startswith("s") and number >> _BITS[name] - 1:
                return number - (1 << _BITS[name])
            case _:
                return number

    def _fields(self, fields: Sequence[Type], at: int) -> tuple[Any, ...]:
        found = []
        for field in fields:
            size, align = size_and_align(field)
            at = up(at, align)
            found.append(self.load(field, at))
            at += size
        return tuple(found)

    def _bytes(self, at: int, size: int) -> bytes:
        if not size:
            return b""
        if self._start <= at < self._start + RESULT:
            at -= self._start
        else:
            assert at >= self._heap
            at = at - self._heap + RESULT
        assert at + size <= len(self._said)
        return self._said[at : at + size]
