"""What a component must be before it may be compiled: a walk over its sections, and over the modules within it.

Format: the component model's `Binary.md`. Read are the nesting, the names of imports and exports at the top, and of
each core module what `sections` reads; types and wiring are the engine's to validate, in a child with limits.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from runtime.sandbox.errors import ModuleRefusedError
from runtime.sandbox.facts import Caps
from runtime.sandbox.reader import Reader
from runtime.sandbox.sections import MAGIC, VERSION, read_module, split_sections
from runtime.sanitise import clean

__all__ = ["COMPONENT_CAPS", "COMPONENT_PREAMBLE", "ComponentFacts", "check_component", "strip_component"]

COMPONENT_PREAMBLE: Final = b"\0asm\x0d\0\1\0"

COMPONENT_CAPS: Final = Caps(
    size=64 * 1024 * 1024,
    functions=100_000,
    types=100_000,
    locals_each=50_000,
    locals_total=5_000_000,
    # An interpreter built of libraries that share one memory has thousands of each (componentize-py).
    imports=50_000,
    exports=50_000,
    name_bytes=4096,
    tables=8,
    table_elements=100_000,
    data_segments=20_000,
)
"""What one core module of a component may have; memory and tables are limited again when it is instantiated."""

_MODULES_MAX: Final = 256
_DEPTH_MAX: Final = 8
_NAMES_MAX: Final = 1_000
_NAME_BYTES: Final = 256

_CUSTOM, _CORE_MODULE, _COMPONENT, _IMPORT, _EXPORT = 0, 1, 4, 10, 11
_LAST_SECTION: Final = 12
_NAMES: Final = (
    "custom",
    "core module",
    "core instance",
    "core type",
    "component",
    "instance",
    "alias",
    "type",
    "canonical function",
    "start",
    "import",
    "export",
    "value",
)
_CORE_SORT: Final = 0x00
_CORE_MODULE_KIND, _TYPE_KIND = 0x00, 0x03
_INDEXED_KINDS: Final = (0x01, 0x04, 0x05)
"""Functions, components and instances: described by the index of a type."""


@dataclass(frozen=True, slots=True)
class ComponentFacts:
    """What is known of a component without compiling it.

    Attributes:
        size: bytes of the file.
        imports: names at the top, in the file's order, such as `orlop:core/storage@1.0.0`.
        exports: likewise.
        modules: core modules, nested ones included.
        memories: memories that they define, all together.
        memory_pages: the most pages with which one of them begins.
    """

    size: int
    imports: tuple[str, ...]
    exports: tuple[str, ...]
    modules: int
    memories: int
    memory_pages: int


def check_component(data: bytes) -> ComponentFacts:
    """The checks that every component passes before it is compiled.

    Args:
        data: the file.

    Returns:
        The facts. The component may still be invalid.

    Raises:
        ModuleRefusedError: no component, damaged, over a cap, or of a proposal that is switched off.
    """
    _header(data)
    walk = _Walk(data)
    walk.component(0, len(data), 0)
    return ComponentFacts(
        len(data), tuple(walk.imports), tuple(walk.exports), walk.modules, walk.memories, walk.memory_pages
    )


def strip_component(data: bytes) -> bytes:
    """Drops the custom sections, those of modules and components within it too.

    Names that a guest chose would otherwise reach messages of the engine.

    Args:
        data: a component that `check_component` took.
    """
    parts = [data[:8]]
    for number, begin, payload, end in _sections(data, 8, len(data)):
        if number == _CUSTOM:
            continue
        if number == _CORE_MODULE:
            inner = _strip_module(data[payload:end])
        elif number == _COMPONENT:
            inner = strip_component(data[payload:end])
        else:
            parts.append(data[begin:end])
            continue
        parts += [bytes([number]), _leb(len(inner)), inner]
    return b"".join(parts)


def _strip_module(module: bytes) -> bytes:
    kept = [module[begin:end] for number, begin, _, end in split_sections(module) if number]
    return b"".join([module[:8], *kept])


def _leb(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:  # noqa: PLR2004 - seven bits in each byte
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _header(data: bytes) -> None:
    if len(data) > COMPONENT_CAPS.size:
        raise ModuleRefusedError(
            f"the component has {len(data):,} bytes, and {COMPONENT_CAPS.size:,} are allowed", check="size"
        )
    if not data:
        raise ModuleRefusedError("the file is empty", check="empty")
    if data[:8] == COMPONENT_PREAMBLE:
        return
    if data[:8] == MAGIC + VERSION:
        raise ModuleRefusedError(
            "this is a core module, not a component",
            check="core-module",
            hint="make a component of it: wasm-tools component embed, then wasm-tools component new",
        )
    if data.lstrip()[:1] in (b"(", b";"):
        raise ModuleRefusedError("this is WebAssembly text, not a binary component", check="text")
    if COMPONENT_PREAMBLE.startswith(data[:8]):
        raise ModuleRefusedError("the component is truncated: its header ends early", check="truncated")
    if data[:4] != MAGIC:
        raise ModuleRefusedError("this is no WebAssembly component (it does not begin with \\0asm)", check="magic")
    layer, version = int.from_bytes(data[6:8], "little"), int.from_bytes(data[4:6], "little")
    raise ModuleRefusedError(
        f"the file has version {version} of layer {layer}, and only components of version 13 are known", check="version"
    )


def _sections(data: bytes, begin: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Number, offset of the section, of its payload and of its end."""
    pos = begin
    while pos < end:
        number = data[pos]
        if number > _LAST_SECTION:
            raise ModuleRefusedError(f"the component is damaged: there is no section {number}", check="sections")
        reader = Reader(data, pos + 1, end, _NAMES[number])
        length = reader.u32()
        if length > end - reader.pos:
            raise reader.ended()
        yield number, pos, reader.pos, reader.pos + length
        pos = reader.pos + length


