"""What all connections of an endpoint have in common."""

from dataclasses import dataclass

from net.limits import NetLimits
from net.peer_id import PeerId
from net.quic.certificate import Credentials
from net.unread import Unread
from runtime.clock import Clock

__all__ = ["Terms"]


@dataclass(frozen=True, slots=True)
class Terms:
    """Ours, towards every peer.

    Attributes:
        own: our PeerId, which nobody else may have.
        credentials: what we show.
        limits: what the peer may do.
        clock: by whose wall time certificates hold.
        unread: counts what all connections hold.
    """

    own: PeerId
    credentials: Credentials
    limits: NetLimits
    clock: Clock
    unread: Unread
