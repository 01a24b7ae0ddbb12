"""A requester and a worker, each a whole node, and connections between them that tests can cut and speak on by hand."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

from net.capabilities.measured import Measured
from net.errors import PeerFaultError
from net.jobs.frames import DATA_MAX, RESULT_MAX, FrameReader, Kind, data_frames, frame
from net.jobs.messages import Message, Offer, Requirements, Result, read_message, write_message
from net.jobs.requester import JobRequester
from net.jobs.terms import PROTOCOL, RequesterTerms, WorkerTerms
from net.jobs.worker import JobWorker
from net.memory import MemoryConnection, pair
from net.peer_id import PeerId
from net.stream import Connection, Protocols, Stream
from runtime.clock import Clock, SystemClock
from runtime.identity import Identity
from runtime.jobs import Carrier, JobEnd, JobLimits, JobRequest, Manifest, Streams, submitters
from runtime.jobs.limits import CEILINGS
from runtime.jobs.manifest import module_name, new_nonce, sign_manifest
from runtime.jobs.queue import QueueLimits
from runtime.sandbox.compile import Compiler
from tests.runtime.jobs.jobs_node import HELLO, LIMITS, Node, guest, open_node

PATIENT = RequesterTerms(
    answer_s=60, start_s=60, silence_s=60, cancel_heard_s=60, cancel_s=60, retry_s=0.01, retry_most_s=0.05
)
"""A loaded machine may take its time; what a test waits for comes all the same."""

CALM = WorkerTerms(first_s=60, lease_s=60, unasked_s=60)


def machine(arch: str, cpus: int, free_mb: int) -> Measured:
    """What a worker measures of itself."""
    free = free_mb << 20
    return Measured(arch, "linux", cpus, cpu_free_milli=1000 * cpus, mem_total=free, mem_free=free)


ROOMY = machine("x86_64", 4, 8192)

FOREVER = guest("(loop (br 0))")
CAT = guest(
    "(block $end (loop $more"
    " (i32.store (i32.const 0) (i32.const 1024)) (i32.store (i32.const 4) (i32.const 4096))"
    " (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))"
    " (br_if $end (i32.eqz (i32.load (i32.const 8))))"
    " (i32.store (i32.const 4) (i32.load (i32.const 8)))"
    " (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 12)))"
    " (br $more)))",
    "fd_read",
    "fd_write",
)
"""Copies its input to its output, at most 4 KiB at a time."""


@dataclass
class Peers:
    """Both, and what they blamed each other for."""

    requester: Node
    worker_node: Node
    worker: JobWorker
    client: JobRequester
    serves: Protocols
    faults: list[PeerFaultError]
    connections: list[MemoryConnection] = field(default_factory=list)
    _own: MemoryConnection | None = None

    @property
    def worker_id(self) -> PeerId:
        return PeerId(self.worker_node.identity.public)

    def connect(self, identity: Identity | None = None) -> MemoryConnection:
        """A new connection to the worker, by default the requester's."""
        who = PeerId((identity or self.requester.identity).public)
        here, _ = pair(who, self.worker_id, Protocols(), self.serves)
        self.connections.append(here)
        return here

    async def dial(self) -> Connection:
        """The connection that stands, or a new one."""
        if self._own is None or self._own.closed:
            self._own = self.connect()
        return self._own

    def carrier(self, **options: str) -> Carrier:
        return self.client.carrier(self.worker_id, self.dial, **options)

    async def run(
        self,
        module: bytes = HELLO,
        stdin: int | bytes | None = None,
        *,
        limits: JobLimits = LIMITS,
        carry: Carrier | None = None,
        streams: Streams | None = None,
        on_started: Callable[[str], None] | None = None,
        **fields: object,
    ) -> JobEnd:
        """Runs a job on the worker, as `jobs run --on` would."""
        request = JobRequest(name="remote.wasm", limits=limits, **fields)  # type: ignore[arg-type]
        return await self.requester.jobs.run_elsewhere(
            request,
            module=module,
            streams=streams or Streams(stdin=stdin),
            where=str(self.worker_id),
            carry=carry or self.carrier(),
            on_started=on_started,
        )

    async def talk(self, identity: Identity | None = None, connection: MemoryConnection | None = None) -> "Talk":
        """A stream to the worker that the test speaks on by itself."""
        return Talk(await (connection or self.connect(identity)).open(PROTOCOL))

    def let_in(self, identity: Identity) -> None:
        """Puts a key on the worker's list."""
        self.worker_node.store.write(lambda tx: submitters.add(tx, identity.public_hex)).result()

    def blamed(self) -> list[tuple[str, int]]:
        """Rule and score of each fault, of both kinds: answered, and ended by a reset."""
        others = [end.other for end in self.connections if end.other is not None]
        found = [*self.faults, *(fault for end in others for fault in end.faults)]
        return [(fault.rule, fault.score) for fault in found]


