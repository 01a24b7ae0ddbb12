"""The networks that this machine is in, by its interfaces; asked anew each time, since machines move."""

from collections.abc import Collection, Iterator
from ipaddress import IPv4Interface, IPv4Network, IPv6Interface, IPv6Network, ip_interface

import ifaddr

__all__ = ["has_moved", "own_addresses", "own_networks"]


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
