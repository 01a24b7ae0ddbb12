"""Which addresses of a peer are tried, in which order and how soon again; and the race between them.

Happy eyeballs (RFC 8305) over all that is known: the next address starts a quarter of a second after the one before,
or as soon as one has failed, and the first connection wins.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final, TypeVar

from net.limits import NetLimits
from net.multiaddr import Multiaddr
from runtime.errors import OrlopError

__all__ = ["Backoff", "in_order", "is_dialable", "race"]

_FIRST_S: Final = 1.0
_MOST_S: Final = 300.0
_REMEMBERED: Final = 4096

T = TypeVar("T")


class Backoff:
    """How soon an address is tried again: after a second, doubling to five minutes. Pure."""

    def __init__(self) -> None:
        self._failed: OrderedDict[Multiaddr, tuple[float, float]] = OrderedDict()

    def wait_s(self, address: Multiaddr, now: float) -> float:
        """Seconds until an address may be tried; 0 for one that has not failed lately.

        Args:
            address: with `/p2p` it is another one than without.
            now: monotonic seconds.
        """
        pause, until = self._failed.get(address, (0.0, now))
        return max(0.0, until - now) if pause else 0.0

    def failed(self, address: Multiaddr, now: float) -> None:
        """An address could not be reached."""
        pause = min(_MOST_S, 2 * self._failed[address][0] if address in self._failed else _FIRST_S)
        self._failed[address] = (pause, now + pause)
        self._failed.move_to_end(address)
        if len(self._failed) > _REMEMBERED:
            self._failed.popitem(last=False)

    def worked(self, address: Multiaddr) -> None:
        """An address was reached."""
        self._failed.pop(address, None)


def in_order(addresses: Iterable[Multiaddr], limits: NetLimits) -> list[Multiaddr]:
    """The addresses to try, without `/p2p` and without repetition: TCP before QUIC, which is slower, and IPv6 first.

    Args:
        addresses: of one peer.
        limits: how many are kept.
    """
    places = list(dict.fromkeys(address.without_peer() for address in addresses))
    places.sort(key=lambda place: (place.transport != "tcp", place.kind != "ip6"))
    return places[: limits.addresses_kept]


def is_dialable(address: Multiaddr, own: Sequence[IPv4Network | IPv6Network]) -> bool:
    """Whether an address that somebody told of may be tried: a public one, or one of a network of ours.

    Others would have us knock at doors behind our own walls: routers, metadata services, this machine.

    Args:
        address: as it was told; one that the operator typed need not be asked about.
        own: the networks that this machine is in.
    """
    if address.kind not in {"ip4", "ip6"}:
        return False
    ip = ip_address(address.host)
    if ip.is_multicast or ip.is_unspecified:
        return False
    return ip.is_global or any(ip in network for network in own if network.version == ip.version)


async def race(
    places: Sequence[Multiaddr],
    dial: Callable[[Multiaddr], Awaitable[T]],
    discard: Callable[[T], None],
    limits: NetLimits,
) -> T | list[tuple[Multiaddr, OrlopError]]:
    """Tries places until one answers.

    Args:
        places: in order; at least one.
        dial: tries one.
        discard: is given what answered too late.
        limits: how many at once, and how far apart.

    Returns:
        The first that answered, or what was wrong with each.
    """
    waiting = list(places)
    running: dict[asyncio.Task[T], Multiaddr] = {}
    errors: list[tuple[Multiaddr, OrlopError]] = []
    try:
        while waiting or running:
            if waiting and len(running) < limits.dialled_at_once:
                place = waiting.pop(0)
                running[asyncio.ensure_future(dial(place))] = place
            pause = limits.dial_apart_s if waiting and len(running) < limits.dialled_at_once else None
            done, _ = await asyncio.wait(running, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
            for task in [task for task in running if task in done]:
                place = running[task]
                try:
                    winner = task.result()
                except OrlopError as error:
                    errors.append((place, error))
                else:
                    del running[task]
                    return winner
                del running[task]
        return errors
    finally:
        await _stop(running, discard)


async def _stop(tasks: Iterable[asyncio.Task[T]], discard: Callable[[T], None]) -> None:
    tasks = list(tasks)
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if not isinstance(result, BaseException):
            discard(result)
