"""One inbound stream of a worker: its words and bytes go to a job, what the job has to tell goes back."""

import asyncio
import contextlib
from collections import deque
from pathlib import Path
from typing import Final, Protocol

from net.errors import PeerFaultError
from net.jobs.frames import DATA_MAX
from net.jobs.messages import Result
from net.jobs.reasons import InvalidRequest
from net.jobs.terms import WorkerTerms
from net.jobs.worker_job import Session, WorkerJob
from net.jobs.worker_stream import (
    CancelCame,
    InputCame,
    InputEnded,
    ModuleCame,
    ModuleEnded,
    OfferCame,
    RequestCame,
    ResumeCame,
    StrangerCame,
    WorkerEvent,
    WorkerStream,
)
from net.stream import Stream
from runtime.jobs import OutputFollower

__all__ = ["Decides", "Followed", "WorkerSession"]


class Followed(Protocol):
    """What a stream tells of a job that was accepted, or of one that has ended; see `worker_job.WorkerJob`."""

    @property
    def job(self) -> str:
        """Its id."""
        ...

    @property
    def wake(self) -> asyncio.Event:
        """Set when there is something new to tell."""
        ...

    @property
    def end(self) -> Result | None:
        """How it ended; None before."""
        ...

    @property
    def state(self) -> str:
        """As `Resumed` tells it."""
        ...

    @property
    def begun(self) -> bool:
        """Whether it was handed over to be run."""
        ...

    @property
    def claimed(self) -> bool:
        """Whether its requester has asked for it."""
        ...

    async def attach(self, session: Session) -> None:
        """The requester is there, on this stream."""
        ...

    def detach(self, session: Session) -> None:
        """The requester is gone."""
        ...


class Decides(Protocol):
    """What answers the first word of a stream; the answer is in the machine when it returns."""

    async def decide(
        self, key: str, session: Session, stream: WorkerStream, event: WorkerEvent
    ) -> "tuple[Followed, int, int] | None":
        """The job to follow, its session now this one, and from where in stdout and stderr; None when all is said."""
        ...

    def blame(self, key: str, fault: PeerFaultError) -> None:
        """Counts a fault that was answered instead of resetting the stream."""
        ...

    def output_path(self, job: str) -> Path:
        """The file of a job's output."""
        ...


