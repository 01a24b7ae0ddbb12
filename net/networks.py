"""The networks that this machine is in, by its interfaces; asked anew each time, since machines move."""

from collections.abc import Iterator
from ipaddress import IPv4Interface, IPv4Network, IPv6Interface, IPv6Network, ip_interface

import ifaddr

__all__ = ["own_addresses", "own_networks"]


def own_networks() -> list[IPv4Network | IPv6Network]:
    """Every network of every interface but the loopback: whoever tells of an address there means another machine's."""
    return [interface.network for interface in _interfaces()]


def own_addresses(kind: str) -> list[str]:
    """The addresses under which others may reach this machine: no loopback's, and none that needs an interface's name.

    Args:
        kind: `ip4` or `ip6`.
    """
    version = 4 if kind == "ip4" else 6
    fitting = (one.ip for one in _interfaces() if one.version == version and not one.ip.is_link_local)
    return [str(address) for address in fitting]


def _interfaces() -> Iterator[IPv4Interface | IPv6Interface]:
    for adapter in ifaddr.get_adapters():
        for address in adapter.ips:
            host = address.ip if isinstance(address.ip, str) else address.ip[0]
            interface = ip_interface(f"{host}/{address.network_prefix}")
            if not interface.is_loopback:
                yield interface
