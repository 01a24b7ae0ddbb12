"""Sessions of one room over a relay in memory: who is let in, who reads what, and what comes of lies and losses."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from runtime.rooms.invite import new_secret
from runtime.rooms.session_effects import (
    Gone,
    Impostor,
    Present,
    Proven,
    Reestablishing,
    Refused,
    Rotated,
    Undecryptable,
)
from runtime.rooms.transport import (
    Encrypted,
    Join,
    KeyShare,
    MemberLeft,
    MemberList,
    NewMember,
    OlmMessage,
    Received,
    Seen,
    Turned,
)
from tests.runtime.rooms.session_members import Clock, Member, Way, new_account


@pytest.fixture
def way() -> Way:
    return Way(Clock())


def house(way: Way, *names: str, **options: Any) -> list[Member]:
    """The creator and those whom it invited, all there and in the log."""
    creator = Member(names[0], way.clock, way, **options)
    way.connect(creator)
    found = [creator]
    for name in names[1:]:
        found.append(Member(name, way.clock, way, invite=creator.invitation(), **options))
        way.connect(found[-1])
    way.wait(3)
    return found


def agree(*members: Member) -> bool:
    return all(member.state() is not None and member.state() == members[0].state() for member in members)


# --- joining ---------------------------------------------------------------------------------------------------------


def test_who_is_invited_is_proven_put_into_the_log_and_reads_it(way: Way) -> None:
    ann = Member("ann", way.clock, way)
    way.connect(ann)
    ann.say("before")
    bea = Member("bea", way.clock, way, invite=ann.invitation())
    way.connect(bea)
    assert ann.told_of(Proven) == [Proven(bea.key, "bea")]
    assert bea.told_of(Proven) == [Proven(ann.key, "ann")]
    assert ann.log.roster().member(bea.key) is not None
    assert bea.texts == {"before"}
    bea.say("after")
    way.run()
    assert ann.texts == {"before", "after"}
    assert agree(ann, bea)


def test_only_one_of_many_members_puts_a_newcomer_into_the_log(way: Way) -> None:
    members = house(way, "ann", "bea", "cid", "dan", "eve")
    assert agree(*members)
    vouches = [entry for entry in members[0].log.replica.entries() if entry.kind == "member"]  # type: ignore[union-attr]
    assert len(vouches) == 4
    assert len(members[0].log.roster().members) == 5


def test_a_newcomer_is_put_into_the_log_by_the_next_when_the_first_does_not(way: Way) -> None:
    members = house(way, "ann", "bea", "cid")
    first = members[0]  # the one who is longest there
    first.log.add_members = lambda _: done_nothing()  # type: ignore[method-assign]
    dan = Member("dan", way.clock, way, invite=members[0].invitation())
    way.connect(dan)
    assert dan.log.roster().member(dan.key) is None
    way.wait(5)
    assert all(one.log.roster().member(dan.key) is not None for one in [*members, dan])


def greeters(way: Way, newcomer: Member) -> list[str]:
    """Who has said something to a newcomer alone, in order."""
    names = {member.key: member.name for member in way.members.values()}
    senders = [one.sender for one in way.sent if isinstance(one, KeyShare) and one.target == newcomer.key]
    return [names[key] for key in dict.fromkeys(senders)]


def test_a_newcomer_is_greeted_by_one_member_and_by_the_others_in_their_turn(way: Way) -> None:
    ann, bea, cid = house(way, "ann", "bea", "cid")
    for one in (ann, bea, cid):
        one.log.add_members = lambda _: done_nothing()  # type: ignore[method-assign]
    dan = Member("dan", way.clock, way, invite=ann.invitation())
    way.connect(dan)
    assert greeters(way, dan) == ["ann"]
    way.pass_on = lambda _, m: [] if isinstance(m, Encrypted) else [m]  # nobody asks what dan has said
    way.wait(2)
    assert greeters(way, dan) == ["ann", "bea"]
    way.wait(2)
    assert greeters(way, dan) == ["ann", "bea", "cid"]


def test_a_newcomer_is_greeted_by_all_as_soon_as_it_is_in_the_log(way: Way) -> None:
    ann, bea, cid = house(way, "ann", "bea", "cid")
    dan = Member("dan", way.clock, way, invite=ann.invitation())
    way.connect(dan)
    assert sorted(greeters(way, dan)) == ["ann", "bea", "cid"]
    dan.say("hello all")
    way.run()
    assert all(one.texts == {"hello all"} for one in (ann, bea, cid))


def test_who_is_known_is_greeted_by_all_at_once(way: Way) -> None:
    ann, bea, cid, dan = house(way, "ann", "bea", "cid", "dan")
    way.disconnect(dan)
    way.sent.clear()
    for one in (ann, bea, cid):
        one.log.add_members = lambda _: done_nothing()  # type: ignore[method-assign]
    way.connect(dan)
    assert sorted(greeters(way, dan)) == ["ann", "bea", "cid"]


def test_somebody_who_was_not_greeted_yet_is_asked_for_the_key_of_what_it_says(way: Way) -> None:
    """A member's log may lag behind: what the newcomer says is no reason to wait for one's turn."""
    ann, bea, cid = house(way, "ann", "bea", "cid")
    dan = Member("dan", way.clock, way, invite=ann.invitation())
    way.pass_on = lambda t, m: [] if t is cid and isinstance(m, Encrypted) and m.sender == ann.key else [m]
    way.connect(dan)
    assert "cid" not in greeters(way, dan)
    way.pass_on = lambda _, m: [m]
    dan.say("who am I?")
    way.run()
    assert "cid" in greeters(way, dan)
    way.wait(60)
    assert cid.texts == {"who am I?"}
    assert agree(ann, bea, cid, dan)


def test_who_joins_again_proves_itself_again_to_who_is_not_in_yet(way: Way) -> None:
    """The newcomer still has the other's key: it must say that it has none, or it would not be answered."""
    ann = Member("ann", way.clock, way)
    way.connect(ann)
    bea = Member("bea", way.clock, way, invite=ann.invitation())
    bea.log.offer = lambda _: done_nothing()  # type: ignore[method-assign]
    way.connect(bea)
    assert bea.session._state.inbound.newest(ann.key)
    ann.session._keys.want_rejoin()
    way.wait(12)
    del bea.log.offer
    way.wait(60)
    assert agree(ann, bea)


