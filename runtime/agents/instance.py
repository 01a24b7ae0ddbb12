"""One live module: a store of its own, the host's memory, three entry points, each called under a deadline."""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import wasmtime
from wasmtime import _ffi as ffi
from wasmtime._extern import wrap_extern

from runtime.agents.abi import AgentLinker, AgentMemory, Serving
from runtime.agents.host import HostCall
from runtime.agents.interface import ENTRY_POINTS
from runtime.sandbox.call import PreparedCall, instantiate, prepare
from runtime.sandbox.engine import Ticker, limit_agent_store
from runtime.sandbox.outcome import Outcome

__all__ = ["AgentInstance", "AgentModule", "Sandbox"]


@dataclass(frozen=True, slots=True, weakref_slot=True)
class AgentModule:
    """Compiled code that many instances share.

    Attributes:
        module: for the agents' engine.
        imports: of the module, in order.
        memory: limits of its memory import in pages (minimum, maximum); None when it brings its own.
    """

    module: wasmtime.Module
    imports: Sequence[wasmtime.ImportType]
    memory: tuple[int, int | None] | None

    @classmethod
    def of(cls, module: wasmtime.Module) -> "AgentModule":
        """Looks at a module's imports once.

        Args:
            module: passed `binary.check_binary` before it was compiled.

        Returns:
            The module, ready for instances.
        """
        imports = module.imports
        limits = next((one.type.limits for one in imports if isinstance(one.type, wasmtime.MemoryType)), None)
        return cls(module, imports, None if limits is None else (limits.min, limits.max))


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What all agents of a process share.

    Attributes:
        engine: the agents' engine.
        linker: its host functions.
        ticker: moves its epoch while guests run.
        limit_ms: the deadline of each entry.
    """

    engine: wasmtime.Engine
    linker: AgentLinker
    ticker: Ticker
    limit_ms: int


class AgentInstance:
    """A module's instance; used by one thread at a time, and never again after a call that did not return.

    Made by `start`.
    """

    __slots__ = ("_calls", "_memory", "_sandbox", "_store")

    def __init__(
        self, sandbox: Sandbox, store: wasmtime.Store, memory: AgentMemory | None, calls: Sequence[PreparedCall]
    ) -> None:
        self._sandbox = sandbox
        self._store = store
        self._memory = memory
        self._calls = calls

    @classmethod
    def start(cls, sandbox: Sandbox, module: AgentModule, call: HostCall) -> "tuple[AgentInstance | None, Outcome]":
        """Instantiates a module, which runs its start section, and calls `init`; each under its deadline.

        Args:
            sandbox: what agents share.
            module: the compiled code.
            call: what the guest may see, and where its requests go.

        Returns:
            The instance and `returned`, with the time of both; or None and how it failed, with nothing left of it.
        """
        store = wasmtime.Store(sandbox.engine)
        instance, outcome = cls._link(sandbox, store, module, call)
        if instance is None:
            store.close()
            return None, outcome
        started = instance.call("init", call)
        started = replace(started, duration_us=outcome.duration_us + started.duration_us)
        if started.kind != "returned":
            instance.close()
            return None, started
        return instance, started

    @classmethod
    def _link(
        cls, sandbox: Sandbox, store: wasmtime.Store, module: AgentModule, call: HostCall
    ) -> "tuple[AgentInstance | None, Outcome]":
        limit_agent_store(store)
        try:
            memory = None if module.memory is None else AgentMemory(store, *module.memory)
            items = [item or _item(memory) for item in sandbox.linker.functions(store, module.imports)]
        except wasmtime.WasmtimeError as error:
            return None, Outcome("host", f"{type(error).__name__}: no memory for the agent")
        with Serving(call, memory):
            made, outcome = instantiate(
                store, lambda: wasmtime.Instance(store, module.module, items), sandbox.ticker, sandbox.limit_ms
            )
        if made is None:
            return None, outcome
        calls = [prepare(_export(store, made, name), store) for name in ENTRY_POINTS]
        return cls(sandbox, store, memory, calls), outcome

    def call(self, entry: str, call: HostCall) -> Outcome:
        """Calls an entry point.

        Args:
            entry: one of `interface.ENTRY_POINTS`.
            call: what the guest may see, and where its requests go.

        Returns:
            How it ended; anything but `returned` means that the instance has to be closed.
        """
        ticker = self._sandbox.ticker
        with Serving(call, self._memory), ticker.running():
            return self._calls[_INDEX[entry]](ticker.deadline_ticks(self._sandbox.limit_ms))

    def close(self) -> None:
        """Frees store and memory at once."""
        self._calls = ()
        self._memory = None
        self._store.close()


_INDEX: Final = {name: index for index, name in enumerate(ENTRY_POINTS)}


def _item(memory: AgentMemory | None) -> wasmtime.Memory:
    if memory is None:
        raise wasmtime.WasmtimeError("an import that is neither a host function nor the memory")
    return memory.item


def _export(store: wasmtime.Store, instance: wasmtime.Instance, name: str) -> wasmtime.Func:
    """One export by name; `Instance.exports` looks at all of them, in quadratic time."""
    raw = name.encode()
    found = ffi.wasmtime_extern_t()
    ok = ffi.wasmtime_instance_export_get(
        store._context(),  # noqa: SLF001 - the package is pinned; see the docstring
        ctypes.byref(instance._instance),  # noqa: SLF001 - as above
        ctypes.create_string_buffer(raw),
        len(raw),
        ctypes.byref(found),
    )
    item = wrap_extern(found) if ok else None
    if not isinstance(item, wasmtime.Func):
        raise TypeError(f"the module has no function {name}, although it was checked")
    return item
