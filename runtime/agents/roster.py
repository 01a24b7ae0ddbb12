"""The running agents: by key, by room, and by when they tick. Core loop only; time is passed in."""

from collections.abc import Iterator

from runtime.agents.keys import AgentKey
from runtime.agents.live import LiveAgent
from runtime.agents.ticks import TickSchedule

__all__ = ["Roster"]


class Roster:
    """All agents that run.

    Args:
        interval_s: seconds between two ticks of an agent.
    """

    def __init__(self, interval_s: float) -> None:
        self._live: dict[AgentKey, LiveAgent] = {}
        self._by_room: dict[str, dict[AgentKey, LiveAgent]] = {}
        self._schedule: TickSchedule[AgentKey] = TickSchedule(interval_s)

    def __contains__(self, key: object) -> bool:
        return key in self._live

    def __iter__(self) -> Iterator[AgentKey]:
        return iter(list(self._live))

    def __len__(self) -> int:
        return len(self._live)

    def get(self, key: AgentKey) -> LiveAgent | None:
        """The running agent of that key, or None."""
        return self._live.get(key)

    def room(self, room: str) -> list[LiveAgent]:
        """The agents of a room, in the order of their activation."""
        return list(self._by_room.get(room, {}).values())

    def add(self, live: LiveAgent, now: float) -> None:
        """Takes an agent in; its first tick comes one interval later.

        Args:
            live: activated.
            now: monotonic seconds.
        """
        self._live[live.key] = live
        self._by_room.setdefault(live.key.room, {})[live.key] = live
        self._schedule.start(live.key, now)

    def remove(self, key: AgentKey) -> LiveAgent | None:
        """Takes an agent out of everything that could call it.

        Args:
            key: whose.

        Returns:
            The agent; None when it does not run.
        """
        live = self._live.pop(key, None)
        if live is not None:
            self._schedule.stop(key)
            room = self._by_room[key.room]
            del room[key]
            if not room:
                del self._by_room[key.room]
        return live

    def due(self, now: float) -> list[LiveAgent]:
        """The agents that tick now; each is given once.

        Args:
            now: monotonic seconds.

        Returns:
            In the order in which they became due.
        """
        return [self._live[key] for key in self._schedule.take(now)]

    def next_due(self) -> float | None:
        """When the next agent ticks, in monotonic seconds; None without agents."""
        return self._schedule.next_due()
