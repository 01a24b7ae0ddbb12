"""A boot server in the DHT: under each key that signed its release, at the addresses where it can be reached.

Whoever reads it believes nothing of it, as with what is announced on the link.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from boot.serve.shelf import Contents
from net.dht.contact import Address, Contact
from net.dht.own_socket import OwnSocket
from net.dht.record import manifest_key
from net.dht.service import Dht, bootstrap_contact
from net.errors import AddressError
from net.multiaddr import Multiaddr
from runtime.canonical import Json
from runtime.clock import SystemClock
from runtime.errors import UsageError
from runtime.identity import Identity, new_seed

__all__ = ["DhtAnnouncer", "said_in_dht", "starts_of"]

_URLS_MAX: Final = 4
_KEYS_MAX: Final = 8


def said_in_dht(contents: Contents, places: Sequence[str], port: int) -> dict[str, Mapping[str, Json]]:
    """The body of the record under each key of the DHT.

    Args:
        contents: what is served.
        places: addresses at which others reach it.
        port: of TCP.
    """
    manifest = contents.manifest
    hosts = [f"[{place}]" if ":" in place else place for place in places]
    urls: list[Json] = [f"http://{host}:{port}/" for host in hosts[:_URLS_MAX]]
    body: Mapping[str, Json] = {"urls": urls, "version": manifest.manifest_version}
    return {manifest_key(manifest.channel, manifest.arch, key): body for key in contents.keys[:_KEYS_MAX]}


def starts_of(text: str) -> list[Contact]:
    """The nodes with which the DHT is begun.

    Args:
        text: multiaddresses with spaces between them, as in `p2p.bootstrap`.

    Raises:
        UsageError: one of them is none.
    """
    try:
        return [bootstrap_contact(Multiaddr.parse(each)) for each in text.split()]
    except AddressError as error:
        where = f"p2p.bootstrap: {error.where}"
        raise UsageError(error.why, what="configuration", where=where, hint=error.hint) from error


class DhtAnnouncer:
    """A node of the DHT that only asks and tells, under a key that is thrown away.

    Args:
        starts: nodes with which it begins.
    """

    def __init__(self, starts: Sequence[Contact]) -> None:
        self._starts = tuple(starts)
        self._socket = OwnSocket(self._arrived)
        identity = Identity(new_seed())
        self._dht = Dht(identity, clock=SystemClock(), sender=self._socket, serves=False)

    async def start(self, said: Mapping[str, Mapping[str, Json]]) -> int:
        """Begins to tell, and keeps telling.

        Args:
            said: what `said_in_dht` returns.

        Returns:
            How many nodes took a record; 0 while nobody is there, and then it is tried again.

        Raises:
            NetworkError: there is no socket.
        """
        version = 6 if self._starts and ":" in self._starts[0].address[0] else 4
        await self._socket.open("::" if version == 6 else "0.0.0.0")  # noqa: S104, PLR2004 - it only asks
        await self._dht.start(self._starts)
        return max([await self._dht.publish("manifest", key, body) for key, body in said.items()], default=0)

    async def close(self) -> None:
        """Takes everything back."""
        await self._dht.aclose()
        await self._socket.aclose()

    def _arrived(self, data: bytes, address: Address) -> None:
        self._dht.receive(data, address)
