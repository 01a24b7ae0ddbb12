"""The DHT on the sockets of the QUIC listeners: datagrams whose first byte is 2."""

import contextlib

from net.dht.contact import Address
from net.dht.datagram import VERSION
from net.dht.own_socket import Receive
from net.dht.scopes import plain_address
from net.multiaddr import Multiaddr
from net.quic import events
from net.quic.endpoint import QuicEndpoint
from runtime.errors import NetworkError

__all__ = ["SharedSocket"]


class SharedSocket:
    """A sender that is part of a QUIC endpoint, and ends with it.

    Args:
        endpoint: listens or will listen.
        receive: takes what arrives.
    """

    def __init__(self, endpoint: QuicEndpoint, receive: Receive) -> None:
        self._endpoint = endpoint
        self._receive = receive
        endpoint.on_datagram(VERSION, self._arrived)

    def send(self, data: bytes, address: Address) -> None:
        """Sends a datagram; where no socket can be had for its family of addresses, it is lost."""
        with contextlib.suppress(NetworkError):
            self._endpoint.send_datagram(data, Multiaddr.at(*address, "quic"))

    def _arrived(self, data: bytes, address: events.Address) -> None:
        ip = plain_address(address[0])
        if ip is not None:
            self._receive(data, (ip, address[1]))
