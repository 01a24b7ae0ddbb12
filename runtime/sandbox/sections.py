"""A walk over the sections of a WebAssembly module, in Python, before the engine sees a byte of it.

It reads what the checks need and nothing more, and stops at the first count that is over its cap: a module of half a
megabyte can otherwise cost seconds here and minutes in the compiler. Order of sections, trailing bytes and code are the
engine's to validate, in a child with limits. Format: WebAssembly 2.0, chapter 5.
"""

from collections.abc import Iterator
from typing import Final

from runtime.sandbox.errors import ModuleRefusedError
from runtime.sandbox.facts import Caps, Export, ExternKind, FuncType, Import, Limits, ModuleFacts
from runtime.sandbox.reader import VALUE_TYPES, Reader, over_cap, switched_off
from runtime.sanitise import clean

__all__ = ["read_module", "split_sections"]

MAGIC: Final = b"\0asm"
VERSION: Final = b"\1\0\0\0"
_COMPONENT: Final = b"\x0d\0\1\0"

_KINDS: Final[tuple[ExternKind, ...]] = ("func", "table", "memory", "global")
_SECTIONS: Final = (
    "custom",
    "type",
    "import",
    "function",
    "table",
    "memory",
    "global",
    "export",
    "start",
    "element",
    "code",
    "data",
    "data count",
    "tag",
)
_PASSIVE, _EXPLICIT_MEMORY = 0x01, 0x02


def _header(data: bytes, cap: int) -> None:
    if len(data) > cap:
        raise ModuleRefusedError(f"the module has {len(data):,} bytes, and {cap:,} are allowed", check="size")
    if not data:
        raise ModuleRefusedError("the file is empty", check="empty")
    if data[:4] != MAGIC:
        if data.lstrip()[:1] in (b"(", b";"):
            raise ModuleRefusedError(
                "this is WebAssembly text, not a binary module", check="text", hint="convert it with wat2wasm"
            )
        if MAGIC.startswith(data[:4]):
            raise ModuleRefusedError("the module is truncated: its header ends early", check="truncated")
        raise ModuleRefusedError("this is no WebAssembly module (it does not begin with \\0asm)", check="magic")
    if data[4:8] == _COMPONENT:
        raise ModuleRefusedError("this is a component, not a core module", check="component")
    if len(data) < 8:  # noqa: PLR2004 - magic number and version
        raise ModuleRefusedError("the module is truncated: its header ends early", check="truncated")
    if data[4:8] != VERSION:
        version = int.from_bytes(data[4:8], "little")
        raise ModuleRefusedError(f"the module has version {version}, and only 1 is known", check="version")


