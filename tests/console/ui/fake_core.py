"""A core that is a script: rows, documents and events as a test wants them; nothing runs behind it."""

import os
import stat
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace

from console.client import Args, Fault, Json, Result, Sink, Snapshot, Subscription
from console.rows import (
    AgentRow,
    ComponentRow,
    JobRow,
    MachineRow,
    NodeRow,
    PeerRow,
    ReceiptRow,
    ReleaseRow,
    RoomRow,
)
from console.ui.options import UiOptions
from runtime.clock import ManualClock
from runtime.events import Event, Record
from runtime.shapes import to_wire

NOW = 1_763_733_802_000
"""2025-11-21 14:03:22 UTC."""

Answer = Callable[[Args], Result]


def done(value: object) -> "Future[object]":
    future: Future[object] = Future()
    future.set_result(value)
    return future


def content(descriptor: int) -> bytes:
    """The first bytes of a file; nothing of a folder."""
    return b"" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else os.pread(descriptor, 1 << 16, 0)


class FakeExecution:
    def __init__(self, result: "Future[Result]") -> None:
        self._result = result
        self.interrupted: list[int] = []

    @property
    def result(self) -> "Future[Result]":
        return self._result

    def interrupt(self, code: int) -> None:
        self.interrupted.append(code)


class FakeSubscription:
    def __init__(self, core: "FakeCore") -> None:
        self._core = core

    def close(self) -> None:
        self._core.sink = None


class FakeCore:
    """Holds rows; `emit` tells of events; `calls` are the commands that were run."""

    def __init__(
        self,
        *,
        node: NodeRow,
        rooms: Sequence[RoomRow] = (),
        agents: Sequence[AgentRow] = (),
        jobs: Sequence[JobRow] = (),
        receipts: Sequence[ReceiptRow] = (),
        peers: Sequence[PeerRow] = (),
        components: Sequence[ComponentRow] = (),
        releases: Sequence[ReleaseRow] = (),
        machines: Sequence[MachineRow] = (),
        history: Sequence[Record] = (),
        seq: int = 48_000,
    ) -> None:
        self.node = node
        self.rooms = list(rooms)
        self.agents = list(agents)
        self.jobs = list(jobs)
        self.receipts = list(receipts)
        self.peers = list(peers)
        self.components = list(components)
        self.releases = list(releases)
        self.machines = list(machines)
        self.history = list(history)
        self.seq = seq
        self.now_ms = NOW
        self.sink: Sink | None = None
        self.calls: list[tuple[str, Args]] = []
        self.files: list[Mapping[str, int]] = []
        self.contents: list[dict[str, bytes]] = []
        self.answers: dict[str, Answer] = {}
        self.pending: dict[str, Future[Result]] = {}
        """Commands that answer when the test says so."""
        self.snapshots = 0
        self.closed = False

    def snapshot(self, *topics: str) -> "Future[Snapshot]":
        self.snapshots += 1
        every: dict[str, Json] = {
            "node": to_wire(self.node),
            "rooms": [to_wire(row) for row in self.rooms],
            "agents": [to_wire(row) for row in self.agents],
            "jobs": [to_wire(row) for row in self.jobs],
            "receipts": [to_wire(row) for row in self.receipts],
            "peers": [to_wire(row) for row in self.peers],
            "components": [to_wire(row) for row in self.components],
            "releases": [to_wire(row) for row in self.releases],
            "machines": [to_wire(row) for row in self.machines],
        }
        future: Future[Snapshot] = Future()
        future.set_result(Snapshot(self.seq, {topic: every[topic] for topic in topics}))
        return future

    def subscribe(self, since: int, sink: Sink, *, content: bool = False) -> Subscription:
        assert content
        self.sink = sink
        older = [record for record in self.history if record.seq > since]
        if older:
            sink(older)
        return FakeSubscription(self)

    def emit(self, *happened: Event, after_ms: int = 0) -> None:
        records = []
        for event in happened:
            self.seq += 1
            self.now_ms += after_ms
            records.append(Record(self.seq, self.now_ms, event))
        if self.sink is not None:
            self.sink(records)

    def execute(self, command: str, args: Args, files: Mapping[str, int] | None = None) -> FakeExecution:
        self.calls.append((command, dict(args)))
        self.files.append(dict(files or {}))
        self.contents.append({name: content(fd) for name, fd in (files or {}).items() if fd > 2})
        if command in self.pending:
            return FakeExecution(self.pending[command])
        answer = self.answers.get(command)
        result = answer(args) if answer else Result(ok=True, value={"v": 1})
        future: Future[Result] = Future()
        future.set_result(result)
        return FakeExecution(future)

    def close(self) -> None:
        self.closed = True

    # --- what a test asks of it -------------------------------------------------------------------------------------

    def options(self, **more: object) -> UiOptions:
        return replace(UiOptions(connect=lambda: self, title="ship-7", frames=50), **more)  # type: ignore[arg-type]

    def changing(self) -> list[tuple[str, Args]]:
        """The commands that were run and change something."""
        from console.registry import COMMANDS

        return [(name, args) for name, args in self.calls if COMMANDS[name].changes]

    def refuse(self, command: str, why: str, hint: str = "") -> None:
        self.answers[command] = lambda _args: Result(
            ok=False, fault=Fault(code="refused", what=command, text=why, hint=hint)
        )


def clock() -> ManualClock:
    return ManualClock(now_ms=NOW)
