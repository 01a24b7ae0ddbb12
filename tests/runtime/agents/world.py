"""What the tests of running agents stand on."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from runtime.agents.binary import module_digest
from runtime.agents.executor import Executor
from runtime.agents.keys import AgentKey
from runtime.agents.live import LiveAgent
from runtime.agents.manifest import AgentManifest, Permission, parse_manifest
from runtime.agents.modules import AgentModules, Upload, Uploaded
from runtime.agents.rows import agent_document, log_items, read_rows
from runtime.agents.state import read_state
from runtime.agents.statistics import read_history
from runtime.clock import ManualClock
from runtime.events import Event, Record
from runtime.journal import Journal
from runtime.rooms.drafts import SubmitResult, TaskDraft
from runtime.rooms.room import Rooms
from runtime.rooms.tasks import Task, TaskEvent
from runtime.sandbox.compile import Compiler
from runtime.statedir import StateDir
from runtime.store import Store, Transaction
from runtime.vault import Vault
from tests.hostile import agent
from tests.runtime.people import Person

ROOM = "ab" * 16
ME = Person("self")
SELF = ME.identity_key
INTERVAL_MS = 30_000
ALL = tuple(Permission)


def manifest(wasm: bytes, name: str = "guest", **changes: Any) -> AgentManifest:
    document = {
        "name": name,
        "version": "1.0.0",
        "description": "",
        "author": "",
        "wasmHash": module_digest(wasm),
        "permissions": [one.value for one in Permission],
    }
    return parse_manifest(document | changes)


class TestRooms(Rooms):
    """Real rooms, one of them with a known id, whose log can be made to fail."""

    __test__ = False

    def __init__(self, store: Store, vault: Vault) -> None:
        super().__init__(store, vault, ME, ME.node, display_name="self")
        self.fails: Exception | None = None

    def begin(self) -> None:
        with patch("runtime.rooms.room.secrets", SimpleNamespace(token_hex=lambda _: ROOM)):
            self.create("test").result()

    def put(self, *drafts: TaskDraft) -> None:
        """Creates tasks."""
        assert not self.submit(ROOM, drafts).result().rejected

    def join(self, name: str) -> str:
        """Another member, and its identity key."""
        person = Person(name)
        self.add_member(ROOM, person.card).result()
        return person.identity_key

    @property
    def tasks(self) -> Mapping[str, Task]:
        return self.state(ROOM).tasks

    def append(
        self, tx: Transaction, room: str, drafts: Sequence[TaskDraft], *, actor: str, cause: int | None = None
    ) -> SubmitResult:
        result = super().append(tx, room, drafts, actor=actor, cause=cause)
        if self.fails is not None and actor != SELF:
            raise self.fails
        return result


@dataclass
class World:
    state: StateDir
    store: Store
    clock: ManualClock
    vault: Vault
    compiler: Compiler
    limit_ms: int = 200
    records: list[Record] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.journal = Journal(self.store)
        self.journal.subscribe(self.store.first_seq, self.records.extend)
        self.rooms = TestRooms(self.store, self.vault)
        self.rooms.begin()

    async def start(self, **options: Any) -> None:
        self.modules = AgentModules(self.store, self.state.modules, self.rooms, self.compiler, self.vault)
        settings = {"runner": SELF, "interval_ms": INTERVAL_MS, "limit_ms": self.limit_ms, "honest": 2} | options
        self.executor = Executor(self.modules, self.rooms, self.vault, self.clock, **settings)

    async def stop(self) -> None:
        await self.executor.shutdown()

    async def restart(self) -> int:
        await self.stop()
        await self.start()
        return await self.executor.restore()

    # --- agents -----------------------------------------------------------------------------------------------------

    async def upload(
        self, wasm: bytes | str, name: str = "guest", granted: tuple[Permission, ...] = ALL, **changes: Any
    ) -> Uploaded:
        raw = agent(wasm) if isinstance(wasm, str) else wasm
        return await self.executor.upload(
            Upload(room=ROOM, wasm=raw, manifest=manifest(raw, name, **changes), granted=granted, unsigned=True)
        )

    async def run(self, wasm: bytes | str, name: str = "guest", granted: tuple[Permission, ...] = ALL) -> AgentKey:
        await self.upload(wasm, name, granted)
        key = AgentKey(ROOM, name)
        await self.executor.activate(key)
        return key

    async def idle(self) -> None:
        """Until every call that was due has ended, and everything that happened was published."""
        while tasks := self.executor._runner.tasks:
            await asyncio.wait(tasks)
        await asyncio.wrap_future(self.store.write(lambda _: None))

    async def until(self, found: Callable[[], object]) -> None:
        """Lets the loop go on until something is so."""
        while not found():
            await asyncio.wrap_future(self.store.write(lambda _: None))

    async def tick(self, times: int = 1) -> None:
        for _ in range(times):
            self.clock.advance(INTERVAL_MS / 1000)
            self.executor.poke()
            await self.idle()

    async def tell(self, *events: TaskEvent) -> None:
        self.executor.dispatch(ROOM, events)
        await self.idle()

    def live(self, key: AgentKey) -> LiveAgent:
        found = self.executor._live.get(key)
        assert found is not None
        return found

    async def kept(self, key: AgentKey) -> bytes | None:
        """The stored state."""
        states = self.executor._runner._parts.states
        found = await asyncio.wrap_future(self.store.read(lambda connection: read_state(connection, key)))
        return None if found is None else states.open(key, found)

    async def rows(self) -> list[dict[str, Any]]:
        figures = self.executor.figures
        read = self.store.read(lambda connection: read_rows(connection, figures))
        return [dict(one) for one in await asyncio.wrap_future(read)]

    async def row(self, key: AgentKey) -> dict[str, Any]:
        return next(row for row in await self.rows() if (row["room"], row["agent"]) == key)

    async def show(self, key: AgentKey) -> dict[str, Any]:
        now = self.clock.now_ms
        history = await asyncio.wrap_future(self.store.read(lambda connection: read_history(connection, key, now)))
        details, figures = await self.modules.details(key), self.executor.figures.get(key)
        history = history.plus(self.executor.unwritten(key))
        document = agent_document(details, figures, self.executor.quotas, history)
        shown: dict[str, Any] = json.loads(json.dumps(document))
        return shown

    async def items(self, key: AgentKey) -> list[dict[str, Any]]:
        return [dict(one) for one in log_items((await self.modules.details(key)).entries)]

    async def logged(self, key: AgentKey) -> list[str]:
        return [one["text"] for one in (await self.show(key))["log"]]

    def events(self, kind: type[Event]) -> list[Any]:
        return [record.event for record in self.records if isinstance(record.event, kind)]


def task(name: str, **fields: Any) -> TaskDraft:
    """A task to be made; its title is its id unless said otherwise."""
    return TaskDraft("task_created", name, {"title": name} | fields)


def changed(name: str = "t1", number: int = 1) -> TaskEvent:
    """Something that happened to a task."""
    return TaskEvent(
        type="task_status_changed",
        task_id=name,
        task={"status": "in_progress"},
        timestamp=1_600_000_000_000 + number,
        actor_id=SELF,
    )
