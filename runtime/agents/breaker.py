"""The circuit breaker of one agent: a pure fold over the ends of its calls.

It counts consecutive failures per kind of call and opens when either count reaches three. A good call resets the
count of its own kind only: a good tick says nothing about events. An open breaker stays open until it is replaced by a
fresh one (operator, probe, upload); it counts the automatic probes that failed.
"""

import json
from dataclasses import dataclass, replace
from typing import Final, Literal

from runtime.agents.limits import BREAKER_THRESHOLD
from runtime.agents.probes import probe_after

__all__ = ["CLOSED", "Breaker", "Counted", "failed", "from_body", "left_alone", "probed", "succeeded", "to_body"]

Counted = Literal["tick", "event"]
"""The kinds of call that are counted."""


@dataclass(frozen=True, slots=True)
class Breaker:
    """What the breaker remembers.

    Attributes:
        tick: reasons of the ticks that failed in a row, oldest first.
        event: reasons of the events that failed in a row, oldest first.
        tripped_by: the kind of call that opened it; None while it is closed.
        tripped_ms: wall time of the trip.
        probes: automatic probes that failed since.
        next_probe_ms: wall time of the next one; None when there is none.
    """

    tick: tuple[str, ...] = ()
    event: tuple[str, ...] = ()
    tripped_by: Counted | None = None
    tripped_ms: int | None = None
    probes: int = 0
    next_probe_ms: int | None = None

    @property
    def open(self) -> bool:
        """Whether the agent has to stay off."""
        return self.tripped_by is not None

    @property
    def failures(self) -> int:
        """Failures in a row, the greater of both kinds."""
        return max(len(self.tick), len(self.event))

    @property
    def reasons(self) -> tuple[str, ...]:
        """Of the failures that opened it, or of the longer row so far."""
        if self.tripped_by is not None:
            return self.row(self.tripped_by)
        return self.tick if len(self.tick) >= len(self.event) else self.event

    def row(self, kind: Counted) -> tuple[str, ...]:
        """The reasons of one kind of call.

        Args:
            kind: which.

        Returns:
            One line per failure in a row, oldest first.
        """
        return self.tick if kind == "tick" else self.event


CLOSED: Final = Breaker()
"""A breaker that has seen nothing."""


def succeeded(breaker: Breaker, kind: Counted) -> Breaker:
    """Folds a call that returned.

    Args:
        breaker: before the call.
        kind: of the call.

    Returns:
        The breaker after it.
    """
    if breaker.open or not breaker.row(kind):
        return breaker
    return replace(breaker, tick=()) if kind == "tick" else replace(breaker, event=())


def failed(breaker: Breaker, kind: Counted, reason: str, now_ms: int) -> Breaker:
    """Folds a call that failed through the agent.

    Args:
        breaker: before the call.
        kind: of the call; `init` on a fresh instance after a failure counts as the call for which it was made.
        reason: one line.
        now_ms: wall time.

    Returns:
        The breaker after it; open when this was the third failure in a row.
    """
    if breaker.open:
        return breaker
    row = (*breaker.row(kind), reason)
    after = replace(breaker, tick=row) if kind == "tick" else replace(breaker, event=row)
    if len(row) < BREAKER_THRESHOLD:
        return after
    return replace(after, tripped_by=kind, tripped_ms=now_ms, next_probe_ms=probe_after(now_ms, 0))


def probed(breaker: Breaker, now_ms: int) -> Breaker:
    """Folds an automatic probe that failed.

    Args:
        breaker: open.
        now_ms: wall time.

    Returns:
        The breaker after it, with the time of the next one.
    """
    probes = breaker.probes + 1
    return replace(breaker, probes=probes, next_probe_ms=probe_after(now_ms, probes))


def left_alone(breaker: Breaker) -> Breaker:
    """Takes the automatic probes back.

    Args:
        breaker: any.

    Returns:
        The same breaker without a next probe.
    """
    return replace(breaker, next_probe_ms=None)


def to_body(breaker: Breaker) -> str:
    """The breaker as JSON, for the store.

    Args:
        breaker: any.

    Returns:
        One line.
    """
    return json.dumps(
        {
            "tick": breaker.tick,
            "event": breaker.event,
            "tripped_by": breaker.tripped_by,
            "tripped_ms": breaker.tripped_ms,
            "probes": breaker.probes,
            "next_probe_ms": breaker.next_probe_ms,
        },
        separators=(",", ":"),
    )


def from_body(body: str) -> Breaker:
    """Reads what `to_body` wrote.

    Args:
        body: the stored text.

    Returns:
        The breaker; an unreadable body counts as an open one, so that damage never switches a bad agent on.
    """
    try:
        stored = json.loads(body)
        tripped_by = stored["tripped_by"]
        tripped_ms = stored["tripped_ms"]
        rows = [tuple(stored[kind]) for kind in ("tick", "event")]
        probes = stored.get("probes", 0)
        due_ms = stored["next_probe_ms"] if "probes" in stored else _first_due(tripped_by, tripped_ms)
    except (ValueError, KeyError, TypeError):
        return _UNREADABLE
    texts = all(isinstance(reason, str) for row in rows for reason in row)
    if not texts or tripped_by not in ("tick", "event", None) or not isinstance(tripped_ms, int | None):
        return _UNREADABLE
    if not isinstance(probes, int) or not isinstance(due_ms, int | None):
        return _UNREADABLE
    return Breaker(rows[0], rows[1], tripped_by, tripped_ms, probes, due_ms)


def _first_due(tripped_by: object, tripped_ms: object) -> int | None:
    """Of a breaker that was stored before there were automatic probes."""
    return probe_after(tripped_ms, 0) if tripped_by is not None and isinstance(tripped_ms, int) else None


_UNREADABLE: Final = Breaker(tick=("the stored breaker cannot be read",), tripped_by="tick", tripped_ms=0)
