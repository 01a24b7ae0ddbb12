"""The queue at work: jobs are written down with all that they need, and run by the program that takes them."""

import asyncio
import hashlib
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final, TypeVar

from runtime.blob_references import TREE, refer, references
from runtime.blob_trees import claim_tree
from runtime.blobs import Blob, Incoming
from runtime.columns import RowDamagedError
from runtime.errors import NotFoundError, UnavailableError
from runtime.jobs import records
from runtime.jobs.acceptance import accept, keep_given, known_state
from runtime.jobs.course import Course
from runtime.jobs.ending import EXIT_CANCELLED, EXIT_NOT_RUN, JobEnd
from runtime.jobs.inputs import Kept, keep_inputs
from runtime.jobs.limits import JobLimits, LimitRefusedError
from runtime.jobs.manifest import new_nonce, sign_manifest
from runtime.jobs.parts import Parts
from runtime.jobs.queue import Queued, Terms, queued_jobs
from runtime.jobs.references import resolve
from runtime.jobs.spec import JobRequest
from runtime.store import Transaction

__all__ = ["JobQueue"]

T = TypeVar("T")

_EMPTY: Final = hashlib.sha256(b"").hexdigest()


class JobQueue:
    """The jobs of a node that wait in its store. Belongs to the core's loop.

    Args:
        parts: of the node.
        run: follows a job from its place in the queue to its end.
        is_closed: whether no more jobs are taken.
        on_trouble: told in one line of a job that cannot be read.
    """

    def __init__(
        self,
        parts: Parts,
        run: Callable[[Course], None],
        is_closed: Callable[[], bool],
        on_trouble: Callable[[str], None],
    ) -> None:
        self._parts = parts
        self._run = run
        self._is_closed = is_closed
        self._trouble = on_trouble
        self._takes = False
        """Whether this program runs the jobs of the queue."""

    def incoming_stdin(self) -> Incoming:
        """Where an input is written to that a submitted job will read.

        Raises:
            UnavailableError: the store cannot be written.
        """
        return self._parts.blobs.incoming(self._parts.queue.stdin_bytes)

    async def submit(
        self,
        request: JobRequest,
        *,
        module: bytes,
        terms: Terms,
        stdin: Blob | None = None,
        dirs: Sequence[int] = (),
    ) -> tuple[str, str]:
        """Puts a job into the queue; it is on the disk when this returns.

        Args:
            request: what to run.
            module: the module's file.
            terms: how it waits.
            stdin: its input, from `incoming_stdin`; None for an empty one.
            dirs: one descriptor for each of the request's directories, all of them read-only.

        Returns:
            The job's id and state: `queued`, or `refused` when the queue is full.

        Raises:
            RefusedError: a directory cannot be kept.
            UsageError: arguments do not fit, or a directory is writable.
            UnavailableError: jobs are no longer taken, or something cannot be read or stored.
        """
        parts = self._parts
        limit = parts.queue.stdin_bytes
        kept = await asyncio.to_thread(keep_inputs, parts.blobs, module, dirs, request.dirs, limit=limit)
        if stdin is not None:
            kept["stdin"] = stdin
        manifest = sign_manifest(
            parts.identity,
            request,
            f"sha256:{kept['module'].hash}",
            nonce=request.nonce or new_nonce(),
            created_ms=parts.clock.wall_ms(),
            stdin_sha256=stdin.hash if stdin else _EMPTY,
            expires_ms=terms.expires_ms,
        )
        return await self.enqueue(Queued(manifest, request, replace(terms, detached=True)), kept)

    async def enqueue(self, queued: Queued, kept: Mapping[str, Blob]) -> tuple[str, str]:
        """Writes a job of the queue down, and lets it wait for its turn if this program runs the queue.

        Args:
            queued: it.
            kept: what it needs, by role.

        Returns:
            The job's id and state; of a job that is known already, its state, and nothing else happens.
        """
        if self._is_closed():
            raise UnavailableError("jobs are no longer taken")
        length = self._parts.queue.length
        job = queued.manifest.job

        def work(tx: Transaction) -> tuple[str, bool]:
            known = records.state_of(tx, job)
            if known is not None:
                return known, False
            full = records.waiting(tx) >= length
            records.insert(tx, queued.request, queued.manifest, queued.terms)
            for role, blob in kept.items():
                refer(tx, job, role, blob)
            if full:
                records.finish(tx, _refused(queued, f"{length} jobs wait already (queue)", "queue"), "queued")
            return "refused" if full else "queued", not full

        state, new = await asyncio.wrap_future(self._parts.store.write(work))
        if new and self._takes:
            self._take(queued, kept)
        return job, state

    async def take_all(self) -> int:
        """From now on runs the jobs of the queue, as their turns come; does not wait for them.

        Returns:
            How many wait.
        """
        self._takes = True
        jobs, damaged = await self._read(queued_jobs)
        for error in damaged:
            self._trouble(str(error))
        for queued in jobs:
            kept = await self._read(partial(references, job=queued.manifest.job))
            self._take(queued, kept)
        return len(jobs)

    def _take(self, queued: Queued, kept: Mapping[str, Blob]) -> None:
        inputs = Kept(
            self._parts.blobs,
            kept,
            grants=queued.request.dirs,
            limits=self._parts.queue,
            folder=self._parts.pool.folder / f"inputs-{queued.manifest.job[:16]}",
        )
        self._run(Course(self._parts, queued.request, queued.manifest, inputs, queued.terms))

    async def rerun(self, ref: str) -> tuple[str, str]:
        """Puts a job into the queue that has the module, inputs, arguments and limits of another.

        Args:
            ref: names the other one.

        Returns:
            The new job's id and state.

        Raises:
            NotFoundError: there is no such job, or what it needs was not kept or is gone.
            AmbiguousError: the name fits several.
            RefusedError: what is stored of it is damaged.
        """

        def query(db: sqlite3.Connection) -> tuple[list[Queued], list[RowDamagedError], dict[str, Blob]]:
            job = resolve(db, "jobs", ref)
            return *queued_jobs(db, job), references(db, job)

        found, damaged, kept = await self._read(query)
        if damaged:
            raise damaged[0]
        old = found[0]
        where = f"job {old.manifest.job[:16]}"
        given = old.manifest.extension.get("stdin_sha256")
        needed = {"module", *(f"{TREE}{grant.guest}" for grant in old.request.dirs)}
        if given != _EMPTY:  # also when nobody knows what came through a pipe
            needed.add("stdin")
        if needed - kept.keys():
            hint = "orlop jobs submit keeps what it needs; so does orlop jobs run --keep-output"
            raise NotFoundError("what it ran was not kept", where=where, hint=hint)
        inputs = {role: blob for role, blob in kept.items() if role not in {"stdout", "stderr"}}
        await asyncio.to_thread(self._claim, inputs, where)
        manifest = sign_manifest(
            self._parts.identity,
            replace(old.request, submitter="local"),
            str(old.manifest.payload["module_cid"]),
            nonce=new_nonce(),
            created_ms=self._parts.clock.wall_ms(),
            stdin_sha256=given if isinstance(given, str) else None,
        )
        terms = replace(old.terms, attempt=0, expires_ms=None, detached=True)
        return await self.enqueue(Queued(manifest, replace(old.request, submitter="local"), terms), inputs)

    def _claim(self, inputs: Mapping[str, Blob], where: str) -> None:
        try:
            for role, blob in inputs.items():
                if role.startswith(TREE):
                    claim_tree(self._parts.blobs, blob.hash)
                else:
                    self._parts.blobs.claim(blob.hash)
        except NotFoundError as error:
            raise NotFoundError(f"what it ran is gone: {error.why}", where=where) from error

    async def cancel(self, job: str) -> bool:
        """Ends a job of the queue that no program has taken on; tells whether it was one."""

        def work(tx: Transaction) -> bool:
            waits = tx.one("SELECT 1 FROM jobs WHERE job = ? AND state = 'queued' AND detached = 1", (job,))
            if waits is not None:
                end = JobEnd(
                    job=job,
                    outcome="cancelled",
                    state="cancelled",
                    exit_code=EXIT_CANCELLED["command"],
                    reason="cancelled before it started",
                    limits=JobLimits(),
                )
                records.finish(tx, end, "queued")
            return waits is not None

        return await asyncio.wrap_future(self._parts.store.write(work))

    async def run_manifest(self, raw: bytes, *, module: bytes, stdin: bytes = b"") -> tuple[str, str]:
        """Takes in a job that somebody signed, into the queue.

        In this order: size, signer on the list (this node's own keys are), schema, signature, expiry, limits against
        the ceilings, queue. Only then is the module looked at: its hash here, all else when its turn has come.

        Args:
            raw: the signed manifest.
            module: the module's file.
            stdin: the input.

        Returns:
            The job's id and state; of a job that is known already, its state, and nothing else happens.

        Raises:
            NotAuthorisedError: the signer is not on the list, or none can be made out.
            ManifestRefusedError: the manifest is not accepted.
            LimitRefusedError: a limit is above the ceiling, the input too large, or the queue full.
            RefusedError: module or input are not those of the manifest, or a directory is asked for.
            UnavailableError: something cannot be read or stored.
        """
        parts = self._parts
        now_ms = parts.clock.wall_ms()
        check = partial(accept, raw=raw, identity=parts.identity, ceilings=parts.ceilings, now_ms=now_ms)
        queued = await self._read(check)
        known = await self._read(partial(known_state, job=queued.manifest.job))
        if known is not None:
            return queued.manifest.job, known
        if await self._read(records.waiting) >= parts.queue.length:
            raise LimitRefusedError("queue", f"{parts.queue.length} jobs wait already")
        kept = await asyncio.to_thread(keep_given, parts.blobs, queued.manifest, module, stdin, parts.queue)
        return await self.enqueue(queued, kept)

    async def _read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        return await asyncio.wrap_future(self._parts.store.read(query))


def _refused(queued: Queued, why: str, tripped: str) -> JobEnd:
    return JobEnd(
        job=queued.manifest.job,
        outcome="refused",
        state="refused",
        exit_code=EXIT_NOT_RUN,
        reason=why,
        limits=queued.request.limits,
        tripped=tripped,
    )
