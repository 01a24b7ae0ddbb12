"""Convergence: the state is a function of the set of entries, whoever signed them and in whatever order they come."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.canonical import encode
from runtime.rooms.entries import SignedEntry, entry_from_json
from runtime.rooms.missing import missing, summary
from runtime.rooms.replica import Replica
from runtime.rooms.summary import parse_summary, summary_to_json
from tests.runtime.rooms.room_script import (
    ANN,
    BOB,
    HONEST,
    NOW,
    PEOPLE,
    ROOM,
    STEPS,
    Script,
    batches,
    plain_state,
    played,
)

LATER = NOW + 10_000_000

steps = st.lists(
    st.tuples(st.sampled_from(STEPS), st.integers(0, 3), st.integers(0, 5), st.integers(0, 5)), max_size=30
)
honest_steps = st.lists(
    st.tuples(st.sampled_from(HONEST), st.integers(0, 3), st.integers(0, 5), st.integers(0, 5)), max_size=30
)


def state(replica: Replica) -> bytes:
    return encode(replica.state())


def exchange(one: Replica, other: Replica) -> None:
    """Each gives the other what it lacks, as it travels."""
    for giver, taker in ((one, other), (other, one)):
        theirs = parse_summary(summary_to_json(summary(taker)))
        came = [entry_from_json(entry.to_json(), ROOM) for entry in missing(giver, theirs)]
        taker.offer(came, NOW)


def converge(replicas: Sequence[Replica]) -> None:
    """Exchanges until nobody learns anything any more."""
    for _ in range(20):
        before = [summary_to_json(summary(one)) for one in replicas]
        for at, one in enumerate(replicas):
            for other in replicas[at + 1 :]:
                exchange(one, other)
        if before == [summary_to_json(summary(one)) for one in replicas]:
            return
    raise AssertionError("they never come to an end")


@given(steps, st.integers(0, 2**32))
@settings(max_examples=80)
def test_w19_the_state_is_that_of_the_set_in_whatever_order_it_comes(
    steps: list[tuple[str, int, int, int]], seed: int
) -> None:
    script = played(steps)
    expected = plain_state(script.entries, script.owner, NOW)
    chance = random.Random(seed)
    replica = Replica(ROOM, script.owner)
    for batch in batches(script.entries, chance):
        replica.offer(batch, NOW)
    # What was of no use by what was known of its author then is missed, and comes again.
    replica.offer(script.entries, NOW)
    assert state(replica) == expected
    replica.tick(LATER)
    assert state(replica) == plain_state(script.entries, script.owner, LATER)


@given(steps, st.integers(0, 2**32))
@settings(max_examples=60)
def test_w19_w21_members_who_exchange_what_they_lack_come_to_the_same_state(
    steps: list[tuple[str, int, int, int]], seed: int
) -> None:
    """Each entry reached only some of them, late, several times and in any order; some of the authors lie."""
    script = played(steps)
    chance = random.Random(seed)
    replicas = [Replica(ROOM, script.owner) for _ in range(3)]
    inboxes: list[list[SignedEntry]] = [[] for _ in replicas]
    for entry in script.entries:
        for inbox in chance.sample(inboxes, chance.randrange(1, 4)):
            inbox.append(entry)
    for replica, inbox in zip(replicas, inboxes, strict=True):
        for batch in batches(inbox, chance):
            replica.offer(batch, NOW)
            if chance.random() < 0.2:
                exchange(replica, chance.choice(replicas))
    converge(replicas)
    assert len({state(one) for one in replicas}) == 1


@given(honest_steps, st.integers(0, 2**32))
@settings(max_examples=40)
def test_w19_a_new_member_comes_to_the_same_state_with_a_snapshot_alone(
    steps: list[tuple[str, int, int, int]], seed: int
) -> None:
    """Under `joined` it is given what says who is here, the snapshot, and what that does not cover."""
    script = Script()
    for who in (1, 2, 3):
        script.step("vouch", 0, who, 0)
    for step in [*steps, ("create", 1, 5, 2), ("snapshot", 0, 4, 0), ("change", 1, 5, 0), ("vouch", 0, 2, 0)]:
        script.step(*step)
    old = script.replica(script.entries)
    given_to_new = missing(old, {}, to="nobody yet")
    withheld = len(missing(old, {})) - len(given_to_new)
    assert (withheld > 0) == (old.settings.history == "joined")
    new = Replica(ROOM, script.owner)
    chance = random.Random(seed)
    for batch in batches([entry_from_json(one.to_json(), ROOM) for one in given_to_new], chance):
        new.offer(batch, NOW)
    assert state(new) == state(old)
    late = script.pens["bob"].write("message", {"text": "and on it goes"}, at=NOW)
    for replica in (old, new):
        assert replica.offer([late], NOW).taken == (late,)
    assert state(new) == state(old)
    assert missing(old, summary(new), to="nobody yet") == []


def test_people_and_rooms_of_the_script_are_what_they_seem() -> None:
    script = played([("create", 1, 1, 0)])
    replica = script.replica(script.entries)
    assert list(replica.roster.members) == [ANN.identity_key, BOB.identity_key, PEOPLE[3].identity_key]
    assert [one["id"] for one in replica.state()["tasks"]] == ["t1"]  # type: ignore[index, union-attr, call-overload]
    assert replica.refolds == 0
    vouched, plain = script.replica(script.entries[:1]), script.entries[1:]
    assert [vouched.offer([one], NOW).changed_structure for one in plain] == [True, True, False]


@pytest.mark.parametrize("at", range(1, 8))
def test_what_is_read_again_from_a_store_at_any_moment_is_the_same(at: int) -> None:
    script = played([("create", 1, 1, 0), ("say", 3, 1, 1), ("snapshot", 0, 1, 0), ("change", 3, 1, 0)])
    replica = Replica(ROOM, script.owner)
    log: list[SignedEntry] = []
    for entry in script.entries[:at]:
        log.extend(replica.offer([entry], NOW).taken)
    again = Replica(ROOM, script.owner)
    again.offer(log, NOW, trusted=True)
    assert state(again) == state(replica)
