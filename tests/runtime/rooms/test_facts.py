"""What entries say by kind; whatever is not exactly as its kind demands says nothing."""

from collections.abc import Mapping
from typing import Any

import pytest

from runtime.canonical import INTEGER_MAX, Json
from runtime.rooms.entries import NO_ENTRY, TIME_MAX_MS, SignedEntry, sign_entry
from runtime.rooms.facts import (
    MESSAGE_CHARACTERS,
    NAME_CHARACTERS,
    SNAPSHOT_PARTS,
    STRUCTURAL,
    Burning,
    Change,
    Keeping,
    Leaving,
    Opening,
    Removal,
    SnapshotPart,
    Vouch,
    fact_of,
    message_of,
    task_event_of,
)
from runtime.rooms.members import agent_actor
from runtime.rooms.settings import RoomSettings
from tests.runtime.people import Person
from tests.runtime.rooms.room_script import ANN, BOB, ROOM, opening, vouch

AT = 1_000
AGENT = agent_actor(ROOM, "digest", ANN.identity_key)


def entry(kind: str, content: Mapping[str, Json], *, actor: str = "") -> SignedEntry:
    return sign_entry(
        ANN, room=ROOM, seq=1, prev=NO_ENTRY, ts_ms=AT, actor=actor or ANN.identity_key, kind=kind, content=content
    )


def part(**changes: Any) -> dict[str, Json]:
    fields: dict[str, Json] = {
        "number": 1,
        "part": 1,
        "parts": 2,
        "horizon": AT,
        "heads": [["a", 0, 3], ["b", 7, 1]],
        "data": "text",
    }
    return fields | changes


# --- the kinds that say what a room is -------------------------------------------------------------------------------


def test_the_first_entry_says_what_the_room_is_like_and_whose_it_is() -> None:
    assert fact_of(entry("room", opening(history="all", admission="open", ephemeral=True))) == Opening(
        RoomSettings(name="harbor", history="all", admission="open", ephemeral=True, invite="ab" * 16), ANN.card
    )


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"name": "x" * (NAME_CHARACTERS + 1)},
        {"name": 7},
        {"history": "some"},
        {"admission": "closed"},
        {"ephemeral": 1},
        {"invite": "ab"},
        {"invite": None},
        {"card": {}},
        {"card": {**ANN.card.to_json(), "name": "somebody else"}},
    ],
)
def test_an_opening_with_one_thing_wrong_opens_nothing(change: dict[str, Json]) -> None:
    assert fact_of(entry("room", opening(**change))) is None


def test_a_vouch_names_a_card_and_from_where_on_its_owner_counts() -> None:
    assert fact_of(entry("member", vouch(BOB, 12))) == Vouch(BOB.card, 12)


@pytest.mark.parametrize("after", [-1, True, "0", None, 1.5, INTEGER_MAX + 1])
def test_a_vouch_with_no_place_is_none(after: Any) -> None:
    made = entry("member", vouch(BOB))
    object.__setattr__(made, "content", {"card": BOB.card.to_json(), "after": after})
    assert fact_of(made) is None


def test_a_vouch_for_a_card_that_was_changed_is_none() -> None:
    card = {**BOB.card.to_json(), "ed25519Key": Person("other").ed25519_key}
    assert fact_of(entry("member", {"card": card, "after": 0})) is None


def test_leaving_and_burning_need_no_words() -> None:
    assert fact_of(entry("leave", {"why": "tired"})) == Leaving()
    assert fact_of(entry("burn", {})) == Burning()


def test_a_removal_names_a_key_and_up_to_where_it_counts() -> None:
    assert fact_of(entry("remove", {"key": BOB.identity_key, "upto": 3})) == Removal(BOB.identity_key, 3)


@pytest.mark.parametrize("content", [{}, {"key": 7, "upto": 0}, {"key": "x"}, {"key": "x", "upto": -1}])
def test_a_removal_without_one_of_them_is_none(content: dict[str, Json]) -> None:
    assert fact_of(entry("remove", content)) is None


def test_a_change_is_one_of_what_may_be_changed() -> None:
    assert fact_of(entry("settings", {"history": "all"})) == Change({"history": "all"})
    assert fact_of(entry("settings", {"name": "other"})) is None
    assert fact_of(entry("settings", {})) is None


