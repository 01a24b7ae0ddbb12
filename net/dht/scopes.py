"""What an IP address says about where it is: whether strangers may name it to us, and with whom it is counted.

The ranges of documentation (203.0.113.0/24 and its kin) count as global: the tests' networks are made of them.
"""

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

__all__ = ["GLOBAL", "NOWHERE", "plain_address", "prefix_of", "scope_of", "source_of"]

GLOBAL: Final = "global"
NOWHERE: Final = ""
"""Of addresses that nobody's word makes us send to: link-local, which holds a cloud's metadata service, multicast …"""

_IpNetwork = IPv4Network | IPv6Network

_REFUSED: Final[tuple[_IpNetwork, ...]] = tuple(
    ip_network(text)
    for text in ("0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4", "::/128", "fe80::/10", "ff00::/8")
)
_LOCAL: Final[tuple[_IpNetwork, ...]] = tuple(
    ip_network(text)
    for text in ("127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
)
_PREFIX: Final = {4: 24, 6: 48}
_SOURCE: Final = {4: 32, 6: 64}


def plain_address(ip: str) -> str | None:
    """The one spelling of an address: v4-mapped ones unwrapped, lower case, zeros shortened.

    Args:
        ip: as a socket or a configuration says it.

    Returns:
        None for what is no address, and for one that is bound to an interface (`fe80::1%eth0`).
    """
    try:
        found = ip_address(ip)
    except ValueError:
        return None
    if isinstance(found, IPv6Address):
        if found.scope_id is not None:
            return None
        found = found.ipv4_mapped or found
    return str(found)


@lru_cache(maxsize=4096)
def scope_of(ip: str) -> str:
    """The part of the world in which an address means the same to everybody.

    Args:
        ip: as `plain_address` spells it.

    Returns:
        `GLOBAL`, the private or loopback network that it is in, or `NOWHERE`.
    """
    found = ip_address(ip)
    if _within(found, _REFUSED) is not None:
        return NOWHERE
    local = _within(found, _LOCAL)
    return GLOBAL if local is None else str(local)


def prefix_of(ip: str) -> str:
    """What one owner likely holds whole: /24 of IPv4, /48 of IPv6; on a LAN or the loopback one host."""
    return _network(ip, _PREFIX if scope_of(ip) == GLOBAL else _SOURCE)


def source_of(ip: str) -> str:
    """What one host is given: one address of IPv4, /64 of IPv6."""
    return _network(ip, _SOURCE)


def _within(ip: IPv4Address | IPv6Address, networks: tuple[_IpNetwork, ...]) -> _IpNetwork | None:
    return next((network for network in networks if network.version == ip.version and ip in network), None)


@lru_cache(maxsize=8192)
def _network_of(ip: str, bits: int) -> str:
    return str(ip_network((ip, bits), strict=False))


def _network(ip: str, bits: dict[int, int]) -> str:
    return _network_of(ip, bits[6 if ":" in ip else 4])
