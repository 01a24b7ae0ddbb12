"""What tests of running components share: guests, limits, a desk that remembers, and calls by name."""

import asyncio
import base64
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from runtime.canonical import Json
from runtime.components import running as running_module
from runtime.components.host.context import ComponentId
from runtime.components.permissions import Policy
from runtime.components.running import Called, Running
from runtime.components.worker.wire import LoadLimits
from runtime.components.workers import Start
from runtime.sandbox.compile import Compiler

GUESTS = Path(__file__).parents[1] / "guests"
LONG_MS = 120_000
"""A deadline that no test waits for."""

LIMITS = LoadLimits(
    memory=16 << 20,
    table_elements=20_000,
    instances=64,
    memories=1,
    fuel=None,
    call_timeout_ms=5_000,
    cpu_per_minute_ms=60_000,
    handles=256,
    sockets=64,
    children=4,
    open_files=128,
    filesystem=256 << 20,
    message=256 << 10,
    log_rate=50,
)


@dataclass
class RememberingDesk:
    """Keeps what components store, and what they tell."""

    stored: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, Mapping[str, Json]]] = field(default_factory=list)
    askers: list[str] = field(default_factory=list)
    heard: list[tuple[str, str, Mapping[str, Json]]] = field(default_factory=list)
    waits: asyncio.Event | None = None

    async def answer(self, component: ComponentId, kind: str, fields: Mapping[str, Json]) -> Json:
        self.asked.append((kind, fields))
        self.askers.append(str(component))
        if self.waits is not None:
            await self.waits.wait()
        if kind == "storage.set":
            self.stored[str(fields["key"])] = str(fields["value"])
            return {"ok": None}
        if kind == "storage.get":
            return {"ok": self.stored.get(str(fields["key"]))}
        raise LookupError(kind)

    def told(self, component: ComponentId, kind: str, fields: Mapping[str, Json]) -> None:
        self.heard.append((str(component), kind, fields))

    def lines(self) -> list[Json]:
        """What components logged."""
        return [fields["message"] for _, kind, fields in self.heard if kind == "log"]


def be_patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has the core wait for workers for as long as a busy machine may make them late."""
    monkeypatch.setattr(running_module, "GRACE_S", 100.0)
    monkeypatch.setattr(running_module, "_UNLOAD_S", 100.0)


def compiled(name: str) -> bytes:
    """The code of a guest that is checked in."""
    with Compiler(None) as compiler:
        return compiler.compile("component", (GUESTS / f"{name}.wasm").read_bytes())


def start_of(code: bytes, *, instance: int = 0, policy: Policy | None = None, **changes: int) -> Start:
    """A start of the doer; `changes` are to its limits."""
    component = ComponentId("acme", "doer", "1.0.0", instance)
    return Start(component, "orlop:core/component", code, policy or Policy(), replace(LIMITS, **changes))


def config(wish: bytes | None = None) -> dict[str, Json]:
    """Arguments of `init`."""
    limits: dict[str, Json] = {
        "max_memory_bytes": 1,
        "max_cpu_time_ms": 2,
        "max_execution_time_ms": 3,
        "max_fuel": None,
        "max_handles": 4,
    }
    data = None if wish is None else base64.b64encode(wish).decode()
    return {"config": {"env_vars": [["LANG", "C"]], "config_data": data, "limits": limits, "restart_count": 0}}


async def execute(running: Running, operation: str, given: bytes = b"", timeout_ms: int = LONG_MS) -> Called:
    """Has an operation executed."""
    context: dict[str, Json] = {"request_id": 1, "timeout_ms": timeout_ms, "caller": None, "trace_id": "t"}
    arguments: dict[str, Json] = {
        "operation": operation,
        "input": base64.b64encode(given).decode(),
        "context": context,
    }
    return await running.call("execute", arguments, timeout_ms)


def said(called: Called) -> str:
    """The text that an operation answered, or why it did not."""
    assert called.returned, called
    assert isinstance(called.value, dict)
    if "err" in called.value:
        return f"error: {': '.join(called.value['err'])}"
    return base64.b64decode(str(called.value["ok"])).decode()
