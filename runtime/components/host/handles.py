"""What one instance holds open: files, sockets, children and the like, by numbers that are never used again in a run.

A handle counts against the limit of its kind while it is open, and against the limit of all handles until the guest
drops it: a guest that closes and does not drop keeps numbers, not descriptors. Each remembers the rule that opened it;
when what it was opened for is not allowed any more, the handle is closed under the guest's hands.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from runtime.components.permissions import Policy
from runtime.components.values import Resource

__all__ = ["HandleKind", "HandleLimitError", "HandleTable"]

HandleKind = Literal["file", "socket", "pool", "child", "watch"]

_NUMBERS: Final = (1 << 32) - 1
"""Handles are 32 bits wide for the engine, which cuts larger numbers in silence."""


class HandleLimitError(Exception):
    """One more would be too many; the text is for the guest, which gets `resource-exhausted`."""


@dataclass(slots=True)
class _Entry:
    """One handle.

    Attributes:
        holds: whether a policy would still open it.
        live: it still counts against the limit of its kind.
    """

    resource: Resource
    kind: HandleKind
    holds: Callable[[Policy], bool]
    live: bool = True


@dataclass(slots=True)
class HandleTable:
    """The open handles of one instance. For one thread.

    Args:
        ceilings: how many may be open of a kind; a kind that is not named is bounded by `total` alone.
        total: how many handles the guest may have, closed ones that it did not drop included.
    """

    ceilings: Mapping[HandleKind, int]
    total: int
    _entries: dict[int, _Entry] = field(default_factory=dict)
    _numbers: dict[int, int] = field(default_factory=dict)
    _live: dict[HandleKind, int] = field(default_factory=dict)
    _next: int = 1

    def room(self, kind: HandleKind) -> None:
        """Checks that one more may be opened: asked before the system is.

        Raises:
            HandleLimitError: not of this kind, or none at all.
        """
        if len(self._entries) >= self.total:
            raise HandleLimitError(f"{self.total} handles are open, as many as limits.handles allows")
        ceiling = self.ceilings.get(kind)
        if ceiling is not None and self.count(kind) >= ceiling:
            raise HandleLimitError(f"{ceiling} of the kind {kind} are open, as many as the limits allow")
        if self._next > _NUMBERS:
            raise HandleLimitError("no handle is left in this run")

    def add(
        self,
        kind: HandleKind,
        resource: Resource,
        rule: str | None,
        holds: Callable[[Policy], bool] | None = None,
    ) -> int:
        """Gives a resource its number.

        Args:
            kind: what it is.
            resource: open, and not in the table yet.
            rule: the permission that opened it; None where none was needed.
            holds: whether a policy would still open it; by itself, while the rule is in force.

        Raises:
            HandleLimitError: there is no room; the resource was ended.
        """
        try:
            self.room(kind)
        except HandleLimitError:
            resource.end("closed")
            raise
        number = self._next
        self._next += 1
        self._entries[number] = _Entry(resource, kind, holds or _while_in_force(rule))
        self._numbers[id(resource)] = number
        self._live[kind] = self.count(kind) + 1
        return number

    def number_of(self, resource: Resource) -> int:
        """The number of a resource of this table.

        Raises:
            KeyError: it is none.
        """
        return self._numbers[id(resource)]

    def resource(self, number: int) -> Resource:
        """What a number stands for.

        Raises:
            KeyError: nothing; a number of another instance, or one that was dropped.
        """
        return self._entries[number].resource

    def closed(self, resource: Resource) -> None:
        """Takes note that a resource ended itself: it frees its place among its kind. Done twice, does nothing."""
        number = self._numbers.get(id(resource))
        if number is not None:
            self._settle(self._entries[number])

    def take(self, number: int) -> Resource:
        """The guest gave a handle to an operation: its number is gone, what becomes of the resource is the operation's.

        Raises:
            KeyError: the number stands for nothing.
        """
        entry = self._entries.pop(number)
        del self._numbers[id(entry.resource)]
        self._settle(entry)
        return entry.resource

    def drop(self, number: int) -> None:
        """The guest let go of a handle: the resource ends, the number is gone for good; an unknown one is passed by."""
        if number in self._entries:
            self.take(number).end("closed")

    def revoke(self, policy: Policy) -> int:
        """Ends everything that a policy would not open any more.

        Args:
            policy: the new one.

        Returns:
            How many were open and are closed now.
        """
        gone = [entry for entry in self._entries.values() if entry.live and not entry.holds(policy)]
        for entry in gone:
            self._settle(entry)
            entry.resource.end("the permission that opened it was taken back")
        return len(gone)

    def close_all(self) -> None:
        """Ends everything, the youngest first: the engine runs no destructors when an instance goes."""
        for number in sorted(self._entries, reverse=True):
            self.drop(number)

    def hold(self, kind: HandleKind, change: int) -> None:
        """Counts what is open among its kind and has no handle, as a connection that a pool keeps.

        Args:
            kind: what it is.
            change: 1 for one more, -1 for one less.
        """
        self._live[kind] = self.count(kind) + change

    def count(self, kind: HandleKind) -> int:
        """How many are open of a kind."""
        return self._live.get(kind, 0)

    def live(self, kind: HandleKind) -> tuple[Resource, ...]:
        """What is open of a kind, the oldest first."""
        return tuple(entry.resource for entry in self._entries.values() if entry.live and entry.kind == kind)

    def __len__(self) -> int:
        return len(self._entries)

    def _settle(self, entry: _Entry) -> None:
        if entry.live:
            entry.live = False
            self._live[entry.kind] -= 1


def _while_in_force(rule: str | None) -> Callable[[Policy], bool]:
    return lambda policy: rule is None or policy.grant(rule)
