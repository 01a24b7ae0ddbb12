"""Addresses: one form for each, the IPv4 address that may hide inside an IPv6 one, and those that are not public."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from runtime.components.permissions.errors import PatternError

__all__ = [
    "Address",
    "Network",
    "canonical",
    "covers",
    "embedded",
    "is_special",
    "read_address",
    "read_network",
    "within",
]

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_MAPPED: Final = IPv6Network("::ffff:0:0/96")
_6TO4: Final = IPv6Network("2002::/16")
_TRANSLATED: Final = (IPv6Network("64:ff9b::/96"), IPv6Network("::/96"))
"""NAT64, and the addresses that were once called compatible: the last 32 bits are the IPv4 address."""
_NOT_PUBLIC: Final = tuple(map(ip_network, ("64:ff9b:1::/48", "fec0::/10", "3fff::/20", "5f00::/16", "192.88.99.0/24")))
"""What the standard library calls global and is not: local NAT64, site-local, documentation, segments, old relays."""


def read_address(text: str) -> Address | None:
    """An address literal in its one form; None for anything else, a scope (`%eth0`) included."""
    try:
        found = ip_address(text)
    except ValueError:
        return None
    return None if "%" in text else canonical(found)


def read_network(text: str) -> Network:
    """A network such as `10.0.0.0/8`; a mapped one is that of the addresses inside.

    Raises:
        PatternError: it is none, or bits are set behind the prefix.
    """
    try:
        network = ip_network(text, strict=False)
        sound = "%" not in text and network.network_address == ip_address(text.partition("/")[0])
    except ValueError:
        raise PatternError("not a network such as 10.0.0.0/8") from None
    if not sound:
        raise PatternError(f"bits are set behind the prefix: write {network}")
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        inside = canonical(network.network_address)
        return ip_network((inside, network.prefixlen - _MAPPED.prefixlen))
    return network


def canonical(address: Address) -> Address:
    """The one form of an address: without a scope, and as IPv4 when it is a mapped one (`::ffff:10.0.0.1`)."""
    if isinstance(address, IPv4Address):
        return address
    return address.ipv4_mapped or IPv6Address(int(address))


def embedded(address: Address) -> IPv4Address | None:
    """The IPv4 address inside a mapped, 6to4, NAT64 or compatible one; None when there is none."""
    if isinstance(address, IPv4Address):
        return None
    if address.ipv4_mapped is not None or address in _6TO4:
        return address.ipv4_mapped or address.sixtofour
    if int(address) > 1 and any(address in network for network in _TRANSLATED):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return None


def is_special(address: Address) -> bool:
    """Whether an address is anything but a public one of a single host, or hides one that is not."""
    if not address.is_global or address.is_multicast or address.is_unspecified:
        return True
    if any(address in network for network in _NOT_PUBLIC):
        return True
    inside = embedded(address)
    return inside is not None and is_special(inside)


def covers(network: Network, address: Address) -> bool:
    """Whether an allow rule for a network reaches an address: exactly what it spells.

    A network wider than a transition's prefix does not reach the special addresses that the prefix hides: `2000::/3`
    holds 6to4 addresses, and does not mean 127.0.0.1 by them.

    Args:
        network: as the rule has it.
        address: in its one form.
    """
    if address not in network:
        return False
    inside = embedded(address)
    if inside is None or not is_special(inside) or not isinstance(network, IPv6Network):
        return True
    return any(network.subnet_of(prefix) for prefix in (_6TO4, *_TRANSLATED))


def within(inner: Network, outer: Network) -> bool:
    """Whether every address of a network is one of another."""
    return inner.version == outer.version and inner[0] in outer and inner[-1] in outer
