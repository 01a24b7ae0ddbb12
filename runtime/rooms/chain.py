"""One author's sequence as far as it is known here: what is complete, what waits, and where it contradicts itself.

Two entries in one place, an entry that follows another than the one that is there, or one that is not later than the
one before it: whoever signs such a thing has said two things at once. From the first such place on nothing of that
author counts, for anybody who has seen it; what shows it is kept, and passed on.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from runtime.rooms.cards import Card
from runtime.rooms.entries import SEQ_MAX, SignedEntry, block_of, number_of, place
from runtime.rooms.facts import STRUCTURAL, fact_of
from runtime.rooms.roster import Statement

__all__ = ["FUTURE_MS", "WAITING", "Chain", "Head", "Standing"]

FUTURE_MS: Final = 300_000
"""How far ahead of the clock an entry may lie; exactly this is admitted."""

WAITING: Final = 64
"""Entries of one author that wait for others at most."""

Standing = Literal["waits", "known", "fork", "full"]
"""What became of an entry. `fork`: it lies behind a contradiction; `full`: not kept, since too many wait already."""


@dataclass(frozen=True, slots=True)
class Head:
    """The end of what is complete of a block."""

    number: int
    id: str
    """Empty when the entry itself was never here: a snapshot covers it."""


class Chain:
    """The entries that one account signed.

    Args:
        card: of the account.
        parts: how many pieces of snapshots may wait besides.
    """

    def __init__(self, card: Card, *, parts: int = 0) -> None:
        self.card = card
        self.is_new = True
        """Whether nobody has looked yet for what came before its author was known."""
        self.cut: int | None = None
        """The first place from which on nothing counts."""
        self.evidence: tuple[SignedEntry, ...] = ()
        """What shows it."""
        self.waiting: dict[str, SignedEntry] = {}
        """By id: what cannot be taken yet, and what shows a contradiction."""
        self.parts: dict[int, SignedEntry] = {}
        """By place: pieces of snapshots, also those that wait."""
        self.last_ms = -1
        """The latest time of an entry that was taken."""
        self.last_seq = 0
        """The greatest place of an entry that was taken."""
        self._parts_limit = parts
        self._taken: dict[int, SignedEntry] = {}
        self._tops: dict[int, int] = {}
        self._anchors: dict[int, int] = {}
        self._places: dict[int, list[SignedEntry]] = {}
        self._statements: dict[int, Statement] = {}

    # --- what there is ----------------------------------------------------------------------------------------------

    def statements(self) -> list[Statement]:
        """What its structural entries say, in the order of the sequence, as far as they count."""
        return [self._statements[seq] for seq in sorted(self._statements) if self.counts(seq)]

    def statement(self, seq: int) -> Statement | None:
        """What the structural entry at a place says; None when there is none, or it says nothing that could count."""
        return self._statements.get(seq)

    def counts(self, seq: int) -> bool:
        """Whether a place lies before every contradiction."""
        return self.cut is None or seq < self.cut

    def entries(self) -> Iterator[SignedEntry]:
        """What was taken and is not behind a contradiction, in no order."""
        return (entry for seq, entry in self._taken.items() if self.counts(seq))

    def everything(self) -> list[SignedEntry]:
        """What was taken and what waits, also behind a contradiction."""
        return [*self._taken.values(), *self.waiting.values()]

    def taken_at(self, seq: int) -> SignedEntry | None:
        """The entry that was taken at a place."""
        return self._taken.get(seq)

    def heads(self, upto: int = SEQ_MAX) -> dict[int, Head]:
        """By block, the end of what is complete and not contradicted.

        Args:
            upto: no place behind it is named.
        """
        found = {}
        limit = upto if self.cut is None else min(upto, self.cut - 1)
        for block, top in sorted(self._tops.items()):
            number = min(top, limit - place(block, 0))
            if number > 0:
                entry = self._taken.get(place(block, number))
                found[block] = Head(number, "" if entry is None else entry.id)
        return found

    def run(self, block: int, after: int, upto: int) -> list[SignedEntry]:
        """Entries of a block behind a number and up to another, as far as they are here."""
        if upto - after > len(self._taken):
            return []
        found = (self._taken.get(place(block, number)) for number in range(after + 1, upto + 1))
        return [one for one in found if one is not None and self.counts(one.seq)]

    def structure(self, block: int, upto: int) -> list[SignedEntry]:
        """Entries of structural kinds in a block, up to a number, in order; without pieces of snapshots."""
        places = (seq for seq in sorted(self._statements) if block_of(seq) == block and number_of(seq) <= upto)
        return [self._taken[seq] for seq in places if self.counts(seq) and seq not in self.parts]

    # --- what comes -------------------------------------------------------------------------------------------------

    def follows(self, entry: SignedEntry, now_ms: int) -> bool:
        """Whether an entry is simply the next one, as nearly all are."""
        before = self._taken.get(entry.seq - 1)
        return (
            before is not None
            and before.id == entry.prev
            and self.cut is None
            and not self.waiting
            and self._tops[block_of(entry.seq)] == number_of(before.seq)
            and before.ts_ms < entry.ts_ms <= now_ms + FUTURE_MS
        )

    def knows(self, entry: SignedEntry) -> bool:
        """Whether an entry is here already, taken or not."""
        return any(one.id == entry.id for one in self._places.get(entry.seq, ()))

    def append(self, entry: SignedEntry) -> None:
        """Takes an entry that follows."""
        self._places[entry.seq] = [entry]
        self._take(entry)

    def offer(self, entry: SignedEntry, now_ms: int) -> Standing:
        """Keeps an entry whose signature fits; `release` says what can be taken then.

        Args:
            entry: of this author.
            now_ms: the time here.
        """
        if self.knows(entry):
            return "known"
        cut = self.cut
        self._compare(entry)
        if self.cut != cut:
            self._forget_behind()
            if entry not in self.evidence and not self.counts(entry.seq):
                return "fork"
        elif self.cut is not None and entry.seq > self.cut:
            return "fork"
        elif self._is_full(entry) and not self._is_due(entry, now_ms):
            return "full"
        self._places.setdefault(entry.seq, []).append(entry)
        self.waiting[entry.id] = entry
        if entry.kind == "snapshot":
            self.parts.setdefault(entry.seq, entry)
        return "waits" if self.counts(entry.seq) else "fork"

    def anchor(self, heads: Mapping[int, int]) -> bool:
        """Lets the sequence go on behind places that a snapshot covers, in place of what was covered before.

        Args:
            heads: by block, the last number that is covered.

        Returns:
            Whether entries wait again that had been taken.
        """
        if heads == self._anchors:
            return False
        fewer = any(heads.get(block, 0) < number for block, number in self._anchors.items())
        self._anchors = dict(heads)
        if fewer:
            self._untake()
        for block, number in heads.items():
            self._tops[block] = max(self._tops.get(block, 0), number)
        return fewer

    def _untake(self) -> None:
        """Has everything wait; `release` takes what is complete."""
        self.waiting |= {entry.id: entry for entry in self._taken.values() if self.counts(entry.seq)}
        self._taken.clear()
        self._tops.clear()
        self._statements.clear()
        self.last_ms, self.last_seq = -1, 0

    def release(self, now_ms: int) -> list[SignedEntry]:
        """Takes what can be taken of all that waits, in order."""
        released: list[SignedEntry] = []
        for entry in sorted(self.waiting.values(), key=lambda one: one.seq):
            if self._is_due(entry, now_ms):
                self._take(entry)
                released.append(entry)
        return released

    def _is_full(self, entry: SignedEntry) -> bool:
        pieces = sum(one.kind == "snapshot" for one in self.waiting.values()) if self._parts_limit else 0
        if self._parts_limit and entry.kind == "snapshot":
            return pieces >= self._parts_limit
        return len(self.waiting) - pieces >= WAITING

    def _is_due(self, entry: SignedEntry, now_ms: int) -> bool:
        if entry.ts_ms > now_ms + FUTURE_MS or not self.counts(entry.seq):
            return False
        return number_of(entry.seq) <= self._tops.get(block_of(entry.seq), 0) + 1

    def _take(self, entry: SignedEntry) -> None:
        block, number = block_of(entry.seq), number_of(entry.seq)
        self.waiting.pop(entry.id, None)
        self._taken[entry.seq] = entry
        self._tops[block] = max(self._tops.get(block, 0), number)
        self.last_ms, self.last_seq = max(self.last_ms, entry.ts_ms), max(self.last_seq, entry.seq)
        if entry.kind in STRUCTURAL and (fact := fact_of(entry)) is not None:
            self._statements[entry.seq] = Statement(entry.author, entry.seq, entry.ts_ms, entry.id, fact)
            if entry.kind == "snapshot":
                self.parts.setdefault(entry.seq, entry)

    # --- contradictions ---------------------------------------------------------------------------------------------

    def _compare(self, entry: SignedEntry) -> None:
        for other in self._places.get(entry.seq, ()):
            self._contradicts(entry.seq, other, entry)
        if number_of(entry.seq) > 1:
            for before in self._places.get(entry.seq - 1, ()):
                self._compare_neighbours(before, entry)
        for after in self._places.get(entry.seq + 1, ()):
            self._compare_neighbours(entry, after)

    def _compare_neighbours(self, before: SignedEntry, after: SignedEntry) -> None:
        if block_of(before.seq) != block_of(after.seq):
            return
        if before.id != after.prev:
            self._contradicts(before.seq, before, after)
        elif before.ts_ms >= after.ts_ms:
            self._contradicts(after.seq, before, after)

    def _contradicts(self, seq: int, *evidence: SignedEntry) -> None:
        if self.cut is None or seq < self.cut:
            self.cut = seq
            self.evidence = evidence

    def _forget_behind(self) -> None:
        """Lets go what waits behind the cut, but not what shows it.

        Nor others in that place: one of them may show an earlier cut when the entry before it comes.
        """
        for entry in list(self.waiting.values()):
            if self.cut is not None and entry.seq > self.cut and entry not in self.evidence:
                del self.waiting[entry.id]
                self._places[entry.seq] = [one for one in self._places[entry.seq] if one.id != entry.id]
