"""A job's stream as the worker sees it: which word and which bytes may come when, and how many. Sans-IO.

Whoever owns it decides about leases and jobs; a peer that breaks the order, or sends more or less than it declared, is
found out here.
"""

import enum
from collections import deque
from dataclasses import dataclass
from typing import Final

from net.errors import PeerFaultError
from net.jobs.frames import DATA_MAX, MESSAGE_MAX, Frame, FrameReader, Kind, frame
from net.jobs.messages import (
    Accepted,
    Alive,
    Cancel,
    Message,
    Offer,
    Rejected,
    Request,
    Result,
    Resume,
    Resumed,
    Started,
    read_message,
    write_message,
)
from net.jobs.reasons import NOT_AUTHORISED, Reason
from runtime.jobs import StreamName

__all__ = [
    "Bytes",
    "CancelCame",
    "InputCame",
    "InputEnded",
    "ModuleCame",
    "ModuleEnded",
    "OfferCame",
    "RequestCame",
    "ResumeCame",
    "StrangerCame",
    "WorkerEvent",
    "WorkerStream",
]


@dataclass(frozen=True, slots=True)
class StrangerCame:
    """Somebody who is not on the list said something; nobody read what, and the answer is ready to be sent."""


@dataclass(frozen=True, slots=True)
class OfferCame:
    """The stream is of a new job, or of one that was offered before."""

    offer: Offer


@dataclass(frozen=True, slots=True)
class ResumeCame:
    """The stream is of a job that was cut."""

    resume: Resume


@dataclass(frozen=True, slots=True)
class RequestCame:
    """The requester took up its lease; the module follows."""


@dataclass(frozen=True, slots=True)
class ModuleCame:
    """The next bytes of the module."""

    data: bytes


@dataclass(frozen=True, slots=True)
class ModuleEnded:
    """The module has the size that was declared."""


@dataclass(frozen=True, slots=True)
class InputCame:
    """The next bytes of the input."""

    data: bytes


@dataclass(frozen=True, slots=True)
class InputEnded:
    """The input is whole."""


@dataclass(frozen=True, slots=True)
class CancelCame:
    """A job is to end: the one of this stream, or, as the first word, any of this requester."""

    job_id: str


