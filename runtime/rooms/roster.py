"""Who is in a room, and which of their entries count: a pure function of what members say of one another.

The creator is known by its card's fingerprint. Whoever counts may vouch for others; only the creator removes, and only
the creator takes back whom it has removed. One identity key has one card: the creator's word goes before that of
others, who is vouched for over fewer others before who is over more, and the earlier word before the later.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from runtime.rooms.cards import Card
from runtime.rooms.facts import Fact, Leaving, Opening, Removal, Vouch

__all__ = [
    "EMPTY_ROSTER",
    "MEMBERS",
    "Range",
    "Roster",
    "RosterMember",
    "Statement",
    "opening_of",
    "resolve",
    "signer_of",
    "with_newcomer",
]

MEMBERS: Final = 128
"""Keys that a roster has at most, those of former members included."""

_FOREVER: Final = 2**63
"""Behind every sequence number."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What one entry says, and where it stands."""

    author: str
    seq: int
    ts_ms: int
    id: str
    fact: Fact


@dataclass(frozen=True, slots=True)
class Range:
    """Sequence numbers that count: greater than `after`, up to `end`."""

    after: int
    end: int = _FOREVER

    def holds(self, seq: int) -> bool:
        """Whether a number is one of them."""
        return self.after < seq <= self.end


@dataclass(frozen=True, slots=True, kw_only=True)
class RosterMember:
    """Somebody who is or was in the room.

    Attributes:
        card: their keys and name.
        ranges: which of their entries count.
        since_ms: when they were vouched for first.
        vouched_by: who did it first; themselves for the creator.
        is_creator: whether it is the creator.
        left: whether, being out, they went by themselves.
    """

    card: Card
    ranges: tuple[Range, ...]
    since_ms: int
    vouched_by: str
    is_creator: bool = False
    left: bool = False

    @property
    def is_in(self) -> bool:
        """Whether they are in the room now."""
        return _FOREVER in [one.end for one in self.ranges]

    @property
    def end(self) -> int:
        """The greatest sequence number that may count."""
        return max((one.end for one in self.ranges), default=0)

    def counts(self, seq: int) -> bool:
        """Whether an entry with this number counts."""
        return any(one.holds(seq) for one in self.ranges)


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster:
    """Everybody who ever counted, by identity key, in the order in which they came.

    Attributes:
        everybody: those in the room and those who were.
        creator: identity key of the creator; empty as long as its first entry is not known.
        contested: keys for which members vouched with different cards.
        forked: members of whom two different entries have the same place: two devices write in that name.
    """

    everybody: Mapping[str, RosterMember] = field(default_factory=dict)
    creator: str = ""
    contested: frozenset[str] = frozenset()
    forked: frozenset[str] = frozenset()

    @property
    def members(self) -> dict[str, RosterMember]:
        """Those who are in the room, the creator first."""
        return {key: one for key, one in self.everybody.items() if one.is_in}

    def member(self, key: str) -> RosterMember | None:
        """Who is in the room under this identity key."""
        one = self.everybody.get(key)
        return one if one is not None and one.is_in else None

    def has_left(self, key: str) -> bool:
        """Whether somebody went by themselves."""
        one = self.everybody.get(key)
        return one is not None and one.left

    def counts(self, author: str, seq: int) -> bool:
        """Whether an entry counts, as far as membership decides."""
        one = self.everybody.get(author)
        return one is not None and one.counts(seq)


EMPTY_ROSTER: Final = Roster()


def opening_of(owner: str, statements: Sequence[Statement]) -> Statement | None:
    """The creator's first entry.

    Args:
        owner: fingerprint of the creator's card.
        statements: of one author.
    """
    for one in statements:
        fact = one.fact
        if isinstance(fact, Opening) and one.seq == 1:
            return one if fact.card.fingerprint == owner and fact.card.identity_key == one.author else None
    return None


def resolve(opening: Statement, said: Mapping[str, Sequence[Statement]]) -> Roster:
    """The roster.

    Args:
        opening: the creator's first entry.
        said: by author and that author's key (`identityKey ed25519Key`), what was said, in the order of the sequence.
            Statements under a key that turns out not to be the author's are not looked at.
    """
    fact = opening.fact
    if not isinstance(fact, Opening):
        message = "the room's first entry opens it"
        raise TypeError(message)
    return _Closing(opening, fact.card, said).closed()


def with_newcomer(roster: Roster, said: Statement) -> Roster | None:
    """The roster that `resolve` finds once somebody is vouched for of whom nothing else is known.

    Args:
        roster: as `resolve` found it, without that word.
        said: the word. Whom it is for has said nothing and was never removed.

    Returns:
        None when that cannot be said without looking at everything else.
    """
    fact = said.fact
    if not isinstance(fact, Vouch) or not roster.counts(said.author, said.seq):
        return None
    key = fact.card.identity_key
    if key in roster.everybody or len(roster.everybody) >= MEMBERS:
        return None
    newcomer = RosterMember(card=fact.card, ranges=(Range(fact.after),), since_ms=said.ts_ms, vouched_by=said.author)
    everybody = {**roster.everybody, key: newcomer}
    return replace(roster, everybody=_in_order(everybody.values()))


def signer_of(card: Card) -> str:
    """How `resolve` names an author with the key that signs."""
    return f"{card.identity_key} {card.ed25519_key}"


