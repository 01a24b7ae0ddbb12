"""The upgrade of one socket, as far as it has to do with sockets."""

import asyncio
from collections.abc import Callable
from typing import Final

from net.connection import TcpConnection
from net.errors import ConnectionLostError, PeerFaultError
from net.upgrade import Upgrade, Upgraded
from net.wire import Wire
from runtime.errors import OrlopError

__all__ = ["Handshake"]

_ROOM: Final = 4096


class Handshake:
    """Reads the socket until the peer is proven.

    Args:
        wire: the socket.
        upgrade: our end.
        finish: makes the connection, which is the socket's reader at its return.
    """

    def __init__(self, wire: Wire, upgrade: Upgrade, finish: Callable[[Wire, Upgraded], TcpConnection]) -> None:
        self.room: Final = _ROOM
        self._wire = wire
        self._upgrade = upgrade
        self._finish = finish
        self._done: asyncio.Future[TcpConnection | OrlopError] = asyncio.get_running_loop().create_future()
        wire.reader = self
        wire.write(upgrade.take())

    async def result(self) -> TcpConnection:
        """The connection.

        Raises:
            PeerFaultError: the peer is not who it should be, or speaks something else.
            ConnectionLostError: the socket is closed.
        """
        result = await self._done
        if isinstance(result, OrlopError):
            raise result
        return result

    def receive(self, data: memoryview) -> None:
        """The socket has received bytes."""
        if self._done.done():
            return
        try:
            upgraded = self._upgrade.receive(data)
        except (PeerFaultError, ConnectionLostError) as error:
            self._done.set_result(error)
            return
        self._wire.write(self._upgrade.take())
        if upgraded is not None:
            self._done.set_result(self._finish(self._wire, upgraded))

    def writable(self) -> None:
        """The socket takes more again; a handshake does not wait for that."""

    def lost(self, error: Exception | None) -> None:
        """The socket is closed."""
        if not self._done.done():
            why = "closed the connection during the handshake" if error is None else "broke the connection off"
            self._done.set_result(ConnectionLostError(why))
