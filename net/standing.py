"""What the operator has said about peers, as far as connections are concerned."""

from typing import Protocol

from net.peer_id import PeerId

__all__ = ["Standing", "Strangers"]


class Standing(Protocol):
    """Asked at every connection, so an answer may change at any time."""

    def is_banned(self, peer: PeerId) -> bool:
        """Whether nothing is to do with the peer."""
        ...

    def is_listed(self, peer: PeerId) -> bool:
        """Whether the operator has named the peer: it may have more unread, and no score of ours keeps it out."""
        ...


class Strangers:
    """Everybody is a stranger."""

    def is_banned(self, peer: PeerId) -> bool:
        """Nobody is."""
        del peer
        return False

    def is_listed(self, peer: PeerId) -> bool:
        """Nobody is."""
        del peer
        return False
