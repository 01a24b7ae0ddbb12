"""A vote on how a job ended, among peers that all ran the same one. Pure.

Who is in the minority has not lied by that alone: what it signed is true of what it ran.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["COUNTED", "Vote", "agreed", "decided", "majority"]

COUNTED: Final = frozenset({"exit", "trap", "fuel", "memory", "stack", "output"})
"""Outcomes that follow from the job alone. Time limit, cancellation and loss tell of a peer, not of the job."""


@dataclass(frozen=True, slots=True)
class Vote:
    """What a peer signed for.

    Attributes:
        outcome: one of `COUNTED`.
        exit_code: what `jobs run` would return.
        commitment: to the output, hexadecimal.
    """

    outcome: str
    exit_code: int
    commitment: str


def majority(peers: int) -> int:
    """How many are more than half of so many."""
    return peers // 2 + 1


def agreed(votes: Sequence[Vote | None], needed: int) -> Vote | None:
    """What enough have signed for.

    Args:
        votes: one for each peer; None of one that has not voted, or not yet.
        needed: how many of all are enough, at least their majority.

    Returns:
        The one vote that has so many, or None.
    """
    found = Counter(vote for vote in votes if vote is not None).most_common(1)
    return found[0][0] if found and found[0][1] >= needed else None


def decided(votes: Sequence[Vote | None], outstanding: int, needed: int) -> bool:
    """Whether those that are outstanding cannot change the answer of `agreed`.

    Args:
        votes: as for `agreed`, with those that will not vote any more.
        outstanding: how many may still vote.
        needed: as for `agreed`.
    """
    most = max(Counter(vote for vote in votes if vote is not None).values(), default=0)
    return most >= needed or most + outstanding < needed
