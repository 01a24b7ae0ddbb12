"""One job from its request to its stored end: the steps, and what each may end in.

queued → admitted → compiling → running → done, failed, cancelled, refused or lost. The job is written down, durably,
before its guest starts; its end is stored with receipt and events in one transaction before anybody sees it.
"""

import asyncio
import hashlib
import os
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from runtime.clock import Clock
from runtime.errors import RefusedError, UnavailableError
from runtime.identity import Identity
from runtime.jobs import records
from runtime.jobs.capture import Capture
from runtime.jobs.ending import COMPLETIONS, STATES, JobEnd, JobOutcome, exit_code, reason
from runtime.jobs.feed import Feed, known_input
from runtime.jobs.meters import measured
from runtime.jobs.places import Places
from runtime.jobs.pool import Pool, Worker
from runtime.jobs.receipts import Receipts
from runtime.jobs.runner import Finished, Run
from runtime.jobs.spec import JobLimits, JobRequest, LimitRefusedError, Manifest, module_name, new_nonce, sign_manifest
from runtime.jobs.statement import Statement
from runtime.jobs.streams import HeldStreams
from runtime.sandbox.compile import Compiler
from runtime.sandbox.modulecheck import check_job
from runtime.store import Store, Transaction

__all__ = ["Course", "Parts", "submit"]

_SMALL: Final = 65_536
"""Bytes of a module that is hashed and checked on the loop, in far less than a millisecond."""

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


class _StoppedError(Exception):
    """The job was cancelled before its guest started; never leaves this module."""


