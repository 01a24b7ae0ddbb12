"""One job that a worker has accepted, from its lease to the end of what is kept of it, its requester there or not."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from net.errors import PeerFaultError
from net.jobs.input_pipe import InputPipe
from net.jobs.input_spool import InputSpool, close_source
from net.jobs.leases import Lease, Leases
from net.jobs.messages import REASON_MAX, Offer, Result
from net.jobs.module_parts import ModulePart, ModuleParts
from net.jobs.steps import TellStep
from net.jobs.terms import WorkerTerms
from net.jobs.worker_stream import Bytes
from runtime.blobs import Blob, Incoming
from runtime.clock import Clock
from runtime.errors import OrlopError
from runtime.jobs import Jobs, Queued, Streams
from runtime.sanitise import clean

__all__ = ["Session", "WorkerJob", "WorkerParts"]

Stage = Literal["leased", "module", "input", "running", "ended"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerParts:
    """What every job of a worker needs."""

    jobs: Jobs
    leases: Leases
    parts: ModuleParts
    clock: Clock
    terms: WorkerTerms
    forget: Callable[["WorkerJob"], None]
    rests: Callable[["WorkerJob"], None]
    tell: TellStep


class Session(Protocol):
    """The stream on which a job's requester is there."""

    async def stop(self) -> None:
        """Ends it; returns when nothing of it touches the job any more."""
        ...


