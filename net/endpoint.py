"""What a host asks of each transport: an endpoint that listens and dials, and connections that can be set aside."""

from typing import Protocol

from net.multiaddr import Multiaddr
from net.peer_id import PeerId
from net.stream import Connection

__all__ = ["Endpoint", "HeldConnection"]


class HeldConnection(Connection, Protocol):
    """A connection as its host holds it."""

    @property
    def end_reason(self) -> str:
        """Why it ended, in words; empty while it stands."""
        ...

    def trust(self) -> None:
        """The operator has named the peer: it may send more ahead."""
        ...

    async def drain(self) -> None:
        """Opens and takes no more streams, and closes when those that stand have ended."""
        ...


class Endpoint(Protocol):
    """One transport of a node."""

    async def listen(self, place: Multiaddr) -> Multiaddr:
        """Begins to listen, besides where it listens already.

        Args:
            place: an address of this machine; port 0 for any that is free.

        Returns:
            Where it listens, with the real port.

        Raises:
            NetworkError: it cannot.
            AddressError: the place is a name.
        """
        ...

    async def dial(self, peer: PeerId | None, place: Multiaddr) -> HeldConnection:
        """Opens a connection.

        Args:
            peer: who must be there; None for anybody.
            place: where; an address, not a name.

        Raises:
            WrongPeerError: somebody else is there.
            PeerFaultError: who is there proved no key, or broke a rule.
            UnreachableError: nobody answered in time, or who did refused us.
        """
        ...

    def rebind(self) -> None:
        """This machine has other addresses than before: connections that can move go on from there.

        Raises:
            NetworkError: there is no socket to be had.
        """
        ...

    async def aclose(self) -> None:
        """Ends all that it has, and waits for it."""
        ...