WorkerEvent = (
    StrangerCame | OfferCame | ResumeCame | RequestCame | ModuleCame | ModuleEnded | InputCame | InputEnded | CancelCame
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bytes:
    """What is still to come of a job's bytes.

    Attributes:
        module: bytes of the module.
        stdin: bytes of the input, or as many as it may have where `exact` is false.
        exact: the requester has declared the size of its input.
    """

    module: int
    stdin: int
    exact: bool


class _Phase(enum.Enum):
    FIRST = enum.auto()
    DECIDING = enum.auto()
    """The owner has not said yet what becomes of the first word."""
    LEASED = enum.auto()
    MODULE = enum.auto()
    INPUT = enum.auto()
    WATCHING = enum.auto()
    DONE = enum.auto()


class WorkerStream:
    """One stream.

    Args:
        stranger: the peer is not on the list of submitters: nothing that it says is read.
    """

    def __init__(self, *, stranger: bool) -> None:
        self._stranger = stranger
        bounds = {Kind.MESSAGE: MESSAGE_MAX, Kind.MODULE: DATA_MAX, Kind.STDIN: DATA_MAX}
        self._frames = FrameReader(bounds)
        self._phase = _Phase.FIRST
        self._job = ""
        self._lease = ""
        self._bytes = Bytes(module=0, stdin=0, exact=True)
        self._drops_input = False
        self._out: deque[bytes] = deque()

    @property
    def done(self) -> bool:
        """Whether the last word was said; what comes then is of no more interest."""
        return self._phase is _Phase.DONE

    # --- what comes ---------------------------------------------------------------------------------------------------

    def receive(self, data: bytes) -> list[WorkerEvent]:
        """Takes what came.

        Raises:
            PeerFaultError: the peer broke the protocol; the stream is of no more use.
        """
        if self._phase is _Phase.DONE:
            return []
        found = []
        for one in self._frames.receive(data):
            event = self._take(one)
            if event is not None:
                found.append(event)
        return found

    def finish(self) -> None:
        """The peer has ended its direction.

        Raises:
            PeerFaultError: something that it announced did not come.
        """
        if self._phase is _Phase.DONE:
            return
        if not self._frames.between or self._phase in {_Phase.MODULE, _Phase.INPUT}:
            raise _truncated("its stream", "the end")

    def _take(self, one: Frame) -> WorkerEvent | None:
        if self._phase is _Phase.DONE:
            return None
        if self._stranger:
            self.reject("", NOT_AUTHORISED)
            return StrangerCame()
        if one.kind is Kind.MESSAGE:
            return self._word(read_message(one.data))
        if one.kind is Kind.MODULE and self._phase is _Phase.MODULE:
            return self._module(one.data)
        if one.kind is Kind.STDIN and self._phase is _Phase.INPUT:
            return self._input(one.data)
        if one.kind is Kind.STDIN and self._drops_input:
            return None
        raise _out_of_order(f"bytes of kind {int(one.kind)}")

    def _word(self, message: Message) -> WorkerEvent:
        match self._phase, message:
            case _Phase.FIRST, Offer():
                self._phase = _Phase.DECIDING
                return OfferCame(message)
            case _Phase.FIRST, Resume():
                self._phase, self._job = _Phase.DECIDING, message.job_id
                return ResumeCame(message)
            case _Phase.FIRST, Cancel():
                self._phase = _Phase.DECIDING
                return CancelCame(message.job_id)
            case _Phase.LEASED, Request():
                if (message.job_id, message.lease) != (self._job, self._lease):
                    raise PeerFaultError("asked under another lease", rule="no-lease", score=5)
                self._phase = _Phase.MODULE
                return RequestCame()
            case _Phase.FIRST, Request():
                raise PeerFaultError("asked without a lease", rule="no-lease", score=5)
            case ((_Phase.LEASED | _Phase.MODULE | _Phase.INPUT | _Phase.WATCHING), Cancel()):
                if message.job_id != self._job:
                    raise _out_of_order("the cancellation of another job")
                return CancelCame(message.job_id)
        raise _out_of_order(f"the message `{type(message).__name__.lower()}`")

    def _module(self, data: bytes) -> WorkerEvent:
        left = self._bytes.module
        if len(data) > left:
            raise PeerFaultError("sent more of a module than it declared", rule="oversized-module", score=20)
        self._bytes = Bytes(module=left - len(data), stdin=self._bytes.stdin, exact=self._bytes.exact)
        if data:
            return ModuleCame(data)
        if left:
            raise _truncated("its module", f"{left} bytes")
        self._phase = _Phase.INPUT
        return ModuleEnded()

    def _input(self, data: bytes) -> WorkerEvent:
        left = self._bytes.stdin
        if len(data) > left:
            raise PeerFaultError("sent more input than it may", rule="oversized-input", score=20)
        self._bytes = Bytes(module=0, stdin=left - len(data), exact=self._bytes.exact)
        if data:
            return InputCame(data)
        if left and self._bytes.exact:
            raise _truncated("its input", f"{left} bytes")
        self._phase = _Phase.WATCHING
        return InputEnded()

    # --- what goes ----------------------------------------------------------------------------------------------------

    def take(self) -> bytes:
        """What is to be sent now."""
        sent = b"".join(self._out)
        self._out.clear()
        return sent

    def accept(self, accepted: Accepted, coming: Bytes) -> None:
        """The job has a lease.

        Args:
            accepted: says so.
            coming: what the requester will send once it asks.
        """
        self._phase, self._job, self._lease, self._bytes = _Phase.LEASED, accepted.job_id, accepted.lease, coming
        self._say(accepted)

    def reject(self, job: str, reason: Reason) -> None:
        """The job is not taken; nothing more is read."""
        self._phase = _Phase.DONE
        self._say(Rejected(job, reason))

    def resume_lease(self, resumed: Resumed, lease: str, coming: Bytes) -> None:
        """The stream goes on where the request is wanted, once more if it came before."""
        self._phase, self._lease, self._bytes = _Phase.LEASED, lease, coming
        self._say(resumed)

    def resume_job(self, resumed: Resumed, coming: Bytes | None) -> None:
        """The stream goes on with a job that was written down.

        Args:
            resumed: says so.
            coming: what is to come of its input; None when that is whole, or not wanted any more: what comes of it
                all the same, from a requester who cannot know, is dropped.
        """
        self._phase = _Phase.WATCHING if coming is None else _Phase.INPUT
        self._drops_input = coming is None
        self._bytes = coming or self._bytes
        self._say(resumed)

    def tell(self, job: str, resumed: Resumed) -> None:
        """Says where a job stands that was offered before; nothing more is read."""
        self._phase, self._job = _Phase.DONE, job
        self._say(resumed)

    def close(self) -> None:
        """Nothing more is read, and nothing is answered."""
        self._phase = _Phase.DONE

    def started(self) -> None:
        """The guest runs."""
        self._say(Started())

    def alive(self) -> None:
        """Nothing new."""
        self._say(Alive())

    def output(self, stream: StreamName, data: bytes) -> None:
        """The guest wrote something, at most `DATA_MAX` bytes; none ends the stream."""
        self._out.append(frame(_OUTPUTS[stream], data))

    def result(self, result: Result) -> None:
        """The job has ended; nothing more is read."""
        self._phase = _Phase.DONE
        self._say(result)

    def _say(self, message: Message) -> None:
        self._out.append(frame(Kind.MESSAGE, write_message(message)))


_OUTPUTS: Final[dict[StreamName, Kind]] = {"stdout": Kind.STDOUT, "stderr": Kind.STDERR}


def _truncated(what: str, missing: str) -> PeerFaultError:
    return PeerFaultError(f"ended {what} early: {missing} did not come", rule="truncated", score=5)


def _out_of_order(what: str) -> PeerFaultError:
    return PeerFaultError(f"sent {what} where it has no place", rule="out-of-order", score=20)
