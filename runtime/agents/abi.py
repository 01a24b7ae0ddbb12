"""The twelve host functions in one linker that all agents of an engine share.

A linked function finds the call that it serves in a thread-local variable: a store is entered by one thread at a time,
so the thread is the call. No host function ever raises: the engine keeps exceptions of all threads in one global.
"""

import ctypes
import threading
from collections.abc import Callable, Sequence
from typing import Final

import wasmtime

from runtime.agents.host import GuestMemory, HostCall
from runtime.agents.interface import FUNCTIONS, MODULE, NOW, NOW_TYPES
from runtime.sandbox.engine import AGENT_PAGES

__all__ = ["AgentLinker", "AgentMemory", "Serving"]

_KINDS: Final[dict[str, Callable[[], wasmtime.ValType]]] = {
    "i32": wasmtime.ValType.i32,
    "i64": wasmtime.ValType.i64,
    "f64": wasmtime.ValType.f64,
}


_SERVED: Final[dict[str, Callable[..., int | None]]] = {
    "host_get_tasks": HostCall.get_tasks,
    "host_get_members": HostCall.get_members,
    "host_get_event": HostCall.get_event,
    "host_emit_event": HostCall.emit_event,
    "host_get_state": HostCall.get_state,
    "host_set_state": HostCall.set_state,
    "host_log": HostCall.write_log,
    "host_get_assignment_data": HostCall.get_assignment_data,
    "host_emit_assignment": HostCall.emit_assignment,
    "host_get_dependency_data": HostCall.get_dependency_data,
    "host_emit_urgency": HostCall.emit_urgency,
}
"""What each host function does, but for `host_get_now`, which is bound by its declared type."""


class _Current(threading.local):
    """What the thread is doing."""

    call: HostCall | None = None
    memory: GuestMemory | None = None


_current = _Current()


class AgentMemory:
    """The memory that the host made for one agent.

    The engine reserves its whole size at once (`memory_may_move` is off), so its base address is looked up once.

    Args:
        store: the agent's store.
        minimum: pages that the module's import asks for.
        maximum: pages that it allows; None for no limit of its own.
    """

    __slots__ = ("_base", "_store", "item")

    def __init__(self, store: wasmtime.Store, minimum: int, maximum: int | None) -> None:
        limits = wasmtime.Limits(max(1, minimum), AGENT_PAGES if maximum is None else min(AGENT_PAGES, maximum))
        self.item = wasmtime.Memory(store, wasmtime.MemoryType(limits))
        self._store = store
        self._base = ctypes.addressof(self.item.data_ptr(store).contents)

    def holds(self, ptr: int, length: int) -> bool:
        """Whether all these bytes are inside."""
        return ptr >= 0 and length >= 0 and ptr + length <= self.item.data_len(self._store)

    def read(self, ptr: int, length: int) -> bytes | None:
        """The bytes there, or None when they are not all inside."""
        return ctypes.string_at(self._base + ptr, length) if self.holds(ptr, length) else None

    def write(self, ptr: int, data: bytes) -> bool:
        """Writes all of `data`, or nothing."""
        if not self.holds(ptr, len(data)):
            return False
        ctypes.memmove(self._base + ptr, data, len(data))
        return True


class AgentLinker:
    """The host functions of one engine.

    Args:
        engine: the agents' engine.
    """

    def __init__(self, engine: wasmtime.Engine) -> None:
        self._linker = wasmtime.Linker(engine)
        for name, kind in FUNCTIONS.items():
            if name == NOW:
                continue
            linked = wasmtime.FuncType([_KINDS[one]() for one in kind.params], [_KINDS[one]() for one in kind.results])
            self._linker.define_func(MODULE, name, linked, _serving(_SERVED[name], answers=bool(kind.results)))
        for result in NOW_TYPES:
            now = _now_exact if result == "f64" else _now
            self._linker.define_func(MODULE, _now_name(result), wasmtime.FuncType([], [_KINDS[result]()]), now)

    def functions(self, store: wasmtime.Store, imports: Sequence[wasmtime.ImportType]) -> list[wasmtime.Func | None]:
        """The functions that a module imports.

        Args:
            store: the agent's store.
            imports: of a module that passed `binary.check_binary`.

        Returns:
            One entry per import, in order; None where the agent's memory goes.
        """
        found: list[wasmtime.Func | None] = []
        for one in imports:
            kind = one.type
            if not isinstance(kind, wasmtime.FuncType):
                found.append(None)
                continue
            name = _now_name(str(kind.results[0])) if one.name == NOW else str(one.name)
            item = self._linker.get(store, MODULE, name)
            found.append(item if isinstance(item, wasmtime.Func) else None)
        return found


class Serving:
    """While it is held, host functions on this thread serve one call.

    Args:
        call: what the guest may see, and where its requests go.
        memory: the agent's memory; None for a module that brought its own, which the host never touches.
    """

    __slots__ = ("_call", "_memory")

    def __init__(self, call: HostCall, memory: GuestMemory | None) -> None:
        self._call = call
        self._memory = memory

    def __enter__(self) -> None:
        _current.call, _current.memory = self._call, self._memory

    def __exit__(self, *_error: object) -> None:
        _current.call = _current.memory = None


def _now_name(result: str) -> str:
    """The name under which the linker keeps a variant; no module can import it, because its import would be unknown."""
    return f"{NOW}:{result}"


def _now() -> int:
    call = _current.call
    try:
        return 0 if call is None else call.get_now()
    except BaseException as error:  # noqa: BLE001 - see the module's docstring
        _blame(call, error)
        return 0


def _now_exact() -> float:
    return float(_now())


def _serving(method: Callable[..., int | None], *, answers: bool) -> Callable[..., int | None]:
    """The Python function that the linker calls for one host function."""
    nothing = 0 if answers else None

    def serve(*numbers: int) -> int | None:
        call = _current.call
        try:
            if call is None:
                return nothing
            return method(call, _current.memory or _NO_MEMORY, *numbers)
        except BaseException as error:  # noqa: BLE001 - see the module's docstring
            _blame(call, error)
            return nothing

    return serve


def _blame(call: HostCall | None, error: BaseException) -> None:
    if call is not None and call.fault is None:
        call.fault = error


class _NoMemory:
    """Stands for the host's memory where a module brought its own: everything is out of bounds."""

    def holds(self, _ptr: int, _length: int) -> bool:
        return False

    def read(self, _ptr: int, _length: int) -> bytes | None:
        return None

    def write(self, _ptr: int, _data: bytes) -> bool:
        return False


_NO_MEMORY: Final = _NoMemory()