@pytest.mark.parametrize("until", [None, 0, TIME_MAX_MS])
def test_a_room_is_kept_for_ever_or_until_a_time(until: int | None) -> None:
    assert fact_of(entry("keep", {"until_ms": until})) == Keeping(until)


@pytest.mark.parametrize("content", [{}, {"until_ms": -1}, {"until_ms": True}, {"until_ms": TIME_MAX_MS + 1}])
def test_a_room_is_not_kept_until_no_time(content: dict[str, Json]) -> None:
    assert fact_of(entry("keep", content)) is None


def test_a_piece_of_a_snapshot_has_all_that_belongs_to_it() -> None:
    assert fact_of(entry("snapshot", part())) == SnapshotPart(1, 1, 2, AT, {("a", 0): 3, ("b", 7): 1}, "text")


@pytest.mark.parametrize(
    "change",
    [
        {"number": 0},
        {"parts": 0},
        {"parts": SNAPSHOT_PARTS + 1},
        {"part": 0},
        {"part": 3},
        {"part": True},
        {"horizon": AT + 1},
        {"horizon": -1},
        {"data": 7},
        {"data": "x" * 24_577},
        {"data": "é" * 12_289},
        {"heads": None},
        {"heads": {}},
        {"heads": [["a", 0]]},
        {"heads": [[1, 0, 3]]},
        {"heads": [["a", 2**31, 3]]},
        {"heads": [["a", 0, 0]]},
        {"heads": [["a", 0, 2**32]]},
        {"heads": [[str(number), 0, 1] for number in range(129)]},
    ],
)
def test_a_piece_with_one_thing_wrong_is_none(change: dict[str, Json]) -> None:
    assert fact_of(entry("snapshot", part(**change))) is None


def test_kinds_of_a_later_version_say_nothing_and_every_structural_kind_can_say_something() -> None:
    assert fact_of(entry("kind_of_tomorrow", {})) is None
    assert fact_of(entry("message", {"text": "x"})) is None
    said = {
        "room": opening(),
        "member": vouch(BOB),
        "leave": {},
        "remove": {"key": "x", "upto": 0},
        "settings": {"history": "all"},
        "keep": {"until_ms": None},
        "burn": {},
        "snapshot": part(),
    }
    assert said.keys() == STRUCTURAL
    assert all(fact_of(entry(kind, content)) is not None for kind, content in said.items())


# --- messages and tasks ----------------------------------------------------------------------------------------------


def test_a_message_is_its_authors_own_and_no_longer_than_allowed() -> None:
    said = entry("message", {"text": "x" * MESSAGE_CHARACTERS})
    message = message_of(said)
    assert message is not None
    assert (message.ts_ms, message.author, message.id) == (AT, ANN.identity_key, said.id)


@pytest.mark.parametrize("text", ["", 7, None, "x" * (MESSAGE_CHARACTERS + 1)])
def test_an_empty_long_or_strange_message_is_none(text: Json) -> None:
    assert message_of(entry("message", {"text": text})) is None


def test_agents_say_nothing_in_the_chat() -> None:
    assert message_of(entry("message", {"text": "I am an agent"}, actor=AGENT)) is None


def test_a_task_event_has_the_time_and_the_actor_of_its_entry() -> None:
    event = task_event_of(entry("task", {"type": "task_created", "taskId": "t1", "task": {"title": "x"}}))
    assert event is not None
    assert (event.type, event.task_id, event.timestamp, event.actor_id) == ("task_created", "t1", AT, ANN.identity_key)


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"type": 1, "taskId": "t1", "task": {}},
        {"type": "task_created", "taskId": 1, "task": {}},
        {"type": "task_created", "taskId": "t1", "task": []},
        {"type": "task_created", "taskId": "t1", "task": {"createdBy": "me"}},
    ],
)
def test_an_entry_without_a_sound_event_has_none(content: dict[str, Json]) -> None:
    assert task_event_of(entry("task", content)) is None


def test_what_agents_may_not_do_is_no_event_of_theirs() -> None:
    content: dict[str, Json] = {"type": "task_updated", "taskId": "t1", "task": {"title": "x"}}
    assert task_event_of(entry("task", content)) is not None
    assert task_event_of(entry("task", content, actor=AGENT)) is None
