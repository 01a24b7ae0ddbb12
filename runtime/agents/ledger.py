"""What an ended call leaves in the store: one transaction for its emissions, its state and its events.

Runs on the store's writer thread; everything that it needs was settled before, except what the room admits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from runtime.agents.breaker import Breaker
from runtime.agents.diagnostics import Diagnostics, RoomSeal, Said, shown_event
from runtime.agents.emission import Dropped, Emissions, rejections
from runtime.agents.interface import Trigger
from runtime.agents.keys import AgentKey
from runtime.agents.records import save_breaker, set_active
from runtime.agents.state import SealedState, save_state
from runtime.canonical import timestamp
from runtime.events import AgentDeactivated, AgentLog, BreakerTripped, Drop, Event, TickCompleted, TickFailed
from runtime.rooms.drafts import SubmitResult, TaskDraft
from runtime.rooms.tasks import TaskEvent
from runtime.store import Transaction

__all__ = ["Ended", "Failure", "Ledger", "RoomLog", "Stored", "due_time", "tripped_events"]


class RoomLog(RoomSeal, Protocol):
    """What agents need of the rooms when they write."""

    def append(self, tx: Transaction, room: str, drafts: Sequence[TaskDraft], *, actor: str) -> SubmitResult:
        """Appends to a room's log inside a transaction; actor and time are forced."""
        ...


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a call failed, and how many of its kind have failed in a row with it."""

    kind: str
    reason: str
    failures: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A call that ended.

    Attributes:
        key: whose.
        actor: id under which its emissions enter the room.
        n: the call's number since activation.
        trigger: what it was made for.
        duration_us: of all its entries together.
        cpu_us: CPU time of the same.
        log_bytes: of the agent's lines.
        emissions: for the room; without drafts when it failed.
        log: the agent's lines.
        notes: the host's remarks, if they are others than those of the call before.
        sealed: the state, if it changed.
        state_bytes: of the state after the call.
        failure: None for a good call.
        breaker: as it is after the call, if the call changed it.
        active: the stored flag, if it changes.
        first: events that come before the call's own.
        last: events that come after it.
        told: whether it has an event of its own; one that only failed to start an agent has not.
    """

    key: AgentKey
    actor: str
    n: int
    trigger: Trigger
    duration_us: int
    emissions: Emissions
    cpu_us: int = 0
    log_bytes: int = 0
    log: Sequence[str] = ()
    notes: Sequence[str] = ()
    sealed: SealedState | None = None
    state_bytes: int = 0
    failure: Failure | None = None
    breaker: Breaker | None = None
    active: bool | None = None
    first: Sequence[Event] = ()
    last: Sequence[Event] = ()
    told: bool = True

    @property
    def uneventful(self) -> bool:
        """Whether a good call left nothing behind that has to be stored."""
        return (
            self.failure is None
            and not (
                self.emissions.drafts or self.emissions.dropped or self.log or self.notes or self.first or self.last
            )
            and self.sealed is None
            and self.breaker is None
            and self.active is None
        )

    def completed(self, emitted: int = 0, dropped: Sequence[Dropped] = ()) -> TickCompleted:
        """The event of a good call.

        Args:
            emitted: how many events the room admitted.
            dropped: those that were not admitted.

        Returns:
            The event.
        """
        return TickCompleted(
            room=self.key.room,
            agent=self.key.agent,
            n=self.n,
            trigger=self.trigger,
            duration_us=self.duration_us,
            emitted=emitted,
            dropped=tuple(
                Drop(reason=one.reason.plain, detail=str(one.reason), event=shown_event(one.event)) for one in dropped
            ),
            state_bytes=self.state_bytes,
            state_changed=self.sealed is not None,
            cpu_us=self.cpu_us,
            asked=len(self.emissions.drafts),
            log_bytes=self.log_bytes,
        )


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of an ended call."""

    admitted: tuple[TaskEvent, ...]
    dropped: tuple[Dropped, ...]
    now_ms: int


class Ledger:
    """Writes ended calls.

    Args:
        rooms: admits emissions, and seals diagnostics.
        diagnostics: keeps what agents said.
    """

    def __init__(self, rooms: RoomLog, diagnostics: Diagnostics) -> None:
        self._rooms = rooms
        self._diagnostics = diagnostics

    def store(self, tx: Transaction, ended: Ended) -> Stored:
        """Writes one ended call; may be repeated when its transaction failed.

        Args:
            tx: the transaction.
            ended: the call.

        Returns:
            What the room admitted.
        """
        result = SubmitResult()
        if ended.emissions.drafts:
            result = self._rooms.append(tx, ended.key.room, ended.emissions.drafts, actor=ended.actor)
        dropped = (*ended.emissions.dropped, *rejections(ended.emissions, result.rejected))
        if ended.sealed is not None:
            save_state(tx, ended.sealed, tx.now_ms)
        if ended.breaker is not None:
            save_breaker(tx, ended.key, ended.breaker)
        if ended.active is not None:
            set_active(tx, ended.key, active=ended.active)
        failure = "" if ended.failure is None else ended.failure.reason
        said = Said.of(log=ended.log, drops=dropped, notes=ended.notes, failure=failure)
        self._diagnostics.add(tx, ended.key, said, tx.now_ms)
        own = [self._own(ended, result, dropped)] if ended.told else []
        for event in (*ended.first, *self._logged(ended.key, said), *own, *ended.last):
            tx.emit(event)
        return Stored(result.admitted, dropped, tx.now_ms)

    def _logged(self, key: AgentKey, said: Said) -> list[Event]:
        return [AgentLog(room=key.room, agent=key.agent, text=line) for line in said.log]

    def _own(self, ended: Ended, result: SubmitResult, dropped: Sequence[Dropped]) -> Event:
        failure = ended.failure
        if failure is None:
            return ended.completed(len(result.admitted), dropped)
        return TickFailed(
            room=ended.key.room,
            agent=ended.key.agent,
            n=ended.n,
            trigger=ended.trigger,
            duration_us=ended.duration_us,
            kind=failure.kind,
            message=failure.reason,
            failures=failure.failures,
            cpu_us=ended.cpu_us,
            log_bytes=ended.log_bytes,
        )


def due_time(breaker: Breaker) -> str | None:
    """When a tripped agent is probed by itself, as events say it.

    Args:
        breaker: of the agent.

    Returns:
        None when it is not.
    """
    return None if breaker.next_probe_ms is None else timestamp(breaker.next_probe_ms)


def tripped_events(key: AgentKey, breaker: Breaker) -> tuple[Event, ...]:
    """What is said when a breaker opens.

    Args:
        key: whose.
        breaker: open.

    Returns:
        The events, in order.
    """
    return (
        BreakerTripped(
            room=key.room,
            agent=key.agent,
            trigger=breaker.tripped_by or "tick",
            failures=len(breaker.reasons),
            reasons=breaker.reasons,
            next_probe=due_time(breaker),
        ),
        AgentDeactivated(room=key.room, agent=key.agent, reason="breaker"),
    )
