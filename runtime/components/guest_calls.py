"""Calls what a component exports."""

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from runtime.components.engine_library import VALUE_BYTES, library
from runtime.components.errors import ComponentError
from runtime.components.lift import Value, value_at

__all__ = ["Guest", "exported_name"]

T = TypeVar("T")


class _Function(Protocol):
    """What is asked of `wasmtime.component.Func`."""

    @property
    def _func(self) -> ctypes.Structure: ...


class _Instance(Protocol):
    """What is asked of `wasmtime.component.Instance`."""

    def get_export_index(self, store: Any, name: str, instance: Any = None) -> Any: ...  # noqa: ANN401 - private types

    def get_func(self, store: Any, index: Any) -> "_Function | None": ...  # noqa: ANN401 - as above


class _Store(Protocol):
    """What is asked of `wasmtime.Store`."""

    def _context(self) -> "ctypes._Pointer[Any]": ...


def exported_name(exports: Sequence[str], interface: str) -> str | None:
    """The interface as the component names it: built with 1.0.3 of a package, it carries that version.

    Args:
        exports: names of the component's exports.
        interface: without version, such as `orlop:core/component-lifecycle`.
    """
    return next((name for name in exports if name.partition("@")[0] == interface), None)


@dataclass(slots=True)
class Guest:
    """One interface that an instance exports.

    For one thread; that no call begins before another has ended is the caller's to see to.

    Args:
        store: the instance's.
        instance: of the component.
        interface: its name as the component has it, with its version.
    """

    store: _Store
    instance: _Instance
    interface: str
    _functions: dict[str, ctypes.Structure] = field(default_factory=dict)

    def call(self, name: str, arguments: Sequence[Callable[[int], None]], lift: Callable[[Value], T]) -> T:
        """Calls a function that has a result.

        Args:
            name: of the function.
            arguments: each writes one argument at an address.
            lift: reads the result.

        Raises:
            wasmtime.WasmtimeError: a trap; the instance cannot be called again.
            ComponentError: there is no such function.
            ValueRefusedError: an argument does not fit its type.
            MismatchError: the result is not of the type that our WIT gives it.
        """
        engine = library()
        count = len(arguments)
        values = ctypes.create_string_buffer(
            VALUE_BYTES * (count + 1)
        )  # zeros: each is `false`; the last is the result
        start = ctypes.addressof(values)
        result = start + VALUE_BYTES * count
        try:
            function = self._function(name)
            for index, lower in enumerate(arguments):
                lower(start + VALUE_BYTES * index)
            context = ctypes.cast(self.store._context(), ctypes.c_void_p).value  # noqa: SLF001 - as wasmtime
            error = engine.call(ctypes.addressof(function), context, start, count, result, 1)
            if error:
                raise _trap(error)
            return lift(value_at(result))
        finally:
            for index in range(count + 1):
                engine.delete(start + VALUE_BYTES * index)

    def _function(self, name: str) -> ctypes.Structure:
        known = self._functions.get(name)
        if known is None:
            interface = self.instance.get_export_index(self.store, self.interface)
            index = interface and self.instance.get_export_index(self.store, name, interface)
            found = self.instance.get_func(self.store, index) if index else None
            if found is None:
                raise ComponentError("the component does not export it", where=f"{self.interface}#{name}")
            known = self._functions[name] = found._func  # noqa: SLF001 - the engine's own structure
        return known


def _trap(error: int) -> Exception:
    from wasmtime import WasmtimeError, _bindings

    pointer = ctypes.cast(error, ctypes.POINTER(_bindings.wasmtime_error_t))
    trap: Exception = WasmtimeError._from_ptr(pointer)  # noqa: SLF001 - takes over the error
    return trap
