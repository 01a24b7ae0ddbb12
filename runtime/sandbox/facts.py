"""What is known of a module without compiling it, and what it may have at most."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["Caps", "Export", "ExternKind", "FuncType", "Import", "Limits", "ModuleFacts"]

ExternKind = Literal["func", "table", "memory", "global"]


@dataclass(frozen=True, slots=True)
class Caps:
    """What a kind of guest may have at most. Sizes in bytes, tables in elements."""

    size: int
    functions: int
    types: int
    locals_each: int = 10_000
    locals_total: int = 500_000
    imports: int = 1_000
    exports: int = 1_000
    name_bytes: int = 256
    tables: int = 4
    table_elements: int = 10_000
    data_segments: int = 1_000


@dataclass(frozen=True, slots=True)
class FuncType:
    """A function's type; value types by their names in the text format."""

    params: tuple[str, ...]
    results: tuple[str, ...]

    def __str__(self) -> str:
        """As `(i32, i32) -> i64`."""
        results = self.results[0] if len(self.results) == 1 else f"({', '.join(self.results)})"
        return f"({', '.join(self.params)}) -> {results}"


@dataclass(frozen=True, slots=True)
class Limits:
    """Of a memory in pages of 64 KiB, of a table in elements; `maximum` None when none is declared."""

    minimum: int
    maximum: int | None


@dataclass(frozen=True, slots=True)
class Import:
    """What a module asks of its host. Names are the module's own: clean them before they are shown."""

    module: str
    name: str
    kind: ExternKind
    type: FuncType | None = None
    limits: Limits | None = None


@dataclass(frozen=True, slots=True)
class Export:
    """What a module offers; its name is printable."""

    name: str
    kind: ExternKind
    type: FuncType | None = None


@dataclass(frozen=True, slots=True)
class ModuleFacts:
    """What is known of a module without compiling it.

    Attributes:
        size: bytes of the file.
        imports: in the file's order.
        exports: in the file's order.
        functions: how many it defines itself.
        tables: its own tables.
        memories: its own memories.
        data_segments: how many.
        data_bytes: their bytes together.
        has_start: a start section runs at instantiation.
    """

    size: int
    imports: tuple[Import, ...]
    exports: tuple[Export, ...]
    functions: int
    tables: tuple[Limits, ...]
    memories: tuple[Limits, ...]
    data_segments: int
    data_bytes: int
    has_start: bool

    def export(self, name: str) -> Export | None:
        """The export of that name, if there is one."""
        return next((export for export in self.exports if export.name == name), None)

    @property
    def memory_import(self) -> Import | None:
        """The first imported memory, if there is one."""
        return next((entry for entry in self.imports if entry.kind == "memory"), None)

    @property
    def memory_minimum(self) -> int:
        """Pages of the memory that it starts with at least, its own or imported; 0 without one."""
        imported = self.memory_import
        if imported is not None and imported.limits is not None:
            return imported.limits.minimum
        return self.memories[0].minimum if self.memories else 0
