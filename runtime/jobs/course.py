"""One job from its request to its stored end: the steps, and what each may end in.

queued → admitted → compiling → running → done, failed, cancelled, refused or lost. The job is written down, durably,
before its guest starts; its end is stored with receipt and events in one transaction before anybody sees it.
"""

import asyncio
import math
import os
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from typing import Any, Final

from runtime.awaiting import answer
from runtime.blob_references import refer
from runtime.blobs import Blob
from runtime.errors import NotFoundError, OrlopError, RefusedError, UnavailableError
from runtime.jobs import records
from runtime.jobs.admission import admit, struck
from runtime.jobs.capture import Capture
from runtime.jobs.conclusion import end_of_run, end_without_run, statement_of
from runtime.jobs.ending import JobEnd, JobOutcome
from runtime.jobs.feed import Feed
from runtime.jobs.inputs import Given, Inputs, keep_outputs
from runtime.jobs.limits import LimitRefusedError
from runtime.jobs.manifest import Manifest
from runtime.jobs.meters import measured
from runtime.jobs.moves import Moves
from runtime.jobs.parts import Parts, new_capture
from runtime.jobs.pool import Worker
from runtime.jobs.queue import NOW, Terms
from runtime.jobs.runner import Finished, Run
from runtime.jobs.spec import JobRequest
from runtime.jobs.statement import Statement
from runtime.quantities import format_duration_ms
from runtime.sandbox.engine import EngineKind
from runtime.store import Transaction

__all__ = ["Course"]

_LEAVE: Final = "leave"
"""Who cancels a job that is only left to the next program."""

