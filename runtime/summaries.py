"""Uneventful ticks, folded: the journal keeps one `tick.summary` per agent and minute in their place.

Live they are published in full. A crash loses at most the open minutes, in which by definition nothing happened.
"""

from dataclasses import dataclass

from runtime.events import TickCompleted, TickSummary

__all__ = ["TickSummaries", "is_uneventful"]

_MINUTE_MS = 60_000


def is_uneventful(event: TickCompleted) -> bool:
    """Whether a call was a tick that emitted nothing, dropped nothing and left the state as it was."""
    return event.trigger == "tick" and not (event.emitted or event.dropped or event.state_changed)


@dataclass(slots=True)
class _Open:
    from_ms: int
    to_ms: int
    count: int
    max_us: int


class TickSummaries:
    """Counts uneventful ticks by agent and minute of the wall clock. Pure: time comes with the events."""

    __slots__ = ("_open",)

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], _Open] = {}

    def add(self, event: TickCompleted, ts_ms: int) -> TickSummary | None:
        """Counts an uneventful tick.

        Args:
            event: the tick.
            ts_ms: when it ended, wall time.

        Returns:
            The summary of the agent's last minute if this tick begins another one.
        """
        key = (event.room, event.agent)
        current = self._open.get(key)
        if current is not None and current.from_ms // _MINUTE_MS == ts_ms // _MINUTE_MS:
            current.to_ms = max(current.to_ms, ts_ms)
            current.from_ms = min(current.from_ms, ts_ms)
            current.count += 1
            current.max_us = max(current.max_us, event.duration_us)
            return None
        self._open[key] = _Open(ts_ms, ts_ms, 1, event.duration_us)
        return None if current is None else _summary(key, current)

    def flush(self, now_ms: int) -> list[TickSummary]:
        """The summaries of agents that did not tick in the last minute; call once a minute or so.

        The next tick of any other agent ends its minute by itself, so that thousands do not end theirs at one moment.
        """
        last = now_ms // _MINUTE_MS - 1
        over = [key for key, current in self._open.items() if current.from_ms // _MINUTE_MS < last]
        return [_summary(key, self._open.pop(key)) for key in over]

    def drain(self, room: str | None = None, agent: str | None = None) -> list[TickSummary]:
        """All open summaries, of one room or agent where one is named: at the end of an activation or of the run."""
        if room is not None and agent is not None:
            ended = [key for key in ((room, agent),) if key in self._open]
        else:
            ended = [key for key in self._open if room in {None, key[0]} and agent in {None, key[1]}]
        return [_summary(key, self._open.pop(key)) for key in ended]


def _summary(key: tuple[str, str], current: _Open) -> TickSummary:
    room, agent = key
    return TickSummary(
        room=room,
        agent=agent,
        from_ms=current.from_ms,
        to_ms=current.to_ms,
        count=current.count,
        max_us=current.max_us,
    )
