"""What the journal says of entries that were taken: each change once, and nothing that did not change."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import pytest

from runtime.clock import ManualClock
from runtime.events import (
    Event,
    MemberJoined,
    MemberLeft,
    MemberRemoved,
    MessagePosted,
    RoomSettings,
    RoomWarning,
    TaskChanged,
)
from runtime.journal import Journal
from runtime.rooms.announce import announce, before, task_changed
from runtime.rooms.entries import SignedEntry
from runtime.rooms.replica import Replica
from runtime.rooms.tasks import Task, TaskEvent
from runtime.store import Store
from tests.runtime.people import Person
from tests.runtime.rooms.room_script import ANN, BOB, CAT, MAL, NOW, ROOM, Script, opening, task, vouch

E = TypeVar("E", bound=Event)


class Desk:
    """Ann's copy of a room, with a real journal."""

    def __init__(self, store: Store, *, me: Person = ANN) -> None:
        self.store = store
        self.me = me
        self.events: list[Event] = []
        Journal(store).subscribe(store.first_seq, lambda records: self.events.extend(one.event for one in records))
        self.script = Script()
        self.replica = Replica(ROOM, self.script.owner)

    def take(self, *entries: SignedEntry, cause: int | None = None) -> Sequence[Event]:
        """Takes entries and gives what is said of them."""
        self.events.clear()
        was = before(self.replica)
        offered = self.replica.offer(entries, NOW)
        self.store.write(
            lambda tx: announce(tx, self.replica, was, offered, self_key=self.me.identity_key, cause=cause)
        ).result()
        return list(self.events)

    def write(self, who: Person, kind: str, content: dict[str, object]) -> SignedEntry:
        self.script.at += 1_000
        return self.script.pens[who.name].write(kind, content, at=self.script.at)  # type: ignore[arg-type]


def of(events: Sequence[Event], kind: type[E]) -> list[E]:
    return [one for one in events if isinstance(one, kind)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "orlop.db", ManualClock(now_ms=NOW), owner=True) as found:
        yield found


@pytest.fixture
def desk(store: Store) -> Desk:
    found = Desk(store)
    found.take(*found.script.entries, found.write(ANN, "member", dict(vouch(BOB))))
    return found


# --- members ---------------------------------------------------------------------------------------------------------


def test_who_is_vouched_for_has_joined(desk: Desk) -> None:
    said = desk.take(desk.write(ANN, "member", dict(vouch(CAT))), cause=7)
    assert said == [MemberJoined(room=ROOM, key=CAT.identity_key, name="cat", cause=7)]


def test_who_was_there_before_this_node_is_said_to_have_been(store: Store) -> None:
    late = Desk(store, me=CAT)
    script = late.script
    said = late.take(
        *script.entries, late.write(ANN, "member", dict(vouch(BOB))), late.write(ANN, "member", dict(vouch(CAT)))
    )
    assert of(said, MemberJoined) == [
        MemberJoined(room=ROOM, key=ANN.identity_key, already=True, name="ann"),
        MemberJoined(room=ROOM, key=BOB.identity_key, already=True, name="bob"),
    ]


def test_who_leaves_and_who_is_removed_is_told_apart(desk: Desk) -> None:
    desk.take(desk.write(ANN, "member", dict(vouch(CAT))))
    assert desk.take(desk.write(BOB, "leave", {})) == [MemberLeft(room=ROOM, key=BOB.identity_key, name="bob")]
    removal = desk.write(ANN, "remove", {"key": CAT.identity_key, "upto": 0})
    assert desk.take(removal) == [MemberRemoved(room=ROOM, key=CAT.identity_key, name="cat")]


def test_this_nodes_own_end_in_a_room_is_marked(store: Store) -> None:
    bob = Desk(store, me=BOB)
    bob.take(*bob.script.entries, bob.write(ANN, "member", dict(vouch(BOB))))
    removal = bob.write(ANN, "remove", {"key": BOB.identity_key, "upto": 0})
    assert bob.take(removal) == [MemberRemoved(room=ROOM, key=BOB.identity_key, own=True, name="bob")]


def test_two_devices_in_one_name_are_a_warning_once(desk: Desk) -> None:
    first = desk.write(BOB, "message", {"text": "one"})
    desk.take(first)
    other = desk.script.pens["bob"].write(
        "message", {"text": "other"}, at=first.ts_ms, seq=first.seq, prev=first.prev, keep=False, honest_time=False
    )
    (warning,) = of(desk.take(other), RoomWarning)
    assert (warning.key, warning.about, warning.name) == (BOB.identity_key, "fork", "bob")
    assert of(desk.take(other), RoomWarning) == []


