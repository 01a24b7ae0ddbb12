from typing import Any

import pytest

from runtime.errors import RefusedError
from runtime.rooms.cards import CardError
from runtime.rooms.entries import SignedEntry, sign_entry
from runtime.rooms.padding import pad
from runtime.rooms.plaintext import Broadcast, PlaintextError, from_megolm, to_megolm
from runtime.rooms.session_wire import (
    PIECE_BYTES,
    Hello,
    MessageError,
    digest_of,
    entries_json,
    pieces_of,
    read_hello,
    read_piece,
    read_summary,
    summary_json,
)
from runtime.rooms.summary import AuthorSummary, Extent
from tests.runtime.rooms.session_members import ROOM, Clock, Member, Way, new_account

ACCOUNT = new_account()


def entry(number: int, text: str = "x") -> SignedEntry:
    return sign_entry(
        ACCOUNT,
        room=ROOM,
        seq=number,
        prev="0" * 32 if number == 1 else "1" * 32,
        ts_ms=number,
        actor=ACCOUNT.identity_key,
        kind="message",
        content={"text": text},
    )


@pytest.fixture
def hello() -> Hello:
    way = Way(Clock())
    ann, bea = Member("ann", way.clock, way), Member("bea", way.clock, way)
    return Hello(card=ann.card, proof="p", have="h", mark="m", refused="r", new=True, creator=bea.card)


def test_a_hello_is_read_as_it_was_written(hello: Hello) -> None:
    assert read_hello(hello.to_json()) == hello


@pytest.mark.parametrize("field", ["proof", "have", "mark", "refused"])
@pytest.mark.parametrize("value", [None, 3, "x" * 201, {}])
def test_a_hello_in_another_form_is_refused(hello: Hello, field: str, value: Any) -> None:
    with pytest.raises(MessageError, match=f"its `{field}`"):
        read_hello(hello.to_json() | {field: value})


@pytest.mark.parametrize("field", ["card", "creator"])
def test_a_hello_with_a_card_that_is_none_is_refused(hello: Hello, field: str) -> None:
    with pytest.raises(CardError):
        read_hello(hello.to_json() | {field: {"identityKey": "x"}})


def test_entries_are_read_as_they_were_written() -> None:
    entries = [entry(1), entry(2)]
    piece = read_piece(entries_json(entries, last=True, more=True), ROOM)
    assert (list(piece.entries), piece.last, piece.more) == (entries, True, True)


@pytest.mark.parametrize("value", [None, "x", {}, [1], [{}], [[]]])
def test_entries_in_another_form_are_refused(value: Any) -> None:
    with pytest.raises(MessageError):
        read_piece({"entries": value}, ROOM)


def test_entries_of_another_room_are_refused() -> None:
    with pytest.raises(MessageError, match="another room"):
        read_piece(entries_json([entry(1)]), "00" * 16)


def test_pieces_fit_into_a_message_and_nothing_is_lost_or_moved() -> None:
    entries = [entry(n + 1, "x" * (n * 997 % 16_000)) for n in range(60)]
    pieces, more = pieces_of(entries, most=100)
    assert [one for piece in pieces for one in piece] == entries
    assert not more
    for piece in pieces:
        said = Broadcast(sender="A" * 43, orlop=entries_json(piece))
        assert len(piece) == 1 or sum(len(one.message()) for one in piece) <= PIECE_BYTES
        assert len(to_megolm(said, "name")) * 4 / 3 + 200 <= 65_536


def test_the_largest_entry_fits_into_a_message() -> None:
    from runtime.rooms.megolm import Outbound

    largest = entry(1, "x" * (32_768 - len(entry(1, "").message())))
    assert len(largest.message()) == 32_768
    said = Broadcast(sender="A" * 43, orlop=entries_json([largest]))
    assert len(Outbound().encrypt(to_megolm(said, "n" * 32))) <= 65_536


def test_of_too_many_pieces_the_first_are_taken() -> None:
    pieces, more = pieces_of([entry(n + 1, "x" * 16_000) for n in range(10)], most=2)
    assert (len(pieces), more) == (2, True)
    assert pieces_of([], most=2) == ([[]], False)


def summary(*authors: str) -> dict[str, AuthorSummary]:
    return {author: AuthorSummary({0: Extent(3, "ab" * 16, "")}) for author in authors}


def test_a_summary_in_pieces_covers_every_author_once() -> None:
    own = summary(*(f"{letter}{n:02}".ljust(43, ".") for letter in "abc" for n in range(99)))
    theirs = dict(list(own.items())[::2])
    messages = summary_json(theirs, most_bytes=500)
    assert len(messages) > 20
    assert (messages[0]["from"], messages[-1]["to"]) == ("", "")
    assert [one["end"] for one in messages] == [False] * (len(messages) - 1) + [True]
    lacking = [set(own) - set(read_summary(one, own)) for one in messages]
    assert sorted(author for one in lacking for author in one) == sorted(set(own) - set(theirs))


def test_a_summary_of_nothing_is_one_message() -> None:
    assert read_summary(summary_json({})[0], summary("a")) == {}


@pytest.mark.parametrize("heads", [None, [], {"a": 1}, {"a": {"blocks": [[0]], "fork": None}}])
def test_a_summary_in_another_form_is_refused(heads: Any) -> None:
    with pytest.raises(RefusedError):
        read_summary({"from": "", "to": "", "heads": heads}, {})


def test_a_digest_is_the_same_for_the_same_log_only() -> None:
    assert digest_of(summary("a", "b")) == digest_of(dict(reversed(summary("a", "b").items())))
    assert digest_of(summary("a")) != digest_of(summary("b"))


# --- what is inside Megolm -------------------------------------------------------------------------------------------


def test_a_broadcast_is_read_as_it_was_written() -> None:
    said = Broadcast(sender="A" * 43, text="hi", task_event={"type": "x"}, orlop={"t": "bye"})
    assert from_megolm(to_megolm(said, "ann")) == said


def test_a_message_of_the_original_has_no_part_of_ours() -> None:
    said = from_megolm(pad(b'{"text":"hi","sender":"A","senderName":"ann","taskEvent":{"timestamp":1.5}}'))
    assert said == Broadcast(sender="A", text="hi", task_event={"timestamp": 1.5}, orlop=None)


@pytest.mark.parametrize(
    "plain", [b"", b"[]", b"{}", b'{"text":1,"sender":"A"}', b'{"text":"x"}', b'{"text":"","sender":"A","orlop":1}']
)
def test_what_is_inside_in_another_form_is_refused(plain: bytes) -> None:
    with pytest.raises(PlaintextError):
        from_megolm(pad(plain))
