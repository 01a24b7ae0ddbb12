"""The bare ABI for shipped modules: what a guest reads is set by the test, what it says is kept; nothing is checked."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

from wasmtime import Config, Engine, Func, FuncType, Instance, Memory, MemoryType, Module, Store


@cache
def _engine() -> Engine:
    return Engine(Config())


@cache
def _module(wasm: bytes) -> Module:
    return Module(_engine(), wasm)


@dataclass
class Host:
    """The bare ABI, with all permissions: what the guest reads is set, what it says is kept."""

    now: int = 1_700_000_000_000
    state: bytes = b""
    kept: bytes = b""
    tasks: bytes = b""
    members: bytes = b""
    event: bytes = b""
    layout_a: bytes = b""
    layout_d: bytes = b""
    forgets: bool = False
    log: list[str] = field(default_factory=list)
    emitted: list[tuple[str, ...]] = field(default_factory=list)

    def start(self, wasm: bytes) -> Callable[[str], None]:
        """A fresh instance; `init` ran."""
        module = _module(wasm)
        store = Store(_engine())
        memory: list[Memory] = []

        def write(data: bytes, at: int, room: int) -> int:
            if not data or len(data) > room:
                return 0
            memory[0].write(store, data, at)
            return len(data)

        def read(at: int, n: int) -> bytes:
            return bytes(memory[0].read(store, at, at + n))

        calls: dict[str, Callable[..., int | None]] = {
            "host_get_tasks": lambda p, n: write(self.tasks, p, n),
            "host_get_members": lambda p, n: write(self.members, p, n),
            "host_get_event": lambda p, n: write(self.event, p, n),
            "host_get_assignment_data": lambda p, n: write(self.layout_a, p, n),
            "host_get_dependency_data": lambda p, n: write(self.layout_d, p, n),
            "host_get_state": lambda p, n: write(self.state, p, n),
            "host_get_now": lambda: self.now,
            "host_set_state": lambda p, n: None if self.forgets else setattr(self, "state", read(p, n)),
            "host_log": lambda p, n: self.log.append(read(p, n).decode()),
            "host_emit_event": lambda p, n: self.emitted.append((read(p, n).decode(),)),
            "host_emit_urgency": lambda p, n: self.emitted.append((read(p, n).decode(),)),
            "host_emit_assignment": lambda p, n, q, m: self.emitted.append((read(p, n).decode(), read(q, m).decode())),
        }
        imports: list[Func | Memory] = []
        for item in module.imports:
            if isinstance(item.type, MemoryType):
                memory.append(Memory(store, item.type))
                imports.append(memory[0])
            else:
                assert isinstance(item.type, FuncType)
                imports.append(Func(store, item.type, calls[item.name or ""]))
        exports = Instance(store, module, imports).exports(store)
        call = lambda name: exports[name](store)  # noqa: E731 - what the caller keeps of this instance
        call("init")
        return call
