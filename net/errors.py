"""Errors of the network: each stands on one of `runtime.errors`, so that a face knows its exit status.

A fault of the peer is never a fault of the network: `PeerFaultError` counts against whoever made it,
`UnreachableError` and its kin count against nobody.
"""

from typing import Final

from runtime.errors import NetworkError, RefusedError, UsageError

__all__ = [
    "AddressError",
    "ConnectionLostError",
    "MalformedError",
    "PeerFaultError",
    "StreamResetError",
    "UnreachableError",
    "UnsupportedProtocolError",
    "WrongPeerError",
]


class AddressError(UsageError):
    """A multiaddr, a PeerId or a key that is none, or none that orlop speaks to."""


class MalformedError(RefusedError):
    """Bytes without the form that they should have. Whoever knows whose they are makes the error of it that says so."""


class PeerFaultError(RefusedError):
    """The peer broke a rule; the connection ends.

    Args:
        why: what the peer did, in words; text of the peer is sanitised by the caller.
        rule: one short word that stays, such as `oversized-frame`: events and counters are told apart by it.
        score: what it adds to the peer's score; at 100 it is banned.
        where: the peer, when the caller knows it.
        hint: what the operator may do about it.
    """

    def __init__(self, why: str, *, rule: str, score: int, where: str = "", hint: str = "") -> None:
        super().__init__(why, where=where, hint=hint)
        self.rule: Final = rule
        self.score: Final = score


class WrongPeerError(PeerFaultError):
    """The peer proved another key than the one that was dialled. It costs nothing: the address may be stale.

    Args:
        expected: the PeerId that was dialled.
        found: the PeerId that answered.
    """

    def __init__(self, expected: str, found: str) -> None:
        why = f"answered with another key, {found}"
        super().__init__(why, rule="wrong-peer", score=0, where=expected, hint="the address may be out of date")
        self.expected: Final = expected
        self.found: Final = found


class UnreachableError(NetworkError):
    """No address answered, or not in time."""


class ConnectionLostError(NetworkError):
    """The connection ended before what was asked of it."""


class StreamResetError(NetworkError):
    """The stream was reset, by the peer or by us."""


class UnsupportedProtocolError(NetworkError):
    """The peer does not serve the protocol."""