def done_nothing() -> Any:
    from tests.runtime.rooms.session_members import done

    return done(None)


def test_w16_ten_members_who_come_at_once_all_read_one_another(way: Way) -> None:
    members = house(way, *(f"member{n}" for n in range(10)))
    for member in members:
        member.say(f"from {member.name}")
    way.run()
    assert all(member.texts == {f"from {one.name}" for one in members} for member in members)
    assert not [told for member in members for told in member.told_of(Undecryptable)]


def test_w16_more_members_than_one_time_keys_use_the_fallback_key(way: Way) -> None:
    members = house(way, *(f"member{n:02}" for n in range(24)))
    assert not [told for member in members for told in member.told_of(Undecryptable)]
    members[-1].say("last")
    way.run()
    assert all("last" in member.texts for member in members)


def test_w17_keys_that_were_used_are_published_anew(way: Way) -> None:
    members = house(way, *(f"member{n:02}" for n in range(22)))
    last = members[-1]
    joins = [message.me for message in way.sent if isinstance(message, Join) and message.me.identity_key == last.key]
    assert len(joins) == 2
    assert len(joins[1].one_time_keys) == 20
    assert len(joins[0].one_time_keys.keys() & joins[1].one_time_keys.keys()) == 1
    assert way.seen[last.key].one_time_keys == joins[1].one_time_keys
    way.wait(20)
    pairs = 22 * 21 // 2
    told = len([message for message in way.sent if isinstance(message, KeyShare)])
    # Two greetings of each pair, three where somebody is let in, one question of each and its answer: nothing in vain.
    assert told == 2 * pairs + 21 + 2 * 22