class _Closing:
    """The closure over vouches, in stages: a card that was found in a stage is never exchanged in a later one."""

    def __init__(self, opening: Statement, card: Card, said: Mapping[str, Sequence[Statement]]) -> None:
        self._opening = opening
        self._creator = card.identity_key
        self._said = said
        self._cards = {card.identity_key: card}
        self._ranges = {self._creator: self._until_leaving(self._creator, [Range(0)])}
        self._orders = self._creator_says()

    def closed(self) -> Roster:
        while True:
            self._spread()
            found = self._newcomers()
            if not found:
                return self._roster()
            self._cards |= found

    def _spread(self) -> None:
        """The ranges of those whose cards are known, as far as they vouch for one another."""
        while True:
            vouches = self._vouches()
            ranges = {key: self._ranges_of(key, vouches.get(key, ())) for key in self._cards if key != self._creator}
            ranges[self._creator] = self._ranges[self._creator]
            if ranges == self._ranges:
                return
            self._ranges = ranges

    def _counting(self) -> list[Statement]:
        return [
            one
            for key, card in self._cards.items()
            for one in self._said.get(signer_of(card), ())
            if any(part.holds(one.seq) for part in self._ranges.get(key, ()))
        ]

    def _vouches(self) -> dict[str, list[Statement]]:
        """Those that count, by whom they are for."""
        found: dict[str, list[Statement]] = {}
        for one in self._counting():
            if isinstance(one.fact, Vouch):
                found.setdefault(one.fact.card.identity_key, []).append(one)
        return found

    def _ranges_of(self, key: str, vouches: Sequence[Statement]) -> tuple[Range, ...]:
        """Others' word counts as if said before the creator's first removal; the creator's in its order."""
        card = self._cards[key]
        ranges = [
            Range(one.fact.after)
            for one in vouches
            if isinstance(one.fact, Vouch) and one.author != self._creator and _same_account(one.fact.card, card)
        ]
        for fact in self._orders.get(key, ()):
            if isinstance(fact, Removal):
                ranges = [Range(part.after, min(part.end, fact.upto)) for part in ranges]
            elif _same_account(fact.card, card):
                ranges.append(Range(fact.after))
        return self._until_leaving(key, ranges)

    def _creator_says(self) -> dict[str, list[Vouch | Removal]]:
        """What the creator says of each key, in order: looked through once, since a room of many has many of these."""
        found: dict[str, list[Vouch | Removal]] = {}
        for one in self._said.get(signer_of(self._cards[self._creator]), ()):
            if any(part.holds(one.seq) for part in self._ranges[self._creator]):
                if isinstance(one.fact, Vouch):
                    found.setdefault(one.fact.card.identity_key, []).append(one.fact)
                elif isinstance(one.fact, Removal):
                    found.setdefault(one.fact.key, []).append(one.fact)
        return found

    def _until_leaving(self, key: str, ranges: Sequence[Range]) -> tuple[Range, ...]:
        leaves = [one.seq for one in self._said.get(signer_of(self._cards[key]), ()) if isinstance(one.fact, Leaving)]
        cut = {Range(one.after, min([one.end, *(seq for seq in leaves if seq > one.after)])) for one in ranges}
        return tuple(sorted((one for one in cut if one.end > one.after), key=lambda one: (one.after, one.end)))

    def _left(self, card: Card, ranges: Sequence[Range]) -> bool:
        end = max((one.end for one in ranges), default=0)
        return any(one.seq == end for one in self._said.get(signer_of(card), ()) if isinstance(one.fact, Leaving))

    def _newcomers(self) -> dict[str, Card]:
        best: dict[str, tuple[tuple[bool, int, str], Card]] = {}
        for one in self._counting():
            if isinstance(one.fact, Vouch) and one.fact.card.identity_key not in self._cards:
                rank = (one.author != self._creator, one.ts_ms, one.id)
                key = one.fact.card.identity_key
                if key not in best or rank < best[key][0]:
                    best[key] = (rank, one.fact.card)
        room = MEMBERS - len(self._cards)
        return {key: card for key, (_, card) in sorted(best.items(), key=lambda one: one[1][0])[:room]}

    def _roster(self) -> Roster:
        vouches = self._vouches()
        members = [
            RosterMember(
                card=self._cards[self._creator],
                ranges=self._ranges[self._creator],
                since_ms=self._opening.ts_ms,
                vouched_by=self._creator,
                is_creator=True,
                left=self._left(self._cards[self._creator], self._ranges[self._creator]),
            )
        ]
        for key, card in self._cards.items():
            fitting = [one for one in vouches.get(key, ()) if _same_account(_card_of(one), card)]
            if key == self._creator or not fitting:
                continue
            first = min(fitting, key=lambda one: (one.ts_ms, one.id))
            newest = max(fitting, key=lambda one: (one.ts_ms, one.id))
            members.append(
                RosterMember(
                    card=_card_of(newest),
                    ranges=self._ranges[key],
                    since_ms=first.ts_ms,
                    vouched_by=first.author,
                    left=self._left(card, self._ranges[key]),
                )
            )
        contested = {
            key
            for key, said in vouches.items()
            for one in said
            if key in self._cards and not _same_account(_card_of(one), self._cards[key])
        }
        return Roster(
            everybody=_in_order(members),
            creator=self._creator,
            contested=frozenset(contested),
        )


def _in_order(members: Iterable[RosterMember]) -> dict[str, RosterMember]:
    """By identity key, the creator first, then in the order in which they came."""
    ordered = sorted(members, key=lambda one: (not one.is_creator, one.since_ms, one.card.identity_key))
    return {one.card.identity_key: one for one in ordered}


def _card_of(statement: Statement) -> Card:
    if not isinstance(statement.fact, Vouch):
        message = "only a vouch has a card"
        raise TypeError(message)
    return statement.fact.card


def _same_account(one: Card, other: Card) -> bool:
    """Whether two cards differ in nothing but what their owner may change: name and node."""
    return one.identity_key == other.identity_key and one.ed25519_key == other.ed25519_key