class WorkerJob:
    """One job. Belongs to the loop's thread.

    Args:
        shared: of the worker.
        queued: what is to be run, checked.
        offer: says how much comes.
        lease: of the job.
        module: what has come of its module: all of it, or a part that is this job's now.

    Attributes:
        job: its id.
        submitter: whose it is, a public key.
        lease: names it.
        wake: set when there is something new to tell.
        end: how it ended; None before.
    """

    def __init__(
        self, shared: WorkerParts, queued: Queued, offer: Offer, lease: Lease, module: Blob | ModulePart
    ) -> None:
        self.job: Final = queued.manifest.job
        self.submitter: Final = lease.submitter
        self.lease: Final = lease.name
        self.wake: Final = asyncio.Event()
        self.end: Result | None = None
        self._shared = shared
        self._queued = queued
        self._offer = offer
        self._stage: Stage = "leased"
        self._module = module
        self._input: InputPipe | InputSpool | None = None
        self._task: asyncio.Task[None] | None = None
        self._work: asyncio.Task[None] | None = None
        """What a whole module or input leads to; a cut does not cut it short."""
        self._written_down = asyncio.Event()
        self._cancelling: asyncio.Task[None] | None = None
        self._session: Session | None = None
        self._timer = asyncio.get_running_loop().call_later(shared.terms.lease_s, self._unclaimed)

    # --- where it stands ----------------------------------------------------------------------------------------------

    @property
    def claimed(self) -> bool:
        """Whether its requester has asked for it."""
        return self._stage != "leased"

    @property
    def state(self) -> str:
        """As `Resumed` tells it."""
        if self.end is not None:
            return _STATES.get(self.end.outcome, "failed")
        if self._task is None:
            return "leased"
        return self._shared.jobs.state_of(self.job) or "queued"

    @property
    def limits(self) -> dict[str, int]:
        """The bounds of the run, by name."""
        document = self._queued.request.limits.document()
        return {name: value for name, value in document.items() if isinstance(value, int)}

    @property
    def begun(self) -> bool:
        """Whether it was handed over to be run."""
        return self._task is not None

    @property
    def have(self) -> int:
        """Bytes of the module, and of the input behind it, that have come."""
        return self._module.size + self._taken

    @property
    def coming(self) -> Bytes:
        """Bytes that are still to come."""
        declared = self._offer.stdin_size
        most = self._shared.terms.stdin_bytes if declared is None else declared
        module = max(0, self._offer.module_size - self._module.size)
        return Bytes(module=module, stdin=max(0, most - self._taken), exact=declared is not None)

    @property
    def wants_input(self) -> bool:
        """Whether it runs and its input has not ended."""
        return self._stage == "running" and isinstance(self._input, InputPipe) and not self._input.ended

    @property
    def _taken(self) -> int:
        return 0 if self._input is None else self._input.taken

    # --- what comes ---------------------------------------------------------------------------------------------------

    def claim(self) -> None:
        """The request came, perhaps once more after a cut.

        Raises:
            PeerFaultError: it came too late.
        """
        shared = self._shared
        if self._stage == "ended":
            raise PeerFaultError("asked after its lease", rule="no-lease", score=5)
        shared.leases.claim(self.job, self.submitter, self.lease, shared.clock.monotonic())
        self._timer.cancel()
        if self._stage == "leased":
            self._stage = "module"

    def module_came(self, data: bytes) -> None:
        """The next bytes of the module.

        Raises:
            UnavailableError: they cannot be kept.
        """
        if isinstance(self._module, ModulePart):
            self._module.write(data)

    async def module_ended(self) -> None:
        """The module has its size: now it must have its hash, too.

        Raises:
            PeerFaultError: it has another.
            UnavailableError: it cannot be kept.
        """
        await self._uncut(self._module_whole())

    async def _module_whole(self) -> None:
        if isinstance(self._module, ModulePart):
            part = self._module
            if part.incoming.digest != part.digest:
                raise PeerFaultError("sent a module that does not match its manifest", rule="wrong-module", score=50)
            self._module = await asyncio.to_thread(_keep, part.incoming)
            self._shared.tell(self.job, "received", f"all {part.size:,} bytes of its module")
        if self._stage == "input":
            return  # sent once more after a cut
        if self._names_input:
            self._stage = "input"
            self._input = InputSpool(self._shared.jobs.blobs, self._shared.terms.stdin_bytes)
        else:
            self._input = InputPipe()
            await self._run(self._module, None, self._input.reader)

    async def input_came(self, data: bytes) -> None:
        """The next bytes of the input; returns when there is room for more.

        Raises:
            UnavailableError: they cannot be kept.
        """
        if isinstance(self._input, InputPipe):
            await self._input.write(data)
        elif self._input is not None:
            self._input.write(data)

    async def input_ended(self) -> None:
        """The input is whole.

        Raises:
            PeerFaultError: it is another than the manifest names.
            UnavailableError: it cannot be kept.
        """
        if isinstance(self._input, InputPipe):
            self._input.end()
        elif self._input is not None:
            await self._uncut(self._input_whole(self._input))

    async def _input_whole(self, spool: InputSpool) -> None:
        if isinstance(self._module, Blob):
            if spool.digest != self._queued.manifest.extension.get("stdin_sha256"):
                raise PeerFaultError("sent another input than its manifest names", rule="wrong-input", score=50)
            source, blob = await spool.whole()
            self._input = None
            try:
                await self._run(self._module, blob, source)
            finally:
                close_source(source)

    async def _uncut(self, work: Coroutine[None, None, None]) -> None:
        self._work = asyncio.create_task(work)
        self._work.add_done_callback(lambda done: done.cancelled() or done.exception())
        await asyncio.shield(self._work)

    @property
    def _names_input(self) -> bool:
        return isinstance(self._queued.manifest.extension.get("stdin_sha256"), str)

    # --- running ------------------------------------------------------------------------------------------------------

    async def _run(self, module: Blob, stdin: Blob | None, source: bytes | int) -> None:
        """Hands the job over to those of this node; returns when it is written down."""
        self._stage = "running"
        kept = {"module": module} if stdin is None else {"module": module, "stdin": stdin}
        limit = self._shared.terms.module_bytes
        try:
            code = await asyncio.to_thread(self._shared.jobs.blobs.read, module.hash, limit=limit)
        except OrlopError as error:
            return self._ended(self._lost(error))
        streams = Streams(stdin=source, on_progress=self.wake.set)
        self._task = asyncio.create_task(self._followed(kept, code, streams))
        await self._written_down.wait()
        return None

    async def _followed(self, kept: dict[str, Blob], module: bytes, streams: Streams) -> None:
        def started(_: str) -> None:
            if isinstance(self._input, InputPipe):
                self._input.given()
            self._written_down.set()
            self.wake.set()

        try:
            end = await self._shared.jobs.run_signed(
                self._queued, kept=kept, module=module, streams=streams, on_started=started
            )
            reason = clean(end.reason, REASON_MAX) if end.receipt_document is None else ""
            self._ended(Result(self.job, end.outcome, end.truncated, end.receipt_document, reason))
        except OrlopError as error:
            self._ended(self._lost(error))
        finally:
            started(self.job)

    def _lost(self, error: OrlopError) -> Result:
        return Result(self.job, "lost", truncated=False, receipt=None, reason=clean(error.why, REASON_MAX))

    def _ended(self, result: Result) -> None:
        self._stage = "ended"
        self.end = result
        self._shared.leases.give_back(self.job)
        self._timer.cancel()
        if self._session is None:
            self._close_input()
            self._later()
        self.wake.set()

    # --- its requester ------------------------------------------------------------------------------------------------

    async def attach(self, session: Session) -> None:
        """The requester is there, on this stream and on no other any more; what it sent on that one has come."""
        while (old := self._session) is not None:
            await old.stop()
            if self._session is old:
                self._session = None
        while self._work is not None and not self._work.done():
            await asyncio.wait({self._work})
        self._session = session
        if self._stage != "leased":
            self._timer.cancel()

    def detach(self, session: Session) -> None:
        """The requester is gone; for a while the job goes on without him."""
        if self._session is session:
            self._session = None
            if self._stage == "ended":
                self._close_input()
            if self._stage != "leased":
                self._later()

    def _later(self) -> None:
        self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(self._shared.terms.keep_s, self._give_up)
        if self._stage == "ended":
            self._shared.rests(self)

    def _unclaimed(self) -> None:
        """Nobody asked in time."""
        self._shared.leases.give_back(self.job)
        self._put_back()
        self._stage = "ended"
        self._shared.forget(self)

    def _give_up(self) -> None:
        """The requester did not come back."""
        if self._stage == "ended":
            self._shared.forget(self)
        else:
            self.cancel()
            self._later()

    def cancel(self) -> None:
        """Ends it early; the result follows on its stream."""
        if self._stage == "ended":
            return
        if self._task is None:
            self._put_back()
            self._ended(Result(self.job, "cancelled", truncated=False, receipt=None))
        elif self._cancelling is None:
            self._cancelling = asyncio.create_task(self._cancel())

    async def _cancel(self) -> None:
        await self._written_down.wait()
        with contextlib.suppress(OrlopError):  # it ended in the same moment
            await self._shared.jobs.cancel(self.job, "command")

    def drop(self) -> None:
        """Its requester broke the protocol: it ends, and what came of it is not kept."""
        if self._task is not None:
            self.cancel()
            return
        if isinstance(self._module, ModulePart):
            self._module.incoming.close()
        self._ended(Result(self.job, "refused", truncated=False, receipt=None))

    def let_go(self) -> None:
        """It has ended, and is kept in mind no longer."""
        self._timer.cancel()

    def close(self) -> None:
        """The worker ends; the node's jobs end by themselves."""
        self._timer.cancel()
        if self._task is None:
            self._put_back()

    def _put_back(self) -> None:
        if isinstance(self._module, ModulePart):
            self._shared.parts.put_back(self._module, self._shared.clock.monotonic())
        self._close_input()

    def _close_input(self) -> None:
        if self._input is not None:
            self._input.close()
            self._input = None


_STATES: Final = {"exit": "done", "cancelled": "cancelled", "refused": "refused", "lost": "lost"}


def _keep(incoming: Incoming) -> Blob:
    with incoming:
        return incoming.keep()
