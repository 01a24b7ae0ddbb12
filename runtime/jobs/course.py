"""One job from its request to its stored end: the steps, and what each may end in.

queued → admitted → compiling → running → done, failed, cancelled, refused or lost. The job is written down, durably,
before its guest starts; its end is stored with receipt and events in one transaction before anybody sees it.
"""

import asyncio
import functools
import math
import os
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from runtime.blob_references import refer
from runtime.blobs import Blob, Blobs
from runtime.clock import Clock
from runtime.errors import NotFoundError, OrlopError, RefusedError, UnavailableError
from runtime.identity import Identity
from runtime.jobs import records
from runtime.jobs.capture import Capture
from runtime.jobs.ending import COMPLETIONS, STATES, JobEnd, JobOutcome, exit_code, reason
from runtime.jobs.feed import Feed, known_size
from runtime.jobs.inputs import Given, Inputs, keep_outputs, too_large
from runtime.jobs.meters import measured
from runtime.jobs.places import Places
from runtime.jobs.pool import Pool, Worker
from runtime.jobs.queue import NOW, QueueLimits, Terms
from runtime.jobs.receipts import Receipts
from runtime.jobs.runner import Finished, Run
from runtime.jobs.spec import JobLimits, JobRequest, LimitRefusedError, Manifest
from runtime.jobs.statement import Statement
from runtime.jobs.streams import HeldStreams
from runtime.quantities import format_duration_ms
from runtime.sandbox.compile import Compiler
from runtime.sandbox.engine import EngineKind
from runtime.sandbox.errors import ModuleRefusedError
from runtime.sandbox.modulecheck import OVER_MEMORY, check_job
from runtime.store import Store, Transaction

__all__ = ["Course", "Parts", "checked", "new_capture", "struck"]

_SMALL: Final = 65_536
"""Bytes of a module that is hashed and checked on the loop, in far less than a millisecond."""

_LEAVE: Final = "leave"
"""Who cancels a job that is only left to the next program."""

_LOCAL: Final = "command"
"""Who cancelled a job when nobody said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What every job of this node needs; see `runtime.jobs.jobs.Jobs`."""

    store: Store
    identity: Identity
    receipts: Receipts
    compiler: Compiler
    pool: Pool
    places: Places
    clock: Clock
    ceilings: JobLimits
    output: Path
    queue: QueueLimits
    blobs: Blobs


class _StoppedError(Exception):
    """The job was cancelled, or left to the queue, before its guest started; never leaves this module."""


class _AgainError(Exception):
    """The job was put back into the queue; never leaves this module."""


