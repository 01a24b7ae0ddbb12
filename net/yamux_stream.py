"""What yamux knows of one stream that stands."""

from dataclasses import dataclass, field
from typing import Final

__all__ = ["FIRST_CREDIT", "MuxedStream"]

FIRST_CREDIT: Final = 262_144
"""What each direction of a stream begins with, by the specification."""


@dataclass(slots=True)
class MuxedStream:
    """The account of a stream.

    Attributes:
        id: its number.
        ours: we have opened it.
        window: what the peer may send ahead of what is consumed.
        left: what it may still send now.
        credit: what we may send now.
        unread: what was handed on and is not consumed.
        consumed: what is consumed and not yet given back as credit.
        pending: what its writer has given and no frame carries yet.
        moved: when something of `pending` went out last.
        acknowledged: the peer has answered to our opening.
        ending: our direction ends behind `pending`.
        ended: the peer has ended its direction.
        queued: it is in the round of those that may send.
    """

    id: int
    ours: bool
    window: int
    left: int
    credit: int = FIRST_CREDIT
    unread: int = 0
    consumed: int = 0
    pending: memoryview = field(default_factory=lambda: memoryview(b""))
    moved: float = 0.0
    acknowledged: bool = False
    ending: bool = False
    ended: bool = False
    queued: bool = False
