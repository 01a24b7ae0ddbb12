"""A job's stream as the requester sees it: words in their order, bytes within their bounds. Sans-IO."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from net.errors import PeerFaultError
from net.jobs.frames import DATA_MAX, RESULT_MAX, Frame, FrameReader, Kind, data_frames, frame
from net.jobs.messages import (
    Accepted,
    Alive,
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
from net.jobs.reasons import Reason
from runtime.jobs import StreamName

__all__ = [
    "AcceptedCame",
    "AliveCame",
    "OutputCame",
    "RejectedCame",
    "RequesterEvent",
    "RequesterStream",
    "ResultCame",
    "ResumedCame",
    "StartedCame",
    "Terms",
]


@dataclass(frozen=True, slots=True)
class AcceptedCame:
    """There is a lease; `request` is next."""

    lease: str
    lease_ms: int
    have: int


@dataclass(frozen=True, slots=True)
class RejectedCame:
    """The worker does not take the job, or does not go on with it."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class ResumedCame:
    """Where the job stands; `have` counts the module and the input behind it."""

    state: str
    have: int


@dataclass(frozen=True, slots=True)
class StartedCame:
    """The guest runs."""


@dataclass(frozen=True, slots=True)
class AliveCame:
    """The worker has the job."""


@dataclass(frozen=True, slots=True)
class OutputCame:
    """The next bytes of a stream."""

    stream: StreamName
    data: bytes


@dataclass(frozen=True, slots=True)
class ResultCame:
    """The end, as the worker tells it."""

    result: Result


RequesterEvent = AcceptedCame | RejectedCame | ResumedCame | StartedCame | AliveCame | OutputCame | ResultCame


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a worker is held to.

    Attributes:
        job: the job's id.
        module_size: bytes.
        limits: the bounds of the manifest, by name.
        output: bytes of each stream at most.
    """

    job: str
    module_size: int
    limits: Mapping[str, int]
    output: int


class _Phase(enum.Enum):
    OFFERED = enum.auto()
    RESUMING = enum.auto()
    LEASED = enum.auto()
    FOLLOWING = enum.auto()
    DONE = enum.auto()


_PHASES: Final = {
    Accepted: {_Phase.OFFERED},
    Rejected: {_Phase.OFFERED, _Phase.RESUMING, _Phase.LEASED, _Phase.FOLLOWING},
    Resumed: {_Phase.OFFERED, _Phase.RESUMING},
    Started: {_Phase.FOLLOWING},
    Alive: {_Phase.FOLLOWING},
    Result: {_Phase.LEASED, _Phase.FOLLOWING},
}
_STREAMS: Final[dict[Kind, StreamName]] = {Kind.STDOUT: "stdout", Kind.STDERR: "stderr"}


class RequesterStream:
    """One stream.

    Args:
        terms: of the job.
        first: the offer, or what was cut.
    """

    def __init__(self, terms: Terms, first: Offer | Resume) -> None:
        self._terms = terms
        self._frames = FrameReader({Kind.MESSAGE: RESULT_MAX, Kind.STDOUT: DATA_MAX, Kind.STDERR: DATA_MAX})
        resumes = isinstance(first, Resume)
        self._phase = _Phase.RESUMING if resumes else _Phase.OFFERED
        self._came: dict[StreamName, int] = {
            "stdout": first.stdout_at if isinstance(first, Resume) else 0,
            "stderr": first.stderr_at if isinstance(first, Resume) else 0,
        }
        self._ended: set[StreamName] = set()
        self.first = frame(Kind.MESSAGE, write_message(first))
        """What is to be sent at once."""

    def receive(self, data: bytes) -> list[RequesterEvent]:
        """Takes what came.

        Raises:
            PeerFaultError: the worker broke the protocol; the stream is of no more use.
        """
        if self._phase is _Phase.DONE:
            return []
        found = []
        for one in self._frames.receive(data):
            event = self._take(one)
            if event is not None:
                found.append(event)
        return found

    def request(self, lease: str) -> bytes:
        """What takes up the lease; the module follows."""
        self._phase = _Phase.FOLLOWING
        return frame(Kind.MESSAGE, write_message(Request(self._terms.job, lease)))

    @staticmethod
    def module(data: bytes) -> bytes:
        """The frames of a part of the module; of none, the one that ends it."""
        return data_frames(Kind.MODULE, data) or frame(Kind.MODULE, b"")

    @staticmethod
    def input(data: bytes) -> bytes:
        """The frames of a part of the input; of none, the one that ends it."""
        return data_frames(Kind.STDIN, data) or frame(Kind.STDIN, b"")

    # --- what comes ---------------------------------------------------------------------------------------------------

    def _take(self, one: Frame) -> RequesterEvent | None:
        if self._phase is _Phase.DONE:
            raise _out_of_order("something behind its last word")
        if one.kind is Kind.MESSAGE:
            return self._word(read_message(one.data))
        return self._output(_STREAMS[one.kind], one.data)

    def _word(self, message: Message) -> RequesterEvent:
        if self._phase not in _PHASES.get(type(message), set()):
            raise _out_of_order(f"the message `{type(message).__name__.lower()}`")
        match message:
            case Accepted():
                return self._accepted(message)
            case Rejected():
                self._check_job(message.job_id or self._terms.job)
                self._phase = _Phase.DONE
                return RejectedCame(message.reason)
            case Resumed():
                return self._resumed(message)
            case Started():
                return StartedCame()
            case Result():
                self._check_job(message.job_id)
                self._phase = _Phase.DONE
                return ResultCame(message)
        return AliveCame()

    def _accepted(self, message: Accepted) -> AcceptedCame:
        self._check_job(message.job_id)
        self._check_have(message.have)
        for name, most in self._terms.limits.items():
            if message.limits.get(name, 0) > most:
                why = f"took the job with {name} {message.limits[name]}, the manifest allows {most}"
                raise PeerFaultError(why, rule="limits", score=20)
        self._phase = _Phase.LEASED
        return AcceptedCame(message.lease, message.lease_ms, message.have)

    def _resumed(self, message: Resumed) -> ResumedCame:
        if self._phase is _Phase.OFFERED:
            self._phase = _Phase.DONE
        elif message.state == "leased":
            self._phase = _Phase.LEASED
        else:
            self._phase = _Phase.FOLLOWING
        return ResumedCame(message.state, message.have)

    def _output(self, stream: StreamName, data: bytes) -> OutputCame | None:
        if self._phase is not _Phase.FOLLOWING or stream in self._ended:
            raise _out_of_order(f"bytes of {stream}")
        if not data:
            self._ended.add(stream)
            return None
        self._came[stream] += len(data)
        if self._came[stream] > self._terms.output:
            why = f"sent more than {self._terms.output} bytes of {stream}"
            raise PeerFaultError(why, rule="oversized-output", score=20)
        return OutputCame(stream, data)

    def _check_job(self, job: str) -> None:
        if job != self._terms.job:
            raise PeerFaultError("spoke of another job", rule="wrong-job", score=100)

    def _check_have(self, have: int) -> None:
        if have > self._terms.module_size:
            raise PeerFaultError("has more of the module than there is", rule="bad-message", score=20)


def _out_of_order(what: str) -> PeerFaultError:
    return PeerFaultError(f"sent {what} where it has no place", rule="out-of-order", score=20)
