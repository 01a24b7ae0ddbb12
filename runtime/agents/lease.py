"""Which member of a room runs an agent: a lease that one of them holds. Pure; time is passed in, in monotonic seconds.

Every member in whose program an agent is active is a candidate. Candidates say so, and the one who holds the lease says
that, every ten seconds and whenever somebody new is heard. A higher term wins, of equal terms the lower identity key;
whoever loses yields at once. When the holder leaves, gives the lease back or is silent for half a minute, the
candidates take over in a fixed order: those with the holder's module first, the lowest key first; each waits a little
for those before it.

There is no vote. Members that do not hear each other may each run an agent; once they do, one of them stays.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from runtime.agents.keys import AgentKey

__all__ = ["MAX_TERM", "RENEW_S", "SETTLE_S", "SILENT_S", "Candidacy", "Lease"]

RENEW_S: Final = 10.0
"""Between two messages of a candidate."""
SILENT_S: Final = 30.0
"""After so long without a message, a candidate is one no more."""
SETTLE_S: Final = 12.0
"""How long a new candidate listens before it takes over: long enough to hear one renewal."""
_TURN_S: Final = 5.0
"""How long a candidate waits for each one that comes before it."""
_SPACING_S: Final = 1.0
"""Between two messages that answer others."""
_TOGETHER_S: Final = RENEW_S / 2
"""How early a renewal may go out with those of other agents."""
MAX_TERM: Final = (1 << 53) - 1
"""What every JSON reader holds exactly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """What one member says about one agent.

    Attributes:
        room: its id.
        agent: the agent's name.
        hash: of the module that `runner` has; empty when it is no candidate any more.
        runner: identity key of the member who says it, and of nobody else.
        term: 0 of a candidate that stands by; else the lease that it holds, one more than the highest it knew.
    """

    room: str
    agent: str
    hash: str
    runner: str
    term: int

    @property
    def key(self) -> AgentKey:
        """The agent."""
        return AgentKey(self.room, self.agent)


class _Heard(NamedTuple):
    """The last message of another candidate."""

    hash: str
    at: float


