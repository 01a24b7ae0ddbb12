"""Leases: room that is kept for jobs that were accepted, until they end or nobody asks for it. Pure.

A lease is a duration, counted by the worker's own clock; nobody's wall time matters.
"""

from dataclasses import dataclass, replace
from typing import Final

from net.errors import PeerFaultError

__all__ = ["Lease", "Leases"]

_SCORE: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Room that is kept.

    Attributes:
        name: 32 hexadecimal characters; whoever goes on with the job names it.
        job: the job's id.
        submitter: whose job it is, a public key.
        memory_mb: what is kept.
        until: monotonic seconds by which the request must come; None once it came.
    """

    name: str
    job: str
    submitter: str
    memory_mb: int
    until: float | None


class Leases:
    """All leases of a worker.

    Args:
        most: jobs that may hold one at a time.
        most_each: jobs of one submitter.
        start_s: how long a request may take to come.
    """

    def __init__(self, *, most: int, most_each: int, start_s: float) -> None:
        self._most = most
        self._most_each = most_each
        self._start_s = start_s
        self._held: dict[str, Lease] = {}

    def full(self, submitter: str, now: float) -> bool:
        """Whether there is no room for one more job of a submitter."""
        self.expire(now)
        own = sum(lease.submitter == submitter for lease in self._held.values())
        return len(self._held) >= self._most or own >= self._most_each

    def reserved_mb(self, now: float) -> int:
        """Memory that is kept for jobs, mebibytes."""
        self.expire(now)
        return sum(lease.memory_mb for lease in self._held.values())

    def take(self, name: str, job: str, submitter: str, memory_mb: int, now: float) -> Lease:
        """Keeps room for a job; the caller has seen that there is some.

        Args:
            name: 16 random bytes as hexadecimal text.
            job: its id.
            submitter: whose it is.
            memory_mb: what it needs.
            now: monotonic seconds.
        """
        lease = Lease(name=name, job=job, submitter=submitter, memory_mb=memory_mb, until=now + self._start_s)
        self._held[job] = lease
        return lease

    def left_ms(self, job: str, now: float) -> int:
        """How long the request of a job may still take to come, at least 1."""
        lease = self._held.get(job)
        return 1 if lease is None or lease.until is None else max(1, round((lease.until - now) * 1000))

    def claim(self, job: str, submitter: str, name: str, now: float) -> Lease:
        """The request came: from now on the lease holds until it is given back.

        Raises:
            PeerFaultError: there is no such lease of this submitter, or no more.
        """
        self.expire(now)
        lease = self._held.get(job)
        if lease is None or (lease.submitter, lease.name) != (submitter, name):
            raise PeerFaultError("asked without a lease, or after it", rule="no-lease", score=_SCORE)
        claimed = replace(lease, until=None)
        self._held[job] = claimed
        return claimed

    def give_back(self, job: str) -> None:
        """The job has ended, or will not begin; twice does nothing."""
        self._held.pop(job, None)

    def expire(self, now: float) -> list[Lease]:
        """Gives up what nobody asked for in time.

        Returns:
            What was given up.
        """
        late = [lease for lease in self._held.values() if lease.until is not None and lease.until <= now]
        for lease in late:
            del self._held[lease.job]
        return late