class Course:
    """A job under way. Belongs to the loop's thread; made by `submit`.

    Attributes:
        job: its id.
        state: its current state.
        ended: done when its end is stored and its output was passed on.
    """

    def __init__(self, parts: Parts, request: JobRequest, module: bytes, name: str, manifest: Manifest) -> None:
        loop = asyncio.get_running_loop()
        self.job = manifest.job
        self.state = "queued"
        self.ended: asyncio.Future[None] = loop.create_future()
        self._cancelled: asyncio.Future[str] = loop.create_future()
        self._parts = parts
        self._request = request
        self._module = module
        self._name = name
        self._manifest = manifest
        self._run: Run | None = None
        self._worker: Worker | None = None
        self._placed = False
        self._compiled = -1
        self._before = 0

    @property
    def running(self) -> bool:
        """Whether its guest was started."""
        return self._run is not None

    def cancel(self, by: str) -> None:
        """Ends it early; the first one counts.

        Args:
            by: a key of `EXIT_CANCELLED`.
        """
        if not self._cancelled.done():
            self._cancelled.set_result(by)
            if self._run is not None:
                self._run.stop("cancelled")

    async def follow(self, source: bytes | int, held: HeldStreams) -> JobEnd:
        """Waits for a place, runs the guest in it, stores the end and passes on what it wrote.

        Args:
            source: its input, from `known_input`.
            held: what is connected to it.

        Raises:
            UnavailableError: the end could not be stored.
        """
        try:
            await self._unless_cancelled(self._take_place())
            self._move("admitted")
            await self._unless_cancelled(self._admit())
            await self._unless_cancelled(self._measure(held))
            await self._unless_cancelled(self._take_worker())
            capture = self._connect(source, held)
            finished = await self._go(held)
        except _StoppedError:
            return await self._not_run("cancelled", "cancelled before it started")
        except RefusedError as error:
            tripped = error.tripped if isinstance(error, LimitRefusedError) else ""
            return await self._not_run("refused", str(error), tripped)
        except UnavailableError as error:
            return await self._not_run("lost", str(error))
        finally:
            self._let_go()
        end = await self._keep(finished, capture)
        await self._pass_on(capture)
        return replace(end, undelivered=capture.undelivered)

    # --- before the guest ---------------------------------------------------------------------------------------------

    async def _take_place(self) -> None:
        await self._parts.places.take()
        self._placed = True

    async def _admit(self) -> None:
        """Holds the job against the ceilings, checks its module and finds its compiled code."""
        limits, pool = self._request.limits, self._parts.pool
        if above := limits.above(self._parts.ceilings):
            raise above
        await _checked(self._module, limits.memory_bytes)
        kept = pool.module(self._name)
        if kept is None:
            self._move("compiling")
            kept = pool.keep_module(
                self._name, await asyncio.to_thread(self._parts.compiler.compile, "job", self._module)
            )
        # A duplicate: the pool may let go of a module while we wait for a worker.
        self._compiled = os.dup(kept)

    async def _measure(self, held: HeldStreams) -> None:
        """Sees how much is in the directories that the guest may change."""
        if writable := self._request.writable(held.dirs):
            self._before = await asyncio.to_thread(measured, writable)

    async def _take_worker(self) -> None:
        self._worker = await self._parts.pool.acquire(self._request.submitter, alone=bool(self._request.dirs))

    async def _unless_cancelled(self, step: Coroutine[Any, Any, None]) -> None:
        """Does a step, unless the job is cancelled meanwhile; a thread at work on it is left to end.

        What a step takes it notes down by itself, so that nothing is lost when both happen at once.
        """
        task = asyncio.ensure_future(step)
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

    def _connect(self, source: bytes | int, held: HeldStreams) -> Capture:
        worker = self._worker
        if worker is None:
            raise UnavailableError("no worker process could be had")
        try:
            capture = Capture(
                self.job,
                self._parts.output / self.job,
                limit=self._request.limits.max_output_bytes,
                emit=self._parts.store.emit,
                tees=(held.stdout, held.stderr),
                on_full=self._full,
            )
            try:
                feed = Feed(source)
            except OSError:
                capture.discard()
                raise
        except OSError as error:
            raise UnavailableError(f"no room for the streams of a job: {error.strerror}") from error
        self._run = Run(worker, self._request, capture, feed, self._parts.clock)
        return capture

    def _full(self) -> None:
        if self._run is not None:
            self._run.stop("output")

    async def _go(self, held: HeldStreams) -> Finished:
        run, worker = self._run, self._worker
        if run is None or worker is None:
            raise UnavailableError("no worker process could be had")
        self._move("running")
        finished = await run.go(self._name, self._compiled, held.dirs, self._before)
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

        def work(tx: Transaction) -> JobEnd:
            stored = end
            if statement is not None:
                issued = self._parts.receipts.issue(tx, statement)
                stored = replace(end, receipt=issued.receipt, receipt_document=issued.document)
            records.finish(tx, stored, previous)
            return stored

        stored = await asyncio.wrap_future(self._parts.store.write(work))
        self.state = stored.state
        return stored

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


async def _checked(module: bytes, memory_bytes: int) -> None:
    if len(module) <= _SMALL:
        check_job(module, memory_bytes)
    else:
        await asyncio.to_thread(check_job, module, memory_bytes)


async def submit(parts: Parts, request: JobRequest, module: bytes, held: HeldStreams) -> tuple[Course, bytes | int]:
    """Signs the manifest and writes the job down.

    Returns:
        The job, and its input for `Course.follow`.

    Raises:
        UsageError: arguments and environment do not fit into a manifest.
        UnavailableError: the input cannot be read, or the store cannot be written.
    """
    try:
        given = held.stdin
        source = await asyncio.to_thread(known_input, given) if isinstance(given, int) else known_input(given)
    except OSError as error:
        raise UnavailableError(f"cannot be read: {error.strerror}", where="standard input") from error
    name = module_name(module) if len(module) <= _SMALL else await asyncio.to_thread(module_name, module)
    manifest = sign_manifest(
        parts.identity,
        request,
        name,
        nonce=new_nonce(),
        created_ms=parts.clock.wall_ms(),
        stdin_sha256=hashlib.sha256(source).hexdigest() if isinstance(source, bytes) else None,
    )
    await asyncio.wrap_future(parts.store.write(lambda tx: records.insert(tx, request, manifest, name)))
    return Course(parts, request, module, name, manifest), source
