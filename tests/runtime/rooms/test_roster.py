"""Who counts: vouches, removals, departures and returns, and cards that contradict one another."""

from runtime.rooms.cards import Card
from runtime.rooms.facts import Fact, Leaving, Opening, Removal, Vouch
from runtime.rooms.roster import MEMBERS, Roster, Statement, opening_of, resolve, signer_of
from runtime.rooms.settings import RoomSettings
from tests.runtime.people import Person

ANN, BOB, CAT, MAL = (Person(name) for name in ("ann", "bob", "cat", "mal"))


class Said:
    """What people say, each in their own sequence, one after another."""

    def __init__(self) -> None:
        self.by: dict[str, list[Statement]] = {}
        self.at = 0
        self.say(ANN, Opening(RoomSettings(name="harbor"), ANN.card))

    def say(self, who: Person, fact: Fact, *, at: int = 0) -> int:
        """Says something, and gives its place."""
        self.at += 1
        mine = self.by.setdefault(signer_of(who.card), [])
        mine.append(Statement(who.identity_key, len(mine) + 1, at or self.at, f"{self.at:032x}", fact))
        return len(mine)

    def vouch(self, who: Person, card: Card, after: int = 0, *, at: int = 0) -> int:
        return self.say(who, Vouch(card, after), at=at)

    def roster(self) -> Roster:
        opening = opening_of(ANN.card.fingerprint, self.by[signer_of(ANN.card)])
        assert opening is not None
        return resolve(opening, self.by)


def counts(roster: Roster, who: Person, places: range = range(1, 9)) -> list[int]:
    return [seq for seq in places if roster.counts(who.identity_key, seq)]


def test_the_creator_counts_and_whom_those_vouch_for_who_count() -> None:
    said = Said()
    said.vouch(ANN, BOB.card)
    said.vouch(BOB, CAT.card)
    said.vouch(MAL, MAL.card)
    roster = said.roster()
    assert list(roster.members) == [ANN.identity_key, BOB.identity_key, CAT.identity_key]
    assert (roster.creator, roster.everybody[CAT.identity_key].vouched_by) == (ANN.identity_key, BOB.identity_key)
    assert counts(roster, MAL) == []


def test_w18_who_leaves_counts_up_to_then_and_may_be_taken_back_by_anybody() -> None:
    said = Said()
    said.vouch(ANN, BOB.card)
    said.vouch(ANN, CAT.card)
    said.vouch(BOB, MAL.card)
    left = said.say(BOB, Leaving())
    assert counts(said.roster(), BOB) == [1, 2]
    assert said.roster().has_left(BOB.identity_key)
    said.vouch(CAT, BOB.card, after=left + 2)
    assert counts(said.roster(), BOB) == [1, 2, 5, 6, 7, 8]
    assert said.roster().member(BOB.identity_key) is not None


def test_w22_who_is_removed_comes_back_by_the_creator_alone() -> None:
    said = Said()
    said.vouch(ANN, BOB.card)
    said.vouch(ANN, MAL.card)
    said.say(ANN, Removal(MAL.identity_key, 2))
    assert (counts(said.roster(), MAL), said.roster().has_left(MAL.identity_key)) == ([1, 2], False)
    said.vouch(BOB, MAL.card, after=2)
    said.vouch(MAL, MAL.card, after=0)
    assert counts(said.roster(), MAL) == [1, 2]
    said.vouch(ANN, MAL.card, after=4)
    assert counts(said.roster(), MAL) == [1, 2, 5, 6, 7, 8]
    said.say(ANN, Removal(MAL.identity_key, 6))
    assert counts(said.roster(), MAL) == [1, 2, 5, 6]


def test_with_a_member_go_those_for_whom_only_its_later_word_stood() -> None:
    said = Said()
    said.vouch(ANN, BOB.card)
    said.vouch(BOB, CAT.card)
    said.vouch(BOB, MAL.card)
    said.say(ANN, Removal(BOB.identity_key, 1))
    assert list(said.roster().everybody) == [ANN.identity_key, BOB.identity_key, CAT.identity_key]


def test_removals_by_others_mean_nothing_and_the_creator_cannot_be_removed() -> None:
    said = Said()
    said.vouch(ANN, BOB.card)
    said.say(BOB, Removal(ANN.identity_key, 0))
    said.say(ANN, Removal(ANN.identity_key, 0))
    assert len(said.roster().members) == 2


def false_card(name: Person, keys: Person) -> Card:
    return Card(
        identity_key=name.identity_key, ed25519_key=keys.ed25519_key, peer_id=keys.card.peer_id, name="not me at all"
    )


def test_w20_one_key_has_one_card_the_creators_word_first() -> None:
    said = Said()
    said.vouch(ANN, MAL.card)
    said.vouch(MAL, false_card(BOB, MAL), at=1)
    said.vouch(MAL, false_card(ANN, MAL), at=1)
    assert said.roster().everybody[BOB.identity_key].card.ed25519_key == MAL.ed25519_key
    said.vouch(ANN, BOB.card)
    roster = said.roster()
    assert roster.everybody[BOB.identity_key].card == BOB.card
    assert roster.everybody[ANN.identity_key].card == ANN.card
    assert roster.contested == {ANN.identity_key, BOB.identity_key}


def test_w20_who_was_known_earlier_cannot_be_renamed_by_who_came_through_others() -> None:
    said = Said()
    said.vouch(ANN, CAT.card)
    said.vouch(CAT, BOB.card, at=90)
    said.vouch(BOB, MAL.card)
    said.vouch(MAL, false_card(BOB, MAL), at=1)
    assert said.roster().everybody[BOB.identity_key].card == BOB.card


def test_an_account_may_change_its_name() -> None:
    said = Said()
    said.vouch(ANN, BOB.card)
    anew = Card(identity_key=BOB.identity_key, ed25519_key=BOB.ed25519_key, peer_id=CAT.card.peer_id, name="Robert")
    said.vouch(BOB, anew)
    roster = said.roster()
    assert (roster.everybody[BOB.identity_key].card.name, roster.contested) == ("Robert", frozenset())
    assert roster.everybody[BOB.identity_key].vouched_by == ANN.identity_key


def test_there_is_room_for_so_many_and_no_more() -> None:
    said = Said()
    people = [Person(f"p{number}") for number in range(MEMBERS + 5)]
    for person in people:
        said.vouch(ANN, person.card)
    assert len(said.roster().everybody) == MEMBERS
    assert people[0].identity_key in said.roster().everybody


def test_only_the_card_of_the_invitation_opens_a_room() -> None:
    said = Said()
    assert opening_of(BOB.card.fingerprint, said.by[signer_of(ANN.card)]) is None
    late = Statement(ANN.identity_key, 2, 1, "00", Opening(RoomSettings(), ANN.card))
    assert opening_of(ANN.card.fingerprint, [late]) is None
