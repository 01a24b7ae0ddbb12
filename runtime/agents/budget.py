"""Holds running agents to their quotas: in each minute, second and room. Core loop only."""

from typing import Final

from runtime.agents.emission import Emissions, withdrawn
from runtime.agents.figures import Figures
from runtime.agents.keys import AgentKey
from runtime.agents.live import LiveAgent
from runtime.agents.quota import MINUTE_MS, Minute, Quotas, RoomBudgets
from runtime.agents.statistics import Statistics
from runtime.clock import Clock
from runtime.rooms.reasons import Reason

__all__ = ["Budget"]

_NOT_ITS_TURN: Final = Reason("another member runs this agent now")
_TOO_FAST: Final = Reason("rate limit: more emissions than 64 per second")


class Budget:
    """What agents may still use.

    Args:
        quotas: the bounds.
        statistics: takes the minutes that are over.
        clock: minutes go by its wall time, the pace by its monotonic time.
    """

    def __init__(self, quotas: Quotas, statistics: Statistics, clock: Clock) -> None:
        self.quotas = quotas
        self.statistics = statistics
        self._clock = clock
        self._rooms = RoomBudgets(quotas.room_emissions)

    def minute(self, key: AgentKey, figures: Figures) -> Minute:
        """The minute that is now, of an agent; the one before goes to the statistics.

        Args:
            key: whose.
            figures: the agent's.
        """
        number = self._clock.wall_ms() // MINUTE_MS
        if figures.minute.number != number:
            self.statistics.add(key, figures.minute)
            figures.minute = Minute(number)
        return figures.minute

    def spent(self, live: LiveAgent) -> str:
        """Why an agent has to wait for its next minute.

        Args:
            live: whose.

        Returns:
            Empty while it may be called.
        """
        return self.quotas.spent(self.minute(live.key, live.figures))

    def log_left(self, live: LiveAgent) -> int:
        """Bytes of log lines that an agent has left in this minute.

        Args:
            live: whose.
        """
        return self.quotas.log_bytes - self.minute(live.key, live.figures).log_bytes

    def bound(self, live: LiveAgent, emissions: Emissions, *, its_turn: bool) -> None:
        """Takes back what is too much: in a second, in a minute, in the room; and all when it is not its turn.

        Args:
            live: whose.
            emissions: loses drafts, each with a reason.
            its_turn: whether this member runs the agent.
        """
        if not emissions.drafts:
            return
        minute = self.minute(live.key, live.figures)

        def keep(allowed: int, reason: Reason) -> None:
            if allowed < len(emissions.drafts):
                emissions.dropped += withdrawn(emissions, reason, keep=max(0, allowed))

        if not its_turn:
            keep(0, _NOT_ITS_TURN)
        keep(live.pace.take(len(emissions.drafts), self._clock.monotonic()), _TOO_FAST)
        keep(self.quotas.emissions - minute.emissions, self.quotas.too_many)
        keep(self._rooms.take(live.key.room, len(emissions.drafts), minute.number), self.quotas.room_full)
