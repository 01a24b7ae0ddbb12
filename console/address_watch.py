"""Looks after this machine's addresses as long as that is of use.

QUIC connections that it dialled outlive a change, and whoever is connected hears where it listens now.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from net.host import Host
from net.networks import has_moved, is_anywhere, own_addresses

__all__ = ["AddressWatch"]

_EVERY_S: Final = 5.0


class AddressWatch:
    """Watches for one host. Belongs to its loop.

    Args:
        host: hears of a change.
        addresses: asked for those that the machine has.
    """

    def __init__(self, host: Host, addresses: Callable[[], Sequence[str]] = own_addresses) -> None:
        self._host = host
        self._addresses = addresses
        self._runs = False

    @property
    def is_due(self) -> bool:
        """Whether there is a connection that could move or somebody to tell, and nobody watches."""
        return not self._runs and self._is_needed()

    async def run(self) -> None:
        """Watches until there is nobody any more to whom a change matters; while another call does, returns at once.

        Raises:
            NetworkError: connections cannot go on; they end by their time-out.
        """
        if self._runs:
            return
        self._runs = True
        try:
            known = self._addresses()
            while True:
                await asyncio.sleep(_EVERY_S)
                if not self._is_needed():
                    return
                if has_moved(known, now := self._addresses()):
                    known = now
                    self._host.rebind()
        finally:
            self._runs = False

    def _is_needed(self) -> bool:
        connections = self._host.connections()
        tells = bool(connections) and any(is_anywhere(place) for place in self._host.listening())
        return tells or any(one.dialled and one.transport == "quic" for one in connections)
