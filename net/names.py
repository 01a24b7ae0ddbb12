"""Addresses that hold a name become addresses that hold none."""

import asyncio
import socket
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from net.errors import AddressError
from net.multiaddr import HostKind, Multiaddr

__all__ = ["resolve"]

_FAMILIES: Final[dict[HostKind, socket.AddressFamily]] = {
    "dns": socket.AF_UNSPEC, "dns4": socket.AF_INET, "dns6": socket.AF_INET6,
}  # fmt: skip
_WITHIN_S: Final = 5.0


async def resolve(addresses: Iterable[Multiaddr]) -> list[Multiaddr]:
    """Looks names up, all at once.

    Args:
        addresses: of any kind; those without a name come back as they are.

    Returns:
        Addresses without names, in the order of those that they come from; none for a name that is not found in 5 s.
    """
    found = await asyncio.gather(*(_resolved(address) for address in addresses))
    return [place for places in found for place in places]


async def _resolved(address: Multiaddr) -> list[Multiaddr]:
    family = _FAMILIES.get(address.kind)
    if family is None:
        return [address]
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(_WITHIN_S):
            rows = await loop.getaddrinfo(address.host, address.port, family=family, type=socket.SOCK_STREAM)
    except (TimeoutError, OSError):
        return []
    places = []
    for _, _, _, _, name in rows:
        try:
            there = Multiaddr.at(str(name[0]), address.port, address.transport)
        except AddressError:
            continue
        places.append(replace(there, peer=address.peer))
    return places
