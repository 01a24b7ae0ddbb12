"""A UDP socket of the DHT's own, for a node that listens nowhere: it only asks."""

import asyncio
import socket
from collections.abc import Callable
from typing import Final, Protocol

from net.dht.contact import Address
from net.dht.scopes import plain_address
from runtime.errors import NetworkError

__all__ = ["DatagramSender", "OwnSocket", "Receive"]

Receive = Callable[[bytes, Address], None]
"""Takes a datagram and where it came from."""

_BUFFER: Final = 4_194_304
"""Bursts of small datagrams overrun the system's default after some 256."""


class DatagramSender(Protocol):
    """What carries the DHT's datagrams: a socket of its own or that of the QUIC listeners."""

    def send(self, data: bytes, address: Address) -> None:
        """Sends at once or loses it; never blocks."""
        ...


class OwnSocket(asyncio.DatagramProtocol):
    """One UDP socket.

    Args:
        receive: takes what arrives.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._transport: asyncio.DatagramTransport | None = None
        self._gone = asyncio.get_running_loop().create_future()

    async def open(self, ip: str, port: int = 0) -> Address:
        """Binds it.

        Args:
            ip: an address of this machine.
            port: 0 for any that is free.

        Returns:
            Where it is.

        Raises:
            NetworkError: it cannot be bound.
        """
        loop = asyncio.get_running_loop()
        try:
            transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(ip, port))
        except OSError as error:
            why = f"cannot be bound: {(error.strerror or type(error).__name__).lower()}"
            raise NetworkError(why, where=f"{ip} UDP port {port}", hint="choose another address or port") from error
        self._transport = transport
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        bound = transport.get_extra_info("sockname")
        return str(bound[0]), int(bound[1])

    def send(self, data: bytes, address: Address) -> None:
        """Sends a datagram; after `aclose`, and to another family of addresses, it is lost."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(data, address)

    async def aclose(self) -> None:
        """Closes it and waits until it is closed."""
        if self._transport is not None:
            self._transport.close()
            await self._gone

    # --- what asyncio calls -----------------------------------------------------------------------------------------

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """A datagram arrived."""
        ip = plain_address(addr[0])
        if ip is not None:
            self._receive(data, (ip, addr[1]))

    def error_received(self, exc: Exception) -> None:
        """Somebody refused a datagram of ours; whoever does not answer is missed by the node."""

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        """It is closed."""
        self._gone.set_result(None)
