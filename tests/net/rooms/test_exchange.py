"""What a relay decides: who is told what, and who is turned away with which code."""

import json

import pytest

from net.rooms.exchange import Exchange, Limits, Rate, Seat
from net.rooms.wire import decode_request
from runtime.rooms.transport import Join, Seen

ROOM = "ab" * 16


class Heard:
    """A line that remembers: the types of what was told, and how it ended."""

    def __init__(self) -> None:
        self.told: list[dict[str, object]] = []
        self.code = 0

    def tell(self, text: str) -> None:
        self.told.append(json.loads(text))

    def end(self, code: int, reason: str) -> None:
        assert reason
        self.code = code

    @property
    def types(self) -> list[object]:
        return [message["type"] for message in self.told]


class Table:
    def __init__(self, **limits: int) -> None:
        self.exchange = Exchange(Limits(**limits))  # type: ignore[arg-type]  # only the counts

    def join(self, name: str, room: str = ROOM, *, create: bool = True) -> tuple[Seat, Heard]:
        line = Heard()
        seat = Seat(room, line)
        self.again(seat, name, create=create)
        return seat, line

    def again(self, seat: Seat, name: str, *, create: bool = True, once: str = "o") -> None:
        me = Seen(identity_key=name, ed25519_key="e", display_name=name, one_time_keys={"1": once}, fallback_key="f")
        self.exchange.take(seat, Join(me=me, create=create))

    def say(self, seat: Seat, **message: object) -> None:
        self.exchange.take(seat, decode_request(json.dumps(message).encode()))


@pytest.fixture
def table() -> Table:
    return Table()


def test_a_room_begins_only_with_a_join_that_may_create_it(table: Table) -> None:
    _, stranger = table.join("ann", create=False)

    assert (stranger.types, stranger.code) == (["room_not_found"], 4004)
    assert table.exchange.rooms == 0

    _, founder = table.join("ann")
    _, guest = table.join("bob", create=False)
    assert (founder.types, guest.types) == (["member_list", "new_member"], ["member_list"])


def test_the_joiner_learns_who_is_there_and_they_learn_its_keys(table: Table) -> None:
    _, ann = table.join("ann")
    _, bob = table.join("bob")

    assert bob.told == [
        {"type": "member_list", "members": [{"identityKey": "ann", "displayName": "ann", "ed25519Key": "e"}]}
    ]
    assert ann.told[1] == {
        "type": "new_member",
        "identityKey": "bob",
        "ed25519Key": "e",
        "oneTimeKeys": {"1": "o"},
        "displayName": "bob",
        "fallbackKey": "f",
    }


def test_w17_a_second_join_on_the_same_connection_publishes_its_new_keys(table: Table) -> None:
    seat, ann = table.join("ann")
    _, bob = table.join("bob")

    table.again(seat, "ann", once="fresh")

    assert ann.code == 0
    assert bob.told[-1]["oneTimeKeys"] == {"1": "fresh"}
    assert ann.types[-1] == "member_list"


def test_w18_the_others_are_told_who_left(table: Table) -> None:
    seat, _ = table.join("ann")
    _, bob = table.join("bob")

    table.exchange.leave(seat)

    assert bob.told[-1] == {"type": "member_left", "identityKey": "ann"}


def test_a_room_ends_with_its_last_connection(table: Table) -> None:
    seat, _ = table.join("ann")

    table.exchange.leave(seat)
    table.exchange.leave(seat)

    assert table.exchange.rooms == 0


def test_a_new_connection_of_a_member_replaces_the_old_one_whose_end_tells_nobody(table: Table) -> None:
    old, before = table.join("ann")
    _, bob = table.join("bob")
    table.join("ann")

    table.exchange.leave(old)

    assert before.code == 4005
    assert bob.types == ["member_list", "new_member"]


def test_a_key_share_goes_to_its_target_alone(table: Table) -> None:
    seat, ann = table.join("ann")
    _, bob = table.join("bob")
    _, eve = table.join("eve")
    before = len(ann.told), len(eve.told)

    olm = {"messageType": 1, "ciphertext": "c"}
    table.say(seat, type="key_share", targetIdentityKey="bob", senderIdentityKey="ann", olmMessage=olm)
    table.say(seat, type="key_share", targetIdentityKey="nobody", senderIdentityKey="ann", olmMessage=olm)

    assert bob.told[-1]["olmMessage"] == olm
    assert (len(ann.told), len(eve.told)) == before


