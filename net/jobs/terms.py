"""What both sides of a remote job hold each other to: times in seconds, sizes in bytes. See `frames` for frames."""

from dataclasses import dataclass
from typing import Final

__all__ = ["PROTOCOL", "RequesterTerms", "WorkerTerms"]

PROTOCOL: Final = "/orlop/job/1.0.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerTerms:
    """How a worker treats its requesters.

    Attributes:
        jobs: how many may hold a lease at a time, waiting or running.
        jobs_each: those of one submitter.
        module_bytes: of a module.
        stdin_bytes: of an input.
        skew_s: by how much clocks may differ.
        life_s: how long an offer may be valid.
        nonces_s: how long a nonce is remembered after that.
        first_s: how long a stream may take to say what it wants.
        lease_s: how long a request may take to come.
        unasked_s: how long after that a stream without one is kept, so that a late one is refused in words.
        heartbeat_s: how often a silent worker says that it lives.
        keep_s: how long a job goes on without its requester, and a half-sent module is kept.
        ended: how many jobs that have ended are kept in mind so long; of the others the store knows.
    """

    jobs: int = 64
    jobs_each: int = 32
    module_bytes: int = 16_777_216
    stdin_bytes: int = 67_108_864
    skew_s: float = 120.0
    life_s: float = 300.0
    nonces_s: float = 300.0
    first_s: float = 10.0
    lease_s: float = 10.0
    unasked_s: float = 10.0
    heartbeat_s: float = 10.0
    keep_s: float = 300.0
    ended: int = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class RequesterTerms:
    """How long a requester waits, and for what.

    Attributes:
        offer_s: how long its offer is valid, beside what clocks may differ by.
        skew_s: by how much clocks may differ.
        answer_s: for the answer to an offer.
        start_s: for the first word after module and input are sent.
        silence_s: for any word after that: three heartbeats.
        cancel_heard_s: for the answer to a cancellation; a worker that gives none is not there.
        cancel_s: for the result of a job that it cancelled, once the worker has answered that.
        resume_s: for a way back to the worker after a cut.
        retry_s: between two tries, at first; then twice as long each time, up to `retry_most_s`.
        retry_most_s: between two tries at most.
    """

    offer_s: float = 60.0
    skew_s: float = 120.0
    answer_s: float = 10.0
    start_s: float = 10.0
    silence_s: float = 30.0
    cancel_heard_s: float = 1.5
    cancel_s: float = 10.0
    resume_s: float = 300.0
    retry_s: float = 0.25
    retry_most_s: float = 10.0
