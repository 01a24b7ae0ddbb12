"""What running agents stand on: what they share, what a call of them is, and who hears what it leads to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from runtime.agents.budget import Budget
from runtime.agents.calls import Performed, failure_text
from runtime.agents.host import HostCall
from runtime.agents.instance import Sandbox
from runtime.agents.interface import Trigger
from runtime.agents.keys import AgentKey
from runtime.agents.lanes import Lanes
from runtime.agents.ledger import Failure, Ledger
from runtime.agents.live import LiveAgent
from runtime.agents.modules import AgentModules
from runtime.agents.state import AgentStates, SealedState
from runtime.agents.view import AgentView
from runtime.clock import Clock
from runtime.errors import OrlopError
from runtime.rooms.tasks import TaskEvent
from runtime.sandbox.outcome import Kind

__all__ = ["Made", "Parts", "Watcher", "failure_of", "news"]

_FAILURE_KINDS: Final[dict[Kind, str]] = {
    "deadline": "deadline",
    "memory": "memory",
    "stack": "stack",
    "host": "host",
}


class Watcher(Protocol):
    """Who hears what calls lead to."""

    def view(self, room: str) -> AgentView:
        """The room as its agents see it now."""
        ...

    def admitted(self, origin: AgentKey, events: Sequence[TaskEvent], hops: int) -> None:
        """An agent's emissions are in the room."""
        ...

    def may_run(self, key: AgentKey) -> bool:
        """Whether this member is the one who runs an agent now."""
        ...

    def waits(self, live: LiveAgent) -> None:
        """An agent has used up its minute; it is to be woken in the next one."""
        ...

    def tripped(self, live: LiveAgent) -> None:
        """An agent's breaker opened; it is stored already."""
        ...

    def unusable(self, live: LiveAgent, error: OrlopError) -> None:
        """An agent cannot be instantiated any more."""
        ...

    def faulted(self, where: str, error: BaseException) -> None:
        """The host failed at something that nobody waits for."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What agents run on."""

    modules: AgentModules
    states: AgentStates
    ledger: Ledger
    sandbox: Sandbox
    lanes: Lanes
    clock: Clock
    actor: Callable[[AgentKey], str]
    budget: Budget


@dataclass(frozen=True, slots=True)
class Made:
    """A call that was made: what the guest asked for, how it ended, the state to store."""

    host: HostCall
    done: Performed
    sealed: SealedState | None = None
    refused: str = ""
    """Why the state cannot be stored, through the agent's fault."""


def failure_of(made: Made, trigger: Trigger) -> Failure:
    """Why a call failed.

    Args:
        made: a call that did not return, or whose state was refused.
        trigger: what it was made for.

    Returns:
        Kind and reason.
    """
    if made.refused:
        return Failure("state", made.refused)
    return Failure(_FAILURE_KINDS.get(made.done.outcome.kind, "trap"), failure_text(made.done, trigger))


def news(live: LiveAgent, host: HostCall) -> tuple[str, ...]:
    """The host's remarks about a call, unless they are those of the call before; and what was lost meanwhile.

    Args:
        live: whose; its remarks are taken.
        host: the call.

    Returns:
        What is worth keeping.
    """
    notes = (*host.notes, *live.remarks)
    live.remarks.clear()
    fresh = () if notes == live.notes else notes
    live.notes = notes
    if host.cut:
        fresh = (*fresh, f"{host.cut} more log lines in this call")
    if live.missed:
        fresh = (*fresh, f"{live.missed} events were not delivered: too many were waiting")
        live.missed = 0
    return fresh
