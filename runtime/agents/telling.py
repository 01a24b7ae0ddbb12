"""What is told of agents: good calls that changed nothing, summed up for the journal, and events beside calls."""

import asyncio

from runtime.agents.figures import Run
from runtime.agents.keys import AgentKey
from runtime.agents.ledger import Ended
from runtime.agents.live import LiveAgent
from runtime.agents.modules import AgentModules
from runtime.clock import Clock
from runtime.errors import UnavailableError
from runtime.events import Event
from runtime.summaries import TickSummaries, is_uneventful

__all__ = ["Telling"]


class Telling:
    """Tells of agents.

    Args:
        modules: whose store journals events, and keeps who is on.
        clock: dates calls and summaries.
    """

    def __init__(self, modules: AgentModules, clock: Clock) -> None:
        self._modules = modules
        self._clock = clock
        self._summaries = TickSummaries()

    def completed(self, live: LiveAgent, ended: Ended) -> None:
        """Tells of a good call that changed nothing; where nothing happened at all, live only, and summed up.

        Args:
            live: whose.
            ended: the call.
        """
        event, now = ended.completed(), self._clock.wall_ms()
        live.figures.ran(Run(now, ended.trigger, ended.duration_us, True, ""))
        if not is_uneventful(event):
            self.emit(event)
            return
        self._modules.store.emit(event, journal=False)
        summary = self._summaries.add(event, now)
        if summary is not None:
            self.emit(summary)

    def summarise(self, key: AgentKey | None = None, *, ended: bool = False) -> None:
        """Journals the summaries of ticks in which nothing happened.

        Args:
            key: of this agent only; then all of them.
            ended: all of them, not only those of minutes that are over.
        """
        if key is not None:
            summaries = self._summaries.drain(key.room, key.agent)
        elif ended:
            summaries = self._summaries.drain()
        else:
            summaries = self._summaries.flush(self._clock.wall_ms())
        for summary in summaries:
            self.emit(summary)

    async def say(self, event: Event, *, off: AgentKey | None = None) -> None:
        """Stores an event that an answer waits for; what cannot be stored is told by the store.

        Args:
            event: what happened.
            off: an agent whose flag is cleared with it.
        """
        try:
            if off is None:
                await asyncio.wrap_future(self._modules.store.write(lambda tx: tx.emit(event)))
            else:
                await self._modules.set_active(off, active=False, event=event)
        except UnavailableError:
            self.emit(event)

    def emit(self, event: Event) -> None:
        """Tells of an event for whose storing nobody waits.

        Args:
            event: what happened.
        """
        self._modules.store.emit(event)