_LOCAL: Final = "command"
"""Who cancelled a job when nobody said."""


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
        ended: done when its end is stored and its output was passed on, or it was left in the queue.
    """

    def __init__(
        self, parts: Parts, request: JobRequest, manifest: Manifest, inputs: Inputs, terms: Terms = NOW
    ) -> None:
        loop = asyncio.get_running_loop()
        self.job = manifest.job
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
        self._moves = Moves(parts.store, self.job)
        self._waits: asyncio.Task[Any] | None = None
        """The task that is at work on what a cancellation cuts off."""

    @property
    def state(self) -> str:
        """Its current state."""
        return self._moves.state

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
            if self._waits is not None:
                self._waits.cancel()
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
            followed = self._let_go()
        if followed:
            # The next guest starts before this one's end is signed and written: a core less waits for us, and the
            # store gets both at once. One turn of the loop for its start, one for what it tells the store.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        end = await self._keep(finished, capture)
        await capture.pass_on(self._cancelled)
        return replace(end, undelivered=capture.undelivered) if capture.undelivered else end

    # --- before the guest ---------------------------------------------------------------------------------------------

    async def _make_ready(self) -> None:
        """Everything before the guest; may be cut off anywhere, since each step notes down what it takes."""
        await self._take_place()
        if self._given is None:
            self._given = await self._inputs.open()
        self._moves.to("admitted")
        await admit(self._given, self._request.limits, ceilings=self._parts.ceilings, queue=self._parts.queue)
        await self._take_code(self._given.module)
        if writable := self._request.writable(self._given.held.dirs):
            self._before = await asyncio.to_thread(measured, writable)
        self._worker = await self._parts.pool.acquire(self._request.submitter, alone=bool(self._request.dirs))

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

    async def _take_code(self, module: bytes) -> None:
        """Finds the compiled code of its module, or has it compiled."""
        pool = self._parts.pool
        kind: EngineKind = "deterministic" if self._request.deterministic else "job"
        kept = pool.module(self._code)
        if kept is None:
            self._moves.to("compiling")
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

    async def _unless_cancelled(self, work: Coroutine[Any, Any, None]) -> None:
        """Does it, unless the job is cancelled meanwhile; a thread at work on it is left to end.

        In this task, and cut off as `asyncio.timeout` does it: a task of its own for each job would cost more than
        all that a job usually waits for.
        """
        self._waits = task = asyncio.current_task()
        before = task.cancelling() if task is not None else 0
        try:
            if self._cancelled.done():
                raise _StoppedError
            await work
        except (asyncio.CancelledError, OrlopError):
            if not self._cancelled.done():
                raise
        finally:
            work.close()
            self._waits = None
        if self._cancelled.done():
            if task is not None and task.uncancel() > before:
                raise asyncio.CancelledError  # somebody else wants this task to end as well
            raise _StoppedError

    # --- the guest ----------------------------------------------------------------------------------------------------

    async def _begin(self) -> None:
        """From here on a crash loses it. For a job of the queue that is on the disk before its guest starts."""
        self._begun = True
        if self.detached:
            (self._parts.output / self.job).unlink(missing_ok=True)  # of an earlier attempt
        self._moves.to("running")
        if self.detached:
            await self._moves.told()

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

    def _let_go(self) -> bool:
        """Gives back what is still held, whatever happened; gives whether another job got its place."""
        if self._worker is not None:
            self._parts.pool.release(self._worker, None, self._request.limits.memory_bytes, alone=True)
            self._worker = None
        if self._compiled >= 0:
            os.close(self._compiled)
            self._compiled = -1
        placed, self._placed = self._placed, False
        return placed and self._parts.places.give_back()

    # --- after the guest ----------------------------------------------------------------------------------------------

    async def _keep(self, finished: Finished, capture: Capture) -> JobEnd:
        """Signs what happened, and stores receipt, record and events in one transaction."""
        end = end_of_run(
            self.job, self._request.limits, finished,
            by=self._by, trouble=capture.trouble, truncated=capture.truncated,
        )  # fmt: skip
        completed_ms = self._parts.clock.wall_ms()
        return await self._store(
            end, statement_of(self._request, self._manifest, finished, end, completed_ms=completed_ms)
        )

    async def _not_run(self, outcome: JobOutcome, words: str, tripped: str = "") -> JobEnd:
        """The guest did not run: no receipt."""
        end = end_without_run(self.job, self._request.limits, outcome, words, by=self._by, tripped=tripped)
        return await self._store(end, None)

    async def _store(self, end: JobEnd, statement: Statement | None) -> JobEnd:
        if end.outcome == "lost" and self._terms.attempt < self._terms.retries and not self._cancelled.done():
            await self._again()
        kept = await self._kept_outputs() if statement is not None and self._terms.keep_output else {}
        self._moves.tell()
        previous = self.state

        def work(tx: Transaction) -> JobEnd:
            stored = end
            for role, blob in kept.items():
                refer(tx, end.job, role, blob)
            if statement is not None:
                issued = self._parts.receipts.issue(tx, statement)
                stored = replace(end, receipt=issued.receipt, receipt_document=issued.document)
            records.finish(tx, stored, previous)
            return stored

        stored = await answer(self._parts.store.write(work))
        self._moves.state = stored.state
        return stored

    async def _again(self) -> None:
        """Puts it back into the queue, since its worker was lost and not by its own doing, as far as can be known."""
        self._terms = replace(self._terms, attempt=self._terms.attempt + 1)
        self._moves.tell()
        job, attempt, previous = self.job, self._terms.attempt, self.state
        work = self._parts.store.write(lambda tx: records.requeue(tx, job, previous, attempt=attempt, reason="lost"))
        await answer(work)
        self._moves = Moves(self._parts.store, job)
        raise _AgainError

    async def _kept_outputs(self) -> Mapping[str, Blob]:
        """Both streams by hash."""
        return await asyncio.to_thread(keep_outputs, self._parts.blobs, self._parts.output / self.job)

    @property
    def _by(self) -> str:
        return self._cancelled.result() if self._cancelled.done() else _LOCAL


def _expired() -> LimitRefusedError:
    return LimitRefusedError("expires", "its turn did not come before it expired")
