"""Who counts, kept up as entries come: the same as if all that members ever said were looked through each time."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.rooms.replica import Replica
from runtime.rooms.roster import EMPTY_ROSTER, Roster, opening_of, resolve, signer_of
from tests.runtime.people import Person
from tests.runtime.rooms.room_script import (
    ANN,
    BOB,
    CAT,
    MAL,
    NOW,
    STEPS,
    Pen,
    Script,
    batches,
    played,
    task,
    vouch,
)

STRUCTURE = ["vouch", "vouch", "vouch", "remove", "leave", "impostor", "snapshot", "restore", "fork", "say", "create"]

structure = st.lists(
    st.tuples(st.sampled_from(STRUCTURE), st.integers(0, 3), st.integers(0, 5), st.integers(0, 5)), max_size=30
)
anything = st.lists(
    st.tuples(st.sampled_from(STEPS), st.integers(0, 3), st.integers(0, 5), st.integers(0, 5)), max_size=30
)


def looked_through(replica: Replica) -> Roster:
    """The roster that follows from everything that was taken."""
    said = {signer_of(chain.card): chain.statements() for chain in replica.chains.values()}
    opening = next((one for one in (opening_of(replica.owner, part) for part in said.values()) if one), None)
    return EMPTY_ROSTER if opening is None else resolve(opening, said)


def check(replica: Replica) -> None:
    found = looked_through(replica)
    assert list(replica.roster.everybody.items()) == list(found.everybody.items())
    assert (replica.roster.creator, replica.roster.contested) == (found.creator, found.contested)


@given(structure | anything, st.integers(0, 2**32))
@settings(max_examples=150)
def test_w19_after_whatever_comes_the_roster_is_that_of_everything(
    steps: list[tuple[str, int, int, int]], seed: int
) -> None:
    script, chance = played(steps), Random(seed)
    replica = Replica("ab" * 16, script.owner)
    for batch in batches(script.entries, chance):
        replica.offer(batch, NOW)
        check(replica)
    for entry in script.entries:
        replica.offer([entry], NOW)
        check(replica)


@given(structure)
@settings(max_examples=60)
def test_w19_so_it_is_after_each_single_entry_in_order(steps: list[tuple[str, int, int, int]]) -> None:
    script = played(steps)
    replica = Replica("ab" * 16, script.owner)
    for entry in script.entries:
        replica.offer([entry], NOW)
        check(replica)


def test_newcomers_are_taken_in_without_looking_through_what_is_there() -> None:
    script = Script()
    replica = script.replica(script.entries)
    before = replica.resolved
    for number in range(100):
        entry = script.pens["ann"].write("member", vouch(Person(f"p{number}")), at=script.at + number)
        assert replica.offer([entry], NOW).changed_structure
    assert replica.resolved == before
    assert len(replica.roster.members) == 101
    check(replica)


def test_newcomers_of_an_earlier_time_stand_before_later_ones() -> None:
    script = Script()
    replica = script.replica(script.entries)
    bob = Pen(BOB)
    replica.offer([script.pens["ann"].write("member", vouch(BOB), at=script.at + 500)], NOW)
    replica.offer([bob.write("member", vouch(MAL), at=script.at + 100)], NOW)
    replica.offer([bob.write("member", vouch(CAT), at=script.at + 700)], NOW)
    assert list(replica.roster.everybody) == [one.identity_key for one in (ANN, MAL, BOB, CAT)]
    check(replica)


def test_who_was_removed_before_anybody_vouched_is_not_taken_in_by_others() -> None:
    script = Script()
    ann, bob = script.pens["ann"], Pen(BOB)
    replica = script.replica(script.entries)
    removal = {"key": CAT.identity_key, "upto": 0}
    replica.offer([ann.write("member", vouch(BOB), at=script.at), ann.write("remove", removal, at=script.at)], NOW)
    replica.offer([bob.write("member", vouch(CAT), at=script.at)], NOW)
    assert CAT.identity_key not in replica.roster.members
    check(replica)
    replica.offer([ann.write("member", vouch(CAT), at=script.at)], NOW)
    assert CAT.identity_key in replica.roster.members
    check(replica)


def test_a_newcomer_whom_a_snapshot_knows_already_goes_on_behind_what_it_covers() -> None:
    script = Script()
    ann, bob, cat = (script.pens[name] for name in ("ann", "bob", "cat"))
    vouched = ann.write("member", vouch(BOB), at=script.at)
    brought = bob.write("member", vouch(CAT), at=script.at + 1)
    covered = cat.write("task", task("task_created", "t1", title="old"), at=script.at + 2)
    script.add(vouched, brought, covered)
    script.step("snapshot", 0, 0, 0)
    following = cat.write("task", task("task_updated", "t1", title="new"), at=script.at + 5)
    replica = script.replica([one for one in script.entries if one not in (brought, covered)])
    assert replica.snapshot is not None
    replica.offer([brought], NOW)
    check(replica)
    assert replica.offer([following], NOW).taken == (following,)
    assert replica.fold.folding.tasks["t1"].title == "new"


def test_the_word_of_somebody_who_does_not_count_takes_nobody_in() -> None:
    script = Script()
    replica = script.replica(script.entries)
    replica.offer([Pen(MAL).write("member", vouch(CAT), at=script.at)], NOW)
    assert list(replica.roster.everybody) == [ANN.identity_key]


def test_what_a_newcomer_had_said_before_it_was_taken_in_counts_at_once() -> None:
    script = Script()
    bob = Pen(BOB)
    replica = script.replica(script.entries)
    said = bob.write("message", {"text": "early"}, at=script.at)
    brought = bob.write("member", vouch(CAT), at=script.at)
    assert replica.offer([said, brought], NOW).held == (said.id, brought.id)
    offered = replica.offer([script.pens["ann"].write("member", vouch(BOB), at=script.at)], NOW)
    assert {entry.id for entry in offered.taken} >= {said.id, brought.id}
    assert CAT.identity_key in replica.roster.members
    check(replica)