def test_an_encrypted_message_goes_to_all_others_of_the_room_and_of_no_other(table: Table) -> None:
    seat, ann = table.join("ann")
    _, bob = table.join("bob")
    _, far = table.join("far", room="cd" * 16)
    before = len(ann.told)

    table.say(seat, type="encrypted", senderIdentityKey="ann", sessionId="s", ciphertext="c", timestamp=5)

    assert bob.types[-1] == "encrypted"
    assert len(ann.told) == before
    assert far.types == ["member_list"]


def test_nothing_is_passed_on_in_the_name_of_another_or_before_a_join(table: Table) -> None:
    ann, _ = table.join("ann")
    _, bob = table.join("bob")
    unjoined = Seat(ROOM, Heard())

    for seat in (ann, unjoined):
        table.say(seat, type="encrypted", senderIdentityKey="bob", sessionId="s", ciphertext="c", timestamp=5)
        olm = {"messageType": 1, "ciphertext": "c"}
        table.say(seat, type="key_share", targetIdentityKey="bob", senderIdentityKey="bob", olmMessage=olm)

    assert bob.types == ["member_list"]


def test_a_connection_that_was_replaced_says_nothing_any_more(table: Table) -> None:
    old, _ = table.join("ann")
    _, bob = table.join("bob")
    table.join("ann")
    before = len(bob.told)

    table.say(old, type="encrypted", senderIdentityKey="ann", sessionId="s", ciphertext="c", timestamp=5)

    assert len(bob.told) == before


def test_a_connection_has_one_member_at_a_time(table: Table) -> None:
    seat, _ = table.join("ann")
    _, bob = table.join("bob")

    table.again(seat, "eve")

    assert bob.types[-2:] == ["member_left", "new_member"]


def test_only_who_made_the_room_purges_it_whatever_the_message_says(table: Table) -> None:
    ann_seat, ann = table.join("ann")
    bob_seat, bob = table.join("bob")

    table.say(bob_seat, type="purge", identityKey="ann")
    assert (bob.types[-1], bob.code) == ("purge_unauthorized", 0)
    assert table.exchange.rooms == 1

    table.say(ann_seat, type="purge", identityKey="ann")
    assert ann.told[-1] == bob.told[-1] == {"type": "room_destroyed", "reason": "manual"}
    assert (ann.code, bob.code, table.exchange.rooms) == (4000, 4000, 0)


def test_a_purge_of_no_room_and_by_nobody_changes_nothing(table: Table) -> None:
    unjoined, line = Seat(ROOM, nobody := Heard()), nobody
    table.say(unjoined, type="purge", identityKey="ann")
    assert line.code == 4004

    table.join("ann")
    table.say(unjoined, type="purge", identityKey="ann")
    assert line.types == ["purge_unauthorized"]
    assert table.exchange.rooms == 1


def test_a_full_room_takes_nobody_new_but_those_who_come_back() -> None:
    table = Table(per_room=2)
    table.join("ann")
    bob, _ = table.join("bob")

    _, eve = table.join("eve")
    assert (eve.types, eve.code) == (["room_full"], 4008)

    _, again = table.join("ann")
    assert again.types == ["member_list"]
    table.exchange.leave(bob)
    _, eve = table.join("eve")
    assert eve.types == ["member_list"]


def test_the_limit_of_a_room_is_fifty(table: Table) -> None:
    taken = [table.join(f"member {n}")[1].code for n in range(51)]

    assert taken == [0] * 50 + [4008]


def test_a_full_server_takes_no_new_room() -> None:
    table = Table(rooms=2)
    table.join("ann", room="01" * 16)
    table.join("ann", room="02" * 16)

    _, third = table.join("ann", room="03" * 16)
    _, second = table.join("bob", room="02" * 16)

    assert (third.types, third.code) == (["server_full"], 4009)
    assert second.types == ["member_list"]


def test_the_limit_of_a_server_is_ten_thousand_rooms(table: Table) -> None:
    taken = {table.join("ann", room=f"{n:032x}")[1].code for n in range(10_000)}

    assert taken == {0}
    assert table.join("ann", room="f" * 32)[1].code == 4009


def test_thirty_messages_a_second_are_within_the_rate() -> None:
    now = 100.0
    rate = Rate(Limits().per_second, lambda: now)

    assert [rate.allows() for _ in range(31)] == [True] * 30 + [False]
    now = 101.0
    assert not rate.allows()
    now = 101.001
    assert [rate.allows() for _ in range(31)] == [True] * 30 + [False]
