"""One stream of a requester: the offer or what was cut goes out, module and input behind it; output and result come."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from net.errors import ConnectionLostError, PeerFaultError, StreamResetError
from net.jobs.frames import MESSAGE_MAX, Kind, frame
from net.jobs.grace import Grace
from net.jobs.job_input import JobInput
from net.jobs.messages import Cancel, Offer, Result, Resume, write_message
from net.jobs.requester_stream import (
    AcceptedCame,
    AliveCame,
    OutputCame,
    RejectedCame,
    RequesterEvent,
    RequesterStream,
    ResultCame,
    ResumedCame,
    StartedCame,
    Terms,
)
from net.jobs.steps import StepName, input_words, module_words
from net.jobs.terms import PROTOCOL, RequesterTerms
from net.stream import Connection, Stream
from runtime.clock import Clock
from runtime.errors import NetworkError, OrlopError
from runtime.jobs import Carried, Errand, StreamName

__all__ = ["Progress", "RequesterSession"]

_PIECE: Final = 262_144
"""Bytes that are sent at once."""


@dataclass(slots=True)
class Progress:
    """How far a job has come, over all of its streams.

    Attributes:
        module: the module's file.
        source: the input.
        connected: whether a stream was ever opened.
        lease: its lease; empty before it has one.
        requested_at: monotonic seconds of the first request.
        started: whether its guest has started.
        heard: how many words and pieces of output came.
        came: bytes of each output.
    """

    module: bytes
    source: JobInput
    connected: bool = False
    lease: str = ""
    requested_at: float = 0.0
    started: bool = False
    heard: int = 0
    came: dict[StreamName, int] = field(default_factory=lambda: {"stdout": 0, "stderr": 0})


class RequesterSession:
    """One stream, from its opening to its end.

    Args:
        errand: the job.
        limits: what the worker is held to.
        progress: of the job; carried on.
        terms: times.
        clock: measures.
        grace: told how far a cancellation has come; it ends the session from outside.
        tell: told of each step, and what there is to say of it.

    Attributes:
        fault: what the worker is to be blamed for although the session ended in order.
    """

    def __init__(
        self,
        errand: Errand,
        limits: Terms,
        progress: Progress,
        terms: RequesterTerms,
        clock: Clock,
        *,
        grace: Grace,
        tell: Callable[[StepName, str], None],
    ) -> None:
        self._errand = errand
        self._limits = limits
        self._progress = progress
        self._terms = terms
        self._clock = clock
        self._grace = grace
        self._tell = tell
        self._sender: asyncio.Task[None] | None = None
        self._trouble: OrlopError | None = None
        self._limit: asyncio.Timeout | None = None
        self._patience = terms.answer_s
        self._awaits_start = False
        self.fault: PeerFaultError | None = None

    async def run(self, connection: Connection, first: Offer | Resume) -> Result | Carried:
        """Runs it.

        Args:
            connection: to the worker.
            first: what is said first.

        Returns:
            The worker's result, which nobody has judged yet; or an end without one.

        Raises:
            PeerFaultError: the worker broke the protocol.
            NetworkError: the stream was cut, or cannot be opened.
            OrlopError: something of ours failed.
        """
        machine = RequesterStream(self._limits, first)
        if len(machine.first) > MESSAGE_MAX:
            return Carried(outcome="refused", reason=f"an offer of {len(machine.first)} bytes; {MESSAGE_MAX} fit")
        stream = await connection.open(PROTOCOL, bulk=True)
        self._progress.connected = True
        canceller = asyncio.create_task(self._cancel(connection, stream))
        try:
            await stream.write(machine.first)
            ended = await self._followed(connection, stream, machine)
            self._grace.settle()
            with contextlib.suppress(NetworkError):
                await stream.end()
        except BaseException:
            stream.reset()
            if self._trouble is not None:
                await self._say_cancel(connection)
            raise
        finally:
            await self._end(canceller)
        return ended

    async def _end(self, canceller: "asyncio.Task[None]") -> None:
        tasks = [task for task in (canceller, self._sender) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- what comes ---------------------------------------------------------------------------------------------------

    async def _followed(self, connection: Connection, stream: Stream, machine: RequesterStream) -> Result | Carried:
        try:
            return await self._follow(stream, machine)
        except TimeoutError:
            if not self._has_lost_lease():
                raise ConnectionLostError("the worker fell silent") from None
        late = None if self.fault is None else await self._late(connection, stream, machine)
        if late is not None:
            return late
        stream.reset()
        how = "did not answer the offer" if self.fault is None else "took the job and did not start it"
        return Carried(outcome="lost", reason=f"the worker {how}")

    async def _late(self, connection: Connection, stream: Stream, machine: RequesterStream) -> Result | None:
        """What a worker that has lost its lease still has to say, if it brings a receipt."""
        if not await self._say_cancel(connection):
            return None
        try:
            async with asyncio.timeout(self._terms.cancel_s):
                ended = await self._follow(stream, machine)
        except (TimeoutError, NetworkError):
            return None
        return ended if isinstance(ended, Result) and ended.receipt is not None else None

    async def _follow(self, stream: Stream, machine: RequesterStream) -> Result | Carried:
        while True:
            data = await self._read(stream)
            if not data:
                raise ConnectionLostError("it ended the stream without a result")
            for event in machine.receive(data):
                self._progress.heard += 1
                ended = await self._on(stream, machine, event)
                if ended is not None:
                    return ended

    async def _read(self, stream: Stream) -> bytes:
        try:
            async with asyncio.timeout(self._patience) as self._limit:
                return await stream.read()
        except StreamResetError:
            if self._trouble is not None:
                raise self._trouble from None
            raise
        finally:
            self._limit = None

    async def _on(self, stream: Stream, machine: RequesterStream, event: RequesterEvent) -> Result | Carried | None:
        progress = self._progress
        match event:
            case AcceptedCame(lease, lease_ms, have):
                progress.lease = lease
                self._grace.owe()
                self._tell("accepted", f"lease of {lease_ms:,} ms")
                self._errand.moved("admitted")
                self._send(stream, machine, have, request=True)
            case RejectedCame(reason):
                self._tell("rejected", str(reason))
                return Carried(outcome="lost" if progress.started else "refused", reason=f"the worker: {reason}")
            case ResumedCame(state, have):
                return self._resumed(stream, machine, state, have)
            case StartedCame():
                self._started()
            case AliveCame():
                self._heard()
            case OutputCame(name, data):
                progress.came[name] += len(data)
                await self._errand.write(name, data)
                self._heard()
            case ResultCame(result):
                return result
        return None

    def _resumed(self, stream: Stream, machine: RequesterStream, state: str, have: int) -> Carried | None:
        self._tell("resumed", f"there it is {state}")
        if not self._progress.lease:
            return Carried(outcome="refused", reason=f"the worker has had this job before; it is {state}")
        self._heard()
        if state == "running":
            self._started()
        self._send(stream, machine, have, request=state == "leased")
        return None

    def _started(self) -> None:
        if not self._progress.started:
            self._tell("started", "")
        self._progress.started = True
        self._errand.moved("running")
        self._heard()

    def _heard(self) -> None:
        self._awaits_start = False
        self._patience = self._terms.silence_s

    # --- what goes ----------------------------------------------------------------------------------------------------

    def _send(self, stream: Stream, machine: RequesterStream, have: int, *, request: bool) -> None:
        self._sender = asyncio.create_task(self._sent(stream, machine, have, request=request))

    async def _sent(self, stream: Stream, machine: RequesterStream, have: int, *, request: bool) -> None:
        """Sends all that the worker lacks; where that fails here, the stream ends."""
        try:
            if request:
                await self._send_module(stream, machine, have)
            await self._send_input(stream, machine, have, request=request)
            if request and self._names_input:
                self._all_sent()
        except StreamResetError:
            pass  # the reader sees the same
        except OrlopError as error:
            self._trouble = error
            stream.reset()

    async def _send_module(self, stream: Stream, machine: RequesterStream, have: int) -> None:
        progress = self._progress
        self._patience = self._terms.silence_s
        progress.requested_at = progress.requested_at or self._clock.monotonic()
        await stream.write(machine.request(progress.lease))
        for at in range(min(have, len(progress.module)), len(progress.module), _PIECE):
            await stream.write(machine.module(progress.module[at : at + _PIECE]))
        if not self._names_input:
            self._tell("sent", f"{self._module_words(have)}, {input_words(None)}")
        await stream.write(machine.module(b""))
        if not self._names_input:
            self._all_sent()

    async def _send_input(self, stream: Stream, machine: RequesterStream, have: int, *, request: bool) -> None:
        begin = at = max(0, have - len(self._progress.module))
        while data := await self._progress.source.read(at, _PIECE):
            await stream.write(machine.input(data))
            at += len(data)
        # Told before the last word: what that leads to comes after it.
        if request and self._names_input:
            self._tell("sent", f"{self._module_words(have)}, {input_words(at - begin)}")
        elif not self._names_input:
            self._tell("sent", f"all of the {input_words(at)}")
        await stream.write(machine.input(b""))

    def _module_words(self, have: int) -> str:
        return module_words(len(self._progress.module), have)

    @property
    def _names_input(self) -> bool:
        return "stdin_sha256" in self._errand.manifest.extension

    def _all_sent(self) -> None:
        """From now on the worker has all that it needs to start."""
        self._awaits_start = True
        self._patience = self._terms.start_s
        if self._limit is not None:
            self._limit.reschedule(asyncio.get_running_loop().time() + self._patience)

    # --- ending early -------------------------------------------------------------------------------------------------

    async def _cancel(self, connection: Connection, stream: Stream) -> None:
        """Says that the job is to end."""
        await asyncio.wait({self._errand.cancelled})
        if self._progress.lease:
            await self._say_cancel_here(stream)
            if await self._say_cancel(connection):
                self._grace.hear()

    async def _say_cancel_here(self, stream: Stream) -> None:
        """Says it on the job's own stream, if all that goes there has gone: a worker that sleeps hears it later."""
        if self._sender is not None and self._sender.done():
            with contextlib.suppress(NetworkError):
                await stream.write(self._cancel_word)

    async def _say_cancel(self, connection: Connection) -> bool:
        """Says it on another stream: this one may be full of input that nobody reads.

        Returns:
            Whether the worker answered: it ended that stream, in order or not.
        """
        try:
            async with asyncio.timeout(self._terms.cancel_heard_s):
                stream = await connection.open(PROTOCOL)
                await stream.write(self._cancel_word)
                await stream.end()
                while await stream.read():
                    pass
        except TimeoutError:
            return False
        except NetworkError:
            return not connection.closed
        return True

    @property
    def _cancel_word(self) -> bytes:
        return frame(Kind.MESSAGE, write_message(Cancel(self._errand.job)))

    def _has_lost_lease(self) -> bool:
        """Whether the worker, who said nothing for too long, is to be left for that; else a way back is looked for."""
        if self._errand.cancelled.done():
            return False
        if self._progress.lease and self._awaits_start:
            self.fault = PeerFaultError("took a lease and did not start", rule="never-started", score=15)
        return not self._progress.lease or self._awaits_start
