"""What a DHCP server offers, held against what can be true. Pure.

A server on the link can say anything. A lease that cannot be right, or that would have this machine take the world for
its own link, is not taken, in one line that names what is wrong.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Final

from boot.errors import BootUnavailableError
from runtime.sanitise import clean

__all__ = ["Lease", "lease_of", "read_words"]

_PREFIX_LEAST: Final = 8
_PREFIX_MOST: Final = 30
_ALONE: Final = 32
_SERVERS: Final = 3
_RAW_MAX: Final = 64 << 10
_SECONDS_MAX: Final = 2**31 - 1
_NUMBER: Final = re.compile("[0-9]{1,10}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease that can be true.

    Attributes:
        interface: that it is for.
        address: with the length of its network's prefix.
        router: where the rest of the world is; None of none.
        dns: name servers, at most three.
        server: who gave it, for people.
        seconds: how long it lasts; 0 where that is not said.
    """

    interface: str
    address: IPv4Interface
    router: IPv4Address | None = None
    dns: tuple[IPv4Address, ...] = ()
    server: str = ""
    seconds: int = 0

    @property
    def router_is_outside(self) -> bool:
        """Whether the router is in no network of this machine, as some clouds have it."""
        return self.router is not None and self.router not in self.address.network


def read_words(raw: bytes) -> dict[str, str]:
    """Reads an environment: words with a zero after each; of one that stands twice, the first counts.

    Args:
        raw: as `env -0` writes it.
    """
    found: dict[str, str] = {}
    for word in raw[:_RAW_MAX].split(b"\0"):
        name, equals, value = word.partition(b"=")
        if equals:
            found.setdefault(name.decode("ascii", "replace"), value.decode("utf-8", "replace"))
    return found


def lease_of(interface: str, words: Mapping[str, str]) -> Lease:
    """Checks what was offered.

    Args:
        interface: that was asked on.
        words: as udhcpc gives them to its script: `ip`, `subnet`, `router`, `dns`, `serverid`, `lease`.

    Raises:
        BootUnavailableError: it cannot be true.
    """
    server = clean(words.get("serverid", ""), 40)
    offer = _Offer(interface, f"the server {server}" if server else "a server")
    address = offer.address(words.get("ip", ""), words.get("subnet", ""))
    routers = words.get("router", "").split()
    router = offer.router(routers[0], address) if routers else None
    dns = tuple(offer.host("name server", text) for text in words.get("dns", "").split()[:_SERVERS])
    lasts = words.get("lease", "")
    seconds = min(int(lasts), _SECONDS_MAX) if _NUMBER.fullmatch(lasts) else 0
    return Lease(interface, address, router, dns, server, seconds)


@dataclass(frozen=True, slots=True)
class _Offer:
    interface: str
    who: str

    def address(self, ip: str, subnet: str) -> IPv4Interface:
        host = self.host("address", ip)
        try:
            network = IPv4Network((host, subnet), strict=False)
        except ValueError:
            raise self._nonsense("network mask", subnet) from None
        length = network.prefixlen
        if str(network.netmask) != subnet or (length != _ALONE and not _PREFIX_LEAST <= length <= _PREFIX_MOST):
            raise self._nonsense("network mask", subnet)
        if length != _ALONE and host in {network.network_address, network.broadcast_address}:
            raise self._nonsense("address", f"{ip} in {network}")
        return IPv4Interface((host, length))

    def router(self, text: str, address: IPv4Interface) -> IPv4Address:
        router = self.host("router", text)
        network = address.network
        if router == address.ip or (network.prefixlen != _ALONE and router not in network):
            raise self._nonsense("router", f"{text} for {address}")
        return router

    def host(self, what: str, text: str) -> IPv4Address:
        try:
            host = IPv4Address(text)
        except ValueError:
            raise self._nonsense(what, text) from None
        if host.is_multicast or host.is_loopback or host.is_unspecified or host.is_reserved or host.packed[0] == 0:
            raise self._nonsense(what, text)
        return host

    def _nonsense(self, what: str, said: str) -> BootUnavailableError:
        why = (
            f"{self.who} offers the {what} {clean(said, 60)}, which cannot be"
            if said
            else f"{self.who} offers no {what}"
        )
        return BootUnavailableError(why, where=f"DHCP on {self.interface}")