def test_w26_a_join_makes_the_room_anew_when_it_is_gone(way: Way) -> None:
    ann, bea = house(way, "ann", "bea")
    assert all(message.create for message in way.sent if isinstance(message, Join))
    for member in (ann, bea):
        way.disconnect(member)
    way.seen.clear()  # the relay was restarted
    ann.write("message", {"text": "alone"})
    way.connect(bea)
    way.connect(ann)
    way.wait(3)
    assert bea.texts == {"alone"}
    assert agree(ann, bea)


# --- who is not let in -----------------------------------------------------------------------------------------------


def test_without_the_secret_nobody_is_let_in(way: Way) -> None:
    ann, bea = house(way, "ann", "bea")
    guest = Member("guest", way.clock, way, invite=ann.invitation(new_secret()))
    way.connect(guest)
    ann.say("for us")
    way.wait(30)
    assert guest.log.replica is None
    assert guest.told_of(Refused)[0].why == "it does not know the secret of the present invitation"
    assert ann.log.roster().member(guest.key) is None
    assert not [told for member in (ann, bea) for told in member.told_of(Proven) if told.identity_key == guest.key]
    ann_session = ann.session._state.outbound.session_id
    assert guest.session._state.inbound.newest(ann.key) != ann_session


def test_an_old_invitation_is_good_for_nothing(way: Way) -> None:
    ann, _ = house(way, "ann", "bea")
    old = ann.invitation()
    ann.write("settings", {"invite": new_secret()})
    guest = Member("guest", way.clock, way, invite=old)
    way.connect(guest)
    way.wait(10)
    assert guest.log.replica is None
    new = Member("new", way.clock, way, invite=ann.invitation(ann.log.settings().invite))
    way.connect(new)
    way.wait(3)
    assert agree(ann, new)


def test_an_invitation_to_another_creators_room_is_noticed(way: Way) -> None:
    ann, bea = house(way, "ann", "bea")
    guest = Member("guest", way.clock, way, invite=replace(ann.invitation(), creator=bea.card.fingerprint))
    way.connect(guest)
    way.wait(3)
    assert guest.log.replica is None
    assert {told.why for told in guest.told_of(Impostor)} == {
        "it names another creator of the room than the invitation"
    }


# --- a relay that lies -----------------------------------------------------------------------------------------------


def test_w20_a_relay_in_the_middle_is_noticed_and_learns_nothing(way: Way) -> None:
    """It shows each side a member of its own making, with keys of its own, under the other's name."""
    ann = Member("ann", way.clock, way)
    mallory = Member("bea", way.clock, way, invite=ann.invitation(new_secret()))
    way.connect(ann)
    way.connect(mallory)
    ann.say("secret words")
    way.wait(60)
    assert ann.log.roster().members.keys() == {ann.key}
    assert mallory.log.replica is None
    assert not mallory.session._state.inbound.newest(ann.key)


def test_w20_a_hello_that_is_passed_on_under_another_identity_is_told(way: Way) -> None:
    ann, bea = house(way, "ann", "bea")
    mallory = Member("mallory", way.clock, way, invite=ann.invitation(new_secret()))
    stolen = bea.card
    mallory.session._state.me = replace(mallory.session._state.me, card=replace(stolen))
    mallory.session._state.key = mallory.key
    way.pass_on = lambda _, message: [_as(mallory, stolen.ed25519_key, message)]
    way.connect(mallory)
    way.wait(3)
    assert Impostor(mallory.key, "it shows the card of another member") in ann.told
    assert not mallory.session._state.inbound.newest(ann.key)


def _as(member: Member, ed25519_key: str, message: Received) -> Received:
    """A join goes out under the identity that the relay wants."""
    if isinstance(message, NewMember):
        return NewMember(replace(message.member, identity_key=member.key, ed25519_key=ed25519_key))
    return message


def lying_about(member: Member, ed25519_key: str, *, lists: bool) -> Callable[[Member, Received], list[Received]]:
    """A relay that shows another signing key of a member: to those who are there, and perhaps also in its lists."""

    def shown(seen: Seen) -> Seen:
        return replace(seen, ed25519_key=ed25519_key) if seen.identity_key == member.key else seen

    def lie(_: Member, message: Received) -> list[Received]:
        if isinstance(message, NewMember):
            return [NewMember(shown(message.member))]
        if isinstance(message, MemberList) and lists:
            return [MemberList([shown(one) for one in message.members])]
        return [message]

    return lie


