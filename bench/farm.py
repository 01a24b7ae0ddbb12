"""Many live agents on the real executor, store and sandbox; each call's lateness is taken from outside.

The core has a thread and a loop of its own, as in the program. A tick is late by the time from when it was due until
its call had ended and the core's loop knew.
"""

import asyncio
import gc
import os
import threading
import time
from collections import defaultdict
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from bench.guests import agent_wasm
from bench.processes import memory_kib
from runtime import statedir
from runtime.account import MemberAccount
from runtime.agents.executor import Executor
from runtime.agents.keys import AgentKey
from runtime.agents.live import LiveAgent
from runtime.agents.manifest import Permission, make_manifest
from runtime.agents.modules import AgentModules
from runtime.agents.records import AgentRecord, save_record
from runtime.agents.runner import Runner
from runtime.agents.ticks import TickSchedule
from runtime.agents.trust import UNSIGNED
from runtime.clock import SystemClock
from runtime.journal import Journal
from runtime.keys import load_identity
from runtime.rooms.room import Rooms
from runtime.sandbox.compile import Compiler
from runtime.store import Store, Transaction
from runtime.vault import Vault

__all__ = ["Farm", "Lag"]

_T = TypeVar("_T")

_LAG_EVERY_S: Final = 0.05


@dataclass(slots=True)
class Lag:
    """How late a timer fires on some loop, in milliseconds."""

    late_ms: list[float] = field(default_factory=list)

    async def watch(self) -> None:
        """Measures until it is cancelled."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due = max(due, loop.time()) + _LAG_EVERY_S
            await asyncio.sleep(max(0.0, due - loop.time()))
            self.late_ms.append((loop.time() - due) * 1000)


class Farm:
    """A core of agents alone.

    Args:
        folder: an empty folder.
        ticks: by kind, the body of its `on_tick` in text, and how many agents of it there are.
        interval_ms: between two ticks.
        limit_ms: the deadline of a call.
    """

    def __init__(
        self, folder: Path, ticks: Mapping[str, tuple[str, int]], *, interval_ms: int, limit_ms: int = 5_000
    ) -> None:
        self.late_ms: dict[str, list[float]] = defaultdict(list)
        """Of every tick since `forget`, by kind."""
        self.failed = 0
        self.core_lag = Lag()
        self._due: dict[AgentKey, float] = {}
        self._next: dict[AgentKey, float] = {}
        self._state = statedir.prepare(folder)
        self._clock = SystemClock()
        self._store = Store.open(self._state.database, self._clock, owner=True)
        Journal(self._store)
        self._vault = Vault.load_or_create(self._state)
        self._compiler = Compiler(self._state.compiled_cache, self._vault.subkey("compiled-cache"))
        account = MemberAccount.load_or_create(self._store, self._vault)
        self._rooms = Rooms(self._store, self._vault, account, load_identity(self._state, self._store))
        self._room = self._rooms.create("farm").result().room
        self._modules = AgentModules(self._store, self._state.modules, self._rooms, self._compiler, self._vault)
        self._settings = {"interval_ms": interval_ms, "limit_ms": limit_ms}
        self._executor: Executor | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="orlop-core", daemon=True)
        self._thread.start()
        self._watch: asyncio.Task[None] | None = None
        self.count = sum(many for _, many in ticks.values())
        self._store.write(lambda tx: self._plant(tx, ticks)).result()
        self._hook()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._on_core(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._compiler.close()
        self._store.close()

    def start(self) -> float:
        """Brings all agents to life, as at the start of the program.

        Returns:
            Seconds until all were active.
        """
        began = time.perf_counter()
        active = self._on_core(self._start())
        if active != self.count:
            raise RuntimeError(f"{active} of {self.count} agents are active")
        return time.perf_counter() - began

    def forget(self) -> None:
        """Begins to measure anew."""
        self._loop.call_soon_threadsafe(self._clear)

    def resident_kib(self) -> int:
        """What this process has resident."""
        gc.collect()
        return memory_kib(os.getpid())[0]

    # --- on the core's loop -----------------------------------------------------------------------------------------

    def _on_core(self, work: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _start(self) -> int:
        executor = self._executor = Executor(
            self._modules,
            self._rooms,
            self._vault,
            self._clock,
            runner=self._rooms.self_key,
            **self._settings,  # type: ignore[arg-type]
        )
        self._watch = asyncio.get_running_loop().create_task(self.core_lag.watch())
        return await executor.restore()

    async def _stop(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
        if self._executor is not None:
            await self._executor.shutdown()

    def _hook(self) -> None:
        """What is measured has no hook in the product: the schedule knows what is due, the runner when it is done."""
        push, enter = TickSchedule._push, Runner.enter  # noqa: SLF001 - see above

        def noted(schedule: TickSchedule[AgentKey], key: AgentKey, at: float) -> None:
            if key in self._next:
                self._due[key] = self._next[key]
            self._next[key] = at
            push(schedule, key, at)

        async def timed(runner: Runner, live: LiveAgent, trigger: str, *rest: Any) -> Any:  # noqa: ANN401 - the runner's
            made = await enter(runner, live, trigger, *rest)  # type: ignore[arg-type]
            if trigger == "tick":
                kind = live.key.agent.partition("-")[0]
                self.late_ms[kind].append((time.monotonic() - self._due[live.key]) * 1000)
                self.failed += not made.done.ok
            return made

        TickSchedule._push = noted  # type: ignore[method-assign, assignment] # noqa: SLF001 - see above
        Runner.enter = timed  # type: ignore[method-assign, assignment]

    def _clear(self) -> None:
        self.late_ms.clear()
        self.core_lag.late_ms.clear()
        self.failed = 0

    # --- on the store's thread --------------------------------------------------------------------------------------

    def _plant(self, tx: Transaction, ticks: Mapping[str, tuple[str, int]]) -> None:
        """Writes the agents down as uploaded and active: uploading thousands would take minutes of commits."""
        for kind, (body, many) in ticks.items():
            wasm = agent_wasm(body)
            digest = self._modules.files.put(wasm)
            for number in range(many):
                manifest = make_manifest(
                    name=f"{kind}-{number:05d}",
                    version="1.0.0",
                    description="",
                    author="",
                    wasm_hash=digest,
                    permissions=tuple(Permission),
                )
                record = AgentRecord(
                    key=AgentKey(self._room, manifest.name),
                    builtin=False,
                    manifest=manifest,
                    hash=digest,
                    size_bytes=len(wasm),
                    uploaded_ms=tx.now_ms,
                    mark=UNSIGNED,
                    granted=tuple(Permission),
                    active=True,
                    upload_no=1,
                )
                save_record(tx, record)
