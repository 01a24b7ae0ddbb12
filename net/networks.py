"""The networks that this machine is in, by its interfaces; asked anew each time, since machines move."""

from collections.abc import Collection, Iterable, Iterator
from ipaddress import IPv4Interface, IPv4Network, IPv6Interface, IPv6Network, ip_interface
from typing import Final

import ifaddr

from net.multiaddr import Multiaddr

__all__ = ["has_moved", "is_anywhere", "own_addresses", "own_networks", "told_places"]

_ANYWHERE: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - what is listened on, to be told as real addresses
_PLACES_MOST: Final = 8


def own_networks() -> list[IPv4Network | IPv6Network]:
    """Every network of every interface but the loopback: whoever tells of an address there means another machine's."""
    return [interface.network for interface in _interfaces()]


def own_addresses(kind: str = "") -> list[str]:
    """The addresses under which others may reach this machine: no loopback's, and none that needs an interface's name.

    Args:
        kind: `ip4` or `ip6`; empty for both.
    """
    version = {"ip4": 4, "ip6": 6}.get(kind)
    fitting = (one.ip for one in _interfaces() if version in {None, one.version} and not one.ip.is_link_local)
    return [str(address) for address in fitting]


def is_anywhere(place: Multiaddr) -> bool:
    """Whether who listens there listens at all addresses that the machine has, now and later."""
    return place.host in _ANYWHERE


def told_places(listening: Iterable[Multiaddr]) -> list[Multiaddr]:
    """The addresses at which others may find a node: real ones in the place of "anywhere"; eight at most.

    Args:
        listening: where it listens, without `/p2p`.
    """
    found: list[Multiaddr] = []
    for place in listening:
        hosts = own_addresses(place.kind) if is_anywhere(place) else [place.host]
        found += [Multiaddr.at(host, place.port, place.transport) for host in hosts]
    return list(dict.fromkeys(found))[:_PLACES_MOST]


def has_moved(before: Collection[str], now: Collection[str]) -> bool:
    """Whether connections are to go on from other addresses.

    Args:
        before: the addresses of a machine when that was last so.
        now: those that it has; with none it is nowhere, and waits until it is somewhere again.
    """
    return bool(now) and set(now) != set(before)


def _interfaces() -> Iterator[IPv4Interface | IPv6Interface]:
    for adapter in ifaddr.get_adapters():
        for address in adapter.ips:
            host = address.ip if isinstance(address.ip, str) else address.ip[0]
            interface = ip_interface(f"{host}/{address.network_prefix}")
            if not interface.is_loopback:
                yield interface
