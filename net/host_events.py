"""What a host tells whoever runs it. Texts that came from peers are harmless to show."""

from dataclasses import dataclass
from typing import Literal

from net.identify import Identify

__all__ = ["Banned", "Connected", "DialFailed", "Disconnected", "HostEvent", "Identified", "Listening", "PeerFault"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """It listens on one more address.

    Attributes:
        address: with the real port and `/p2p`.
    """

    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """A connection stands, and the peer's key is proven.

    Attributes:
        peer: its PeerId.
        remote: where it is.
        transport: `tcp` or `quic`.
        dialled: we have opened it.
    """

    peer: str
    remote: str
    transport: Literal["tcp", "quic"]
    dialled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Disconnected:
    """A connection is over.

    Attributes:
        peer: its PeerId.
        remote: where it was.
        reason: in words.
        last: it was the last one to that peer.
    """

    peer: str
    remote: str
    reason: str
    last: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DialFailed:
    """An address of a peer could not be reached, or somebody else was there.

    Attributes:
        peer: the PeerId that was dialled.
        address: where.
        reason: in words.
    """

    peer: str
    address: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerFault:
    """A peer broke a rule. Of the same fault of the same peer one event comes within ten seconds.

    Attributes:
        peer: its PeerId, or empty while it has proven none.
        remote: where it is.
        rule: a short word that stays.
        reason: in words.
        score: what it costs.
        count: how many such faults this stands for.
    """

    peer: str
    remote: str
    rule: str
    reason: str
    score: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Banned:
    """Somebody has made too much trouble.

    Attributes:
        kind: what `subject` is.
        subject: a PeerId, or a prefix.
        reason: the last straw.
        seconds: how long it is not let in.
        spared: the operator trusts this peer: it is let in all the same, and this only tells.
    """

    kind: Literal["peer", "prefix"]
    subject: str
    reason: str
    seconds: float
    spared: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Identified:
    """A peer told by itself what it is now, because that has changed.

    Attributes:
        said: all of it a claim but the key.
    """

    said: Identify


HostEvent = Listening | Connected | Disconnected | DialFailed | PeerFault | Banned | Identified
