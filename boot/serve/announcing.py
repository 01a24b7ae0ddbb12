"""A boot server on the link, by multicast DNS: at the addresses where it listens, of which the loopback is none.

Whoever hears it believes nothing of it: only the manifest that it gives proves anything.
"""

from collections.abc import Sequence
from typing import Final

from boot.serve.shelf import Contents
from net.lan.announcement import Boot
from net.lan.service import Lan
from net.networks import own_addresses
from net.peer_id import PeerId
from net.prefix import is_loopback
from runtime.identity import Identity, new_seed

__all__ = ["Announcer", "places_of"]

_ANYWHERE: Final = {"0.0.0.0": "ip4", "::": ""}  # noqa: S104 - what is listened on, to be told as real addresses


def places_of(host: str) -> list[str]:
    """The addresses at which a server that listens there can be reached by others; none of the loopback.

    Args:
        host: the address that it is bound to.
    """
    if host in _ANYWHERE:
        return own_addresses(_ANYWHERE[host])
    return [] if is_loopback(host) else [host]


class Announcer:
    """Announces one server, under a name that is thrown away.

    Args:
        interfaces: addresses of this machine, of which at least one is needed.
    """

    def __init__(self, interfaces: Sequence[str]) -> None:
        self._interfaces = tuple(interfaces)
        peer = PeerId.parse(Identity(new_seed()).peer_id)
        self._lan = Lan(peer, self._interfaces, on_event=lambda _event: None)

    async def start(self, contents: Contents, port: int) -> tuple[str, ...]:
        """Begins to announce; takes a second or two.

        Args:
            contents: what is served.
            port: of TCP.

        Returns:
            The addresses at which it is announced.

        Raises:
            NetworkError: it cannot be.
        """
        await self._lan.start()
        await self._lan.announce(tcp=port, quic=None, boot=_said(contents))
        return self._interfaces

    async def renew(self, contents: Contents, port: int) -> None:
        """Announces another release than before, after `start`.

        Args:
            contents: what is served now.
            port: of TCP.

        Raises:
            NetworkError: it cannot be.
        """
        await self._lan.renew(tcp=port, boot=_said(contents))

    async def close(self) -> None:
        """Takes it back."""
        await self._lan.aclose()


def _said(contents: Contents) -> Boot:
    manifest = contents.manifest
    return Boot(manifest.channel, manifest.arch, manifest.manifest_version, contents.keys[0])