class WorkerSession:
    """One stream, from its first byte to its last.

    Args:
        worker: decides.
        key: the peer's public key.
        stream: the stream.
        machine: takes it apart.
        terms: times.
    """

    def __init__(self, worker: Decides, key: str, stream: Stream, machine: WorkerStream, terms: WorkerTerms) -> None:
        self._worker: Final = worker
        self._key: Final = key
        self._stream: Final = stream
        self._machine: Final = machine
        self._terms: Final = terms
        self._events: deque[WorkerEvent] = deque()
        self._broken = False
        self._refusal = ""
        self._stopped = asyncio.Event()
        self._over = asyncio.Event()

    async def run(self) -> None:
        """Serves the stream.

        Raises:
            PeerFaultError: the peer broke the protocol; the stream is to be reset.
            NetworkError: the stream is gone.
            OrlopError: something of ours failed.
        """
        try:
            found = await self._first()
            if found is None:
                await self._flush()
            else:
                await self._follow(*found)
        finally:
            self._over.set()

    async def _follow(self, job: Followed, stdout_at: int, stderr_at: int) -> None:
        reader = asyncio.create_task(self._read(job))
        teller = asyncio.create_task(self._tell(job, stdout_at, stderr_at))
        stopped = asyncio.create_task(self._stopped.wait())
        try:
            await self._until_over(reader, teller, stopped)
        finally:
            for task in (reader, teller, stopped):
                task.cancel()
            await asyncio.gather(reader, teller, stopped, return_exceptions=True)
            job.detach(self)

    async def stop(self) -> None:
        """Ends it, because the requester came back on another stream; returns when its job is free."""
        self._stopped.set()
        await self._over.wait()

    async def _until_over(
        self, reader: "asyncio.Task[None]", teller: "asyncio.Task[None]", stopped: "asyncio.Task[bool]"
    ) -> None:
        await asyncio.wait({reader, teller, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if reader.done():
            reader.result()
            await asyncio.wait({teller, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if teller.done():
            teller.result()
        elif stopped.done():
            self._stream.reset()

    # --- the first word -----------------------------------------------------------------------------------------------

    async def _first(self) -> tuple[Followed, int, int] | None:
        try:
            async with asyncio.timeout(self._terms.first_s):
                while not self._events:
                    await self._receive()
        except TimeoutError:
            raise PeerFaultError("opened a stream and said nothing", rule="slow", score=5) from None
        except PeerFaultError as fault:
            if fault.rule != "bad-message":
                raise
            self._machine.reject("", InvalidRequest(fault.why))
            self._worker.blame(self._key, fault)
            return None
        event = self._events.popleft()
        if isinstance(event, StrangerCame):
            self._worker.blame(self._key, PeerFaultError("is not authorised", rule="not-authorised", score=10))
            return None
        return await self._worker.decide(self._key, self, self._machine, event)

    async def _receive(self) -> bool:
        """Takes the next bytes; false at their end."""
        data = await self._stream.read()
        if data:
            self._events += self._machine.receive(data)
            return True
        self._machine.finish()
        if not self._events:
            raise PeerFaultError("ended a stream without a word", rule="truncated", score=5)
        return False

    # --- what comes ---------------------------------------------------------------------------------------------------

    async def _read(self, job: Followed) -> None:
        try:
            await self._read_on(job)
        except PeerFaultError as fault:
            self._broken = True
            answered = fault.rule in _ANSWERED
            self._refusal = fault.why if answered else ""
            if isinstance(job, WorkerJob):
                job.drop()
            if not answered:
                raise
            self._worker.blame(self._key, fault)
            job.wake.set()

    async def _read_on(self, job: Followed) -> None:
        while True:
            while self._events and not self._machine.done:
                await self._on(job, self._events.popleft())
            try:
                async with asyncio.timeout(None if job.claimed else self._terms.lease_s + self._terms.unasked_s):
                    data = await self._stream.read()
            except TimeoutError:
                raise PeerFaultError("asked for nothing under its lease", rule="no-lease", score=5) from None
            if not data:
                self._machine.finish()
                return
            self._events += self._machine.receive(data)

    async def _on(self, job: Followed, event: WorkerEvent) -> None:
        if not isinstance(job, WorkerJob):
            return  # it has ended, and what is still said of it changes nothing
        match event:
            case RequestCame():
                job.claim()
            case ModuleCame(data):
                job.module_came(data)
            case ModuleEnded():
                await job.module_ended()
            case InputCame(data):
                await job.input_came(data)
            case InputEnded():
                await job.input_ended()
            case CancelCame():
                job.cancel()
            case OfferCame() | ResumeCame() | StrangerCame():
                raise AssertionError("only the first word begins a stream")

    # --- what goes ----------------------------------------------------------------------------------------------------

    async def _tell(self, job: Followed, stdout_at: int, stderr_at: int) -> None:
        """Sends all that the job has to tell, as it comes, until its end."""
        path = self._worker.output_path(job.job)
        told = job.state if job.begun else ""
        with contextlib.closing(OutputFollower(path, stdout_at=stdout_at, stderr_at=stderr_at)) as follower:
            while True:
                job.wake.clear()
                if self._broken:
                    return await self._finish_broken(job)
                end = job.end
                told = self._note(job, told)
                await self._flush()
                while (piece := follower.read(DATA_MAX)) is not None:
                    self._machine.output(*piece)
                    await self._flush()
                if end is not None:
                    return await self._finish(end)
                await self._wait(job)

    def _note(self, job: Followed, told: str) -> str:
        """Says what changed: it is written down, or its guest has started."""
        end = job.end
        if not job.begun:
            return told
        ran = job.state == "running" or (end is not None and end.receipt is not None)
        if ran and told not in _TOLD:
            self._machine.started()
            return "running"
        if not told:
            self._machine.alive()
            return "queued"
        return told

    async def _finish_broken(self, job: Followed) -> None:
        if self._refusal:
            self._machine.reject(job.job, InvalidRequest(self._refusal))
            await self._flush()

    async def _finish(self, end: Result) -> None:
        if end.receipt is not None:
            self._machine.output("stdout", b"")
            self._machine.output("stderr", b"")
        self._machine.result(end)
        await self._flush()

    async def _wait(self, job: Followed) -> None:
        try:
            async with asyncio.timeout(self._terms.heartbeat_s):
                await job.wake.wait()
        except TimeoutError:
            if job.claimed:
                self._machine.alive()

    async def _flush(self) -> None:
        if data := self._machine.take():
            await self._stream.write(data)


_ANSWERED: Final = frozenset({"no-lease", "wrong-module", "wrong-input"})
"""Faults that are answered in words: whoever made them may have meant well."""

_TOLD: Final = frozenset({"running", "done", "failed", "cancelled"})
