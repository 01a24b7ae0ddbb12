"""Probes of tripped agents: one call on a fresh instance, when the operator says so and by itself. Core loop only."""

from collections.abc import Awaitable, Callable

from runtime.agents.breaker import Breaker, left_alone
from runtime.agents.figures import Phase
from runtime.agents.keys import AgentKey
from runtime.agents.live import LiveAgent
from runtime.agents.probes import ProbeSchedule
from runtime.agents.records import AgentRecord
from runtime.agents.runner import Runner
from runtime.agents.starts import Starts
from runtime.clock import Clock
from runtime.errors import OrlopError
from runtime.events import Event

__all__ = ["Prober"]

_AGAIN_S = 60.0
"""After so long a probe is tried again that the host could not make or store."""


class Prober:
    """Probes tripped agents; whoever calls sees to it that nothing else is done to the agent meanwhile.

    Args:
        runner: stores breakers.
        starts: makes the calls.
        clock: probes are planned by its wall time, and waited for by its monotonic time.
        begin: gives an agent that does not run yet, with its breaker as it is.
        enlist: takes in one whose probe was good.
    """

    def __init__(
        self,
        runner: Runner,
        starts: Starts,
        clock: Clock,
        *,
        begin: Callable[[AgentRecord], Awaitable[LiveAgent]],
        enlist: Callable[[LiveAgent], None],
    ) -> None:
        self._runner = runner
        self._starts = starts
        self._clock = clock
        self._begin = begin
        self._enlist = enlist
        self.schedule = ProbeSchedule()

    def plan(self, key: AgentKey, breaker: Breaker) -> None:
        """Plans the next automatic probe, if there is to be one.

        Args:
            key: whose.
            breaker: as it is now.
        """
        if breaker.open and breaker.next_probe_ms is not None:
            wait_ms = max(0, breaker.next_probe_ms - self._clock.wall_ms())
            self.schedule.set(key, self._clock.monotonic() + wait_ms / 1000)

    def postpone(self, key: AgentKey) -> None:
        """Plans a probe that cannot be made now for a little later.

        Args:
            key: whose.
        """
        self.schedule.set(key, self._clock.monotonic() + _AGAIN_S)

    async def probe(self, record: AgentRecord, *, automatic: bool) -> bool:
        """Lets a tripped agent make one call; it stays on when the call is good.

        Args:
            record: its breaker is open.
            automatic: nobody asked for it.

        Returns:
            Whether the breaker is closed now.

        Raises:
            UnavailableError: the host failed; all is as it was, and an automatic probe is tried again soon.
        """
        live = await self._begin(record)
        live.figures.phase = Phase.PROBING
        try:
            reason = await self._starts.probe(live, automatic=automatic)
        except OrlopError:
            if automatic:
                self.postpone(record.key)
            raise
        finally:
            live.figures.phase = Phase.TRIPPED
        if reason:
            self.plan(record.key, live.figures.breaker)
        else:
            self._enlist(live)
        return not reason

    async def give_up(self, key: AgentKey, breaker: Breaker, event: Event) -> Breaker:
        """Takes the automatic probes of a tripped agent back.

        Args:
            key: whose.
            breaker: as it is.
            event: what is said about it.

        Returns:
            The breaker as it is stored now.

        Raises:
            UnavailableError: the host could not store it.
        """
        after = left_alone(breaker)
        await self._runner.keep_breaker(key, after, event)
        self.schedule.cancel(key)
        return after
