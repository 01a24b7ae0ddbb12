"""The worker: serves `/orlop/job/1.0.0`, and runs on this node what allow-listed peers offer, as any other job.

Deny-all: whoever is not on the list of submitters is answered before anything that it said is read. The key of the
connection is the submitter; the manifest must be signed by the same.
"""

import asyncio
import secrets
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from net.capabilities.measured import Measured, measure
from net.errors import PeerFaultError
from net.jobs.leases import Leases
from net.jobs.messages import Accepted, Offer, Resume, Resumed
from net.jobs.module_parts import ModulePart, ModuleParts
from net.jobs.offer_check import Machine, OfferRefusedError, Policy, prove, weigh
from net.jobs.reasons import InvalidRequest, Reason
from net.jobs.replay import Nonces
from net.jobs.steps import TellStep, tell_nobody
from net.jobs.stored_job import StoredJob, stored_job
from net.jobs.terms import WorkerTerms
from net.jobs.worker_job import Session, WorkerJob, WorkerParts
from net.jobs.worker_session import Followed, WorkerSession
from net.jobs.worker_stream import CancelCame, OfferCame, ResumeCame, WorkerEvent, WorkerStream
from net.peer_id import PeerId
from net.stream import Connection, Stream
from runtime.blobs import Blob
from runtime.clock import Clock
from runtime.errors import OrlopError
from runtime.jobs import Jobs, Manifest, Queued, known_module, may_submit
from runtime.store import Store

__all__ = ["JobWorker"]

T = TypeVar("T")

_KINDS: Final = frozenset({"wasm"})
_MIB: Final = 1 << 20
_UNKNOWN: Final = InvalidRequest("there is no such job")
_TAKEN: Final = InvalidRequest("the job's id cannot be used")
_SHUT: Final = InvalidRequest("this node takes no jobs now")
_REPLAYED: Final = InvalidRequest("replay: the nonce belongs to another job")


