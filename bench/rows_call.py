"""What one call of an agent costs: orlop's guarded call beside the engine's bare one, and a shipped agent at work."""

import ctypes
from collections.abc import Callable, Sequence
from typing import Final

import wasmtime

from bench.guests import EMPTY, agent_wasm, shipped
from bench.measure import Figure, alternate, figure, wall_us
from runtime.agents.abi import AgentLinker
from runtime.agents.calls import perform
from runtime.agents.host import HostCall
from runtime.agents.instance import AgentInstance, AgentModule, Sandbox
from runtime.agents.manifest import Permission
from runtime.agents.view import AgentView
from runtime.rooms.members import Member
from runtime.rooms.tasks import Task
from runtime.sandbox.engine import EpochTicker, agent_engine

__all__ = ["bare_call", "measure", "raw_call", "sandbox_of"]

_NOW: Final = 1_700_000_000_000
_MEMBER: Final = "M" * 43
_TASKS: Final = 100


def measure(*, quick: bool) -> list[Figure]:
    """Measures it."""
    rounds, times = (20, 200) if quick else (100, 500)
    sandbox = sandbox_of()
    module = AgentModule.of(wasmtime.Module(sandbox.engine, agent_wasm(EMPTY)))
    view = room(_TASKS)
    host = HostCall(view, frozenset(Permission), None, lambda: _NOW, None)
    instance, outcome = AgentInstance.start(sandbox, module, host)
    if instance is None:
        raise RuntimeError(outcome.detail)
    guarded, public, raw = alternate(
        rounds,
        lambda: wall_us(lambda: instance.call("on_tick", host), times),
        lambda: wall_us(bare_call(sandbox.engine), times),
        lambda: wall_us(raw_call(sandbox.engine), times),
    )
    lines = [
        figure("guarded call of an empty tick", "µs", guarded, against=("engine's public call, empty", public)),
        figure("engine's public call, empty", "µs", public, against=("engine's raw call, empty", raw)),
    ]
    lines.append(_at_work(sandbox, view, guarded, rounds, times))
    sandbox.ticker.close()  # type: ignore[attr-defined]
    return lines


def _at_work(sandbox: Sandbox, view: AgentView, guarded: Sequence[float], rounds: int, times: int) -> Figure:
    module = AgentModule.of(wasmtime.Module(sandbox.engine, shipped("auto-balance").read_bytes()))
    first = HostCall(view, frozenset(Permission), None, lambda: _NOW, None)
    instance = perform(sandbox, module, None, first, "init", tasks=view.tasks).instance

    def tick() -> None:
        host = HostCall(view, frozenset(Permission), None, lambda: _NOW, None)
        if not perform(sandbox, module, instance, host, "tick", tasks=view.tasks).ok:
            raise RuntimeError("auto-balance failed")

    (samples,) = alternate(rounds, lambda: wall_us(tick, max(1, times // 10)))
    what = f"tick of auto-balance in a room of {_TASKS} tasks, emissions read"
    return figure(what, "µs", samples, against=("guarded call of an empty tick", guarded))


def sandbox_of(limit_ms: int = 5000) -> Sandbox:
    """What agents share, made as the executor makes it."""
    engine = agent_engine()
    return Sandbox(engine, AgentLinker(engine), EpochTicker(engine), limit_ms)


def room(tasks: int) -> AgentView:
    """A room with so many tasks, all assigned, so that nothing is emitted."""
    listed = [
        Task(
            id=f"{number:036d}",
            title=f"task {number}",
            status="in_progress",
            created_by=_MEMBER,
            created_at=_NOW,
            updated_at=_NOW,
            assignee=_MEMBER,
        )
        for number in range(tasks)
    ]
    return AgentView(
        {task.id: task for task in listed}, [Member(identity_key=_MEMBER, display_name="me", is_self=True)]
    )


def _empty(engine: wasmtime.Engine) -> tuple[wasmtime.Store, wasmtime.Func]:
    store = wasmtime.Store(engine)
    store.set_epoch_deadline(10**9)
    module = wasmtime.Module(engine, '(module (func (export "f")))')
    func = wasmtime.Instance(store, module, []).exports(store)["f"]
    if not isinstance(func, wasmtime.Func):
        raise TypeError("no function")
    return store, func


def bare_call(engine: wasmtime.Engine) -> Callable[[], object]:
    """An empty export by the engine's public interface."""
    store, func = _empty(engine)
    return lambda: func(store)


def raw_call(engine: wasmtime.Engine) -> Callable[[], object]:
    """An empty export past the package's public interface, the least that a call can cost."""
    from wasmtime import _ffi as ffi

    store, func = _empty(engine)
    enter = ctypes.CDLL(ffi.dll._name).wasmtime_func_call_unchecked  # noqa: SLF001 - the package is pinned
    enter.restype = ctypes.c_void_p
    enter.argtypes = [ctypes.c_void_p] * 3 + [ctypes.c_size_t, ctypes.c_void_p]
    context = ctypes.cast(store._context(), ctypes.c_void_p).value  # noqa: SLF001 - as above
    slots, trap = (ctypes.c_uint64 * 4)(), ctypes.c_void_p()
    function, values, trapped = ctypes.addressof(func._func), ctypes.addressof(slots), ctypes.addressof(trap)  # noqa: SLF001 - as above

    alive = (store, func, slots)  # the call has only their addresses

    def call() -> None:
        if enter(context, function, values, 2, trapped) or trap.value:
            raise RuntimeError(f"the raw call failed: {alive}")

    return call
