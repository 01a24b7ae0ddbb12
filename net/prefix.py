"""What strangers are counted by: the part of an address that one of them has to himself."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

__all__ = ["is_loopback", "prefix_of", "wide_prefix_of"]

_HOST_BITS: Final = 64
_SITE_BITS: Final = 48


def prefix_of(host: str) -> str:
    """An IPv4 address, or the /64 network of an IPv6 address, which is what one host is given.

    Args:
        host: an address, as a socket tells it; anything else stands for itself.
    """
    return _prefix(host, _HOST_BITS)


def wide_prefix_of(host: str) -> str:
    """An IPv4 address, or the /48 network of an IPv6 address, which is what one customer is given."""
    return _prefix(host, _SITE_BITS)


def is_loopback(host: str) -> bool:
    """Whether an address is this machine's own, which all its users share."""
    address = _address(host)
    return address is not None and address.is_loopback


@lru_cache(maxsize=8192)
def _prefix(host: str, bits: int) -> str:
    address = _address(host)
    if address is None or isinstance(address, IPv4Address):
        return host if address is None else str(address)
    shift = address.max_prefixlen - bits
    return f"{IPv6Address(int(address) >> shift << shift)}/{bits}"


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
