"""What one replica has that another lacks, by the other's summary."""

from collections.abc import Iterator
from typing import Final

from runtime.rooms.chain import Chain
from runtime.rooms.entries import SignedEntry, place
from runtime.rooms.facts import STRUCTURAL
from runtime.rooms.replica import FOREVER_MS, Replica
from runtime.rooms.summary import AuthorSummary, Extent, Summary, digest_of

__all__ = ["missing", "summary"]

_NOTHING: Final = Extent(0, "", "")
_REST: Final = 3


def summary(replica: Replica) -> dict[str, AuthorSummary]:
    """What to say of a replica."""
    found = {}
    for author, chain in replica.chains.items():
        heads = chain.heads()
        blocks = {
            block: Extent(head.number, head.id, _digest(chain, block, head.number)) for block, head in heads.items()
        }
        found[author] = AuthorSummary(blocks, chain.cut)
    return found


def missing(replica: Replica, theirs: Summary, *, to: str | None = None) -> list[SignedEntry]:
    """What somebody lacks, in an order in which it can be taken.

    Args:
        replica: ours.
        theirs: their summary.
        to: identity key of a member who is to see only what the room's history setting allows; None for everything.
    """
    withheld = _withheld_before(replica, to)
    found: dict[str, tuple[int, SignedEntry]] = {}
    for author, chain in replica.chains.items():
        said = theirs.get(author, AuthorSummary())
        if chain.cut is not None and (said.fork is None or said.fork > chain.cut):
            found |= {entry.id: (_REST, entry) for entry in chain.evidence}
        for block, head in chain.heads().items():
            lacking = list(_lacking(chain, block, head.number, said.blocks.get(block, _NOTHING)))
            given = [one for one in lacking if not _is_withheld(replica, one, withheld)]
            sparse = len(given) < len(lacking)
            found |= {one.id: (_phase(one, sparse=sparse), one) for one in given}
    return [one for _, one in sorted(found.values(), key=lambda one: (one[0], one[1].ts_ms, one[1].seq, one[1].id))]


def _phase(entry: SignedEntry, *, sparse: bool) -> int:
    """A joiner knows the creator by the first entry, and what it need not have by the snapshot."""
    if entry.kind == "room":
        return 0
    if not sparse or entry.kind not in STRUCTURAL:
        return _REST
    return 1 if entry.kind == "snapshot" else 2


def _is_withheld(replica: Replica, entry: SignedEntry, before_ms: int) -> bool:
    if entry.ts_ms >= before_ms or not replica.covered(entry):
        return False
    return entry.kind == "snapshot" or entry.kind not in STRUCTURAL  # a newer snapshot stands for an older one


def _withheld_before(replica: Replica, to: str | None) -> int:
    """Before which time a member is not given what a snapshot stands for."""
    if to is None or replica.settings.history == "all":
        return -1
    member = replica.roster.everybody.get(to)
    if member is not None and member.is_creator:
        return -1
    return FOREVER_MS if member is None else member.since_ms


def _lacking(chain: Chain, block: int, top: int, theirs: Extent) -> Iterator[SignedEntry]:
    number = theirs.number
    ours = chain.taken_at(place(block, number))
    if theirs.id and ours is not None and ours.id != theirs.id:
        number = 0  # one of us will see where the author contradicts itself
    elif 0 < number <= top and _digest(chain, block, number) != theirs.structure:
        yield from chain.structure(block, number)
    for at in range(number + 1, top + 1):
        entry = chain.taken_at(place(block, at))
        if entry is not None:
            yield entry


def _digest(chain: Chain, block: int, upto: int) -> str:
    return digest_of(entry.id for entry in chain.structure(block, upto))
