"""What an agent keeps resident: thousands of instances of one module, each with a touched page of its own memory."""

import gc
import os
from typing import Final

import wasmtime

from bench.guests import TOUCH, agent_wasm
from bench.measure import Figure, figure, percentile, wall_us
from bench.processes import memory_kib
from bench.rows_call import room, sandbox_of
from runtime.agents.host import HostCall
from runtime.agents.instance import AgentInstance, AgentModule
from runtime.agents.manifest import Permission

__all__ = ["measure"]

_TARGET_KIB: Final = 21.0
_PARTS: Final = 5


def measure(*, quick: bool) -> list[Figure]:
    """Measures it."""
    many = 1_000 if quick else 10_000
    sandbox = sandbox_of()
    module = AgentModule.of(wasmtime.Module(sandbox.engine, agent_wasm(TOUCH)))
    host = HostCall(room(0), frozenset(Permission), None, lambda: 0, None)
    alive: list[AgentInstance] = []

    def start() -> None:
        instance, outcome = AgentInstance.start(sandbox, module, host)
        if instance is None or instance.call("on_tick", host).kind != "returned":
            raise RuntimeError(outcome.detail)
        alive.append(instance)

    start()
    each, took = [], []
    for _ in range(_PARTS):
        before = _own_kib()
        took += [wall_us(start) for _ in range(many // _PARTS)]
        each.append((_own_kib() - before) / (many // _PARTS))
    mappings = len(_mappings()) / many
    lines = [
        figure(
            f"resident per instance, of {many:,} alive",
            "KiB",
            each,
            bound=_TARGET_KIB,
            bound_of="median",
            note=f"{mappings:.1f} kernel mappings each",
        ),
        figure("instance made, `init` and one tick run", "µs", [percentile(took, 50)], note="median of all"),
    ]
    for instance in alive:
        instance.close()
    sandbox.ticker.close()  # type: ignore[attr-defined]
    return lines


def _own_kib() -> int:
    gc.collect()
    return memory_kib(os.getpid())[0]


def _mappings() -> list[str]:
    with open("/proc/self/maps", encoding="utf-8") as maps:  # noqa: PTH123 - a stream, not a file to keep
        return maps.readlines()
