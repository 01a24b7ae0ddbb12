"""What an agent may use in one minute, and a room's agents together; pure.

A minute is one of the wall clock. Whoever has used up calls or CPU time pauses until the next one, which is no
failure; emissions and log lines beyond theirs are dropped, with a reason.
"""

from array import array
from dataclasses import dataclass, field
from typing import Final

from runtime.agents.limits import MAX_STATE_BYTES
from runtime.quantities import format_duration_ms, format_size
from runtime.rooms.reasons import Reason

__all__ = ["MINUTE_MS", "Minute", "Quotas", "RoomBudgets"]

MINUTE_MS: Final = 60_000
_DURATIONS: Final = 64
_MAX_U32: Final = 0xFFFFFFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotas:
    """The bounds, each of one agent and one minute unless it says otherwise.

    Attributes:
        calls: entries into the guest for a tick or an event.
        emissions: that are put before the room.
        log_bytes: of its lines.
        cpu_ms: CPU time of its calls.
        state_bytes: of its stored state, at any time.
        room_emissions: of all agents of one room together.
    """

    calls: int = 1_200
    emissions: int = 1_200
    log_bytes: int = 1 << 20
    cpu_ms: int = 20_000
    state_bytes: int = MAX_STATE_BYTES
    room_emissions: int = 3_000

    def spent(self, minute: "Minute") -> str:
        """Why an agent has to wait for the next minute.

        Args:
            minute: what it has used in this one.

        Returns:
            Empty while it may be called.
        """
        if minute.calls >= self.calls:
            return f"quota: {minute.calls} calls of {self.calls} in this minute; it goes on in the next one"
        if minute.cpu_us >= self.cpu_ms * 1000:
            used, allowed = format_duration_ms(minute.cpu_us // 1000), format_duration_ms(self.cpu_ms)
            return f"quota: {used} of CPU time of {allowed} in this minute; it goes on in the next one"
        return ""

    @property
    def too_many(self) -> Reason:
        """Why an emission of an agent is dropped."""
        return Reason(f"quota: more emissions than {self.emissions} in one minute")

    @property
    def room_full(self) -> Reason:
        """Why an emission into a room is dropped."""
        return Reason(f"quota: more emissions than {self.room_emissions} in one minute by all agents of the room")

    @property
    def log_full(self) -> str:
        """What is noted when log lines are dropped."""
        return f"host_log: more than {format_size(self.log_bytes)} in one minute"


@dataclass(slots=True)
class Minute:
    """What an agent used and did in one minute of the wall clock.

    Attributes:
        number: minutes since the Unix epoch.
        calls: that were made.
        failures: among them.
        emissions: that were put before the room.
        emitted: that the room admitted.
        dropped: that were not admitted, wherever they ended.
        log_bytes: of its lines.
        cpu_us: of its calls.
    """

    number: int = 0
    calls: int = 0
    failures: int = 0
    emissions: int = 0
    emitted: int = 0
    dropped: int = 0
    log_bytes: int = 0
    cpu_us: int = 0
    _durations: "array[int]" = field(default_factory=lambda: array("L"))

    def used(self, *, duration_us: int, cpu_us: int, emissions: int, log_bytes: int) -> None:
        """Counts a call that was made.

        Args:
            duration_us: on the clock.
            cpu_us: of the thread that it ran on.
            emissions: that it puts before the room.
            log_bytes: of its lines.
        """
        self.calls += 1
        self.cpu_us += cpu_us
        self.emissions += emissions
        self.log_bytes += log_bytes
        if len(self._durations) < _DURATIONS:
            self._durations.append(min(duration_us, _MAX_U32))
        else:
            self._durations[self.calls % _DURATIONS] = min(duration_us, _MAX_U32)

    def ended(self, *, ok: bool, emitted: int = 0, dropped: int = 0) -> None:
        """Counts what became of a call.

        Args:
            ok: whether it returned.
            emitted: events that were admitted.
            dropped: events that were not.
        """
        self.failures += not ok
        self.emitted += emitted
        self.dropped += dropped

    @property
    def p95_us(self) -> int:
        """The 95th percentile of the durations, of the newest ones where they are many; 0 without calls."""
        ordered = sorted(self._durations)
        return ordered[len(ordered) * 95 // 100] if ordered else 0


class RoomBudgets:
    """How much the agents of each room have emitted in this minute.

    Args:
        limit: emissions of a room in one minute.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._minute = 0
        self._used: dict[str, int] = {}

    def take(self, room: str, wanted: int, minute: int) -> int:
        """Takes emissions out of a room's budget.

        Args:
            room: its id.
            wanted: how many.
            minute: number of the minute.

        Returns:
            How many it gets.
        """
        if minute != self._minute:
            self._minute, self._used = minute, {}
        used = self._used.get(room, 0)
        got = min(wanted, self._limit - used)
        if got:
            self._used[room] = used + got
        return got
