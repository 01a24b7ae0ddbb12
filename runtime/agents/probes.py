"""When tripped agents are probed by themselves. Pure; time is passed in.

The first time five minutes after the trip, then after twice as long each time, up to an hour; five times at most.
"""

from typing import Final

from runtime.agents.keys import AgentKey

__all__ = ["MAX_PROBES", "ProbeSchedule", "probe_after"]

MAX_PROBES: Final = 5
_FIRST_MS: Final = 5 * 60_000
_LONGEST_MS: Final = 60 * 60_000


def probe_after(now_ms: int, probes: int) -> int | None:
    """When the next automatic probe is due.

    Args:
        now_ms: wall time of the trip, or of the last automatic probe.
        probes: how many failed since the trip.

    Returns:
        Wall time in milliseconds; None when there were enough.
    """
    return None if probes >= MAX_PROBES else now_ms + min(_FIRST_MS << probes, _LONGEST_MS)


class ProbeSchedule:
    """Due times of tripped agents, in monotonic seconds."""

    def __init__(self) -> None:
        self._due: dict[AgentKey, float] = {}
        self._next: float | None = None

    def set(self, key: AgentKey, at: float) -> None:
        """Schedules a probe in place of the one before.

        Args:
            key: whose.
            at: monotonic seconds.
        """
        self._due[key] = at
        self._next = at if self._next is None else min(self._next, at)

    def cancel(self, key: AgentKey) -> None:
        """Takes a probe back, if there is one.

        Args:
            key: whose.
        """
        self._due.pop(key, None)

    def take(self, now: float) -> list[AgentKey]:
        """The agents to probe now; each is given once.

        Args:
            now: monotonic seconds.

        Returns:
            In the order in which they became due.
        """
        if self._next is None or now < self._next:
            return []
        due = sorted((at, key) for key, at in self._due.items() if at <= now)
        for _, key in due:
            del self._due[key]
        self._next = min(self._due.values(), default=None)
        return [key for _, key in due]

    def next_due(self) -> float | None:
        """When to look again, in monotonic seconds; None without probes. It may be too early, never too late."""
        return self._next
