"""Whom a component may speak to by address: what a rule for addresses spells, or what it was told a name leads to."""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from runtime.components.host.context import Context
from runtime.components.host.endpoints import Endpoint
from runtime.components.permissions import Decision, Policy
from runtime.components.permissions.addresses import Address, canonical

__all__ = ["Reach", "Way"]

REMEMBERED_S: Final = 60.0
_REMEMBERED_MAX: Final = 1024


@dataclass(frozen=True, slots=True)
class Way:
    """What the policy says to speaking to an endpoint.

    Attributes:
        decision: of the policy that is in force.
        host: the name or address by which it is meant.
        holds: whether another policy would say the same.
    """

    decision: Decision
    host: str
    holds: Callable[[Policy], bool]


class Reach:
    """What an instance may speak to by address.

    Args:
        context: whose it is.
        now: monotonic seconds.
    """

    def __init__(self, context: Context, now: Callable[[], float] = time.monotonic) -> None:
        self._context = context
        self._now = now
        self._told: OrderedDict[tuple[Address, str], float] = OrderedDict()

    def remember(self, name: str, addresses: Iterable[Address]) -> None:
        """The component was told what a name leads to: it may connect there for a minute, as the name's rules say.

        Args:
            name: in its one form.
            addresses: likewise.
        """
        for address in addresses:
            self._told[canonical(address), name] = self._now()
            self._told.move_to_end((canonical(address), name))
        while len(self._told) > _REMEMBERED_MAX:
            self._told.popitem(last=False)

    def by_address(self, to: Endpoint) -> Way:
        """What is said to an address.

        Args:
            to: of one host.
        """

        def spelled(policy: Policy) -> Decision:
            return policy.outbound_address(to.ip, to.port)

        decision = spelled(self._context.policy)
        if not decision.allowed:
            for name in self._names(canonical(to.ip)):
                way = self.by_name(name, to)
                if way.decision.allowed:
                    return way
        return Way(decision, str(to.ip), lambda policy: spelled(policy).allowed)

    def by_name(self, name: str, to: Endpoint) -> Way:
        """What is said to an address that a name leads to.

        Args:
            name: as the guest gave it, or in its one form.
            to: one of its addresses.
        """

        def named(policy: Policy) -> Decision:
            return policy.dialable(name, to.port, [to.ip])[1]

        return Way(named(self._context.policy), name, lambda policy: named(policy).allowed)

    def _names(self, address: Address) -> list[str]:
        oldest = self._now() - REMEMBERED_S
        while self._told and next(iter(self._told.values())) < oldest:
            self._told.popitem(last=False)
        return [name for told, name in self._told if told == address]