class Course:
    """A job under way. Belongs to the loop's thread.

    Args:
        parts: of the node.
        request: what is to be run.
        manifest: signed, and written down with the job.
        inputs: closed at the end.
        terms: how it waits.

    Attributes:
        job: its id.
        state: its current state.
        ended: done when its end is stored and its output was passed on, or it was left in the queue.
    """

    def __init__(
        self, parts: Parts, request: JobRequest, manifest: Manifest, inputs: Inputs, terms: Terms = NOW
    ) -> None:
        loop = asyncio.get_running_loop()
        self.job = manifest.job
        self.state = "queued"
        self.ended: asyncio.Future[None] = loop.create_future()
        self._cancelled: asyncio.Future[str] = loop.create_future()
        self._parts = parts
        self._request = request
        self._name = str(manifest.payload["module_cid"])
        self._manifest = manifest
        self._inputs = inputs
        self._terms = terms
        self._begun = False
        self._given: Given | None = None
        self._run: Run | None = None
        self._worker: Worker | None = None
        self._placed = False
        self._compiled = -1
        self._before = 0

    @property
    def running(self) -> bool:
        """Whether its guest was started."""
        return self._begun

    @property
    def detached(self) -> bool:
        """Whether it waits in the store, and another program may run it."""
        return self._terms.detached

    def cancel(self, by: str) -> None:
        """Ends it early; the first one counts.

        Args:
            by: a key of `EXIT_CANCELLED`.
        """
        if not self._cancelled.done():
            self._cancelled.set_result(by)
            if self._run is not None:
                self._run.stop("cancelled")

    def stop(self, by: str) -> None:
        """The program ends: what waits in the queue is left to the next one, any other job is cancelled."""
        self.cancel(_LEAVE if self.detached and not self._begun else by)

    async def follow(self) -> JobEnd | None:
        """Waits for a place, runs the guest in it, stores the end and passes on what it wrote.

        Returns:
            The end; None when it was left in the queue.

        Raises:
            UnavailableError: the end could not be stored.
        """
        try:
            while True:
                try:
                    return await self._once()
                except _AgainError:
                    self._begun, self._run = False, None
        finally:
            self._inputs.close()

    async def _once(self) -> JobEnd | None:
        try:
            await self._unless_cancelled(self._make_ready())
            await self._begin()
            capture = self._connect()
            finished = await self._go()
        except _StoppedError:
            if self._by == _LEAVE:
                return None
            return await self._not_run("cancelled", "cancelled before it started")
        except (RefusedError, NotFoundError) as error:
            return await self._not_run("refused", str(error), struck(error))
        except UnavailableError as error:
            return await self._not_run("lost", str(error))
        finally:
            self._let_go()
        end = await self._keep(finished, capture)
        await self._pass_on(capture)
        return replace(end, undelivered=capture.undelivered)

    # --- before the guest ---------------------------------------------------------------------------------------------

    async def _make_ready(self) -> None:
        """Everything before the guest; may be cut off anywhere, since each step notes down what it takes."""
        await self._take_place()
        await self._take_inputs()
        self._move("admitted")
        await self._admit()
        await self._measure()
        await self._take_worker()

    async def _take_place(self) -> None:
        queue, places = self._parts.queue, self._parts.places
        if not self.detached and places.waiting >= queue.length:
            raise LimitRefusedError("queue", f"{places.waiting} jobs wait already")
        left_ms = self._left_ms()
        try:
            async with asyncio.timeout(min(left_ms, queue.wait_ms) / 1000):
                await places.take(self._terms.priority)
        except TimeoutError:
            if left_ms <= queue.wait_ms:
                raise _expired() from None
            why = f"its turn did not come within {format_duration_ms(queue.wait_ms)}"
            raise LimitRefusedError("queue_ms", why) from None
        self._placed = True
        if self._left_ms() <= 0:
            raise _expired()

    def _left_ms(self) -> float:
        """Until it is not to be started any more."""
        expires_ms = self._terms.expires_ms
        return math.inf if expires_ms is None else expires_ms - self._parts.clock.wall_ms()

    async def _take_inputs(self) -> None:
        if self._given is None:
            self._given = await self._inputs.open()

    async def _admit(self) -> None:
        """Holds the job against the ceilings, checks its module and finds its compiled code."""
        limits, pool = self._request.limits, self._parts.pool
        if above := limits.above(self._parts.ceilings):
            raise above
        module = self._at_hand.module
        queue = self._parts.queue
        if len(module) > queue.module_bytes:
            raise too_large("module_bytes", "module", len(module), queue.module_bytes)
        size = known_size(self._at_hand.source)
        if size > queue.stdin_bytes:
            raise too_large("stdin_bytes", "standard input", size, queue.stdin_bytes)
        await checked(module, limits.memory_bytes)
        kind: EngineKind = "deterministic" if self._request.deterministic else "job"
        kept = pool.module(self._code)
        if kept is None:
            self._move("compiling")
            kept = pool.keep_module(self._code, await asyncio.to_thread(self._parts.compiler.compile, kind, module))
        # A duplicate: the pool may let go of a module while we wait for a worker.
        self._compiled = os.dup(kept)

    @property
    def _code(self) -> str:
        """Names the compiled code of its module; that of the deterministic engine is another."""
        return f"{self._name}:deterministic" if self._request.deterministic else self._name

    @property
    def _at_hand(self) -> Given:
        if self._given is None:
            raise UnavailableError("its inputs are not at hand")
        return self._given

    async def _measure(self) -> None:
        """Sees how much is in the directories that the guest may change."""
        if writable := self._request.writable(self._at_hand.held.dirs):
            self._before = await asyncio.to_thread(measured, writable)

    async def _take_worker(self) -> None:
        self._worker = await self._parts.pool.acquire(self._request.submitter, alone=bool(self._request.dirs))

    async def _unless_cancelled(self, work: Coroutine[Any, Any, None]) -> None:
        """Does it, unless the job is cancelled meanwhile; a thread at work on it is left to end."""
        task = asyncio.ensure_future(work)
        await self._first(task)
        if self._cancelled.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            raise _StoppedError
        task.result()

    async def _first(self, task: "asyncio.Future[None]") -> None:
        """Waits until a task or the job's cancellation is there."""
        either: set[asyncio.Future[Any]] = {task, self._cancelled}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)

    # --- the guest ----------------------------------------------------------------------------------------------------

    async def _begin(self) -> None:
        """From here on a crash loses it. For a job of the queue that is on the disk before its guest starts."""
        self._begun = True
        if self.detached:
            (self._parts.output / self.job).unlink(missing_ok=True)  # of an earlier attempt
            job, previous = self.job, self.state
            self.state = "running"
            await asyncio.wrap_future(self._parts.store.write(lambda tx: records.move(tx, job, "running", previous)))
        else:
            self._move("running")

    def _connect(self) -> Capture:
        worker, held = self._worker, self._at_hand.held
        if worker is None:
            raise UnavailableError("no worker process could be had")
        try:
            capture = new_capture(self._parts, self.job, self._request, held, self._full)
            try:
                feed = Feed(self._at_hand.source)
            except OSError:
                capture.discard()
                raise
        except OSError as error:
            raise UnavailableError(f"no room for the streams of a job: {error.strerror}") from error
        self._run = Run(worker, self._request, capture, feed, self._parts.clock)
        if self._cancelled.done():
            self._run.stop("cancelled")
        if held.on_progress is not None:
            held.on_progress()
        return capture

    def _full(self) -> None:
        if self._run is not None:
            self._run.stop("output")

    async def _go(self) -> Finished:
        run, worker = self._run, self._worker
        if run is None or worker is None:
            raise UnavailableError("no worker process could be had")
        seed = self._request.seed(str(self._manifest.extension["nonce"]))
        finished = await run.go(self._code, self._compiled, self._at_hand.held.dirs, self._before, seed=seed)
        self._worker = None
        alone = bool(self._request.dirs)
        self._parts.pool.release(worker, finished.reply, self._request.limits.memory_bytes, alone=alone)
        return finished

    def _let_go(self) -> None:
        """Gives back what is still held, whatever happened."""
        if self._worker is not None:
            self._parts.pool.release(self._worker, None, self._request.limits.memory_bytes, alone=True)
            self._worker = None
        if self._compiled >= 0:
            os.close(self._compiled)
            self._compiled = -1
        if self._placed:
            self._placed = False
            self._parts.places.give_back()

    # --- after the guest ----------------------------------------------------------------------------------------------

    async def _keep(self, finished: Finished, capture: Capture) -> JobEnd:
        """Signs what happened, and stores receipt, record and events in one transaction."""
        outcome, guest, limits = finished.outcome, finished.guest, self._request.limits
        number = guest.exit_code if guest is not None and outcome == "exit" else None
        peak, tripped = finished.usage.memory_peak_bytes, finished.tripped
        words = finished.reason or reason(outcome, limits, guest, peak, tripped)
        end = JobEnd(
            job=self.job,
            outcome=outcome,
            state=STATES[outcome],
            exit_code=exit_code(outcome, guest=number, cancelled_by=self._by),
            reason="; ".join(text for text in (words, capture.trouble) if text),
            truncated=capture.truncated,
            limits=limits,
            tripped=tripped,
            usage=finished.usage,
        )
        if outcome not in COMPLETIONS:
            return await self._store(end, None)
        statement = Statement(
            job=self.job,
            module=self._name,
            nonce=str(self._manifest.extension["nonce"]),
            argv=self._request.argv,
            env=self._request.env,
            dirs=tuple(str(grant) for grant in self._request.dirs),
            stdin_sha256=finished.stdin_sha256,
            limits=limits,
            outcome=outcome,
            exit_code=end.exit_code,
            guest_exit_code=number if number is not None and number != end.exit_code else None,
            usage=finished.usage,
            commitment=finished.commitment,
            completed_ms=self._parts.clock.wall_ms(),
            tripped=tripped,
        )
        return await self._store(end, statement)

    async def _not_run(self, outcome: JobOutcome, words: str, tripped: str = "") -> JobEnd:
        """The guest did not run: no receipt."""
        code = exit_code(outcome, cancelled_by=self._by)
        end = JobEnd(
            job=self.job,
            outcome=outcome,
            state=STATES[outcome],
            exit_code=code,
            reason=words,
            limits=self._request.limits,
            tripped=tripped,
        )
        return await self._store(end, None)

    async def _store(self, end: JobEnd, statement: Statement | None) -> JobEnd:
        previous = self.state
        if end.outcome == "lost" and self._terms.attempt < self._terms.retries and not self._cancelled.done():
            await self._again(previous)
        kept = await self._kept_outputs(statement)

        def work(tx: Transaction) -> JobEnd:
            stored = end
            for role, blob in kept.items():
                refer(tx, end.job, role, blob)
            if statement is not None:
                issued = self._parts.receipts.issue(tx, statement)
                stored = replace(end, receipt=issued.receipt, receipt_document=issued.document)
            records.finish(tx, stored, previous)
            return stored

        stored = await asyncio.wrap_future(self._parts.store.write(work))
        self.state = stored.state
        return stored

    async def _again(self, previous: str) -> None:
        """Puts it back into the queue, since its worker was lost and not by its own doing, as far as can be known."""
        self._terms = replace(self._terms, attempt=self._terms.attempt + 1)
        job, attempt = self.job, self._terms.attempt
        work = self._parts.store.write(lambda tx: records.requeue(tx, job, previous, attempt=attempt, reason="lost"))
        await asyncio.wrap_future(work)
        self.state = "queued"
        raise _AgainError

    async def _kept_outputs(self, statement: Statement | None) -> Mapping[str, Blob]:
        """Both streams by hash, where they are wanted and there is a receipt that they belong to."""
        if statement is None or not self._terms.keep_output:
            return {}
        return await asyncio.to_thread(keep_outputs, self._parts.blobs, self._parts.output / self.job)

    async def _pass_on(self, capture: Capture) -> None:
        """Waits until what was written has reached its readers, or the job is cancelled."""
        passing = asyncio.ensure_future(capture.passed_on())
        await self._first(passing)
        capture.abandon()
        await passing

    @property
    def _by(self) -> str:
        return self._cancelled.result() if self._cancelled.done() else _LOCAL

    def _move(self, state: str) -> None:
        job, previous = self.job, self.state
        self.state = state
        moved = self._parts.store.write(lambda tx: records.move(tx, job, state, previous), urgent=False)
        moved.add_done_callback(lambda done: done.exception())  # the end says the same, and is waited for


