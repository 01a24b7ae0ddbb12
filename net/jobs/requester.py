"""The requester: carries a job to a worker, follows it there, goes on after a cut, and judges what comes back.

The worker is whom the connection proves; nothing that it says is believed before its receipt is verified under that
key. What its output was is what came here, byte by byte.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final

from net.errors import (
    ConnectionLostError,
    PeerFaultError,
    StreamResetError,
    UnreachableError,
    UnsupportedProtocolError,
)
from net.jobs.grace import Grace
from net.jobs.job_input import JobInput
from net.jobs.messages import REASON_MAX, Offer, Requirements, Result, Resume
from net.jobs.requester_session import Progress, RequesterSession
from net.jobs.requester_stream import Terms
from net.jobs.steps import StepName, TellStep, input_words, module_words, tell_nobody
from net.jobs.terms import RequesterTerms, WorkerTerms
from net.jobs.verdict import Circumstances, contradiction, doubted, exit_code_in, tripped_in, usage_in
from net.peer_id import PeerId
from net.stream import Connection
from runtime.canonical import encode
from runtime.clock import Clock
from runtime.jobs import (
    Carried,
    Carrier,
    Errand,
    Evidence,
    JobOutcome,
    Receipt,
    ReceiptRefusedError,
    Receipts,
    Verification,
    parse_receipt,
    reason_of,
)
from runtime.sanitise import clean

__all__ = ["JobRequester", "Waiting"]

Dial = Callable[[], Awaitable[Connection]]
"""Gives a connection to the worker, one that stands or a new one."""

_MIB: Final = 1 << 20
_LIE: Final = 100
_CUT: Final = (StreamResetError, ConnectionLostError, UnreachableError)
_STEPS_MOST: Final = 100
"""Of a job whose connection breaks again and again, the steps that are told before its end."""
_WAITS_MOST: Final = 3
"""Of such a job, how often is said that a way back is looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """How whoever waits for a job waits for a worker that is lost.

    Attributes:
        resume_s: for a way back to it; None for as long as it keeps the job.
        tell: told in words, each time that such a wait begins, what is waited for; three times for a job at most.
    """

    resume_s: float | None = None
    tell: Callable[[str], None] = lambda _: None