def split_sections(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Walks the sections of a module whose header is sound.

    Args:
        data: the whole module.

    Yields:
        Number, offset of the section, offset of its payload, offset of its end.

    Raises:
        ModuleRefusedError: a section beyond the end, or of an unknown number.
    """
    pos = 8
    while pos < len(data):
        number = data[pos]
        if number >= len(_SECTIONS):
            raise ModuleRefusedError(f"the module is damaged: there is no section {number}", check="sections")
        reader = Reader(data, pos + 1, len(data), _SECTIONS[number])
        length = reader.u32()
        if length > len(data) - reader.pos:
            raise reader.ended()
        yield number, pos, reader.pos, reader.pos + length
        pos = reader.pos + length


class _Walk:
    """Collects the facts; counts add up over sections that a damaged file repeats, so that no cap can be passed by."""

    def __init__(self, caps: Caps) -> None:
        self.caps = caps
        self.types: list[tuple[bytes, bytes]] = []
        self.imports: list[tuple[str, str, ExternKind, int, Limits | None]] = []
        self.exports: list[tuple[str, ExternKind, int]] = []
        self.functions: list[int] = []
        self.bodies = self.locals = 0
        self.tables: list[Limits] = []
        self.memories: list[Limits] = []
        self.segments = self.data_bytes = 0
        self.has_start = False

    def section(self, number: int, reader: Reader) -> None:
        handler = {
            1: self._types,
            2: self._imports,
            3: self._functions,
            4: self._tables,
            5: self._memories,
            7: self._exports,
            8: self._start,
            10: self._code,
            11: self._data,
            13: self._tags,
        }.get(number)
        if handler is not None:
            handler(reader)

    def _start(self, reader: Reader) -> None:
        reader.u32()
        self.has_start = True

    def _tags(self, _: Reader) -> None:
        raise switched_off("exceptions")

    def _memories(self, reader: Reader) -> None:
        count = reader.count("memories", 1 - len(self.memories), "memory")
        self.memories += (reader.limits("memory") for _ in range(count))

    def _types(self, reader: Reader) -> None:
        for _ in range(reader.count("types", self.caps.types - len(self.types), "types")):
            if reader.byte() != 0x60:  # noqa: PLR2004 - a function type; the others belong to garbage collection
                raise switched_off("types of the garbage collection proposal")
            self.types.append((reader.value_types(), reader.value_types()))

    def _imports(self, reader: Reader) -> None:
        for index in range(reader.count("imports", self.caps.imports - len(self.imports), "imports")):
            what = f"the name of import {index}"
            module, name = reader.text(what, self.caps.name_bytes), reader.text(what, self.caps.name_bytes)
            kind, type_index, limits = self._kind(reader), -1, None
            if kind == "func":
                type_index = reader.u32()
            elif kind == "table":
                limits = self._table(reader)
            elif kind == "memory":
                limits = reader.limits("memory")
            else:
                reader.take(2)  # type and mutability
            self.imports.append((module, name, kind, type_index, limits))

    def _kind(self, reader: Reader) -> ExternKind:
        kind = reader.byte()
        if kind >= len(_KINDS):
            raise switched_off("imports or exports of a newer proposal")
        return _KINDS[kind]

    def _functions(self, reader: Reader) -> None:
        count = reader.count("functions", self.caps.functions - len(self.functions), "functions")
        raw = reader.data[reader.pos : reader.end]
        if len(raw) == count and (not raw or max(raw) < 0x80):  # noqa: PLR2004 - one byte each: the usual case
            self.functions += raw
        else:
            self.functions += (reader.u32() for _ in range(count))

    def _table(self, reader: Reader) -> Limits:
        reader.reference()
        limits = reader.limits("table")
        if limits.minimum > self.caps.table_elements:
            raise over_cap("elements in a table", limits.minimum, self.caps.table_elements, "tables")
        return limits

    def _tables(self, reader: Reader) -> None:
        count = reader.count("tables", self.caps.tables - len(self.tables), "tables")
        self.tables += (self._table(reader) for _ in range(count))

    def _exports(self, reader: Reader) -> None:
        for index in range(reader.count("exports", self.caps.exports - len(self.exports), "exports")):
            name = reader.text(f"the name of export {index}", self.caps.name_bytes)
            if not name.isprintable():
                raise ModuleRefusedError(
                    f"the name of export {index} has characters that cannot be printed: {clean(name, 80)}",
                    check="names",
                )
            kind = self._kind(reader)
            self.exports.append((name, kind, reader.u32()))

    def _code(self, reader: Reader) -> None:
        count = reader.count("functions", self.caps.functions - self.bodies, "functions")
        self.bodies += count
        for _ in range(count):
            length = reader.u32()
            if length > reader.end - reader.pos:
                raise reader.ended()
            end, outer = reader.pos + length, reader.end
            reader.end = end
            declared = 0
            for _group in range(reader.count("groups of locals", self.caps.locals_each, "locals")):
                declared += max(1, reader.u32())
                reader.byte()
                if declared > self.caps.locals_each:
                    raise over_cap("locals in one function", declared, self.caps.locals_each, "locals")
            self.locals += declared
            if self.locals > self.caps.locals_total:
                raise over_cap("locals", self.locals, self.caps.locals_total, "locals")
            reader.pos, reader.end = end, outer

    def _data(self, reader: Reader) -> None:
        count = reader.count("data segments", self.caps.data_segments - self.segments, "data")
        self.segments += count
        for _ in range(count):
            flags = reader.u32()
            if flags & _EXPLICIT_MEMORY:
                reader.u32()
            if not flags & _PASSIVE:
                reader.constant()
            length = reader.u32()
            reader.take(length)
            self.data_bytes += length

    def facts(self, size: int) -> ModuleFacts:
        imported = [type_index for _, _, kind, type_index, _ in self.imports if kind == "func"]
        space = imported + self.functions

        def func_type(index: int) -> FuncType:
            if index >= len(self.types):
                raise ModuleRefusedError("the module is damaged: a function has no type", check="types")
            params, results = self.types[index]
            return FuncType(tuple(VALUE_TYPES[b] for b in params), tuple(VALUE_TYPES[b] for b in results))

        def export(name: str, kind: ExternKind, index: int) -> Export:
            if kind != "func":
                return Export(name, kind)
            if index >= len(space):
                raise ModuleRefusedError("the module is damaged: an export names no function", check="exports")
            return Export(name, kind, func_type(space[index]))

        return ModuleFacts(
            size=size,
            imports=tuple(
                Import(module, name, kind, func_type(index) if kind == "func" else None, limits)
                for module, name, kind, index, limits in self.imports
            ),
            exports=tuple(export(*entry) for entry in self.exports),
            functions=len(self.functions),
            tables=tuple(self.tables),
            memories=tuple(self.memories),
            data_segments=self.segments,
            data_bytes=self.data_bytes,
            has_start=self.has_start,
        )


def read_module(data: bytes, caps: Caps) -> ModuleFacts:
    """Reads the facts of a module under caps.

    Args:
        data: the whole file.
        caps: what it may have at most.

    Returns:
        The facts. The module may still be invalid.

    Raises:
        ModuleRefusedError: no module, damaged, over a cap, or of a proposal that is switched off.
    """
    _header(data, caps.size)
    walk = _Walk(caps)
    for number, _, start, end in split_sections(data):
        walk.section(number, Reader(data, start, end, _SECTIONS[number]))
    return walk.facts(len(data))