_check_small = functools.lru_cache(maxsize=16)(check_job)
"""What is small and asked for again and again was found good before; a refusal is not kept."""


async def checked(module: bytes, memory_bytes: int) -> None:
    """Finds out whether a module can be a job at all.

    Args:
        module: its file.
        memory_bytes: what the job may have.

    Raises:
        RefusedError: it cannot.
    """
    if len(module) <= _SMALL:
        _check_small(module, memory_bytes)
    else:
        await asyncio.to_thread(check_job, module, memory_bytes)


def struck(error: OrlopError) -> str:
    """The name of the limit that a job was refused for."""
    if isinstance(error, ModuleRefusedError) and error.check == OVER_MEMORY:
        return "memory_bytes"
    return error.tripped if isinstance(error, LimitRefusedError) else ""


def _expired() -> LimitRefusedError:
    return LimitRefusedError("expires", "its turn did not come before it expired")


def new_capture(
    parts: Parts,
    job: str,
    request: JobRequest,
    held: HeldStreams,
    on_full: Callable[[], None],
    *,
    outlives_readers: bool = False,
) -> Capture:
    """What takes a job's output, into its file and onwards.

    Args:
        parts: of the node.
        job: its id.
        request: says how much is kept.
        held: whom the output is passed on to.
        on_full: called, once, when a stream exceeds its limit.
        outlives_readers: as in `Capture`.

    Raises:
        OSError: there is no room for pipes.
    """
    return Capture(
        job,
        parts.output / job,
        limit=request.limits.max_output_bytes,
        emit=parts.store.emit,
        watched=parts.store.watched,
        told=lambda: parts.store.write(lambda _: None),
        tees=(held.stdout, held.stderr),
        on_full=on_full,
        on_kept=held.on_progress,
        outlives_readers=outlives_readers,
    )
