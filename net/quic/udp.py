"""The edge to the network: one UDP socket on the event loop, read in batches."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable
from typing import Final

from net.errors import AddressError
from net.multiaddr import Multiaddr
from net.quic.events import Address
from runtime.errors import NetworkError

__all__ = ["RECEIVE_BUFFER", "Datagrams", "UdpSocket", "address_of", "pair_of", "place_of"]

RECEIVE_BUFFER: Final = 4_194_304
"""Asked of the system: a burst of small datagrams overruns the usual one after some 250."""

_BATCH: Final = 64
"""Datagrams that are read before anything else has its turn."""
_MOST: Final = 65_535
_PAIR: Final = 2
_SO_RCVBUFFORCE: Final = 33
"""Linux's; Python does not name it."""

Datagrams = Callable[["UdpSocket", list[tuple[bytes, Address]]], None]


class UdpSocket:
    """A bound socket. `rebind` puts another in its place without anybody above having to know.

    Args:
        place: where it is bound; port 0 for any that is free.
        received: is given what came.

    Raises:
        NetworkError: the place cannot be bound.
    """

    def __init__(self, place: Multiaddr, received: Datagrams) -> None:
        self.family: Final = socket.AF_INET6 if place.kind == "ip6" else socket.AF_INET
        self._place = place
        self._received = received
        self._loop = asyncio.get_running_loop()
        self._socket = self._bound(place)
        self._loop.add_reader(self._socket.fileno(), self._readable)

    @property
    def place(self) -> Multiaddr:
        """Where it is bound, with its real port."""
        return place_of(self._socket.getsockname())

    @property
    def receive_buffer(self) -> int:
        """Bytes that the system holds until they are read; Linux counts twice what it was asked."""
        return self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)

    def reaches(self, place: Multiaddr) -> bool:
        """Whether a datagram from here may come to a place: what is bound to the loopback goes nowhere else."""
        own = self.place
        if (own.kind == "ip6") != (place.kind == "ip6"):
            return False
        return _is_any(own) or _is_loopback(own) == _is_loopback(place)

    def send(self, datagram: bytes, address: Address) -> OSError | None:
        """Sends, or loses, as networks do; gives what the system has against the address."""
        try:
            self._socket.sendto(datagram, address)
        except BlockingIOError:
            return None  # the buffer is full: lost, and sent again by whom it matters to
        except OSError as error:
            return error
        return None

    def rebind(self) -> None:
        """Takes a new socket, on another port; only for what was bound to port 0.

        Raises:
            NetworkError: there is none to be had; the old one stays.
        """
        made = self._bound(self._place)
        self.close()
        self._socket = made
        self._loop.add_reader(self._socket.fileno(), self._readable)

    def close(self) -> None:
        """Closes it. Closing twice is nothing."""
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket.fileno())
            self._socket.close()

    def _bound(self, place: Multiaddr) -> socket.socket:
        made = socket.socket(self.family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            if self.family == socket.AF_INET6:
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            _ask_for_buffer(made)
            made.bind(address_of(place))
        except OSError as error:
            made.close()
            why = os.strerror(error.errno).lower() if error.errno else str(error)
            raise NetworkError(f"cannot be listened on: {why}", where=str(place), hint="name a free address") from error
        return made

    def _readable(self) -> None:
        batch: list[tuple[bytes, Address]] = []
        with contextlib.suppress(OSError):  # nothing more to read, or what the system reports of an earlier datagram
            while len(batch) < _BATCH:
                batch.append(self._socket.recvfrom(_MOST))
        if batch:
            self._received(self, batch)


def address_of(place: Multiaddr) -> Address:
    """A place as a socket of its family names it, in the one form in which datagrams from there name it too.

    Raises:
        AddressError: it is a name, which somebody else looks up, or the interface of its zone is not there.
    """
    if place.kind == "ip4":
        return place.host, place.port
    if place.kind != "ip6":
        raise AddressError("is a name and not an address", where=str(place))
    try:
        scope = socket.if_nametoindex(place.zone) if place.zone else 0
    except OSError:
        raise AddressError("names an interface that is not there", where=str(place)) from None
    return place.host, place.port, 0, scope


def place_of(address: Address) -> Multiaddr:
    """The place that a socket names."""
    host, port, *rest = address
    scope = rest[1] if rest else 0
    zone = ""
    if scope:
        with contextlib.suppress(OSError):  # the interface has gone meanwhile
            zone = socket.if_indextoname(scope)
    return Multiaddr.at(f"{host}%{zone}" if zone else host, port, "quic")


def pair_of(address: Address) -> tuple[str, int]:
    """Host and port alone; the host of a link-local address has its `%zone`."""
    return (place_of(address).socket_host if len(address) > _PAIR and address[-1] else address[0]), address[1]


def _ask_for_buffer(made: socket.socket) -> None:
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    with contextlib.suppress(OSError):  # root is given it beyond the system's limit
        made.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, RECEIVE_BUFFER)


def _is_any(place: Multiaddr) -> bool:
    return place.host in {"0.0.0.0", "::"}  # noqa: S104  # compared, not bound


def _is_loopback(place: Multiaddr) -> bool:
    return place.host == "::1" or (place.kind == "ip4" and place.host.startswith("127."))