def test_w20_a_relay_that_shows_another_signing_key_is_told_and_nothing_is_shared(way: Way) -> None:
    ann = Member("ann", way.clock, way)
    bea = Member("bea", way.clock, way, invite=ann.invitation())
    way.connect(ann)
    way.pass_on = lying_about(bea, new_account().ed25519_key, lists=True)
    way.connect(bea)
    way.wait(60)
    assert set(ann.told_of(Impostor)) == {Impostor(bea.key, "its signing key is another one than the relay says")}
    assert not bea.session._state.inbound.newest(ann.key)
    assert bea.log.replica is None


def test_a_lie_has_no_effect_that_outlasts_it(way: Way) -> None:
    ann = Member("ann", way.clock, way)
    bea = Member("bea", way.clock, way, invite=ann.invitation())
    way.connect(ann)
    way.pass_on = lying_about(bea, new_account().ed25519_key, lists=False)
    way.connect(bea)
    assert ann.told_of(Impostor)
    way.wait(30)
    ann.say("all is well")
    way.run()
    assert agree(ann, bea)
    assert bea.texts == {"all is well"}


def test_w20_keys_that_the_relay_exchanged_for_its_own_open_nothing(way: Way) -> None:
    """One-time keys are unsigned: but a session needs the identity key too, which the relay has not."""
    ann = Member("ann", way.clock, way)
    bea = Member("bea", way.clock, way, invite=ann.invitation())
    way.connect(ann)
    relay = new_account()
    keys, fallback = relay.offer("r", afresh=True), relay.fallback_key()

    def lie(target: Member, message: Received) -> list[Received]:
        if isinstance(message, NewMember):
            return [NewMember(replace(message.member, one_time_keys=keys, fallback_key=fallback))]
        return [message]

    way.pass_on = lie
    way.connect(bea)
    way.wait(10)
    first = next(message for message in way.sent if isinstance(message, KeyShare) and message.target == bea.key)
    assert "unknown one-time key" in bea.told_of(Undecryptable)[0].why
    from runtime.rooms.olm import OlmError, OlmLink

    with pytest.raises(OlmError):
        OlmLink(relay, ann.key).decrypt(first.message)
    assert bea.log.replica is None


def test_somebody_else_under_the_own_key_is_told(way: Way) -> None:
    ann, _ = house(way, "ann", "bea")
    ann.driver.receive(NewMember(way.seen[ann.key]))
    assert ann.told_of(Impostor)[-1].why == "somebody else is there under this member's own key"


@pytest.mark.parametrize("key", ["", "x", "A" * 42, "A" * 44, "\x1b[31m"])
def test_members_with_keys_that_are_none_are_passed_over(way: Way, key: str) -> None:
    ann, _ = house(way, "ann", "bea")
    before = len(ann.told)
    ann.driver.receive(NewMember(replace(way.seen[ann.key], identity_key=key)))
    ann.driver.receive(KeyShare(target=ann.key, sender=key, message=OlmMessage(0, "AAAA")))
    assert not [told for told in ann.told[before:] if not isinstance(told, Undecryptable)]


def test_a_relay_that_invents_members_without_end_fills_no_memory(way: Way) -> None:
    ann, bea = house(way, "ann", "bea")
    for _ in range(400):
        ghost = new_account()
        ann.driver.receive(
            NewMember(replace(way.seen[bea.key], identity_key=ghost.identity_key, ed25519_key=ghost.ed25519_key))
        )
    assert len(ann.session._state.peers) <= 256


# --- what is said to all ---------------------------------------------------------------------------------------------


def test_w20_what_is_said_twice_is_heard_once(way: Way) -> None:
    ann, bea = house(way, "ann", "bea")
    ann.say("once")
    way.run()
    message = next(one for one in reversed(way.sent) if isinstance(one, Encrypted))
    taken = len(bea.log.taken)
    bea.driver.receive(message)
    way.run()
    assert bea.told_of(Undecryptable)[-1] == Undecryptable(ann.key, "it was repeated")
    assert len(bea.log.taken) == taken


