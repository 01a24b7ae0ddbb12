"""Gives the engine functions and resources of the host, called through one C callback each.

A callback never raises into the engine, and never writes a result that the guest's type does not have. What goes wrong
in a way that no answer can say (a guest built with another WIT, a fault in a function without an error variant) ends
the guest's call with a text, and with it the instance.
"""

import ctypes
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias, TypeVar

from runtime.components.engine_library import library
from runtime.components.errors import ComponentError
from runtime.components.lift import Value, values_at
from runtime.components.lower import Lower, discard
from runtime.components.values import Calls, Handles

__all__ = ["Adapter", "HostFaultError", "LinkerPart", "add_function", "add_resource", "answer", "answer_or_trap"]

T = TypeVar("T")

Adapter: TypeAlias = Callable[[int, Sequence[Value], int], None]
"""Takes the store's context, the arguments, and where the result goes."""


class HostFaultError(ComponentError):
    """A function of the host that has no way to answer so has failed."""


class LinkerPart(Protocol):
    """A part of `wasmtime.component.Linker` in which names are defined."""

    def ptr(self) -> object:
        """The engine's pointer to it."""
        ...


@dataclass(frozen=True, slots=True)
class _Function:
    adapter: Adapter
    parameters: int
    results: int


_FUNCTIONS: Final[dict[int, _Function]] = {}
_RESOURCES: Final[dict[int, Handles]] = {}
_numbers: Final = itertools.count(1)  # 0 would arrive as a null pointer


def answer(  # noqa: PLR0917 - written by a generator
    calls: Calls, op: str, at: int, work: Callable[[], T], lower: Lower[T], fault: Callable[[str], T], *, hot: bool
) -> None:
    """Runs an operation in the frame of its instance, and writes its answer, or that of a fault.

    Args:
        calls: the frame.
        op: the operation's label.
        at: where the answer goes.
        work: does it.
        lower: writes an answer.
        fault: the answer to a fault of the host, from a text.
        hot: the operation's records are summed.
    """

    def run() -> T:
        value = work()
        lower(at, value)
        return value

    def failed(text: str) -> T:
        value = fault(text)
        discard(at)
        lower(at, value)
        return value

    calls.call(op, run, failed, hot=hot)


def answer_or_trap(calls: Calls, op: str, at: int, work: Callable[[], T], lower: Lower[T], *, hot: bool) -> None:
    """The same for an operation that has no error in the WIT: a fault ends the instance.

    Raises:
        HostFaultError: the host has failed.
    """

    def fault(text: str) -> T:
        raise HostFaultError(text)

    answer(calls, op, at, work, lower, fault, hot=hot)


def add_function(part: LinkerPart, name: str, adapter: Adapter, parameters: int, results: int) -> None:
    """Defines a function.

    Args:
        part: the interface's part of a linker.
        name: as the WIT's, such as `[method]file.read`.
        adapter: takes calls.
        parameters: how many it has.
        results: 1 when the function has a result, else 0.
    """
    number = next(_numbers)
    _FUNCTIONS[number] = _Function(adapter, parameters, results)
    data = name.encode()
    _raise(library().add_function(_address(part), data, len(data), _callback_at, number, _forget_at), name)


def add_resource(part: LinkerPart, name: str, resource_type: int, handles: Handles) -> None:
    """Defines a resource of the host.

    Args:
        part: the interface's part of a linker.
        name: as the WIT's.
        resource_type: tells it from other resources.
        handles: told which numbers the guest drops.
    """
    from wasmtime.component import ResourceType

    number = next(_numbers)
    _RESOURCES[number] = handles
    data = name.encode()
    with ResourceType.host(resource_type) as kind:
        at = _address(kind)
        _raise(library().add_resource(_address(part), data, len(data), at, _drop_at, number, _forget_at), name)


def _address(thing: LinkerPart) -> int:
    return ctypes.cast(thing.ptr(), ctypes.c_void_p).value or 0  # type: ignore[arg-type]


def _raise(error: int, name: str) -> None:
    if error:
        library().delete_error(error)
        raise ComponentError("the engine does not take the definition", where=name)


def _enter(  # noqa: PLR0917 - the engine's
    number: int, context: int, _type: int, arguments: int, count: int, results: int, result_count: int
) -> int:
    try:
        function = _FUNCTIONS[number]
        if count != function.parameters or result_count != function.results:
            return _error("its type is not the one that orlop gives it")
        function.adapter(context, values_at(arguments, count), results)
        return 0
    except BaseException as error:  # noqa: BLE001 - an exception here would be a wild pointer to the engine
        return _error(str(error) or type(error).__name__)


def _drop(number: int, _context: int, handle: int) -> int:
    try:
        _RESOURCES[number].drop(handle)
        return 0
    except BaseException as error:  # noqa: BLE001 - as above
        return _error(str(error) or type(error).__name__)


def _forget(
    number: int, functions: dict[int, _Function] = _FUNCTIONS, resources: dict[int, Handles] = _RESOURCES
) -> None:  # by default arguments: a linker may go after this module's names have, at the interpreter's end
    functions.pop(number, None)
    resources.pop(number, None)


def _error(text: str) -> int:
    made: int = library().new_error(text.encode("utf-8", "replace").replace(b"\0", b" "))
    return made


_SIZE: Final = ctypes.c_size_t
# These live as long as the process: the engine may call them until the last linker and store are gone.
_callback: Final = ctypes.CFUNCTYPE(_SIZE, _SIZE, _SIZE, _SIZE, _SIZE, _SIZE, _SIZE, _SIZE)(_enter)
_dropped: Final = ctypes.CFUNCTYPE(_SIZE, _SIZE, _SIZE, ctypes.c_uint32)(_drop)
_forgotten: Final = ctypes.CFUNCTYPE(None, _SIZE)(_forget)
_callback_at, _drop_at, _forget_at = (
    ctypes.cast(function, ctypes.c_void_p).value or 0 for function in (_callback, _dropped, _forgotten)
)
