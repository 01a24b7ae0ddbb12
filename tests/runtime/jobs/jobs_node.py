"""A node that runs jobs, without a console around it, and guests that these tests need beside the hostile ones."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from runtime import identity, statedir
from runtime.clock import SystemClock
from runtime.events import Event, JobOutput, JobState, Record
from runtime.identity import Identity
from runtime.jobs.ending import JobEnd
from runtime.jobs.jobs import Jobs
from runtime.jobs.limits import CEILINGS, JobLimits
from runtime.jobs.queue import QueueLimits, Terms
from runtime.jobs.receipts import Receipts
from runtime.jobs.rows import JobRecord
from runtime.jobs.spec import DirGrant, JobRequest
from runtime.jobs.streams import Streams
from runtime.sandbox.compile import Compiler
from runtime.statedir import StateDir
from runtime.store import Store
from tests.hostile import data, wat

HELLO = (Path(__file__).parents[3] / "assets" / "jobs" / "hello" / "hello.wasm").read_bytes()
LIMITS = JobLimits.of(memory_bytes=16 << 20, timeout_ms=20_000, max_output_bytes=1 << 20)


@dataclass
class Node:
    """The parts, and every event so far."""

    state: StateDir
    store: Store
    identity: Identity
    receipts: Receipts
    jobs: Jobs
    events: list[Event] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(
        self,
        module: bytes,
        stdin: int | bytes | None = None,
        *,
        limits: JobLimits = LIMITS,
        streams: Streams | None = None,
        on_started: Callable[[str], None] | None = None,
        **fields: object,
    ) -> JobEnd:
        """Runs a module to its end."""
        request = JobRequest(name="test.wasm", limits=limits, **fields)  # type: ignore[arg-type]
        wired = streams or Streams(stdin=stdin)
        return await self.jobs.run(request, module=module, streams=wired, on_started=on_started)

    async def submit(
        self,
        module: bytes,
        stdin: bytes = b"",
        *,
        limits: JobLimits = LIMITS,
        directories: Sequence[int] = (),
        dirs: tuple[DirGrant, ...] = (),
        **terms: int,
    ) -> str:
        """Puts a job into the queue; gives its id."""
        with self.jobs.queue.incoming_stdin() as incoming:
            incoming.write(stdin)
            kept = incoming.keep()
        request = JobRequest(name="test.wasm", limits=limits, dirs=dirs)
        job, _ = await self.jobs.queue.submit(
            request,
            module=module,
            terms=Terms(**terms),  # type: ignore[arg-type]
            stdin=kept,
            dirs=directories,
        )
        return job

    async def until_state(self, job: str, *states: str) -> str:
        """Waits until a job is in one of these states; gives it."""
        event = await self.until(lambda e: isinstance(e, JobState) and e.job == job and e.state in states)
        assert isinstance(event, JobState)
        return event.state

    async def until_ended(self, job: str) -> JobRecord:
        """Waits until a job has ended; gives its row."""
        await self.until_state(job, "done", "failed", "cancelled", "refused", "lost")
        return (await self.jobs.show(job))[0]

    async def until(self, seen: Callable[[Event], bool]) -> Event:
        """Waits for an event."""
        while True:
            for event in self.events:
                if seen(event):
                    return event
            self.changed.clear()
            await asyncio.wait_for(self.changed.wait(), 30)

    async def until_running(self) -> str:
        """Waits until a job runs; gives its id."""
        event = await self.until(lambda e: isinstance(e, JobState) and e.state == "running")
        assert isinstance(event, JobState)
        return event.job

    async def until_output(self) -> None:
        """Waits until a job wrote something."""
        await self.until(lambda e: isinstance(e, JobOutput))

    def states(self, job: str) -> list[str]:
        """The states that a job went through."""
        return [e.state for e in self.events if isinstance(e, JobState) and e.job == job]


@contextlib.asynccontextmanager
async def open_node(
    path: Path,
    compiler: Compiler,
    *,
    workers: int = 1,
    ceilings: JobLimits = CEILINGS,
    queue: QueueLimits = QueueLimits(),  # noqa: B008 - a frozen value
) -> AsyncIterator[Node]:
    """A node in a directory."""
    state = statedir.prepare(path)
    own = identity.load_or_create(state)
    loop = asyncio.get_running_loop()
    with Store.open(state.database, SystemClock(), owner=False) as store:
        receipts = Receipts(store, own, state)
        jobs = Jobs(
            store,
            identity=own,
            receipts=receipts,
            compiler=compiler,
            state=state,
            clock=SystemClock(),
            workers=workers,
            ceilings=ceilings,
            queue=queue,
        )
        node = Node(state, store, own, receipts, jobs)

        def heard(batch: Sequence[tuple[Record, str]]) -> None:
            def take() -> None:
                node.events += [record.event for record, _ in batch]
                node.changed.set()

            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(take)

        store.publish_to(heard)
        try:
            yield node
        finally:
            await jobs.close(drain_s=0)


_WASI = {
    "fd_write": "(param i32 i32 i32 i32) (result i32)",
    "args_get": "(param i32 i32) (result i32)",
    "args_sizes_get": "(param i32 i32) (result i32)",
    "environ_get": "(param i32 i32) (result i32)",
    "environ_sizes_get": "(param i32 i32) (result i32)",
    "path_open": "(param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)",
    "proc_exit": "(param i32)",
    "random_get": "(param i32 i32) (result i32)",
    "fd_read": "(param i32 i32 i32 i32) (result i32)",
    "clock_time_get": "(param i32 i64 i32) (result i32)",
    "poll_oneoff": "(param i32 i32 i32 i32) (result i32)",
}


def guest(start: str, *wasi: str, decls: str = "", memory: int = 2) -> bytes:
    """A job with these imports and this body of `_start`."""
    imports = "".join(f'(import "wasi_snapshot_preview1" "{n}" (func ${n} {_WASI[n]}))' for n in wasi)
    return wat(f'(module {imports} (memory (export "memory") {memory}) {decls} (func (export "_start") {start}))')


def _lists(kind: str) -> bytes:
    return guest(
        f"(drop (call ${kind}_sizes_get (i32.const 0) (i32.const 4)))"
        f"(drop (call ${kind}_get (i32.const 4096) (i32.const 16384)))"
        "(i32.store (i32.const 8) (i32.const 16384)) (i32.store (i32.const 12) (i32.load (i32.const 4)))"
        "(drop (call $fd_write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 16)))",
        f"{kind}_sizes_get",
        f"{kind}_get",
        "fd_write",
    )


def shows_argv() -> bytes:
    """Writes its arguments, each with a NUL behind it."""
    return _lists("args")


def shows_env() -> bytes:
    """Writes its environment, each variable with a NUL behind it."""
    return _lists("environ")


def writes(*pieces: tuple[int, bytes], then: str = "", wasi: tuple[str, ...] = ()) -> bytes:
    """Writes pieces to descriptors, in this order."""
    body, segments, at = "", "", 64
    for descriptor, piece in pieces:
        segments += data(at, piece)
        body += (
            f"(i32.store (i32.const 0) (i32.const {at})) (i32.store (i32.const 4) (i32.const {len(piece)}))"
            f"(drop (call $fd_write (i32.const {descriptor}) (i32.const 0) (i32.const 1) (i32.const 8)))"
        )
        at += len(piece)
    return guest(body + then, "fd_write", *wasi, decls=segments, memory=1 + at // 65_536)


def opens(name: str, *, creates: bool) -> bytes:
    """Opens a file in its first directory, exits with the error number; then copies the file to stdout or writes it.

    A created file gets the content `made`.
    """
    flags, rights = (1, 64) if creates else (0, 2)
    text = name.encode()
    use = (
        "(drop (call $fd_write (i32.load (i32.const 0)) (i32.const 16) (i32.const 1) (i32.const 8)))"
        if creates
        else "(drop (call $fd_read (i32.load (i32.const 0)) (i32.const 16) (i32.const 1) (i32.const 24)))"
        "(i32.store (i32.const 20) (i32.load (i32.const 24)))"
        "(drop (call $fd_write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 8)))"
    )
    return guest(
        "(local $e i32)"
        f"(local.set $e (call $path_open (i32.const 3) (i32.const 0) (i32.const 1024) (i32.const {len(text)})"
        f"(i32.const {flags}) (i64.const {rights}) (i64.const 0) (i32.const 0) (i32.const 0)))"
        "(if (local.get $e) (then (call $proc_exit (local.get $e))))"
        f"(i32.store (i32.const 16) (i32.const 2048)) (i32.store (i32.const 20) (i32.const {4 if creates else 4096}))"
        + use,
        "path_open",
        "fd_write",
        "fd_read",
        "proc_exit",
        decls=data(1024, text) + (data(2048, b"made") if creates else ""),
    )


def pipe() -> tuple[int, int]:
    """A pipe: the reading and the writing end."""
    return os.pipe2(os.O_CLOEXEC)
