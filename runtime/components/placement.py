"""Which worker a component gets, and which walls stand around it there. Pure.

A component that has files, network or processes has a worker of its own, walled in for exactly that. The others can do
no harm, and share workers with the narrowest walls.
"""

from dataclasses import dataclass
from typing import Final

from runtime.components.permissions import Policy
from runtime.components.worker.wire import LoadLimits

__all__ = ["SHARED_MEMORY", "SHARED_SLOTS", "Walls", "walls_of"]

SHARED_SLOTS: Final = 8
"""Components in a shared worker."""

SHARED_MEMORY: Final = 64 << 20
"""Bytes that a component's memory may have for it to share a worker."""

_PORTS_MAX: Final = 1_024
"""Ports that the kernel's wall names one by one; with more it lets all through, and the policy alone decides."""

_DNS: Final = 53
"""Names are resolved over TCP too, when an answer is long."""


@dataclass(frozen=True, slots=True)
class Walls:
    """What a worker lets through.

    Attributes:
        alone: it is for one component.
        network: it may make sockets.
        connect: TCP ports that it may reach; None for any.
        listen: TCP ports that it may listen on; None for any.
        spawns: it may start programs.
    """

    alone: bool
    network: bool = False
    connect: tuple[int, ...] | None = ()
    listen: tuple[int, ...] | None = ()
    spawns: bool = False

    def let_through(self, other: "Walls") -> bool:
        """Whether what needs `other` can be done behind these walls: a policy that asks for more needs a new worker."""
        return (
            self.alone >= other.alone
            and self.network >= other.network
            and self.spawns >= other.spawns
            and _within(other.connect, self.connect)
            and _within(other.listen, self.listen)
        )


def walls_of(policy: Policy, limits: LoadLimits, mounts: int) -> Walls:
    """The walls of a component's worker.

    Args:
        policy: in force.
        limits: likewise.
        mounts: how many it has.
    """
    sockets = policy.any_network().allowed
    network = sockets or any(policy.rules.of("network.resolve"))
    spawns = policy.any_spawn().allowed
    alone = mounts > 0 or network or spawns or limits.memories > 1 or limits.memory > SHARED_MEMORY
    connect, listen = _ports(policy, "network.outbound"), _ports(policy, "network.inbound")
    if network and connect is not None:
        connect = tuple(sorted({*connect, _DNS}))
    if listen is not None and 0 in listen:  # any that is free
        listen = None
    return Walls(alone, network, connect, listen, spawns)


def _ports(policy: Policy, group: str) -> tuple[int, ...] | None:
    ranges = [ports for rule in policy.rules.hosts_of(group) for ports in rule.ports]
    if sum(ports.last - ports.first + 1 for ports in ranges) > _PORTS_MAX:
        return None
    return tuple(sorted({port for ports in ranges for port in range(ports.first, ports.last + 1)}))


def _within(asked: tuple[int, ...] | None, given: tuple[int, ...] | None) -> bool:
    return given is None or (asked is not None and set(asked) <= set(given))