class JobWorker:
    """Takes jobs of peers. Belongs to the core's loop.

    Args:
        jobs: runs them.
        store: holds the list of submitters, and the jobs.
        clock: tells the time.
        terms: what requesters are held to.
        measured: what the machine has now.
        banned: whether a peer is banned, whatever the list says.
        accepts: whether the operator takes jobs now; asked at each offer. Jobs that were accepted go on.
        on_fault: told of what a peer did wrong where its stream is not reset for it.
        on_step: told of each step of a job that is taken; of an offer that is refused nothing is told, so that nobody
            can fill a journal with offers.
    """

    def __init__(
        self,
        jobs: Jobs,
        store: Store,
        clock: Clock,
        *,
        terms: WorkerTerms = WorkerTerms(),  # noqa: B008 - a frozen value
        measured: Callable[[], Measured] = measure,
        banned: Callable[[PeerId], bool] = lambda _: False,
        accepts: Callable[[], bool] = lambda: True,
        on_fault: Callable[[PeerId, PeerFaultError], None] = lambda _peer, _fault: None,
        on_step: TellStep = tell_nobody,
    ) -> None:
        self._jobs = jobs
        self._store = store
        self._clock = clock
        self._terms = terms
        self._measured = measured
        self._banned = banned
        self._accepts = accepts
        self._on_fault = on_fault
        self._on_step = on_step
        self._leases = Leases(most=terms.jobs, most_each=terms.jobs_each, start_s=terms.lease_s)
        self._nonces = Nonces(terms.skew_s + terms.life_s + terms.nonces_s)
        self._parts = ModuleParts(jobs.blobs, terms.module_bytes, terms.keep_s)
        self._shared = WorkerParts(
            jobs=jobs,
            leases=self._leases,
            parts=self._parts,
            clock=clock,
            terms=terms,
            forget=self._forget,
            rests=self._rest,
            tell=on_step,
        )
        self._held: dict[str, WorkerJob] = {}
        self._resting: dict[str, WorkerJob] = {}
        """Those that have ended and whose requesters are gone, the oldest first."""

    async def serve(self, connection: Connection, stream: Stream) -> None:
        """Serves one stream; a `net.stream.Handler`.

        Raises:
            PeerFaultError: the peer broke the protocol.
            OrlopError: the stream is gone, or something of ours failed.
        """
        key = connection.peer.key.hex()
        listed = not self._banned(connection.peer) and self._store.read_now(partial(may_submit, key=key))
        machine = WorkerStream(stranger=not listed)
        await WorkerSession(self, key, stream, machine, self._terms).run()

    def close(self) -> None:
        """Lets go of what did not begin; jobs that run are the node's."""
        for job in self._held.values():
            job.close()
        self._held.clear()
        self._resting.clear()
        self._parts.close()

    def blame(self, key: str, fault: PeerFaultError) -> None:
        """Counts a fault that was answered."""
        self._on_fault(PeerId(bytes.fromhex(key)), fault)

    def output_path(self, job: str) -> Path:
        """The file of a job's output."""
        return self._jobs.output_path(job)

    async def decide(
        self, key: str, session: Session, stream: WorkerStream, event: WorkerEvent
    ) -> tuple[Followed, int, int] | None:
        """Answers the first word of a stream; see `worker_session.Decides`."""
        match event:
            case OfferCame(offer):
                return await self._offered(key, session, stream, offer)
            case ResumeCame(resume):
                return await self._resumed(key, session, stream, resume)
            case CancelCame(job_id):
                self._cancelled(key, stream, job_id)
        return None

    # --- offers -------------------------------------------------------------------------------------------------------

    async def _offered(
        self, key: str, session: Session, stream: WorkerStream, offer: Offer
    ) -> tuple[Followed, int, int] | None:
        job = ""
        try:
            manifest = prove(offer, key)
            job = manifest.job
            stored = self._store.read_now(partial(stored_job, job=job))
            if (before := self._held.get(job) or stored) is not None:
                return await self._offered_again(key, session, stream, before)
            if not self._accepts():
                raise OfferRefusedError(_SHUT, rule="shut")
            self._check_nonce(key, manifest)
            queued = weigh(
                offer, manifest, machine=self._machine(key), policy=self._policy(), now_ms=self._clock.wall_ms()
            )
            found = await self._known_module(key, queued, offer)
            if (before := self._held.get(job)) is not None:  # offered twice at once
                return await self._offered_again(key, session, stream, before)
        except OfferRefusedError as error:
            stream.reject(job, error.reason)
            if error.score:
                self.blame(key, PeerFaultError(error.why, rule=error.rule, score=error.score))
            return None
        held = self._lease(key, offer, queued, found)
        self._tell_lease(key, offer, held)
        await held.attach(session)
        self._accept(stream, held)
        return held, 0, 0

    def _check_nonce(self, key: str, manifest: Manifest) -> None:
        nonce = str(manifest.extension.get("nonce", ""))
        if not self._nonces.take(key, nonce, manifest.job, self._clock.monotonic()):
            raise OfferRefusedError(_REPLAYED, rule="replay", score=10)

    def _machine(self, key: str) -> Machine:
        here, now = self._measured(), self._clock.monotonic()
        return Machine(
            arch=here.arch,
            kinds=_KINDS,
            cpu_cores=here.cpus,
            memory_mb=max(0, here.mem_free // _MIB - self._leases.reserved_mb(now)),
            full=self._jobs.full or self._leases.full(key, now),
        )

    def _policy(self) -> Policy:
        terms = self._terms
        return Policy(
            ceilings=self._jobs.ceilings,
            module_bytes=terms.module_bytes,
            stdin_bytes=terms.stdin_bytes,
            skew_ms=round(terms.skew_s * 1000),
            life_ms=round(terms.life_s * 1000),
        )

    async def _known_module(self, key: str, queued: Queued, offer: Offer) -> Blob | None:
        """The module, when this submitter has sent it before and it is still here."""
        blob = await self._read(partial(known_module, submitter=key, module=str(queued.manifest.payload["module_cid"])))
        if blob is None or blob.size != offer.module_size:
            return None
        try:
            return await asyncio.to_thread(self._jobs.blobs.claim, blob.hash)
        except OrlopError:
            return None

    def _lease(self, key: str, offer: Offer, queued: Queued, known: Blob | None) -> WorkerJob:
        """Keeps room for the job."""
        job, now = queued.manifest.job, self._clock.monotonic()
        module: Blob | ModulePart = known or self._parts.take(key, _digest(queued.manifest), now)
        lease = self._leases.take(secrets.token_hex(16), job, key, offer.requirements.memory_mb, now)
        held = self._held[job] = WorkerJob(self._shared, queued, offer, lease, module)
        return held

    def _tell_lease(self, key: str, offer: Offer, held: WorkerJob) -> None:
        left_ms = self._leases.left_ms(held.job, self._clock.monotonic())
        self._on_step(held.job, "offered", f"by {PeerId(bytes.fromhex(key))}")
        known = f"{held.have:,} of {offer.module_size:,} bytes of its module known here"
        self._on_step(held.job, "leased", f"for {left_ms:,} ms, {known}")

    def _accept(self, stream: WorkerStream, held: WorkerJob) -> None:
        left_ms = self._leases.left_ms(held.job, self._clock.monotonic())
        stream.accept(Accepted(held.job, held.lease, left_ms, held.limits, held.have), held.coming)

    async def _offered_again(
        self, key: str, session: Session, stream: WorkerStream, known: WorkerJob | StoredJob
    ) -> tuple[Followed, int, int] | None:
        """A job has one life: whoever offers it once more is told where it stands, and nothing runs twice."""
        if known.submitter != key:
            stream.reject(known.job, _TAKEN)
        elif isinstance(known, WorkerJob) and not known.claimed:
            await known.attach(session)
            self._accept(stream, known)
            return known, 0, 0
        else:
            stream.tell(known.job, Resumed(known.state, known.have))
        return None

    # --- after a cut --------------------------------------------------------------------------------------------------

    async def _resumed(
        self, key: str, session: Session, stream: WorkerStream, resume: Resume
    ) -> tuple[Followed, int, int] | None:
        held = self._held.get(resume.job_id)
        if held is None:
            return await self._resumed_stored(key, stream, resume)
        if (held.submitter, held.lease) != (key, resume.lease):
            self._refuse(key, stream, resume.job_id)
            return None
        await held.attach(session)
        told = Resumed(held.state, held.have)
        if held.begun or held.end is not None:
            stream.resume_job(told, held.coming if held.wants_input else None)
        else:
            stream.resume_lease(told, held.lease, held.coming)
        return held, resume.stdout_at, resume.stderr_at

    async def _resumed_stored(self, key: str, stream: WorkerStream, resume: Resume) -> tuple[Followed, int, int] | None:
        """Of a job that ended before this program began, or longer ago than is kept in mind."""
        stored = self._store.read_now(partial(stored_job, job=resume.job_id))
        if stored is None or stored.submitter != key or stored.end is None:
            self._refuse(key, stream, resume.job_id)
            return None
        stream.resume_job(Resumed(stored.state, stored.have), None)
        return stored, resume.stdout_at, resume.stderr_at

    def _cancelled(self, key: str, stream: WorkerStream, job: str) -> None:
        held = self._held.get(job)
        if held is None or held.submitter != key:
            self._refuse(key, stream, job)
        else:
            held.cancel()
            stream.close()

    def _refuse(self, key: str, stream: WorkerStream, job: str, reason: Reason = _UNKNOWN) -> None:
        stream.reject(job, reason)
        self.blame(key, PeerFaultError("spoke of a job that is not its own", rule="no-lease", score=5))

    def _forget(self, job: WorkerJob) -> None:
        self._resting.pop(job.job, None)
        if self._held.get(job.job) is job:
            del self._held[job.job]

    def _rest(self, job: WorkerJob) -> None:
        self._resting.pop(job.job, None)
        self._resting[job.job] = job
        if len(self._resting) > self._terms.ended:
            oldest = next(iter(self._resting.values()))
            oldest.let_go()
            self._forget(oldest)

    async def _read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        return await asyncio.wrap_future(self._store.read(query))


def _digest(manifest: Manifest) -> str:
    return str(manifest.payload["module_cid"]).removeprefix("sha256:")
