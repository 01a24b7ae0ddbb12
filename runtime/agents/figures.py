"""What is shown of agents: where they are, and the figures of their calls. Loads no engine."""

from array import array
from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

from runtime.agents.breaker import CLOSED, Breaker
from runtime.agents.quota import Minute

__all__ = ["Figures", "Phase", "Run"]

_RUNS: Final = 16
_DURATIONS: Final = 64
_ENOUGH: Final = 20
_MAX_U32: Final = 0xFFFFFFFF


class Phase(StrEnum):
    """Where an agent is."""

    OFF = "off"
    STARTING = "starting"
    ACTIVE = "active"
    STANDBY = "standby"
    PROBING = "probing"
    TRIPPED = "tripped"
    FAILED = "failed"
    PAUSED = "paused"


class Run(NamedTuple):
    """One call that ended. `reason` is empty for a good one."""

    ts_ms: int
    trigger: str
    duration_us: int
    ok: bool
    reason: str


@dataclass(slots=True)
class Figures:
    """What is shown of an agent; outlives its activations.

    Attributes:
        phase: where it is.
        calls: since its activation.
        emitted: of the last call.
        dropped: of the last call.
        breaker: as it is now.
        problem: why it failed or waits.
        state_bytes: of its stored state.
        runner: name of the member who runs it, where others are in the room.
        minute: what it used and did in the minute of its last call.
        runs: the newest calls, oldest first.
    """

    phase: Phase = Phase.OFF
    calls: int = 0
    emitted: int = 0
    dropped: int = 0
    breaker: Breaker = CLOSED
    problem: str = ""
    state_bytes: int = 0
    runner: str = ""
    minute: Minute = field(default_factory=Minute)
    runs: deque[Run] = field(default_factory=lambda: deque(maxlen=_RUNS))
    _durations: "array[int]" = field(default_factory=lambda: array("L"))

    def ran(self, run: Run, *, emitted: int = 0, dropped: int = 0) -> None:
        """Notes a call.

        Args:
            run: the call.
            emitted: events that were admitted.
            dropped: events that were not.
        """
        self.runs.append(run)
        self.emitted, self.dropped = emitted, dropped
        self.minute.ended(ok=run.ok, emitted=emitted, dropped=dropped)
        self._durations.append(min(run.duration_us, _MAX_U32))
        if len(self._durations) > _DURATIONS:
            del self._durations[0]

    @property
    def last(self) -> Run | None:
        """The newest call."""
        return self.runs[-1] if self.runs else None

    @property
    def p95_us(self) -> int | None:
        """The 95th percentile of the last durations; None while they are few."""
        if len(self._durations) < _ENOUGH:
            return None
        return sorted(self._durations)[len(self._durations) * 95 // 100]
