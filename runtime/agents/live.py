"""A running agent, as the executor holds it. Core loop only."""

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from runtime.agents.figures import Figures
from runtime.agents.instance import AgentInstance, AgentModule
from runtime.agents.interface import Trigger
from runtime.agents.keys import AgentKey
from runtime.agents.limits import MAX_PENDING_EVENTS
from runtime.agents.manifest import Permission
from runtime.agents.pace import Pace
from runtime.agents.records import AgentRecord
from runtime.rooms.tasks import TaskEvent

__all__ = ["LiveAgent", "Order", "PendingEvent"]


class PendingEvent(NamedTuple):
    """A task event that waits for an agent; `hops` counts the agents that led to it."""

    event: TaskEvent
    hops: int


class Order(NamedTuple):
    """A call that is to be made."""

    trigger: Trigger
    pending: PendingEvent | None = None


@dataclass(slots=True)
class LiveAgent:
    """A running agent. At most one call of it runs at a time.

    Attributes:
        key: room and name.
        record: as uploaded.
        figures: what is shown.
        granted: what it may do from its next call on.
        pace: its bucket of emissions.
        module: compiled code.
        instance: None before the first call and after a failed one.
        state: as stored; None when there is none.
        state_version: number of its last write.
        pending: events that wait.
        missed: events that found no room to wait.
        tick_due: whether a tick waits.
        busy: whether a task serves it.
        gone: switched off: whatever still comes of it is thrown away.
        suspect: whether its last call ran long.
        notes: the host's remarks about its last call.
        remarks: those that belong to no call.
        held: makes the commit that the host has not made yet, and says whether it could; no call before it did.
    """

    key: AgentKey
    record: AgentRecord
    figures: Figures
    granted: frozenset[Permission]
    pace: Pace
    module: AgentModule | None = None
    instance: AgentInstance | None = None
    state: bytes | None = None
    state_version: int = 0
    pending: deque[PendingEvent] = field(default_factory=deque)
    missed: int = 0
    tick_due: bool = False
    busy: bool = False
    gone: bool = False
    suspect: bool = False
    notes: tuple[str, ...] = ()
    remarks: list[str] = field(default_factory=list)
    held: Callable[[], Awaitable[bool]] | None = None

    @property
    def waiting(self) -> bool:
        """Whether there is a call to be made."""
        return self.tick_due or bool(self.pending)

    def stand_by(self) -> None:
        """Forgets the calls that are to be made: it is somebody else's turn."""
        self.tick_due = False
        self.pending.clear()

    def offer(self, pending: PendingEvent) -> None:
        """Puts an event where it waits, or counts it as missed.

        Args:
            pending: the event.
        """
        if len(self.pending) < MAX_PENDING_EVENTS:
            self.pending.append(pending)
        else:
            self.missed += 1

    def note(self, text: str) -> None:
        """Adds a remark of the host to those of the next call.

        Args:
            text: once is enough.
        """
        if text not in self.remarks:
            self.remarks.append(text)

    def next_order(self) -> Order | None:
        """The next call; a due tick comes before waiting events, which could be without end.

        Returns:
            The call, taken; None when there is nothing to do.
        """
        if self.tick_due:
            self.tick_due = False
            return Order("tick")
        return Order("event", self.pending.popleft()) if self.pending else None

    def discard(self) -> None:
        """Switches it off for good; an instance in use is closed by the one who uses it."""
        self.gone = True
        self.pending.clear()
        if not self.busy and self.instance is not None:
            self.instance.close()
            self.instance = None
