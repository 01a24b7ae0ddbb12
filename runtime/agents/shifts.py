"""Whose turn it is: the candidacies of this member's agents, by room, and who is there. Core loop only; no I/O.

An agent in a room without others may always run. Once others are there, it stands as a candidate, and runs while its
member holds the lease.
"""

from collections.abc import Callable, Iterable, Sequence

from runtime.agents.keys import AgentKey
from runtime.agents.lease import Candidacy, Lease

__all__ = ["Shifts"]


class Shifts:
    """Who runs which agent.

    Args:
        me: identity key of this node's member.
        changed: hears of each agent whose holder became another.
    """

    def __init__(self, me: str, changed: Callable[[AgentKey], None]) -> None:
        self._me = me
        self._changed = changed
        self._others: dict[str, frozenset[str]] = {}
        self._candidacies: dict[AgentKey, Candidacy] = {}
        self._next: float | None = None
        self.send: Callable[[Sequence[Lease]], None] | None = None
        """Takes what is to be told to the members of the rooms that it names; None while nobody can be told."""

    def may_run(self, key: AgentKey) -> bool:
        """Whether this member may run an agent now.

        Args:
            key: whose.
        """
        candidacy = self._candidacies.get(key)
        if candidacy is not None:
            return candidacy.mine
        return not self._others.get(key.room)

    def standing(self, key: AgentKey) -> Candidacy | None:
        """What is known of an agent's lease; None where no others have been."""
        return self._candidacies.get(key)

    def stand(self, key: AgentKey, module_hash: str, now: float) -> None:
        """An agent is active here from now on; nothing happens in a room without others.

        Args:
            key: whose.
            module_hash: of its module.
            now: monotonic seconds.
        """
        others = self._others.get(key.room)
        if others:
            self._tell(self._stand(key, module_hash, others, now, running=False))

    def leave(self, key: AgentKey) -> None:
        """An agent is off here; the others are told.

        Args:
            key: whose.
        """
        candidacy = self._candidacies.pop(key, None)
        if candidacy is not None:
            self._tell(candidacy.withdraw())

    def attend(self, room: str, keys: Iterable[str], live: Sequence[tuple[AgentKey, str]], now: float) -> None:
        """Takes note of who is in a room.

        Args:
            room: its id.
            keys: the members that are there.
            live: the agents of the room that are active here, with the hashes of their modules.
            now: monotonic seconds.
        """
        others = frozenset(keys) - {self._me}
        if others:
            self._others[room] = others
        else:
            self._others.pop(room, None)
        said: list[Lease] = []
        for key, module_hash in live:
            known = self._candidacies.get(key)
            if known is not None:
                before = known.holder
                said += self._done(key, known, before, known.attend(others, now), now)
            elif others:
                said += self._stand(key, module_hash, others, now, running=True)
        self._tell(said)

    def heard(self, lease: Lease, now: float) -> None:
        """Takes what another member says; it was proven to be from `lease.runner`.

        Args:
            lease: about an agent that may not be active here.
            now: monotonic seconds.
        """
        candidacy = self._candidacies.get(lease.key)
        if candidacy is not None:
            before = candidacy.holder
            self._tell(self._done(lease.key, candidacy, before, candidacy.hear(lease, now), now))

    def tick(self, now: float) -> None:
        """Lets time pass. Where something is said of one agent, renewals of others join in that are due soon.

        Args:
            now: monotonic seconds.
        """
        if self._next is None or now < self._next:
            return
        self._next = None
        said: list[Lease] = []
        for key, candidacy in list(self._candidacies.items()):
            before = candidacy.holder
            said += self._done(key, candidacy, before, candidacy.tick(now), now)
        speaking = {lease.room for lease in said}
        for key, candidacy in self._candidacies.items():
            if key.room in speaking:
                said += candidacy.join_in(now)
        self._tell(said)

    def next_due(self) -> float | None:
        """When to look again, in monotonic seconds; None without others. It may be too early, never too late."""
        return self._next

    def _stand(
        self, key: AgentKey, module_hash: str, others: frozenset[str], now: float, *, running: bool
    ) -> Sequence[Lease]:
        made = self._candidacies[key] = Candidacy(key, self._me, module_hash, others, now, running=running)
        self._changed(key)
        return self._done(key, made, made.holder, made.tick(now), now)

    def _done(
        self, key: AgentKey, candidacy: Candidacy, before: str, leases: Sequence[Lease], now: float
    ) -> Sequence[Lease]:
        """After anything that happened to a candidacy; gives what is to be said."""
        due = candidacy.next_due(now)
        self._next = due if self._next is None else min(self._next, due)
        if candidacy.holder != before:
            self._changed(key)
        return leases

    def _tell(self, leases: Sequence[Lease]) -> None:
        if self.send is not None and leases:
            self.send(leases)
