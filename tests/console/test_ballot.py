"""The vote of peers that ran the same job: nothing but more than half is believed, in whatever order it comes."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from console.ballot import Vote, agreed, decided, majority

VOTES = st.builds(Vote, st.sampled_from(["exit", "trap"]), st.integers(0, 1), st.sampled_from(["aa", "bb"]))
BALLOTS = st.lists(st.none() | VOTES, min_size=2, max_size=9)


@st.composite
def elections(draw: st.DrawFn) -> tuple[list[Vote | None], int]:
    """Votes of some peers, and how many the operator asks for."""
    votes = draw(BALLOTS)
    return votes, draw(st.integers(majority(len(votes)), len(votes)))


@given(elections())
def test_what_is_agreed_on_has_enough_votes_and_is_the_only_one(election: tuple[list[Vote | None], int]) -> None:
    votes, needed = election
    counted = Counter(vote for vote in votes if vote is not None)
    enough = [vote for vote, count in counted.items() if count >= needed]
    assert len(enough) <= 1
    assert agreed(votes, needed) == next(iter(enough), None)


@given(elections(), st.data())
def test_the_order_of_the_peers_changes_nothing(election: tuple[list[Vote | None], int], data: st.DataObject) -> None:
    votes, needed = election
    assert agreed(data.draw(st.permutations(votes)), needed) == agreed(votes, needed)


@given(elections())
def test_a_vote_of_all_but_a_minority_stands_whatever_the_others_say(election: tuple[list[Vote | None], int]) -> None:
    votes, needed = election
    true = Vote("exit", 0, "cc")
    assert agreed([true] * needed + votes[needed:], needed) == true
    assert agreed([true] * (len(votes) - needed) + votes[len(votes) - needed :], needed) != true


@given(elections(), st.data())
def test_what_is_decided_stays_so(election: tuple[list[Vote | None], int], data: st.DataObject) -> None:
    votes, needed = election
    early = data.draw(st.integers(0, len(votes)))
    if decided(votes[:early], len(votes) - early, needed):
        assert agreed(votes[:early], needed) == agreed(votes, needed)
    else:
        before = next((vote for vote, _ in Counter(filter(None, votes[:early])).most_common(1)), Vote("exit", 0, "cc"))
        assert agreed([*votes[:early], *[before] * (len(votes) - early)], needed) == before
        assert agreed([*votes[:early], *[None] * (len(votes) - early)], needed) is None
    assert decided(votes, 0, needed)


def test_a_majority_is_more_than_half() -> None:
    assert [majority(peers) for peers in (2, 3, 4, 5)] == [2, 2, 3, 3]


def test_each_part_of_a_vote_counts() -> None:
    one = Vote("exit", 0, "aa")
    for other in (Vote("trap", 0, "aa"), Vote("exit", 1, "aa"), Vote("exit", 0, "bb")):
        assert agreed([one, other], 2) is None
    assert agreed([one, one, None], 2) == one