class Talk:
    """One end of a job's stream, frame by frame."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self._frames = FrameReader(dict.fromkeys(Kind, DATA_MAX) | {Kind.MESSAGE: RESULT_MAX})
        self._come: list[tuple[Kind, bytes]] = []

    async def say(self, message: Message) -> None:
        await self.stream.write(frame(Kind.MESSAGE, write_message(message)))

    async def send(self, kind: Kind, data: bytes, *, end: bool = True) -> None:
        await self.stream.write(data_frames(kind, data) + (frame(kind, b"") if end else b""))

    async def next(self) -> tuple[Kind, bytes] | None:
        """The next frame; None at the end."""
        while not self._come:
            data = await asyncio.wait_for(self.stream.read(), 60)
            if not data:
                return None
            self._come += [(one.kind, one.data) for one in self._frames.receive(data)]
        return self._come.pop(0)

    async def word(self) -> Message:
        """The next message; output before it is passed over."""
        while (found := await self.next()) is not None:
            if found[0] is Kind.MESSAGE:
                return read_message(found[1])
        raise AssertionError("the stream ended without another message")

    async def rest(self) -> tuple[bytes, bytes, Result]:
        """All output until the result, and that."""
        came = {Kind.STDOUT: b"", Kind.STDERR: b""}
        while (found := await self.next()) is not None:
            kind, data = found
            if kind in came:
                came[kind] += data
            elif isinstance(message := read_message(data), Result):
                return came[Kind.STDOUT], came[Kind.STDERR], message
        raise AssertionError("the stream ended without a result")

    async def until(self, kind: type[Message]) -> Message:
        """The next message of a kind; others before it are passed over."""
        while True:
            message = await self.word()
            if isinstance(message, kind):
                return message


def manifest(
    who: Identity, module: bytes = HELLO, *, limits: JobLimits = LIMITS, stdin: bytes | None = b""
) -> Manifest:
    """A signed manifest of a job that runs a module."""
    from hashlib import sha256

    return sign_manifest(
        who,
        JobRequest(name="theirs.wasm", limits=limits),
        module_name(module),
        nonce=new_nonce(),
        created_ms=SystemClock().wall_ms(),
        stdin_sha256=None if stdin is None else sha256(stdin).hexdigest(),
    )


def offer(signed: Manifest, module: bytes = HELLO, *, stdin_size: int | None = 0, **changes: object) -> Offer:
    """An offer of that job."""
    fields: dict[str, object] = {
        "manifest": signed.document,
        "requirements": Requirements(None, "wasmtime", 1, 16),
        "module_size": len(module),
        "stdin_size": stdin_size,
        "issued_ms": SystemClock().wall_ms(),
        "valid_ms": 60_000,
    }
    return Offer(**(fields | changes))  # type: ignore[arg-type]


@contextlib.asynccontextmanager
async def open_worker(
    path: Path,
    compiler: Compiler,
    faults: list[PeerFaultError],
    *,
    terms: WorkerTerms = CALM,
    clock: Clock | None = None,
    ceilings: JobLimits = CEILINGS,
    queue: QueueLimits = QueueLimits(),  # noqa: B008 - a frozen value
    measured: Measured = ROOMY,
    accepts: Callable[[], bool] = lambda: True,
) -> AsyncIterator[tuple[Node, JobWorker]]:
    """A node that takes jobs."""
    async with open_node(path, compiler, ceilings=ceilings, queue=queue) as node:
        worker = JobWorker(
            node.jobs,
            node.store,
            clock or SystemClock(),
            terms=terms,
            measured=lambda: measured,
            accepts=accepts,
            on_fault=lambda _, fault: faults.append(fault),
        )
        try:
            yield node, worker
        finally:
            worker.close()


@contextlib.asynccontextmanager
async def open_peers(
    path: Path,
    compiler: Compiler,
    *,
    requester_terms: RequesterTerms = PATIENT,
    requester_clock: Clock | None = None,
    **worker: object,
) -> AsyncIterator[Peers]:
    """Both nodes; the requester is on the worker's list."""
    faults: list[PeerFaultError] = []
    async with (
        open_node(path / "requester", compiler) as here,
        open_worker(path / "worker", compiler, faults, **worker) as (there, serving),  # type: ignore[arg-type]
    ):
        client = JobRequester(
            here.receipts,
            requester_clock or SystemClock(),
            terms=requester_terms,
            on_fault=lambda _, fault: faults.append(fault),
        )
        serves = Protocols()
        serves.serve(PROTOCOL, serving.serve, bulk=True)
        made = Peers(here, there, serving, client, serves, faults)
        made.let_in(here.identity)
        try:
            yield made
        finally:
            for connection in made.connections:
                await connection.close()
