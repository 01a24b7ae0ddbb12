"""Whom an address is counted as: a stranger has all of a prefix to himself, a neighbour only his own address."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network
from typing import Final

from net.limits import NetLimits
from net.prefix import is_loopback, prefix_of, wide_prefix_of
from runtime.clock import Clock, SystemClock

__all__ = ["Sources"]

_FRESH_S: Final = 10.0
"""How long what the interfaces say is taken for true: asking them costs more than letting somebody in."""
_LINK_BITS: Final = 48
"""A network with more hosts than this leaves is a route or a tunnel to others, and no link."""


class Sources:
    """What the counters of one process go by, with this machine's own place in mind.

    Args:
        limits: the table; says whether the loopback is counted.
        networks: those of this machine's interfaces.
        clock: the node's.
    """

    def __init__(
        self,
        limits: NetLimits,
        networks: Callable[[], Sequence[IPv4Network | IPv6Network]] = tuple,
        clock: Clock | None = None,
    ) -> None:
        self._limits = limits
        self._networks = networks
        self._clock = clock or SystemClock()
        self._links: list[IPv6Network] = []
        self._asked: float | None = None

    def of(self, host: str) -> str | None:
        """What a host is counted by; None for this machine itself, all of whose users share its address.

        Args:
            host: an address, as a socket tells it; anything else stands for itself.

        Returns:
            An IPv4 address, the /64 network of an IPv6 address, or, on a network of this machine's own, the address.
        """
        if self._limits.spare_loopback and is_loopback(host):
            return None
        return self._address_here(host) or prefix_of(host)

    def wide_of(self, host: str) -> str:
        """What somebody has who changes his addresses: the /48 network of an IPv6 address, and no more of a link."""
        return self._address_here(host) or wide_prefix_of(host)

    def _address_here(self, host: str) -> str:
        """The IPv6 address of a neighbour, without the interface's name; empty for that of anybody else."""
        links = self._own()
        address = _ipv6(host) if links else None
        return "" if address is None or not any(address in link for link in links) else str(address)

    def _own(self) -> list[IPv6Network]:
        now = self._clock.monotonic()
        if self._asked is None or now - self._asked >= _FRESH_S:
            self._asked = now
            found = (network for network in self._networks() if isinstance(network, IPv6Network))
            self._links = [network for network in found if network.prefixlen >= _LINK_BITS]
        return self._links


@lru_cache(maxsize=8192)
def _ipv6(host: str) -> IPv6Address | None:
    try:
        return IPv6Address(host.partition("%")[0])
    except ValueError:
        return None