class _Walk:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self.imports: list[str] = []
        self.exports: list[str] = []
        self.modules = self.memories = self.memory_pages = 0

    def component(self, begin: int, end: int, depth: int) -> None:
        if depth > _DEPTH_MAX:
            raise ModuleRefusedError(f"the component nests more than {_DEPTH_MAX} deep", check="nesting")
        if self._data[begin : begin + 8] != COMPONENT_PREAMBLE:
            raise ModuleRefusedError("the component is damaged: a component in it has no header", check="truncated")
        for number, _, payload, stop in _sections(self._data, begin + 8, end):
            if number == _CORE_MODULE:
                self._module(payload, stop)
            elif number == _COMPONENT:
                self.component(payload, stop, depth + 1)
            elif depth == 0 and number == _IMPORT:
                self._imports(Reader(self._data, payload, stop, "import"))
            elif depth == 0 and number == _EXPORT:
                self._exports(Reader(self._data, payload, stop, "export"))

    def _module(self, begin: int, end: int) -> None:
        self.modules += 1
        if self.modules > _MODULES_MAX:
            raise ModuleRefusedError(f"the component has more than {_MODULES_MAX} core modules", check="modules")
        facts = read_module(self._data[begin:end], COMPONENT_CAPS)
        self.memories += len(facts.memories)
        self.memory_pages = max([self.memory_pages, *(limits.minimum for limits in facts.memories)])

    def _imports(self, reader: Reader) -> None:
        for _ in range(reader.count("imports", _NAMES_MAX - len(self.imports), "imports")):
            self.imports.append(self._name(reader, "an import"))
            self._description(reader)

    def _exports(self, reader: Reader) -> None:
        for _ in range(reader.count("exports", _NAMES_MAX - len(self.exports), "exports")):
            self.exports.append(self._name(reader, "an export"))
            if reader.byte() == _CORE_SORT:
                reader.byte()
            reader.u32()
            if reader.byte():  # a type is given to it
                self._description(reader)

    def _name(self, reader: Reader, what: str) -> str:
        kind = reader.byte()
        if kind > 1:  # names with attributes belong to proposals that the engine does not have
            raise ModuleRefusedError(f"the name of {what} is of a newer kind ({kind})", check="names")
        name = reader.text(f"the name of {what}", _NAME_BYTES)
        if not name.isprintable():
            raise ModuleRefusedError(
                f"the name of {what} has characters that cannot be printed: {clean(name, 80)}", check="names"
            )
        return name

    def _description(self, reader: Reader) -> None:
        """Skips what an import or export is."""
        kind = reader.byte()
        if kind == _CORE_MODULE_KIND:
            reader.byte()
            reader.u32()
        elif kind == _TYPE_KIND:
            if reader.byte() == 0:  # equal to what the index names; else any resource, without one
                reader.u32()
        elif kind in _INDEXED_KINDS:
            reader.u32()
        else:
            raise ModuleRefusedError(f"the component imports or exports a thing of a newer kind ({kind})", check="kind")
