"""Who counts in a room, what it is like and what was taken of its log: one member's copy, before anything is folded.

All of it is a function of the set of entries, never of the order in which they came. Nearly every entry is simply its
author's next one, and most that change who counts bring one newcomer: these are taken as they come. Whatever else
changes who counts, where a sequence ends or what a snapshot covers has it computed anew from what is there. Pure: no
I/O, and no clock but the time that is passed in.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from runtime.rooms.autodelete import Keep
from runtime.rooms.cards import Card
from runtime.rooms.chain import FUTURE_MS, Chain
from runtime.rooms.entries import SignedEntry
from runtime.rooms.facts import (
    SNAPSHOT_PARTS,
    STRUCTURAL,
    Burning,
    Change,
    Keeping,
    Opening,
    Removal,
    Vouch,
    fact_of,
    task_event_of,
)
from runtime.rooms.fold import Message, RoomFold
from runtime.rooms.roster import (
    EMPTY_ROSTER,
    Roster,
    RosterMember,
    Statement,
    opening_of,
    resolve,
    signer_of,
    with_newcomer,
)
from runtime.rooms.settings import RoomSettings, changed
from runtime.rooms.snapshots import Snapshot, newest_snapshot
from runtime.rooms.strangers import Strangers
from runtime.rooms.tasks import TaskEvent

__all__ = ["FOREVER_MS", "Standing", "folded"]

FOREVER_MS: Final = 2**62
"""Later than every clock: for entries that were judged when they came."""


class Standing:
    """What was taken of one room's log, and what follows from it.

    Args:
        room: its id.
        owner: fingerprint of the creator's card.
    """

    def __init__(self, room: str, owner: str) -> None:
        self.room = room
        self.owner = owner
        self.roster: Roster = EMPTY_ROSTER
        self.settings = RoomSettings()
        self.snapshot: Snapshot | None = None
        self.doubted = False
        """Whether the newest snapshot is not what its entries come to, as far as they are here."""
        self.resolved = 0
        """How often who counts was computed anew."""
        self._chains: dict[str, Chain] = {}
        self._strangers = Strangers()
        self._snapshots: dict[str, Snapshot | None] = {}
        self._trusted: set[str] = set()
        self._pending: list[SignedEntry] = []
        self._unsettled = False
        self._refold = False
        """Whether what was folded is not what counts any more."""

    # --- what there is ----------------------------------------------------------------------------------------------

    def chain(self, author: str) -> Chain | None:
        """What is known of an author."""
        return self._chains.get(author)

    @property
    def chains(self) -> dict[str, Chain]:
        """By author: everybody who ever counted."""
        return self._chains

    def entries(self) -> list[SignedEntry]:
        """The log: everything that was taken, in the order of time."""
        return sorted(
            (
                entry
                for author, chain in self._chains.items()
                for entry in chain.entries()
                if entry.seq <= self.end_of(author)
            ),
            key=lambda one: (one.ts_ms, one.actor, one.id),
        )

    def waiting(self) -> dict[str, tuple[SignedEntry, str]]:
        """By id: what is kept beside the log, and why."""
        found = {entry.id: (entry, "unknown author") for entry in self._strangers.entries()}
        for chain in self._chains.values():
            for entry in chain.waiting.values():
                found[entry.id] = (entry, "contradiction" if not chain.counts(entry.seq) else "gap or future")
        return found

    def next_due_ms(self) -> int | None:
        """When the clock lets the next of those in that wait for their time."""
        times = [entry.ts_ms for chain in self._chains.values() for entry in chain.waiting.values()]
        return min(times) - FUTURE_MS if times else None

    def end_of(self, author: str) -> int:
        """The greatest place of an author that may count."""
        member = self.roster.everybody.get(author)
        return 0 if member is None else member.end

    def covered(self, entry: SignedEntry) -> bool:
        """Whether a snapshot stands for an entry."""
        return self.snapshot is not None and self.snapshot.covers(entry.author, entry.seq)

    def counts(self, entry: SignedEntry) -> bool:
        """Whether an entry that was taken counts."""
        chain = self._chains.get(entry.author)
        return chain is not None and chain.counts(entry.seq) and self.roster.counts(entry.author, entry.seq)

    def _counting(self, kind: str) -> Iterator[SignedEntry]:
        for author, chain in self._chains.items():
            member = self.roster.everybody.get(author)
            if member is not None:
                yield from (one for one in chain.entries() if one.kind == kind and member.counts(one.seq))

    # --- what comes -------------------------------------------------------------------------------------------------

    def _take(self, entry: SignedEntry, now_ms: int, *, trusted: bool) -> str:
        """Takes one entry, or says why not."""
        chain = self._chains.get(entry.author)
        plain = entry.kind not in STRUCTURAL
        if plain and chain is not None and chain.follows(entry, now_ms):
            if not trusted and not entry.fits(chain.card.ed25519_key):
                return "its signature is not its author's"
            chain.append(entry)
            self._pending.append(entry)
            return ""
        if trusted:
            self._trusted.add(entry.id)
        if self._unsettled and chain is None:
            self._settle(now_ms)
            chain = self._chains.get(entry.author)
        if chain is None:
            return self._put_aside(entry, now_ms)
        return self._offer_to(chain, entry, now_ms)

    def _put_aside(self, entry: SignedEntry, now_ms: int) -> str:
        """Keeps an entry of somebody who is not one of us; the room's first entry opens it."""
        if not self.roster.creator and entry.kind == "room" and entry.author not in self._chains:
            fact = fact_of(entry)
            if isinstance(fact, Opening) and self._opens(entry, fact.card) and self._fits(entry, fact.card):
                self._chains[entry.author] = chain = Chain(fact.card, parts=SNAPSHOT_PARTS)
                return self._offer_to(chain, entry, now_ms)
        if not self._strangers.add(entry, unbounded=entry.id in self._trusted):
            return "too much of unknown authors waits already"
        return ""

    def _opens(self, entry: SignedEntry, card: Card) -> bool:
        return entry.seq == 1 and card.identity_key == entry.author and card.fingerprint == self.owner

    def _fits(self, entry: SignedEntry, card: Card) -> bool:
        return entry.id in self._trusted or entry.fits(card.ed25519_key)

    def _offer_to(self, chain: Chain, entry: SignedEntry, now_ms: int) -> str:
        if chain.knows(entry):
            return ""
        if not self._fits(entry, chain.card):
            return "its signature is not its author's"
        cut = chain.cut
        standing = chain.offer(entry, now_ms)
        if chain.cut != cut:
            self._unsettled = self._refold = True
        if entry.kind == "snapshot":
            self._unsettled = True
        if standing == "full":
            return "too many entries of its author wait already"
        if standing == "fork" and entry.id not in chain.waiting:
            return "its author contradicts itself before it"
        self._release(chain, now_ms)
        return ""

    def _release(self, chain: Chain, now_ms: int) -> None:
        for entry in chain.release(now_ms):
            self._pending.append(entry)
            if entry.kind in STRUCTURAL and not self._brings_newcomer(chain, entry, now_ms):
                self._unsettled = True

    def _release_all(self, now_ms: int) -> None:
        """Takes what waited for its time."""
        for chain in list(self._chains.values()):
            if chain.waiting:
                self._release(chain, now_ms)
        self._unsettled = True
        self._settle(now_ms)

    # --- who counts -------------------------------------------------------------------------------------------------

    def _brings_newcomer(self, chain: Chain, entry: SignedEntry, now_ms: int) -> bool:
        """Takes somebody in of whom nothing was known, if that is all that an entry changes; false when it may not be.

        A room of many members has many such entries, and each would have all that is there looked through.
        """
        said = chain.statement(entry.seq)
        if self._unsettled or said is None or not isinstance(said.fact, Vouch):
            return False
        key = said.fact.card.identity_key
        creator = self._chains.get(self.roster.creator)
        if creator is None or key in self._chains or self._is_removed(creator, key):
            return False
        if self.snapshot is not None and self.snapshot.heads_of(key):
            return False
        roster = with_newcomer(self.roster, said)
        if roster is None:
            return False
        self.roster = roster
        self._chains[key] = newcomer = Chain(said.fact.card)
        self._welcome(newcomer, key, now_ms)
        return True

    @staticmethod
    def _is_removed(creator: Chain, key: str) -> bool:
        return any(isinstance(one.fact, Removal) and one.fact.key == key for one in creator.statements())

    def _settle(self, now_ms: int) -> None:
        """Computes roster, settings and snapshot anew, until nothing that follows from them changes them."""
        while self._unsettled:
            self._unsettled = False
            self.resolved += 1
            said = {signer_of(chain.card): chain.statements() for chain in self._chains.values()}
            opening = next((one for one in (opening_of(self.owner, part) for part in said.values()) if one), None)
            if opening is None:
                self._become(EMPTY_ROSTER, now_ms)
                self.settings = RoomSettings()
                self._rest_on(None, now_ms)
            else:
                self._become(resolve(opening, said), now_ms)
                self.settings = self._settings(opening, said.values())
                self._cover(now_ms)

    def _become(self, roster: Roster, now_ms: int) -> None:
        """Takes a roster on: new chains for those who are new, none under a key that is not theirs."""
        before, self.roster = self.roster, roster
        for key, member in roster.everybody.items():
            chain = self._chains.get(key)
            if chain is not None and chain.card.ed25519_key != member.card.ed25519_key:
                self._dissolve(key)
                chain = None
            if chain is None:
                self._chains[key] = chain = Chain(member.card, parts=SNAPSHOT_PARTS if member.is_creator else 0)
            known = before.everybody.get(key)
            if known is None or known.ranges != member.ranges:
                self._recount(chain, known, member)
            if chain.is_new:
                self._welcome(chain, key, now_ms)
        for key in [key for key in self._chains if key not in roster.everybody and roster.creator]:
            self._dissolve(key)
        forked = frozenset(
            key
            for key, chain in self._chains.items()
            if chain.cut is not None and key in roster.everybody and chain.cut <= roster.everybody[key].end
        )
        self.roster = replace(roster, forked=forked)

    def _welcome(self, chain: Chain, author: str, now_ms: int) -> None:
        """Takes what waited for somebody to vouch for its author."""
        chain.is_new = False
        for entry in self._strangers.take(author):
            if chain.knows(entry):
                continue
            if self._fits(entry, chain.card):
                self._unsettled = True
                self._offer_to(chain, entry, now_ms)
            else:
                self._strangers.add(entry)  # the card may turn out to be another

    def _recount(self, chain: Chain, before: RosterMember | None, after: RosterMember) -> None:
        if not self._refold:
            pending = {entry.id for entry in self._pending}
            self._refold = any(
                after.counts(entry.seq) != (before is not None and before.counts(entry.seq))
                for entry in chain.entries()
                if entry.id not in pending
            )

    def _dissolve(self, author: str) -> None:
        """What was signed with a key that is not the author's counts as a stranger's."""
        chain = self._chains.pop(author)
        for entry in chain.everything():
            self._trusted.discard(entry.id)
            self._strangers.add(entry)
        self._pending[:] = [entry for entry in self._pending if entry.author != author]
        self._refold = self._unsettled = True

    def _settings(self, opening: Statement, said: Iterable[Sequence[Statement]]) -> RoomSettings:
        fact = opening.fact
        settings = fact.settings if isinstance(fact, Opening) else RoomSettings()
        keeps = []
        for statements in said:
            for one in statements:
                if not self.roster.counts(one.author, one.seq):
                    continue
                if isinstance(one.fact, Keeping):
                    keeps.append((one.ts_ms, one.author, one.id, one.fact.until_ms))
                elif one.author == self.roster.creator and isinstance(one.fact, Change):
                    settings = changed(settings, one.fact.changes)
                elif one.author == self.roster.creator and isinstance(one.fact, Burning):
                    settings = changed(settings, {"burned": True})
        if not keeps:
            return settings
        latest = max(keeps, key=lambda one: one[:3])
        return replace(settings, keep=Keep(latest[0], latest[3]))

    # --- what a snapshot stands for ---------------------------------------------------------------------------------

    def _cover(self, now_ms: int) -> None:
        """Takes the newest snapshot on; sequences go on behind what it covers."""
        creator = self.roster.creator
        chain = self._chains[creator]
        counting = {seq: entry for seq, entry in sorted(chain.parts.items()) if chain.counts(seq)}
        self._rest_on(newest_snapshot(creator, counting, now_ms + FUTURE_MS, self._snapshots), now_ms)

    def _rest_on(self, snapshot: Snapshot | None, now_ms: int) -> None:
        if snapshot != self.snapshot:
            self._refold = True
            self.doubted = snapshot is not None and self._differs(snapshot)
            self.snapshot = snapshot
        for key, chain in list(self._chains.items()):
            if chain.anchor({} if snapshot is None else snapshot.heads_of(key)):
                self._refold = self._unsettled = True
            if chain.waiting:
                self._release(chain, now_ms)

    def _differs(self, snapshot: Snapshot) -> bool:
        """Whether a snapshot is not what its entries come to; false when that cannot be said from here."""
        covered: list[SignedEntry] = []
        for (author, block), head in snapshot.heads.items():
            chain = self._chains.get(author)
            begin = 0 if self.snapshot is None else self.snapshot.heads.get((author, block), 0)
            found = [] if chain is None else chain.run(block, begin, head)
            if len(found) != head - begin:
                return False
            covered.extend(found)
        creator = self._chains[self.roster.creator]
        if any(not self.counts(one) for one in covered) or creator.last_seq > max(creator.parts):
            return False  # who counts is not what it was when the snapshot was made
        tasks = [
            (one.id, one.author, event)
            for one in covered
            if one.kind == "task" and (event := task_event_of(one)) is not None
        ]
        return folded(self.snapshot, tasks, []).folding.tasks != snapshot.state.tasks


def folded(
    base: Snapshot | None, events: Sequence[tuple[str, str, TaskEvent]], messages: Sequence[Message]
) -> RoomFold:
    """Tasks and messages from nothing, or from what a snapshot says.

    Args:
        base: the snapshot; it does not cover what follows.
        events: id and author of each entry, and what it says.
        messages: the others.
    """
    if base is None:
        return RoomFold.of(events, messages)
    return RoomFold.of(events, messages, state=base.state, horizon=base.horizon)
