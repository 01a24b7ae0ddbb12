"""A job of ours that another node runs: written down, kept and ended here as any other. Who carries it there is given.

What comes back goes through the same pipes as the output of a guest: kept up to the limit, told, and passed on, and
where its reader is slow, the carrier waits.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Literal

from runtime.awaiting import answer
from runtime.errors import OrlopError, RefusedError, UnavailableError
from runtime.jobs import records
from runtime.jobs.admission import checked, struck
from runtime.jobs.capture import Capture
from runtime.jobs.commitment import Commitment
from runtime.jobs.ending import STATES, JobEnd, JobOutcome, Usage, exit_code
from runtime.jobs.manifest import Manifest
from runtime.jobs.moves import Moves
from runtime.jobs.output import StreamName
from runtime.jobs.parts import Parts, new_capture
from runtime.jobs.pipes import writable
from runtime.jobs.queue import NOW
from runtime.jobs.receipt_form import Receipt
from runtime.jobs.spec import JobRequest
from runtime.jobs.streams import HeldStreams
from runtime.jobs.submission import known_source, signed
from runtime.jobs.verify import Verification
from runtime.store import Transaction

__all__ = ["Carried", "Carrier", "Elsewhere", "Errand", "WriteToo", "send_off", "write_nothing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """What became of a job on another node.

    Attributes:
        outcome: how it ended there; `refused`, `lost` or `unverified` where nothing is believed.
        exit_code: the guest's, of a job that ended by itself.
        reason: one line for people.
        truncated: something that the guest wrote is missing.
        tripped: the name of the limit that struck; empty when none did.
        usage: what it used, as far as the receipt says it.
        receipt: what the other node signed.
        verification: of the receipt; it is stored only when it is valid.
    """

    outcome: JobOutcome
    exit_code: int = 0
    reason: str = ""
    truncated: bool = False
    tripped: str = ""
    usage: Usage = field(default_factory=Usage)
    receipt: Receipt | None = None
    verification: Verification | None = None


class Errand:
    """What a carrier has in hand. Belongs to the loop's thread.

    Args:
        request: what is to be run.
        manifest: signed, and written down.
        module: the module's file.
        source: the input, from `known_source`; a descriptor stays this job's.
        cancelled: done, with a key of `EXIT_CANCELLED`, once the job is to end early.
        capture: takes the output.
        moved: told of the job's next state.

    Attributes:
        job: the job's id.
    """

    def __init__(
        self,
        request: JobRequest,
        manifest: Manifest,
        module: bytes,
        source: bytes | int,
        *,
        cancelled: "asyncio.Future[str]",
        capture: Capture,
        moved: Callable[[Literal["admitted", "running"]], None],
    ) -> None:
        self.job = manifest.job
        self.request = request
        self.manifest = manifest
        self.module = module
        self.source = source
        self.cancelled = cancelled
        self.moved = moved
        self._capture = capture
        self._commitment: Commitment | None = None
        for descriptor in capture.writers:
            os.set_blocking(descriptor, False)

    async def write(self, stream: StreamName, data: bytes) -> None:
        """Takes the next bytes of a stream; returns when there is room for more.

        Args:
            stream: which.
            data: within the job's limit of output, which the carrier watches.
        """
        stdout, stderr = self._capture.writers
        await _write_all(stdout if stream == "stdout" else stderr, data)

    async def commitment(self) -> Commitment:
        """No more output will come: closes both streams.

        Returns:
            The commitment over what came.

        Raises:
            UnavailableError: what was kept cannot be read back.
        """
        if self._commitment is None:
            self._commitment = await self._capture.finish()
        return self._commitment


Carrier = Callable[[Errand], Awaitable[Carried]]
"""Carries a job to another node and comes back with its end, in a time that it bounds itself."""

WriteToo = Callable[[Transaction, JobEnd], None]
"""What is to be written with a job's end, in the same transaction."""


def write_nothing(_tx: Transaction, _end: JobEnd) -> None:
    """Leaves it at the end."""


