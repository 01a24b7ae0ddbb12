"""Requests between components: each gets exactly one callback, whatever becomes of its target. Pure; time is passed in.

A request is open from its sending until one thing settles it: the reply, its time, the fall or the end of its target.
A request that its sender forgets, or whose sender ends, is settled without a callback. What comes later is counted.
"""

import heapq
from dataclasses import dataclass, replace
from typing import Final

from runtime.components.mailbox import Callback

__all__ = ["TIMEOUT_MAX_MS", "TIMEOUT_MIN_MS", "Due", "Requests"]

TIMEOUT_MIN_MS: Final = 10
TIMEOUT_MAX_MS: Final = 600_000


@dataclass(frozen=True, slots=True)
class Due:
    """A callback and the component that it is for."""

    sender: str
    callback: Callback


@dataclass(frozen=True, slots=True)
class _Open:
    sender: str
    target: str
    deadline: float
    handled: bool = False


class Requests:
    """All open requests of a node.

    Attributes:
        late: replies that came when nobody waited any more.
    """

    def __init__(self) -> None:
        self.late = 0
        self._last = 0
        self._open: dict[int, _Open] = {}
        self._of: dict[str, set[int]] = {}
        self._deadlines: list[tuple[float, int]] = []

    def pending(self, sender: str) -> int:
        """How many requests of a component are open.

        Args:
            sender: its id.
        """
        return len(self._of.get(sender, ()))

    def begin(self, sender: str, target: str, timeout_ms: int, now: float) -> tuple[int, float]:
        """Opens a request.

        Args:
            sender: who asks.
            target: who is asked.
            timeout_ms: how long the sender waits; taken into the bounds of 10 ms and 10 min.
            now: monotonic seconds.

        Returns:
            Its number, unique in this run, and its deadline in monotonic seconds.
        """
        self._last += 1
        deadline = now + min(max(timeout_ms, TIMEOUT_MIN_MS), TIMEOUT_MAX_MS) / 1000
        self._open[self._last] = _Open(sender, target, deadline)
        self._of.setdefault(sender, set()).add(self._last)
        heapq.heappush(self._deadlines, (deadline, self._last))
        return self._last, deadline

    def handle(self, number: int) -> None:
        """The target is in the call that answers a request.

        Args:
            number: of the request; one that was settled meanwhile is passed by.
        """
        known = self._open.get(number)
        if known is not None:
            self._open[number] = replace(known, handled=True)

    def waits_for(self, one: str, other: str) -> bool:
        """Whether a component waits for the answer that another is about to give, over others or not.

        Args:
            one: a component by its name.
            other: likewise; with itself it is in a circle only if it handles a request of its own.
        """
        edges = [(_name(open_.sender), open_.target) for open_ in self._open.values() if open_.handled]
        reached, ahead = set[str](), [one]
        while ahead:
            at = ahead.pop()
            reached.update(found := {target for asker, target in edges if asker == at} - reached)
            ahead.extend(found)
        return other in reached

    def answer(self, number: int, target: str, reply: bytes | None, failure: str = "") -> Due | None:
        """Settles a request by what its target did.

        Args:
            number: of the request.
            target: who answers; only the one that was asked can.
            reply: the reply; None of a failure.
            failure: why there is none: `cancelled-by-target`, `target-failed`, `mailbox-full`, `target-gone`.

        Returns:
            The callback; None when nobody waits for it, which is counted.
        """
        known = self._open.get(number)
        if known is None or known.target != target:
            self.late += 1
            return None
        return self._settle(number, Callback(number, reply, failure))

    def cancel(self, number: int, sender: str) -> bool:
        """Forgets an own request; no callback follows.

        Args:
            number: of the request.
            sender: who forgets it; only the one who sent it can.

        Returns:
            Whether it was open, and its own.
        """
        known = self._open.get(number)
        if known is None or known.sender != sender:
            return False
        self._drop(number)
        return True

    def expire(self, now: float) -> list[Due]:
        """Settles those whose time is over.

        Args:
            now: monotonic seconds.
        """
        due: list[Due] = []
        while self._deadlines and self._deadlines[0][0] <= now:
            _, number = heapq.heappop(self._deadlines)
            if number in self._open:
                due.append(self._settle(number, Callback(number, None, "timeout")))
        return due

    def next_due(self) -> float | None:
        """When to look again, in monotonic seconds; None while nothing is open. It may be too early, never too late."""
        return self._deadlines[0][0] if self._deadlines else None

    def ended(self, component: str, failure: str) -> list[Due]:
        """A component is gone: what it asked is forgotten, what it was asked fails.

        Args:
            component: its id.
            failure: `target-failed` or `target-gone`.
        """
        for number in list(self._of.get(component, ())):
            self._drop(number)
        asked = [number for number, one in self._open.items() if one.target == component]
        return [self._settle(number, Callback(number, None, failure)) for number in asked]

    def rename(self, old: str, new: str) -> None:
        """An instance has another name from now on; what it asked is still its own.

        Args:
            old: its name until now.
            new: nobody has it.
        """
        for number in self._of.pop(old, set()):
            self._open[number] = replace(self._open[number], sender=new)
            self._of.setdefault(new, set()).add(number)

    def _settle(self, number: int, callback: Callback) -> Due:
        return Due(self._drop(number), callback)

    def _drop(self, number: int) -> str:
        known = self._open.pop(number)
        own = self._of[known.sender]
        own.discard(number)
        if not own:
            del self._of[known.sender]
        if not self._open:
            self._deadlines.clear()
        return known.sender


def _name(key: str) -> str:
    """Of the component of an instance, by the instance's own."""
    return key.partition("#")[0]
