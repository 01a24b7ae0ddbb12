"""Whose call this is: the frame in which every host operation of one instance runs.

An operation asks the policy, acts and answers; the frame times it, records it, keeps its handles, bounds its waits by
the deadline of the call that the guest is in, and turns a fault of the host into an answer instead of a dead instance.
"""

import contextlib
import select
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from runtime.canonical import Json
from runtime.components.host.alarms import Alarms
from runtime.components.host.audit import AuditLog, Facts, Verdict
from runtime.components.host.handles import HandleTable
from runtime.components.permissions import Decision, Policy
from runtime.components.values import Err

__all__ = ["ComponentId", "Context", "CoreLine", "HostLimits"]

T = TypeVar("T")

_SLICE_S: Final = 0.1
"""How long a wait goes on before it looks at the deadline and the wish to stop again."""


@dataclass(frozen=True, slots=True)
class ComponentId:
    """One running component."""

    namespace: str
    name: str
    version: str
    instance: int

    def __str__(self) -> str:
        """As `acme/mirror@2.1.0#0`."""
        return f"{self.namespace}/{self.name}@{self.version}#{self.instance}"


@dataclass(frozen=True, slots=True)
class HostLimits:
    """What an instance may have of its host at most; counts, and bytes for `filesystem`."""

    handles: int = 256
    sockets: int = 64
    children: int = 4
    open_files: int = 128
    filesystem: int = 256 << 20


class CoreLine(Protocol):
    """The line to the core, which owns policy, storage, messages, log and audit."""

    def request(self, kind: str, fields: Mapping[str, Json]) -> Json:
        """Asks and waits for the answer."""
        ...

    def notify(self, kind: str, fields: Mapping[str, Json]) -> None:
        """Tells, and does not wait."""
        ...


@dataclass(slots=True)
class _Running:
    """What is known of the operation that runs now."""

    target: str = ""
    size: int = 0
    decision: Verdict = "none"
    rule: str | None = None
    line: int | None = None
    remedy: str = ""


class Context:
    """One instance, as its host operations see it. All but `replace_policy` belongs to the instance's thread.

    Args:
        component: whose it is.
        policy: what it may do.
        limits: what it may have.
        core: the line to the core.
        stopping: whether the host wants it to come to an end.

    Attributes:
        handles: what it holds open.
        audit: its records.
        alarms: what is to be done later; run before each operation, in waits, and between calls.
        deadline: monotonic seconds at which the running call is over.
    """

    def __init__(
        self,
        component: ComponentId,
        policy: Policy,
        limits: HostLimits,
        core: CoreLine,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self.component = component
        self.policy = policy
        self.limits = limits
        self.core = core
        self.stopping = stopping
        self.handles = HandleTable(
            {"file": limits.open_files, "socket": limits.sockets, "child": limits.children}, limits.handles
        )
        self.audit = AuditLog(self._send_audit)
        self.alarms = Alarms()
        self.deadline = float("inf")
        self._next_policy: Policy | None = None
        self._running = _Running()

    def replace_policy(self, policy: Policy) -> None:
        """Sets what holds from the next operation on; may be called from any thread."""
        self._next_policy = policy

    def adopt_policy(self) -> int:
        """Puts a policy that waits in force, and closes what the old one opened and the new one does not allow.

        Returns:
            How many handles were closed.
        """
        policy, self._next_policy = self._next_policy, None
        if policy is None:
            return 0
        self.policy = policy
        return self.handles.revoke(policy)

    def call(self, op: str, work: Callable[[], T], failed: Callable[[str], T], *, hot: bool) -> T:
        """Runs one operation of the guest, and records it.

        Args:
            op: `interface.operation` as in the WIT.
            work: does it.
            failed: the answer to a fault of the host itself, from a text for the guest.
            hot: its records are summed (operations on handles, and those without a permission).
        """
        if self._next_policy is not None:
            self.adopt_policy()
        self.alarms.run()
        running = self._running = _Running()
        began, start = time.time_ns() // 1000, time.perf_counter_ns()
        try:
            answer = work()
            outcome = _outcome(answer)
        except Exception as error:  # noqa: BLE001 - an exception would go through the engine and end the instance
            self._report_fault(op, error)
            answer, outcome = failed("internal"), "internal"
        facts = Facts(
            op,
            running.target,
            self.policy.version,
            running.decision,
            running.rule,
            running.line,
            running.remedy,
            outcome,
        )
        duration_us = (time.perf_counter_ns() - start) // 1000
        self.audit.note(facts, size=running.size, began=began, duration_us=duration_us, hot=hot)
        return answer

    def note(self, target: str | None = None, size: int = 0) -> None:
        """Adds to the record of the running operation.

        Args:
            target: what it is about.
            size: bytes moved.
        """
        if target is not None:
            self._running.target = target
        self._running.size += size

    def allow(self, decision: Decision, target: str) -> bool:
        """Whether a decision allows; the record shows its rule, and the denied target once there was one.

        Args:
            decision: of the policy.
            target: what was asked for.
        """
        running = self._running
        if running.decision != "denied":
            running.target = target
            running.decision = "allowed" if decision.allowed else "denied"
            running.rule, running.line, running.remedy = decision.rule, decision.line, decision.remedy
        return decision.allowed

    @contextlib.contextmanager
    def probing(self) -> Iterator[None]:
        """Keeps denials within from marking the running operation denied: it goes on without what was denied."""
        kept = self._running
        self._running = _Running()
        try:
            yield
        finally:
            self._running = kept

    def time_left(self, timeout_ms: int | None) -> float:
        """Seconds that a wait may take: the guest's timeout, cut to the call's deadline; never negative."""
        left = self.deadline - time.monotonic()
        if timeout_ms is not None:
            left = min(left, timeout_ms / 1000)
        return max(0.0, left)

    def wait(self, fd: int, events: int, timeout_ms: int | None) -> int:
        """Waits for one descriptor; see `wait_any`.

        Returns:
            What happened, as `select.POLL…`; 0 when the time is over.
        """
        return dict(self.wait_any([(fd, events)], timeout_ms)).get(fd, 0)

    def wait_any(self, wanted: Sequence[tuple[int, int]], timeout_ms: int | None) -> list[tuple[int, int]]:
        """Waits until something happens on descriptors, the time is over, or the host wants an end.

        Args:
            wanted: descriptors, each with the `select.POLL…` that are waited for; without any it sleeps.
            timeout_ms: how long at most; None as long as the call's deadline allows.

        Returns:
            What happened; nothing when the time is over.
        """
        until = time.monotonic() + self.time_left(timeout_ms)
        poll = select.poll()
        for fd, events in wanted:
            poll.register(fd, events)
        while True:
            left = until - time.monotonic()
            ready = poll.poll(max(0.0, min(left, _SLICE_S)) * 1000)
            if ready or left <= 0 or self.stopping():
                return ready
            self.alarms.run()

    def close(self) -> None:
        """Ends all that the instance holds and sends the last records."""
        self.handles.close_all()
        self.audit.flush()

    def _send_audit(self, records: Sequence[dict[str, Json]]) -> None:
        self.core.notify("audit", {"records": list(records)})

    def _report_fault(self, op: str, error: Exception) -> None:
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{last.filename.rpartition('/')[2]}:{last.lineno} in {last.name}"
        self.core.notify("fault", {"op": op, "trace": f"{type(error).__name__}: {error} ({where})"})


def _outcome(answer: object) -> str:
    """`ok`, or the case of the error in an answer."""
    return str(getattr(answer.error, "case", "error")) if isinstance(answer, Err) else "ok"
