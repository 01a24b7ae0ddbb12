"""What members say of their agents' leases: together, signed, and believed of nobody but the sender."""

from collections.abc import Sequence

import pytest

from runtime.canonical import Json, encode
from runtime.rooms.session_effects import LeaseHeard, Undecryptable
from runtime.rooms.transport import Encrypted
from tests.runtime.rooms.session_members import ROOM, Clock, Member, Way


def lease(agent: str = "unblock", term: int = 1) -> dict[str, Json]:
    return {"agent": agent, "hash": "ff" * 32, "term": term}


@pytest.fixture
def way() -> Way:
    return Way(Clock())


@pytest.fixture
def pair(way: Way) -> tuple[Member, Member]:
    """The creator and a member who hears it."""
    ann = Member("ann", way.clock, way)
    way.connect(ann)
    bea = Member("bea", way.clock, way, invite=ann.invitation())
    way.connect(bea)
    way.wait(3)
    return ann, bea


def broadcasts(way: Way, sender: Member) -> int:
    return len([one for one in way.sent if isinstance(one, Encrypted) and one.sender == sender.key])


def test_leases_are_passed_on_under_their_runners_signature(way: Way, pair: tuple[Member, Member]) -> None:
    ann, bea = pair
    ann.driver.leases({"unblock": lease()})
    assert ann.session.waiting
    way.wait(1)
    assert not ann.session.waiting
    assert bea.told_of(LeaseHeard) == [LeaseHeard({**lease(), "room": ROOM, "runner": ann.key})]


def test_the_leases_of_500_agents_go_in_a_few_messages(way: Way, pair: tuple[Member, Member]) -> None:
    ann, bea = pair
    way.wait(40)  # what else is to be said at the beginning is said
    before = broadcasts(way, ann)
    for number in range(500):
        ann.driver.leases({f"agent-{number}": lease(f"agent-{number}")})
    way.wait(1)
    assert [told.lease["agent"] for told in bea.told_of(LeaseHeard)] == [f"agent-{number}" for number in range(500)]
    assert broadcasts(way, ann) - before == 4


def test_of_an_agent_the_last_word_is_said_alone(way: Way, pair: tuple[Member, Member]) -> None:
    ann, bea = pair
    ann.driver.leases({"unblock": lease(term=1)})
    ann.driver.leases({"triage": lease("triage")})
    ann.driver.leases({"unblock": lease(term=2)})
    way.wait(1)
    assert [(told.lease["agent"], told.lease["term"]) for told in bea.told_of(LeaseHeard)] == [
        ("triage", 1),
        ("unblock", 2),
    ]


def test_who_goes_says_of_its_agents_what_it_had_not_said_yet(way: Way, pair: tuple[Member, Member]) -> None:
    ann, bea = pair
    ann.driver.leases({"unblock": lease()})
    ann.driver.bye()
    way.run()
    assert len(bea.told_of(LeaseHeard)) == 1


def test_who_leaves_is_heard_of_its_agents_before_it_is_out(way: Way, pair: tuple[Member, Member]) -> None:
    ann, bea = pair
    bea.driver.leases({"unblock": lease() | {"hash": ""}})
    bea.write("leave", {})
    way.wait(1)
    assert ann.log.roster().member(bea.key) is None
    assert [told.lease["hash"] for told in ann.told_of(LeaseHeard)] == [""]
    assert not ann.told_of(Undecryptable)


def test_what_nobody_could_hear_is_not_said_later(way: Way, pair: tuple[Member, Member]) -> None:
    ann, bea = pair
    ann.driver.leases({"unblock": lease()})
    way.disconnect(ann)
    ann.driver.leases({"triage": lease("triage")})
    way.connect(ann)
    way.wait(5)
    assert bea.told_of(LeaseHeard) == []


def test_a_lease_in_the_name_of_another_or_of_another_room_is_refused(way: Way, pair: tuple[Member, Member]) -> None:
    """The sender and the room are part of what is signed, and of nothing else that is sent."""
    ann, bea = pair
    say_signed(ann, [lease()], room=ROOM, runner=bea.key)
    say_signed(ann, [lease()], room="00" * 16, runner=ann.key)
    way.wait(1)
    assert bea.told_of(LeaseHeard) == []
    assert [told.why for told in bea.told_of(Undecryptable)] == ["the signature of its leases does not fit"] * 2


def test_a_name_or_a_room_inside_a_lease_counts_for_nothing(way: Way, pair: tuple[Member, Member]) -> None:
    ann, bea = pair
    say_signed(ann, [lease() | {"runner": bea.key, "room": "00" * 16}], room=ROOM, runner=ann.key)
    way.wait(1)
    assert bea.told_of(LeaseHeard) == [LeaseHeard({**lease(), "room": ROOM, "runner": ann.key})]


@pytest.mark.parametrize("signature", ["", "zz", "00" * 64])
def test_leases_without_their_signature_are_refused(way: Way, pair: tuple[Member, Member], signature: str) -> None:
    ann, bea = pair
    ann.session._state.broadcast({"v": 1, "t": "leases", "leases": [lease()], "sig": signature})
    way.wait(1)
    assert bea.told_of(LeaseHeard) == []
    assert bea.told_of(Undecryptable)[-1].why == "the signature of its leases does not fit"


@pytest.mark.parametrize("leases", [None, "unblock", {}, [lease()] * 129])
def test_leases_in_another_form_are_refused(way: Way, pair: tuple[Member, Member], leases: Json) -> None:
    ann, bea = pair
    ann.session._state.broadcast({"v": 1, "t": "leases", "leases": leases, "sig": "00" * 64})
    way.wait(1)
    assert bea.told_of(LeaseHeard) == []
    assert bea.told_of(Undecryptable)[-1].why == "its leases are not in the protocol's form"


def say_signed(member: Member, leases: Sequence[Json], *, room: str, runner: str) -> None:
    """Says leases under a signature over another room or runner than they are heard with."""
    signed = encode({"room": room, "runner": runner, "leases": leases})
    signature = member.account.sign(b"orlop-lease:v1:", signed).hex()
    member.session._state.broadcast({"v": 1, "t": "leases", "leases": leases, "sig": signature})
