"""A peer as the book has it. Times are wall time in milliseconds."""

from dataclasses import dataclass
from typing import Final, Literal

from net.multiaddr import Multiaddr
from net.peer_id import PeerId

__all__ = ["Address", "Known", "Source"]

_MAKE_UP: Final = 10

Source = Literal["typed", "lan", "dht", "identify"]
"""Who said where a peer is."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a peer may be.

    Attributes:
        address: without `/p2p`.
        source: who said so first.
        seen_ms: when it was last said.
        proven_ms: when the peer last proved its key there; None as long as it is a hint.
    """

    address: Multiaddr
    source: str
    seen_ms: int
    proven_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A peer.

    Attributes:
        peer: who.
        name: the operator's own name for it, or empty.
        note: the operator's words.
        trusted_ms: since when its receipts are believed and jobs given to it; None: they are not.
        submitter: whether it may give this node jobs.
        banned_ms: since when an operator bans it; None: nobody does.
        reason: of the ban.
        lied_ms: when it lied since it was last trusted; None: never.
        lie: in what.
        seen_ms: when anything was last heard of it.
        proven_ms: when it last proved its key; None: never.
        done: jobs that it ran for this node and proved.
        failed: jobs that it accepted and did not end, or whose receipt was false.
        rtt_us: its last measured round trip; None: never measured.
        agent: the program that it says it is.
        addresses: where it may be, the last proven one first.
    """

    peer: PeerId
    name: str
    note: str
    trusted_ms: int | None
    submitter: bool
    banned_ms: int | None
    reason: str
    lied_ms: int | None
    lie: str
    seen_ms: int
    proven_ms: int | None
    done: int
    failed: int
    rtt_us: int | None
    agent: str
    addresses: tuple[Address, ...] = ()

    @property
    def banned(self) -> bool:
        """Whether an operator bans it."""
        return self.banned_ms is not None

    @property
    def failures(self) -> int:
        """Of its failures those that it has not made up for; ten jobs that it proved make up for one."""
        return max(0, self.failed - self.done // _MAKE_UP)

    @property
    def worker(self) -> bool:
        """Whether its receipts are believed and jobs given to it: trusted, not banned, not caught in a lie since."""
        return self.trusted_ms is not None and not self.banned and self.lied_ms is None