class Elsewhere:
    """A job under way on another node; `runtime.jobs.course.Course` is one that runs here.

    Args:
        parts: of the node.
        request: what is to be run.
        manifest: signed, and written down with the job.
        module: the module's file.
        source: the input.
        held: what is connected to it; closed at the end.
        where: the PeerId of the other node.
        carry: carries it.
        write_too: what is written with its end.

    Attributes:
        job: its id.
        ended: done when its end is stored and its output was passed on.
    """

    def __init__(
        self,
        parts: Parts,
        request: JobRequest,
        manifest: Manifest,
        *,
        module: bytes,
        source: bytes | int,
        held: HeldStreams,
        where: str,
        carry: Carrier,
        write_too: WriteToo = write_nothing,
    ) -> None:
        loop = asyncio.get_running_loop()
        self.job = manifest.job
        self.ended: asyncio.Future[None] = loop.create_future()
        self._cancelled: asyncio.Future[str] = loop.create_future()
        self._parts = parts
        self._request = request
        self._manifest = manifest
        self._module = module
        self._source = source
        self._held = held
        self._where = where
        self._carry = carry
        self._write_too = write_too
        self._moves = Moves(parts.store, self.job)

    @property
    def state(self) -> str:
        """Its current state."""
        return self._moves.state

    @property
    def running(self) -> bool:
        """Whether its guest was started."""
        return self.state == "running"

    def cancel(self, by: str) -> None:
        """Ends it early; the first one counts.

        Args:
            by: a key of `EXIT_CANCELLED`.
        """
        if not self._cancelled.done():
            self._cancelled.set_result(by)

    def stop(self, by: str) -> None:
        """The program ends."""
        self.cancel(by)

    async def follow(self) -> JobEnd:
        """Has it carried, stores the end and passes on what came.

        Raises:
            UnavailableError: there is no room for its streams, or the end could not be stored.
        """
        try:
            capture = self._connect()
            errand = Errand(
                self._request, self._manifest, self._module, self._source,
                cancelled=self._cancelled, capture=capture, moved=self._move,
            )  # fmt: skip
            carried = await self._carried(errand)
            await errand.commitment()
            end = await self._store(carried, capture)
            await capture.pass_on(self._cancelled)
        finally:
            self._held.close()
        return replace(end, undelivered=capture.undelivered)

    async def _carried(self, errand: Errand) -> Carried:
        """Its end elsewhere; a module that no node would run does not go there."""
        try:
            await checked(self._module, self._request.limits.memory_bytes)
            return await self._carry(errand)
        except RefusedError as error:
            return Carried(outcome="refused", reason=str(error), tripped=struck(error))
        except OrlopError as error:
            return Carried(outcome="lost", reason=str(error))

    def _connect(self) -> Capture:
        def full() -> None:
            """The carrier watches the limit."""

        try:
            return new_capture(self._parts, self.job, self._request, self._held, full, outlives_readers=True)
        except OSError as error:
            raise UnavailableError(f"no room for the streams of a job: {error.strerror}") from error

    def _move(self, state: Literal["admitted", "running"]) -> None:
        if state != self.state:
            self._moves.to(state)

    async def _store(self, carried: Carried, capture: Capture) -> JobEnd:
        stdout, stderr = capture.kept
        outcome = carried.outcome
        by = self._cancelled.result() if self._cancelled.done() else "command"
        end = JobEnd(
            job=self.job,
            where=self._where,
            outcome=outcome,
            state=STATES[outcome],
            exit_code=carried.exit_code if outcome == "exit" else exit_code(outcome, cancelled_by=by),
            reason="; ".join(text for text in (carried.reason, capture.trouble) if text),
            truncated=carried.truncated or capture.truncated,
            limits=self._request.limits,
            tripped=carried.tripped,
            usage=replace(carried.usage, stdout_bytes=stdout, stderr_bytes=stderr),
            receipt_document=None if carried.receipt is None else dict(carried.receipt.document),
            verification=carried.verification,
        )
        self._moves.tell()
        previous = self.state

        def work(tx: Transaction) -> JobEnd:
            stored = end
            if carried.receipt is not None and carried.verification is not None and carried.verification.ok:
                kept = self._parts.receipts.keep_foreign(tx, carried.receipt, carried.verification)
                stored = replace(end, receipt=kept)
            records.finish(tx, stored, previous)
            self._write_too(tx, stored)
            return stored

        stored = await answer(self._parts.store.write(work))
        self._moves.state = stored.state
        return stored


async def send_off(
    parts: Parts,
    request: JobRequest,
    module: bytes,
    held: HeldStreams,
    *,
    where: str,
    carry: Carrier,
    created_ms: int | None = None,
    write_too: WriteToo = write_nothing,
) -> Elsewhere:
    """Signs the manifest and writes the job down.

    Args:
        parts: of the node.
        request: what is to be run, without directories.
        module: the module's file.
        held: what is connected to it.
        where: the PeerId of the node that is to run it.
        carry: carries it there.
        created_ms: wall time that the manifest states; None: now.
        write_too: what is written with its end.

    Raises:
        UsageError: arguments and environment do not fit into a manifest.
        UnavailableError: the input cannot be read, or the store cannot be written.
    """
    source = await known_source(held)
    manifest = await signed(parts, request, module, source, created_ms=created_ms)
    await answer(parts.store.write(lambda tx: records.insert(tx, request, manifest, NOW, where)))
    return Elsewhere(
        parts, request, manifest,
        module=module, source=source, held=held, where=where, carry=carry, write_too=write_too,
    )  # fmt: skip


async def _write_all(descriptor: int, data: bytes) -> None:
    """Writes into a pipe that does not block, as its reader takes it; what nobody takes any more is dropped."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:
            await writable(descriptor)
        except BrokenPipeError:
            return