class Candidacy:
    """One agent at one member, while it is active there and others are in the room.

    Args:
        key: the agent.
        me: this member's identity key.
        module_hash: of the module that it has.
        present: the other members that are there.
        now: monotonic seconds.
        running: it ran already when the others came; else it listens first.
    """

    __slots__ = (
        "_hash",
        "_heard",
        "_highest",
        "_holder",
        "_key",
        "_last_hash",
        "_me",
        "_peers",
        "_present",
        "_quiet_until",
        "_send_at",
        "_sent_at",
        "_term",
        "_vacant_at",
    )

    def __init__(
        self, key: AgentKey, me: str, module_hash: str, present: Iterable[str], now: float, *, running: bool
    ) -> None:
        self._key, self._me, self._hash = key, me, module_hash
        self._present = _without(me, present)
        self._peers: dict[str, _Heard] = {}
        self._holder = me if running else ""
        self._term = self._highest = 1 if running else 0
        self._last_hash = module_hash if running else ""
        self._heard = self._vacant_at = now
        self._quiet_until = now + SETTLE_S
        self._send_at = now
        self._sent_at = now - RENEW_S

    @property
    def holder(self) -> str:
        """Who runs the agent as far as is known; empty while nobody does."""
        return self._holder

    @property
    def mine(self) -> bool:
        """Whether this member runs it."""
        return self._holder == self._me

    @property
    def term(self) -> int:
        """Of the lease that is held; 0 while nobody holds it."""
        return self._term if self._holder else 0

    def attend(self, present: Iterable[str], now: float) -> list[Lease]:
        """Takes note of who is in the room.

        Args:
            present: the other members that are there.
            now: monotonic seconds.

        Returns:
            What is to be sent.
        """
        before, self._present = self._present, _without(self._me, present)
        for gone in self._peers.keys() - self._present:
            del self._peers[gone]
        if self._present - before:
            self._soon(now)
        return self.tick(now)

    def hear(self, lease: Lease, now: float) -> list[Lease]:
        """Takes what another member says; it was proven to be from `lease.runner`.

        Args:
            lease: about this agent; one in the name of somebody who is not there, or in this member's, says nothing.
            now: monotonic seconds.

        Returns:
            What is to be sent.
        """
        runner = lease.runner
        self._expire(now)
        if runner in self._present and 0 <= lease.term <= MAX_TERM:
            self._highest = max(self._highest, lease.term)
            if lease.hash:
                if runner not in self._peers:
                    self._soon(now)
                self._peers[runner] = _Heard(lease.hash, now)
            else:
                self._peers.pop(runner, None)
            if lease.hash and lease.term:
                self._claimed(lease, now)
            elif runner == self._holder:
                self._vacate(now)
        return self.tick(now)

    def tick(self, now: float) -> list[Lease]:
        """Lets time pass: takes over what nobody holds, says what is due.

        Args:
            now: monotonic seconds.

        Returns:
            What is to be sent.
        """
        self._expire(now)
        if not self._holder and now >= self._turn(now):
            self._holder, self._last_hash = self._me, self._hash
            self._term = self._highest = min(self._highest + 1, MAX_TERM)
            self._send_at = now
        return self._renew(now) if now >= self._send_at else []

    def join_in(self, now: float) -> list[Lease]:
        """Renews somewhat early, since this member speaks of other agents now: all go in one message.

        Args:
            now: monotonic seconds.

        Returns:
            What is to be sent.
        """
        return self._renew(now) if self._send_at - _TOGETHER_S <= now < self._send_at else []

    def withdraw(self) -> list[Lease]:
        """Stands no longer: the agent is off here.

        Returns:
            What is to be sent, so that nobody waits for this member.
        """
        return [self._say("", self._term if self.mine else 0)] if self._present else []

    def next_due(self, now: float) -> float:
        """When `tick` has something to do, in monotonic seconds, if nothing is heard before."""
        # With nobody there, nothing is said, and what was to be said is due for as long: not at once, again and again.
        send = self._send_at if self._present else now + RENEW_S
        if self.mine:
            return send
        change = self._heard + SILENT_S if self._holder else self._turn(now)
        return min(send, change)

    # --- inside -----------------------------------------------------------------------------------------------------

    def _renew(self, now: float) -> list[Lease]:
        if not self._present:
            return []
        self._sent_at, self._send_at = now, now + RENEW_S
        return [self._say(self._hash, self._term if self.mine else 0)]

    def _claimed(self, lease: Lease, now: float) -> None:
        held = self._holder
        if held == lease.runner or not held or self._beaten(lease):
            if self.mine:
                self._soon(now)
            self._holder, self._term, self._last_hash, self._heard = lease.runner, lease.term, lease.hash, now
        elif self.mine:
            self._soon(now)  # so that the other hears it, and yields

    def _beaten(self, lease: Lease) -> bool:
        return lease.term > self._term or (lease.term == self._term and lease.runner < self._holder)

    def _expire(self, now: float) -> None:
        """Takes the lease from a holder that left, or is silent."""
        there = self._holder in self._present and now < self._heard + SILENT_S
        if self._holder and not self.mine and not there:
            self._vacate(now)

    def _vacate(self, now: float) -> None:
        self._holder, self._vacant_at = "", now

    def _turn(self, now: float) -> float:
        """When it is this member's turn to take over what nobody holds."""
        if not self._present:
            return now
        order = [(one.hash != self._last_hash, key) for key, one in self._peers.items() if now < one.at + SILENT_S]
        own = (self._hash != self._last_hash, self._me)
        return max(self._quiet_until, self._vacant_at + _TURN_S * sum(one < own for one in order))

    def _soon(self, now: float) -> None:
        self._send_at = min(self._send_at, max(now, self._sent_at + _SPACING_S))

    def _say(self, module_hash: str, term: int) -> Lease:
        return Lease(room=self._key.room, agent=self._key.agent, hash=module_hash, runner=self._me, term=term)


def _without(me: str, present: Iterable[str]) -> frozenset[str]:
    """The others; the same set for all agents of a room where it can be, since there may be thousands."""
    found = frozenset(present)
    return found - {me} if me in found else found
