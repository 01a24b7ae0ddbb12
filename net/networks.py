"""The networks that this machine is in, by its interfaces."""

from ipaddress import IPv4Network, IPv6Network, ip_network

import ifaddr

__all__ = ["own_networks"]


def own_networks() -> list[IPv4Network | IPv6Network]:
    """Every network of every interface but the loopback: whoever tells of an address there means another machine's.

    Asked anew each time, since machines move.
    """
    found: list[IPv4Network | IPv6Network] = []
    for adapter in ifaddr.get_adapters():
        for address in adapter.ips:
            host = address.ip if isinstance(address.ip, str) else address.ip[0]
            network = ip_network(f"{host}/{address.network_prefix}", strict=False)
            if not network.is_loopback:
                found.append(network)
    return found
