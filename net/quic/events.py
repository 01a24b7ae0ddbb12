"""What happens on a QUIC connection, as a session tells it."""

from dataclasses import dataclass

from net.errors import PeerFaultError
from net.peer_id import PeerId
from runtime.errors import OrlopError

__all__ = [
    "Address",
    "Arrived",
    "Ended",
    "Established",
    "Event",
    "IdIssued",
    "IdRetired",
    "Misbehaved",
    "Opened",
    "Stopped",
    "StreamLost",
]

Address = tuple[str, int] | tuple[str, int, int, int]
"""Where datagrams come from and go to, as a socket of the family names it."""


@dataclass(frozen=True, slots=True)
class Established:
    """Both ends have proven their keys, and the listener knows it."""

    peer: PeerId


@dataclass(frozen=True, slots=True)
class Opened:
    """The peer opened a stream."""

    stream: int


@dataclass(frozen=True, slots=True)
class Arrived:
    """Bytes of a stream, in order; `end` when nothing follows them."""

    stream: int
    data: bytes
    end: bool


@dataclass(frozen=True, slots=True)
class StreamLost:
    """The peer will send no more on a stream, and what it sent is not whole."""

    stream: int


@dataclass(frozen=True, slots=True)
class Stopped:
    """The peer reads no more of a stream."""

    stream: int


@dataclass(frozen=True, slots=True)
class Misbehaved:
    """The peer did what counts against it; the connection goes on."""

    fault: PeerFaultError


@dataclass(frozen=True, slots=True)
class Ended:
    """The connection is over; nothing comes after this."""

    error: OrlopError


@dataclass(frozen=True, slots=True)
class IdIssued:
    """Datagrams for this id are for this connection from now on."""

    cid: bytes


@dataclass(frozen=True, slots=True)
class IdRetired:
    """Datagrams for this id are for nobody from now on."""

    cid: bytes


Event = Established | Opened | Arrived | StreamLost | Stopped | Misbehaved | Ended | IdIssued | IdRetired
