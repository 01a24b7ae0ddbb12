"""Jobs: the node's jobs, those under way and those on record. Belongs to the core's loop; what is heavy runs elsewhere.

So many run at a time as there are workers, the others wait in the order of submission. What was running when its
program died is lost, and said to be so at the next start.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from runtime.blobs import Blob, Blobs
from runtime.canonical import Json
from runtime.clock import Clock
from runtime.errors import FailedError, OrlopError, UnavailableError, UsageError
from runtime.events import CoreError
from runtime.identity import Identity
from runtime.jobs import records
from runtime.jobs.attendance import Attendance, Underway
from runtime.jobs.elsewhere import Carrier, WriteToo, send_off, write_nothing
from runtime.jobs.ending import EXIT_CANCELLED, JobEnd
from runtime.jobs.limits import CEILINGS, JobLimits
from runtime.jobs.parts import Parts
from runtime.jobs.places import Places
from runtime.jobs.pool import Pool
from runtime.jobs.queue import NOW, Queued, QueueLimits, Terms
from runtime.jobs.receipts import Receipts
from runtime.jobs.records import UNFINISHED
from runtime.jobs.references import resolve
from runtime.jobs.retention import Pruned, prune_jobs
from runtime.jobs.rows import JobRecord, job_rows
from runtime.jobs.shelf import JobOutputs, output_of, record_of
from runtime.jobs.spec import JobRequest
from runtime.jobs.streams import HeldStreams, Streams
from runtime.jobs.submission import submit, take_in
from runtime.jobs.waiting import JobQueue
from runtime.sandbox.compile import Compiler
from runtime.statedir import StateDir
from runtime.store import Store

__all__ = ["Jobs"]

T = TypeVar("T")

_DRAIN_S: Final = 10.0


class Jobs:
    """Runs jobs and keeps their records.

    Args:
        store: where records and receipts lie.
        identity: signs manifests and receipts.
        receipts: of the same store.
        compiler: makes native code of modules.
        state: where output and private folders lie.
        clock: measures.
        workers: how many jobs run at a time, and how many workers are kept once it is warm.
        ceilings: what the operator allows at most.
        queue: what the operator allows before a job starts.

    Attributes:
        queue: the jobs that wait in the store.
    """

    def __init__(
        self,
        store: Store,
        *,
        identity: Identity,
        receipts: Receipts,
        compiler: Compiler,
        state: StateDir,
        clock: Clock,
        workers: int,
        ceilings: JobLimits = CEILINGS,
        queue: QueueLimits = QueueLimits(),  # noqa: B008 - a frozen value
    ) -> None:
        self._store = store
        self._pool = Pool(state.run, workers, ceilings.memory_bytes, self._trouble)
        self._parts = Parts(
            store=store,
            identity=identity,
            receipts=receipts,
            compiler=compiler,
            pool=self._pool,
            places=Places(workers),
            clock=clock,
            ceilings=ceilings,
            output=state.output,
            queue=queue,
            blobs=Blobs(state.blobs),
        )
        self._attendance = Attendance(self._recovered, self._trouble)
        self._recovery: asyncio.Future[tuple[str, ...]] | None = None
        self.queue = JobQueue(
            self._parts, self._attendance.attend_queued, lambda: bool(self._attendance.closing), self._trouble
        )

    async def recover(self) -> tuple[str, ...]:
        """Puts right what an earlier program left: its jobs are lost, its folders go. The first run does so by itself.

        Returns:
            The ids of the jobs that were lost.
        """
        self._recovery = asyncio.ensure_future(self._put_right())
        try:
            return await asyncio.shield(self._recovery)
        except OrlopError:
            self._recovery = None  # the next one tries again
            raise

    async def _recovered(self) -> None:
        """What an earlier program left was put right; all wait for the same, in the order in which they came."""
        if self._recovery is None:
            await self.recover()
        else:
            await asyncio.shield(self._recovery)

    async def _put_right(self) -> tuple[str, ...]:
        await asyncio.to_thread(self._pool.sweep)
        if not await self._read(records.abandoned):
            return ()
        return await asyncio.wrap_future(self._store.write(records.recover))

    async def _see_lost(self) -> None:
        """Finds jobs lost whose program died meanwhile, before anybody is shown them as running.

        Any program may be the next that looks: the one that ran a job may have been a command, killed or told twice to
        end. When nothing can be written now, they are shown as they are stored.
        """
        with contextlib.suppress(OrlopError):
            if await self._read(records.abandoned):
                await asyncio.wrap_future(self._store.write(records.recover))

    def warm(self) -> None:
        """From now on keeps idle workers, so that a job finds one ready; does not wait for them.

        Raises:
            UnavailableError: they cannot be started.
        """
        self._pool.warm()

    async def close(self, *, drain_s: float = _DRAIN_S, by: str = "signal:143") -> None:
        """Takes no more jobs, lets those that run end, cancels the rest, and ends all processes.

        Args:
            drain_s: seconds that running jobs may take to end.
            by: a key of `EXIT_CANCELLED`, for those that are cancelled.
        """
        await self._attendance.close(drain_s=drain_s, by=by)
        await self._pool.close()

    @property
    def ceilings(self) -> JobLimits:
        """What the operator allows at most."""
        return self._parts.ceilings

    @property
    def blobs(self) -> Blobs:
        """Where modules and inputs are kept by hash."""
        return self._parts.blobs

    @property
    def full(self) -> bool:
        """Whether so many jobs wait that one more would be refused."""
        return self._parts.places.waiting >= self._parts.queue.length

    @property
    def counts(self) -> tuple[int, int]:
        """How many jobs of this process wait, and how many run."""
        return self._attendance.counts

    @property
    def process_ids(self) -> tuple[int, ...]:
        """The processes that this node's jobs run in, the zygote first."""
        return self._pool.process_ids

    async def run(
        self,
        request: JobRequest,
        *,
        module: bytes,
        streams: Streams,
        terms: Terms = NOW,
        on_started: Callable[[str], None] | None = None,
    ) -> JobEnd:
        """Runs a job to its end; the end and its receipt are stored before this returns.

        When the task that waits here is cancelled, the job is cancelled by `command`, and its end is stored all the
        same.

        Args:
            request: what to run.
            module: the module's file.
            streams: what is connected to it.
            terms: its priority, and whether its output is kept by hash.
            on_started: called with the job's id once it is written down.

        Raises:
            UsageError: arguments do not fit, or a directory's descriptor is missing or of something else.
            UnavailableError: jobs are no longer taken, or input or store cannot be used.
        """
        held = self._hold(streams, request)
        with contextlib.suppress(UnavailableError):  # the job says so itself when it comes to that
            self._pool.start()
        return await self._attendance.attend(
            lambda: submit(self._parts, request, module, held, terms), held, on_started
        )

    async def run_signed(
        self,
        queued: Queued,
        *,
        kept: Mapping[str, Blob],
        module: bytes,
        streams: Streams,
        on_started: Callable[[str], None] | None = None,
    ) -> JobEnd:
        """As `run`, for a job that somebody else signed and whose offer was accepted.

        Args:
            queued: the job, from `runtime.jobs.acceptance.admitted`.
            kept: its module by hash, put or claimed less than an hour ago.
            module: the module's file, which is the one that the manifest names.
            streams: what is connected to it.
            on_started: as in `run`.

        Raises:
            UnavailableError: as `run`.
        """
        held = self._hold(streams, queued.request)
        with contextlib.suppress(UnavailableError):
            self._pool.start()
        begin = partial(take_in, self._parts, queued, kept, module, held)
        return await self._attendance.attend(begin, held, on_started)

    async def run_elsewhere(
        self,
        request: JobRequest,
        *,
        module: bytes,
        streams: Streams,
        where: str,
        carry: Carrier,
        created_ms: int | None = None,
        on_started: Callable[[str], None] | None = None,
        write_too: WriteToo = write_nothing,
    ) -> JobEnd:
        """As `run`, on another node.

        Args:
            request: what to run, without directories.
            module: the module's file.
            streams: what is connected to it.
            where: the PeerId of the other node.
            carry: carries the job there and comes back with its end.
            created_ms: wall time that its manifest states, which tells jobs apart that are else the same; None: now.
            on_started: as in `run`.
            write_too: what is written with its end, so that neither is there without the other.

        Raises:
            UsageError: arguments do not fit, or a directory is granted.
            UnavailableError: as `run`.
        """
        if request.dirs:
            raise UsageError("a directory cannot be given to another node", where=request.dirs[0].guest)
        held = self._hold(streams, request)

        def begin() -> Awaitable[Underway]:
            return send_off(
                self._parts, request, module, held,
                where=where, carry=carry, created_ms=created_ms, write_too=write_too,
            )  # fmt: skip

        return await self._attendance.attend(begin, held, on_started)

    def state_of(self, job: str) -> str | None:
        """The state of a job that this program runs or has carried; None for any other.

        Args:
            job: its whole id.
        """
        course = self._attendance.find(job)
        return None if course is None else course.state

    def _hold(self, streams: Streams, request: JobRequest) -> HeldStreams:
        self._attendance.check_open()
        return HeldStreams(streams, request.dirs)

    def output_path(self, job: str) -> Path:
        """The file of a job's output, see `runtime.jobs.output`; it is not there before the job wrote something."""
        return self._parts.output / job

    async def cancel(self, ref: str, by: str) -> str:
        """Cancels a job and waits for its end, which is stored.

        Args:
            ref: names it.
            by: a key of `EXIT_CANCELLED`.

        Returns:
            The job's last state.

        Raises:
            UsageError: nobody cancels by that name.
            NotFoundError: there is no such job.
            AmbiguousError: the name fits several.
            FailedError: it has ended, or another program runs it.
        """
        if by not in EXIT_CANCELLED:
            raise UsageError(f"a job is not cancelled by `{by}`")
        job = await self._read(lambda db: resolve(db, "jobs", ref))
        await self._see_lost()
        course = self._attendance.find(job)
        if course is None:
            state = (await self._read(lambda db: job_rows(db, job=job)))[0].state
            where = f"job {job[:16]}"
            if state == "queued" and await self.queue.cancel(job):
                return "cancelled"
            if state in UNFINISHED:
                raise FailedError("another program runs it", where=where, hint="interrupt that program")
            raise FailedError(f"it is {state} already", where=where)
        course.cancel(by)
        await asyncio.wait({course.ended})
        return course.state

    async def rows(self, *, state: str = "", submitter: str = "", limit: int = 1000) -> list[JobRecord]:
        """Jobs, newest first; one whose row is damaged says so in its reason.

        Args:
            state: only those in this state.
            submitter: only those of this submitter.
            limit: at most so many.
        """
        await self._see_lost()
        return await self._read(lambda db: job_rows(db, state=state, submitter=submitter, limit=limit))

    async def show(self, ref: str) -> tuple[JobRecord, dict[str, Json]]:
        """A job, and its signed manifest.

        Raises:
            NotFoundError: there is no such job.
            AmbiguousError: the name fits several.
            RefusedError: what is stored of it is damaged.
        """
        await self._see_lost()
        return await record_of(self._store, ref)

    async def output(self, ref: str) -> JobOutputs:
        """What was kept of a job's output, also while it runs.

        Raises:
            NotFoundError: there is no such job.
            AmbiguousError: the name fits several.
            RefusedError: the file of its output is damaged.
            UnavailableError: it cannot be read.
        """
        return await output_of(self._store, self._parts.output, ref)

    async def prune(self, *, days: int, max_bytes: int) -> Pruned:
        """Forgets old jobs and their output; see `runtime.jobs.retention`."""
        parts = self._parts
        work = partial(prune_jobs, self._store, parts.output, parts.blobs, days=days, max_bytes=max_bytes)
        return await asyncio.to_thread(work)

    def _trouble(self, words: str) -> None:
        self._store.emit(CoreError(where="jobs", error=words))

    async def _read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        return await asyncio.wrap_future(self._store.read(query))