def test_two_cards_in_one_name_are_a_warning(desk: Desk) -> None:
    desk.script.step("impostor", 1, 3, 0)
    desk.take(*desk.script.entries[-2:])
    (warning,) = of(desk.take(desk.write(ANN, "member", dict(vouch(MAL)))), RoomWarning)
    assert (warning.key, warning.about) == (MAL.identity_key, "impostor")


def test_a_snapshot_that_is_not_what_its_entries_come_to_is_a_warning_in_its_creators_name(desk: Desk) -> None:
    desk.take(desk.write(ANN, "task", dict(task("task_created", "t1", title="mine"))))
    from runtime.rooms.entries import number_of
    from runtime.rooms.snapshots import snapshot_contents
    from runtime.rooms.tasks import EMPTY

    chain = desk.replica.chain(ANN.identity_key)
    assert chain is not None
    heads = {(ANN.identity_key, 0): number_of(chain.last_seq)}
    (content,) = snapshot_contents(1, desk.replica.fold.last_ms, heads, EMPTY)
    (warning,) = of(desk.take(desk.write(ANN, "snapshot", dict(content))), RoomWarning)
    assert (warning.key, warning.about, warning.name) == (ANN.identity_key, "snapshot", "ann")


# --- what is said and done -------------------------------------------------------------------------------------------


def test_a_message_is_told_with_its_author_and_text(desk: Desk) -> None:
    said = desk.write(BOB, "message", {"text": "hello"})
    assert desk.take(said) == [MessagePosted(room=ROOM, id=said.id, author=BOB.identity_key, text="hello")]
    assert desk.take(said) == []


def test_what_does_not_count_is_not_told(desk: Desk) -> None:
    assert desk.take(desk.write(MAL, "message", {"text": "a stranger"})) == []
    assert desk.take(desk.write(BOB, "message", {"text": ""})) == []


def test_a_task_that_changes_is_told_with_what_changed(desk: Desk) -> None:
    made = desk.take(desk.write(BOB, "task", dict(task("task_created", "t1", title="x"))))
    (told,) = of(made, TaskChanged)
    assert (told.task, told.change, told.actor, told.title) == ("t1", "task_created", BOB.identity_key, "x")
    (told,) = of(desk.take(desk.write(ANN, "task", dict(task("task_urgency_changed", "t1", urgent=True)))), TaskChanged)
    assert (told.change, told.fields, told.status) == ("task_urgency_changed", ("urgent",), "pending")


def test_of_several_changes_of_one_task_the_last_is_told(desk: Desk) -> None:
    said = desk.take(
        desk.write(BOB, "task", dict(task("task_created", "t1", title="x"))),
        desk.write(BOB, "task", dict(task("task_updated", "t1", title="y"))),
    )
    assert [(one.change, one.title) for one in of(said, TaskChanged)] == [("task_updated", "y")]


def test_tasks_that_become_others_because_others_count_are_told_too(desk: Desk) -> None:
    """What was said by somebody of whom nobody had vouched yet counts with the word for it."""
    early = desk.write(CAT, "task", dict(task("task_created", "t9", title="early")))
    assert desk.take(early) == []
    (told,) = of(desk.take(desk.write(ANN, "member", dict(vouch(CAT)))), TaskChanged)
    assert (told.task, told.change, told.title) == ("t9", "task_created", "early")


def test_settings_are_told_by_name_and_an_opening_is_none(desk: Desk) -> None:
    assert desk.take(desk.write(ANN, "settings", {"history": "all", "auto_delete": True})) == [
        RoomSettings(room=ROOM, author=ANN.identity_key, changed=("auto_delete", "history"))
    ]
    assert desk.take(desk.write(BOB, "keep", {"until_ms": None})) == [
        RoomSettings(room=ROOM, author=BOB.identity_key, changed=("keep",))
    ]
    assert desk.take(desk.write(ANN, "burn", {})) == [
        RoomSettings(room=ROOM, author=ANN.identity_key, changed=("burn",))
    ]
    assert desk.take(desk.write(BOB, "room", dict(opening(BOB)))) == []


def test_fields_are_named_as_they_travel() -> None:
    was = Task(id="t1", title="x", status="pending", created_by="a", created_at=1, updated_at=1)
    now = Task(id="t1", title="x", status="completed", created_by="a", created_at=1, updated_at=2, due_at=9)
    event = TaskEvent(type="task_status_changed", task_id="t1", task={}, timestamp=2, actor_id="b")
    told = task_changed(ROOM, event, was, now, None)
    assert told.fields == ("status", "dueAt")