class JobRequester:
    """Sends jobs to workers.

    Args:
        receipts: of this node; verifies.
        clock: tells the time.
        terms: how long it waits, and for what.
        on_fault: told of what a worker did wrong.
        on_step: told of each step of a job.
    """

    def __init__(
        self,
        receipts: Receipts,
        clock: Clock,
        *,
        terms: RequesterTerms = RequesterTerms(),  # noqa: B008 - a frozen value
        on_fault: Callable[[PeerId, PeerFaultError], None] = lambda _peer, _fault: None,
        on_step: TellStep = tell_nobody,
    ) -> None:
        self._receipts = receipts
        self._clock = clock
        self._terms = terms
        self._on_fault = on_fault
        self._on_step = on_step

    def carrier(
        self,
        peer: PeerId,
        dial: Dial,
        *,
        arch: str | None = None,
        runtime: str = "wasmtime",
        waiting: Waiting = Waiting(),
    ) -> Carrier:
        """What `Jobs.run_elsewhere` gives a job to.

        Args:
            peer: the worker.
            dial: gives a connection to it, now and after a cut.
            arch: which architecture the job needs; None for any.
            runtime: which runtime it needs.
            waiting: how long a way back is looked for after a cut, and who is told.
        """

        async def carry(errand: Errand) -> Carried:
            limits = errand.request.limits
            requirements = Requirements(arch, runtime, cpu_cores=1, memory_mb=-(-limits.memory_bytes // _MIB))
            return await _Journey(self, errand, peer, dial, requirements=requirements, waiting=waiting).carried()

        return carry

    async def verify(self, errand: Errand, peer: PeerId, raw: bytes) -> Verification:
        """The eight steps, with all that is known of the job."""
        evidence = Evidence(
            key=peer.key.hex(),
            manifest=encode(errand.manifest.document),
            module=str(errand.manifest.payload["module_cid"]),
            commitment=await errand.commitment(),
        )
        return await self._receipts.verify("", evidence, raw=raw)

    @property
    def terms(self) -> RequesterTerms:
        """How long it waits."""
        return self._terms

    @property
    def clock(self) -> Clock:
        """Its clock."""
        return self._clock

    def blame(self, peer: PeerId, fault: PeerFaultError) -> None:
        """Tells of a fault."""
        self._on_fault(peer, fault)

    def tell(self, job: str, step: StepName, detail: str) -> None:
        """Tells of a step."""
        self._on_step(job, step, detail)


class _Journey:
    """One job on its way; several connections, if need be."""

    def __init__(
        self,
        requester: JobRequester,
        errand: Errand,
        peer: PeerId,
        dial: Dial,
        *,
        requirements: Requirements,
        waiting: Waiting,
    ) -> None:
        self._requester = requester
        self._errand = errand
        self._peer = peer
        self._dial = dial
        self._input = JobInput(errand.source, WorkerTerms().stdin_bytes)
        self._progress = Progress(module=errand.module, source=self._input)
        self._offer = self._offered(requirements)
        self._grace = Grace(errand.cancelled, requester.terms)
        self._waiting = waiting
        self._told = 0
        self._waits = 0

    async def carried(self) -> Carried:
        """Goes there and back."""
        try:
            return await self._grace.within(self._there_and_back())
        except TimeoutError:
            return self._given_up()
        except PeerFaultError as fault:
            self._requester.blame(self._peer, fault)
            return Carried(outcome="unverified", reason=f"the worker {fault.why}")
        except UnsupportedProtocolError:
            return Carried(outcome="refused", reason="the peer takes no jobs")
        finally:
            self._input.close()

    async def _there_and_back(self) -> Carried:
        """One session after another until one has brought an end, or there is no way back in time."""
        terms, clock = self._requester.terms, self._requester.clock
        until, pause = None, terms.retry_s
        while True:
            before = self._progress.heard
            try:
                return await self._session()
            except _CUT as error:
                if not self._progress.connected:
                    raise
                self._tell("cut", error.why)
                if self._progress.heard != before or until is None:
                    # Without a lease nothing of ours is there that would be worth a long way back.
                    patience_s = self._waiting.resume_s or terms.resume_s
                    patience_s = patience_s if self._progress.lease else min(patience_s, terms.answer_s)
                    until, pause = clock.monotonic() + patience_s, terms.retry_s
                    self._tell_waiting(patience_s, error.why)
                if clock.monotonic() >= until:
                    return Carried(outcome="lost", reason=f"the worker was lost: {error.why}")
            if await self._cancelled_within(min(pause, until - clock.monotonic())):
                return self._given_up()
            pause = min(2 * pause, terms.retry_most_s)

    def _given_up(self) -> Carried:
        """It was cancelled, and the worker does not say what became of it."""
        if not self._progress.lease:
            return Carried(outcome="cancelled", reason="cancelled before the worker took it")
        if self._grace.heard:
            return Carried(outcome="cancelled", reason="cancelled; the worker did not say how it ended")
        keep_min = WorkerTerms().keep_s / 60
        why = f"the worker does not answer, and may go on until its lease ends, {keep_min:g} minutes at most"
        return Carried(outcome="cancelled", reason=f"cancelled; {why}")

    def _tell_waiting(self, patience_s: float, why: str) -> None:
        self._waits += 1
        if self._waits <= _WAITS_MOST:
            words = f"the worker cannot be reached ({clean(why, 200)}); looking for a way back for {patience_s:g} s"
            self._waiting.tell(words)

    async def _cancelled_within(self, seconds: float) -> bool:
        await asyncio.wait({self._errand.cancelled}, timeout=seconds)
        return self._errand.cancelled.done()

    async def _session(self) -> Carried:
        progress = self._progress
        first: Offer | Resume = self._offer
        if progress.lease:
            first = Resume(self._errand.job, progress.lease, progress.came["stdout"], progress.came["stderr"])
        connection = await self._dial()
        self._tell("dialled", f"{connection.transport} {connection.remote}")
        if not progress.lease:
            size = len(self._errand.module)
            self._tell("offered", f"{module_words(size, 0)}, {input_words(self._input.size)}")
        session = RequesterSession(
            self._errand,
            self._limits(),
            progress,
            self._requester.terms,
            self._requester.clock,
            grace=self._grace,
            tell=self._tell,
        )
        ended = await session.run(connection, first)
        if session.fault is not None:
            self._requester.blame(self._peer, session.fault)
        if not isinstance(ended, Result):
            return ended
        self._tell("result", f"{ended.outcome}, {'no' if ended.receipt is None else 'a'} receipt")
        judged = await self._judged(ended)
        return judged if session.fault is None else self._late(judged, session.fault)

    def _tell(self, step: StepName, detail: str) -> None:
        self._told += 1
        if self._told <= _STEPS_MOST or step in {"result", "verified"}:
            self._requester.tell(self._errand.job, step, clean(detail, 300))

    def _limits(self) -> Terms:
        document = self._errand.request.limits.document()
        return Terms(
            job=self._errand.job,
            module_size=len(self._errand.module),
            limits={name: value for name, value in document.items() if isinstance(value, int)},
            output=self._errand.request.limits.max_output_bytes,
        )

    def _offered(self, requirements: Requirements) -> Offer:
        terms = self._requester.terms
        return Offer(
            manifest=self._errand.manifest.document,
            requirements=requirements,
            module_size=len(self._errand.module),
            stdin_size=self._input.size,
            issued_ms=self._requester.clock.wall_ms(),
            valid_ms=round((terms.offer_s + terms.skew_s) * 1000),
        )

    # --- judging ------------------------------------------------------------------------------------------------------

    async def _judged(self, result: Result) -> Carried:
        if result.receipt is None:
            return self._without_receipt(result)
        verification = await self._requester.verify(self._errand, self._peer, encode(result.receipt))
        try:
            receipt = parse_receipt(result.receipt)
        except ReceiptRefusedError:
            return self._unverified(verification, None)
        if verification.ok and (why := contradiction(result, receipt, self._circumstances())):
            verification = doubted(verification, why)
        if not verification.ok:
            return self._unverified(verification, receipt)
        self._tell("verified", "valid")
        return self._believed(result, receipt, verification)

    def _circumstances(self) -> Circumstances:
        terms, clock = self._requester.terms, self._requester.clock
        return Circumstances(
            manifest=self._errand.manifest,
            elapsed_ms=round((clock.monotonic() - self._progress.requested_at) * 1000),
            now_ms=clock.wall_ms(),
            skew_ms=round(terms.skew_s * 1000),
        )

    def _late(self, judged: Carried, fault: PeerFaultError) -> Carried:
        """A result that came when its lease was lost: verified and shown like any other, and it does not count."""
        if judged.outcome == "unverified":
            return judged
        self._tell("verified", f"late: {judged.outcome}")
        why = f"the worker {fault.why} in time; its result, {judged.outcome}, came late and does not count"
        return replace(judged, outcome="lost", exit_code=0, reason=why, tripped="")

    def _without_receipt(self, result: Result) -> Carried:
        ran = self._progress.started or any(self._progress.came.values())
        why = f": {said}" if (said := clean(result.reason, REASON_MAX)) else ""
        if result.outcome == "lost":
            return Carried(outcome="lost", reason=f"the worker lost it{why}; the job can be run again")
        if ran or result.outcome not in {"cancelled", "refused"}:
            lie = "it tells of a run and brings no receipt"
            self._requester.blame(self._peer, PeerFaultError(lie, rule="no-receipt", score=_LIE))
            return Carried(outcome="unverified", reason=f"the worker is not believed: {lie}")
        if result.outcome == "cancelled":
            return Carried(outcome="cancelled", reason="cancelled before it started")
        return Carried(outcome="refused", reason=f"the worker refused it when its turn came{why}")

    def _unverified(self, verification: Verification, receipt: Receipt | None) -> Carried:
        step = next((step for step in verification.steps if step.ok is False), verification.steps[0])
        why = clean(f"{step.name}: {step.detail}", 300)
        self._tell("verified", f"invalid: {why}")
        fault = PeerFaultError(f"sent a receipt that is not believed: {why}", rule="false-receipt", score=_LIE)
        self._requester.blame(self._peer, fault)
        return Carried(
            outcome="unverified",
            reason=f"the receipt is not believed: {why}",
            receipt=receipt,
            verification=verification,
        )

    def _believed(self, result: Result, receipt: Receipt, verification: Verification) -> Carried:
        outcome: JobOutcome = result.outcome  # type: ignore[assignment]  # one of them: `Result` has looked
        tripped, usage = tripped_in(receipt), usage_in(receipt)
        words = reason_of(outcome, self._errand.request.limits, None, usage.memory_peak_bytes, tripped)
        return Carried(
            outcome=outcome,
            exit_code=exit_code_in(receipt) or 0,
            reason=words.rstrip(": ") if outcome != "trap" else words.replace("trap:  ", "trap "),
            truncated=result.truncated,
            tripped=tripped,
            usage=replace(usage),
            receipt=receipt,
            verification=verification,
        )