def test_w20_nobody_speaks_in_the_name_of_another(way: Way) -> None:
    ann, bea, cid = house(way, "ann", "bea", "cid")
    ann.say("mine")
    way.run()
    message = next(one for one in reversed(way.sent) if isinstance(one, Encrypted) and one.sender == ann.key)
    bea.driver.receive(replace(message, sender=cid.key))
    way.wait(30)
    assert bea.told_of(Undecryptable)[-1] == Undecryptable(cid.key, "the key of its session has not come")


def test_w20_a_session_of_another_that_a_member_shares_as_its_own_is_good_for_nothing(way: Way) -> None:
    ann, bea, cid = house(way, "ann", "bea", "cid")
    stolen = ann.session._state.outbound.shared()
    peer = cid.session._state.peers[bea.key]
    fields = {"sessionId": stolen.session_id, "sessionKey": stolen.session_key, "senderIdentityKey": cid.key}
    hello: Any = {"v": 1, "t": "hello", "card": cid.card.to_json(), "proof": "", "have": "", "mark": "", "refused": ""}
    bea.driver.receive(KeyShare(target=bea.key, sender=cid.key, message=peer.link.encrypt({**fields, "orlop": hello})))
    way.run()
    ann.say("mine")
    way.run()
    message = next(one for one in reversed(way.sent) if isinstance(one, Encrypted) and one.sender == ann.key)
    bea.driver.receive(replace(message, sender=cid.key))
    assert bea.told_of(Undecryptable)[-1] == Undecryptable(cid.key, "it says that somebody else has sent it")


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda m: replace(m, ciphertext=m.ciphertext[:-8] + "AAAAAAAA"), "it was damaged on its way"),
        (lambda m: replace(m, ciphertext=m.ciphertext[: len(m.ciphertext) // 2]), "it was damaged on its way"),
        (lambda m: replace(m, ciphertext="\x00!"), "it was damaged on its way"),
    ],
)
def test_why_a_message_cannot_be_read_is_said_in_words(
    way: Way, spoil: Callable[[Encrypted], Encrypted], why: str
) -> None:
    ann, bea = house(way, "ann", "bea")
    way.pass_on = lambda _, m: [spoil(m) if isinstance(m, Encrypted) else m]
    ann.say("hello")
    way.run()
    assert bea.told_of(Undecryptable)[-1] == Undecryptable(ann.key, why)
    way.pass_on = lambda _, m: [m]
    way.wait(35)
    assert bea.texts == {"hello"}  # it came after all, by asking for what is missing


def test_what_comes_before_its_key_is_read_when_the_key_comes(way: Way) -> None:
    ann, bea = house(way, "ann", "bea")
    late: list[Received] = []

    def hold(target: Member, message: Received) -> list[Received]:
        if target is bea and isinstance(message, KeyShare):
            late.append(message)
            return []
        return [message]

    way.pass_on = hold
    ann.driver.rotate()
    ann.say("early")
    way.run()
    assert bea.texts == set()
    for message in late:
        bea.driver.receive(message)
    way.run()
    assert bea.texts == {"early"}
    assert not bea.told_of(Undecryptable)


def test_w21_what_a_member_says_in_the_name_of_another_never_gets_into_the_log(way: Way) -> None:
    ann, bea, cid = house(way, "ann", "bea", "cid")
    real = bea.say("mine").to_json()
    way.run()
    forged: list[dict[str, Any]] = [
        real | {"author": cid.key, "actor": cid.key},  # another's name over its own signature
        real | {"seq": 2, "prev": bea.log.replica.entries()[-1].id, "content": {"text": "changed"}},  # type: ignore[union-attr]
        real | {"actor": cid.key},
        real | {"actor": f"agent:{'ab' * 16}:unblock@{cid.key}"},
        real | {"room": "00" * 16},
    ]
    for entry in forged:
        bea.session._state.broadcast({"v": 1, "t": "entries", "entries": [entry]})
        bea.driver.tick()
        way.run()
    way.wait(35)
    assert ann.texts == cid.texts == {"mine"}
    assert "its signature is not its author's" in ann.log.refused
    assert any(
        "is not its author, nor an agent that its author runs" in told.why for told in ann.told_of(Undecryptable)
    )
    assert agree(ann, bea, cid)


def test_entries_that_a_member_keeps_from_others_come_by_the_next(way: Way) -> None:
    ann, bea, cid = house(way, "ann", "bea", "cid")
    hidden = ann.key

    def keep_back(target: Member, message: Received) -> list[Received]:
        return [] if target is cid and getattr(message, "sender", "") == hidden else [message]

    way.pass_on = keep_back  # nothing of ann's reaches cid
    ann.say("for everybody")
    way.wait(40)
    assert bea.texts == cid.texts == {"for everybody"}


def test_a_long_history_comes_in_pieces_below_the_rate(way: Way) -> None:
    ann = Member("ann", way.clock, way, per_second=20.0)
    way.connect(ann)
    for number in range(300):
        ann.log.write("message", {"text": f"{number} " + "x" * 8_000})
    bea = Member("bea", way.clock, way, invite=ann.invitation(), per_second=20.0)
    way.connect(bea)
    seconds = 0
    while len(bea.log.taken) < 302 and seconds < 120:
        before = len(way.sent)
        way.wait(1)
        seconds += 1
        assert len(way.sent) - before <= 60
    assert agree(ann, bea)
    assert max(len(m.message.ciphertext) for m in way.sent if isinstance(m, KeyShare)) <= 65_536


# --- who comes and goes ----------------------------------------------------------------------------------------------


def test_who_is_there_is_told(way: Way) -> None:
    ann, bea = house(way, "ann", "bea")
    assert ann.told_of(Present)[-1].keys == {bea.key}
    bea.driver.bye()
    way.run()
    assert ann.told_of(Gone) == [Gone(bea.key)]
    way.disconnect(bea)
    assert ann.told_of(Present)[-1].keys == set()
    way.disconnect(ann)
    assert bea.told_of(Present)[-1].keys == set()


def test_after_a_connection_it_is_told_whose_keys_are_missing_until_all_have_come(way: Way) -> None:
    ann, bea, cid = house(way, "ann", "bea", "cid")
    way.disconnect(ann)
    way.pass_on = lambda t, m: [] if t is ann and isinstance(m, KeyShare) and m.sender == cid.key else [m]
    bea.say("meanwhile")
    way.connect(ann)
    assert ann.told_of(Reestablishing)[-1].missing == {cid.key}
    assert ann.texts == {"meanwhile"}
    way.pass_on = lambda _, m: [m]
    way.wait(30)
    assert ann.told_of(Reestablishing)[-1].missing == set()
    cid.say("here")
    way.run()
    assert agree(ann, bea, cid)


def test_a_program_that_was_killed_and_started_again_reads_and_is_read(way: Way) -> None:
    ann, bea = house(way, "ann", "bea")
    way.members.pop(bea.key)
    way.seen.pop(bea.key)  # without a word, and the relay keeps that from ann
    bea.start()
    ann.say("while away")
    way.connect(bea)
    way.wait(2)
    bea.say("back")
    way.run()
    assert bea.texts == ann.texts == {"while away", "back"}


def test_a_member_of_whom_the_relay_says_that_it_left_goes_on_being_read(way: Way) -> None:
    ann, bea = house(way, "ann", "bea")
    ann.driver.receive(MemberLeft(bea.key))
    way.run()
    bea.say("I am here")
    way.wait(60)
    assert ann.texts == {"I am here"}
    ann.say("I see")
    way.wait(35)
    assert bea.texts == {"I am here", "I see"}


def test_members_whom_the_relay_hides_from_each_other_find_out(way: Way) -> None:
    ann, bea = house(way, "ann", "bea")
    for member in (ann, bea):
        member.driver.receive(MemberList([]))
    way.run()
    ann.say("anybody there?")
    way.wait(100)
    assert bea.texts == {"anybody there?"}
    assert agree(ann, bea)


def test_a_room_that_is_closed_says_nothing_any_more(way: Way) -> None:
    ann, _ = house(way, "ann", "bea")
    ann.driver.receive(Turned("purged"))
    sent = len(way.sent)
    ann.say("into nothing")
    way.wait(40)
    assert [one for one in way.sent[sent:] if isinstance(one, Encrypted) and one.sender == ann.key] == []


# --- rotation --------------------------------------------------------------------------------------------------------


def test_w22_who_was_removed_reads_nothing_that_is_said_afterwards(way: Way) -> None:
    ann, bea, cid = house(way, "ann", "bea", "cid")
    chain = cid.log.replica.chain(cid.key)  # type: ignore[union-attr]
    assert chain is not None
    upto = max((entry.seq for entry in chain.entries()), default=0)
    ann.write("remove", {"key": cid.key, "upto": upto})
    way.run()
    assert ann.told_of(Rotated)
    assert bea.told_of(Rotated)
    ann.say("without cid")
    bea.say("me too")
    way.wait(40)
    assert ann.texts == bea.texts == {"without cid", "me too"}
    assert cid.texts == set()
    assert "the key of its session has not come" in {told.why for told in cid.told_of(Undecryptable)}


def test_w22_who_was_removed_and_kept_its_keys_is_heard_by_nobody(way: Way) -> None:
    ann, bea, cid = house(way, "ann", "bea", "cid")
    ann.write("remove", {"key": cid.key, "upto": 0})
    way.run()
    cid.session._state.book = ann.log  # it behaves as if it were a member
    for peer in cid.session._state.peers.values():
        peer.holds = cid.session._state.outbound.session_id
    cid.driver.entries([cid.log.write("message", {"text": "still here"})])
    way.wait(40)
    assert ann.texts == bea.texts == set()
    assert {told.sender for told in ann.told_of(Undecryptable)} == {cid.key}
    assert agree(ann, bea)


def test_w22_who_was_removed_does_not_come_back_by_the_same_invitation(way: Way) -> None:
    ann, _, cid = house(way, "ann", "bea", "cid")
    ann.write("remove", {"key": cid.key, "upto": 0})
    way.run()
    way.disconnect(cid)
    way.connect(cid)
    ann.say("without cid")
    way.wait(60)
    assert ann.log.roster().member(cid.key) is None
    assert cid.texts == set()


def dismiss(creator: Member, other: Member) -> str:
    """Removes a member as `Rooms.remove_member` does; gives the new secret of the invitation."""
    secret = new_secret()
    removal = creator.log.write("remove", {"key": other.key, "upto": 0})
    creator.driver.entries([removal, creator.log.write("settings", {"invite": secret})])
    creator.way.run()
    return secret


def test_w22_who_is_removed_hears_of_it_and_of_nothing_behind_it(way: Way) -> None:
    ann, bea, cid = house(way, "ann", "bea", "cid")
    secret = dismiss(ann, cid)
    way.wait(60)
    assert cid.log.roster().member(cid.key) is None
    assert cid.log.settings().invite != secret
    assert ann.log.settings().invite == bea.log.settings().invite == secret


@pytest.mark.parametrize("restarted", [False, True], ids=["with the sessions it had", "started anew"])
def test_w22_who_was_removed_comes_back_neither_by_keys_nor_by_invitation(way: Way, restarted: bool) -> None:
    """Account, invitation and secret are all still there; the invitation is even pressed upon the others again."""
    ann, bea, cid = house(way, "ann", "bea", "cid")
    dismiss(ann, cid)
    if restarted:
        way.disconnect(cid)
        cid.log.replica = None  # so that it has nothing that tells it that it is out
        cid.start()
    way.disconnect(cid)
    way.connect(cid)
    ann.say("without cid")
    bea.say("me neither")
    way.wait(200)
    assert all(one.log.roster().member(cid.key) is None for one in (ann, bea))
    assert cid.texts == set()
    for one in (ann, bea):  # proven as it came at first, and never again
        assert [told.identity_key for told in one.told_of(Proven)].count(cid.key) == 1
    assert agree(ann, bea)


@pytest.mark.parametrize("first", ["ann", "bea"], ids=["the creator is there", "another member is there alone"])
def test_w22_who_was_removed_does_not_come_back_under_another_name(way: Way, first: str) -> None:
    """By the secret that it kept it would be somebody new, whom nobody has removed."""
    ann, bea, cid = house(way, "ann", "bea", "cid")
    dismiss(ann, cid)
    way.disconnect(cid)
    if first == "bea":
        way.disconnect(ann)
    again = Member("again", way.clock, way, invite=cid.invite)
    way.connect(again)
    way.wait(100)
    if first == "bea":
        way.connect(ann)
        way.wait(60)
    ann.say("among us")
    bea.say("us two")
    way.wait(40)
    assert all(again.key not in one.log.roster().everybody for one in (ann, bea))
    assert again.log.replica is None
    assert again.told_of(Refused)
    assert not [told for one in (ann, bea) for told in one.told_of(Proven) if told.identity_key == again.key]


def test_w22_whom_somebody_brings_in_who_was_removed_is_in_nobodys_log(way: Way) -> None:
    ann, bea, cid = house(way, "ann", "bea", "cid")
    dismiss(ann, cid)
    friend = Member("friend", way.clock, way, invite=cid.invite)
    cid.session._state.book = ann.log  # it behaves as if it were a member
    for peer in cid.session._state.peers.values():
        peer.holds = cid.session._state.outbound.session_id
    cid.driver.entries([cid.log.write("member", {"card": friend.card.to_json(), "after": 0})])
    way.connect(friend)
    way.wait(60)
    assert all(friend.key not in one.log.roster().everybody for one in (ann, bea))


def test_w22_who_has_left_reads_nothing_more_and_may_come_back_by_invitation(way: Way) -> None:
    ann, bea, cid = house(way, "ann", "bea", "cid")
    cid.write("leave", {})
    way.run()
    assert ann.told_of(Rotated)
    assert ann.log.roster().member(cid.key) is None
    ann.say("without cid")
    way.wait(5)
    assert cid.texts == set()
    way.disconnect(cid)
    way.connect(cid)
    way.wait(40)
    assert ann.log.roster().member(cid.key) is not None
    cid.say("back")
    way.wait(35)
    assert ann.texts == bea.texts == {"without cid", "back"}


def test_who_leaves_is_not_let_in_again_by_a_program_that_was_started_in_between(way: Way) -> None:
    ann, bea = house(way, "ann", "bea")
    way.disconnect(ann)
    way.wait(1)
    ann.start()
    way.connect(ann)
    way.wait(5)
    bea.write("leave", {})
    way.wait(120)
    assert ann.log.roster().member(bea.key) is None
    way.disconnect(bea)
    way.connect(bea)
    way.wait(40)
    assert ann.log.roster().member(bea.key) is not None


def test_who_has_left_and_only_stays_to_tell_of_it_is_not_let_in_again(way: Way) -> None:
    ann, bea = house(way, "ann", "bea")
    bea.write("leave", {})
    way.run()
    way.disconnect(bea)
    bea.invite = None
    bea.start()
    way.connect(bea)
    way.wait(120)
    assert ann.log.roster().member(bea.key) is None


def test_w22_a_rotation_that_is_asked_for_is_shared_and_names_the_one_before(way: Way) -> None:
    ann, bea = house(way, "ann", "bea")
    before = ann.session._state.outbound.session_id
    opened: list[Any] = []
    link = bea.session._state.peers[ann.key].link
    original = link.decrypt
    link_decrypt = lambda message: opened.append(original(message)) or opened[-1]  # noqa: E731
    bea.session._state.peers[ann.key].link = Listening(link, link_decrypt)  # type: ignore[assignment]
    ann.driver.rotate()
    way.run()
    assert opened[-1]["rotation"] is True
    assert opened[-1]["previousSessionId"] == before
    assert opened[-1]["sessionId"] == ann.session._state.outbound.session_id != before
    ann.say("under the new key")
    way.run()
    assert bea.texts == {"under the new key"}


class Listening:
    """A link that somebody listens at."""

    def __init__(self, link: Any, decrypt: Any) -> None:
        self._link, self.decrypt = link, decrypt

    def __getattr__(self, name: str) -> Any:
        return getattr(self._link, name)
