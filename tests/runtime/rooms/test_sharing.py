"""Rooms of several nodes over real stores: what one gives another, what is kept of it, and what is told."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from runtime.clock import ManualClock
from runtime.errors import NotFoundError, RefusedError, UnavailableError, UsageError
from runtime.events import (
    Event,
    MemberJoined,
    MemberLeft,
    MemberRemoved,
    MemberVerified,
    MessagePosted,
    RoomSettings,
    RoomWarning,
    TaskChanged,
)
from runtime.journal import Journal
from runtime.rooms.blocks import begin_block
from runtime.rooms.drafts import TaskDraft
from runtime.rooms.entries import SignedEntry, block_of, entry_from_json, number_of, place, sign_entry
from runtime.rooms.replica import Offered
from runtime.rooms.room import Rooms
from runtime.rooms.snapshots import snapshot_contents
from runtime.rooms.tasks import EMPTY, TaskEvent
from runtime.store import Store
from runtime.vault import Vault
from tests.runtime.people import Person


@dataclass
class House:
    """One member's node."""

    folder: Path
    name: str
    clock: ManualClock = field(default_factory=ManualClock)

    def __post_init__(self) -> None:
        self.who = Person(self.name)
        self.key = self.who.identity_key
        self.path = self.folder / f"{self.name}.db"
        self.open()

    def open(self) -> None:
        self.store = Store.open(self.path, self.clock, owner=True)
        self.events: list[Event] = []
        self.journal = Journal(self.store)
        self.journal.subscribe(self.store.first_seq, lambda records: self.events.extend(r.event for r in records))
        self.told: list[TaskEvent] = []
        self.sent: list[SignedEntry] = []
        self.rooms = Rooms(self.store, Vault(b"v" * 32), self.who, self.who.node, display_name=self.name)
        self.rooms.on_change = lambda _, events: self.told.extend(events)
        self.rooms.on_entries = lambda _, entries: self.sent.extend(entries)

    def reopen(self) -> None:
        self.store.close()
        self.open()

    def give(self, other: "House", room: str) -> Offered:
        """What the other lacks, as it travels."""
        came = self.rooms.missing(room, other.rooms.summary(room), other.key)
        return other.rooms.offer(room, [entry_from_json(one.to_json(), room) for one in came]).result()

    def put(self, room: str, kind: str, task_id: str, **payload: Any) -> None:
        assert not self.rooms.submit(room, [TaskDraft(kind, task_id, payload)]).result().rejected

    def of(self, *types: type[Event]) -> list[Event]:
        return [one for one in self.events if isinstance(one, types)]


@pytest.fixture
def ann(tmp_path: Path) -> Iterator[House]:
    found = House(tmp_path, "ann")
    yield found
    found.store.close()


@pytest.fixture
def bob(tmp_path: Path, ann: House) -> Iterator[House]:
    found = House(tmp_path, "bob", ann.clock)
    yield found
    found.store.close()


@pytest.fixture
def room(ann: House, bob: House) -> str:
    """A room with both of them in it."""
    found = ann.rooms.create("harbor").result().room
    ann.rooms.add_member(found, bob.who.card).result()
    bob.rooms.adopt(found, "harbor", ann.who.card, {"relay": "ws://here", "invite": "x"}).result()
    ann.give(bob, found)
    return found


def same(room: str, *houses: House) -> bool:
    return all(one.rooms.log_state(room) == houses[0].rooms.log_state(room) for one in houses)


def raw(path: Path, sql: str, *params: Any) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection, connection:
        return connection.execute(sql, params).fetchall()


# --- entries that come -----------------------------------------------------------------------------------------------


def test_w19_what_one_says_reaches_the_other_and_is_told(ann: House, bob: House, room: str) -> None:
    ann.put(room, "task_created", "t1", title="Paint")
    ann.rooms.say(room, "hello").result()
    assert [one.kind for one in ann.sent] == ["member", "task", "message"]
    bob.told.clear()
    offered = ann.give(bob, room)
    assert [one.kind for one in offered.taken] == ["task", "message"]
    assert [event.task_id for event in bob.told] == ["t1"]
    view = bob.rooms.state(room)
    assert (view.tasks["t1"].title, view.messages[-1].text) == ("Paint", "hello")
    assert [(one.display_name, one.is_self, one.is_creator) for one in view.members] == [
        ("bob", True, False),
        ("ann", False, True),
    ]
    assert [type(one) for one in bob.of(TaskChanged, MessagePosted)] == [TaskChanged, MessagePosted]
    assert bob.of(MemberJoined) == [MemberJoined(room=room, key=ann.key, already=True, name="ann")]
    assert ann.of(MemberJoined)[-1] == MemberJoined(room=room, key=bob.key, name="bob")
    bob.put(room, "task_assigned", "t1", assignee=bob.key)
    bob.give(ann, room)
    assert ann.rooms.state(room).tasks["t1"].status == "in_progress"
    assert ann.rooms.state(room).tasks == bob.rooms.state(room).tasks
    assert same(room, ann, bob)


def test_w19_everything_is_there_again_after_a_restart(ann: House, bob: House, room: str) -> None:
    bob.put(room, "task_created", "t1", title="x")
    bob.give(ann, room)
    before = ann.rooms.log_state(room)
    ann.reopen()
    assert ann.rooms.log_state(room) == before
    assert ann.rooms.roster(room).member(bob.key) is not None
    assert [one.display_name for one in ann.rooms.state(room).members] == ["ann", "bob"]
    ann.put(room, "task_updated", "t1", title="y")
    ann.give(bob, room)
    assert same(room, ann, bob)


def test_what_waits_for_what_is_missing_waits_in_the_store_too_sealed(ann: House, bob: House, room: str) -> None:
    for number in range(4):
        bob.rooms.say(room, f"SECRET {number}").result()
    first, *rest = bob.rooms.missing(room, ann.rooms.summary(room))
    offered = ann.rooms.offer(room, rest).result()
    assert (offered.taken, set(offered.held)) == ((), {one.id for one in rest})
    ann.reopen()
    assert b"SECRET" not in ann.path.read_bytes()
    assert ann.rooms.offer(room, [first]).result().taken == (first, *rest)
    assert raw(ann.path, "SELECT * FROM room_held") == []
    assert same(room, ann, bob)


def test_the_future_waits_for_its_time_at_all_alike(ann: House, bob: House, room: str) -> None:
    bob.clock = ManualClock(ann.clock.now_ms + 400_000)
    bob.reopen()
    bob.rooms.say(room, "ahead").result()
    (entry,) = bob.rooms.missing(room, ann.rooms.summary(room))
    assert bob.give(ann, room).held == (entry.id,)
    assert ann.rooms.next_due_ms(room) == entry.ts_ms - 300_000
    assert ann.rooms.tick(room).result().taken == ()
    ann.clock.now_ms = entry.ts_ms - 300_000
    ann.reopen()
    ann.rooms.tick(room).result()
    assert ann.rooms.next_due_ms(room) is None
    assert [one.text for one in ann.rooms.state(room).messages] == ["ahead"]
    assert same(room, ann, bob)


def test_w21_nobody_speaks_for_another(ann: House, bob: House, room: str) -> None:
    forged = sign_entry(
        bob.who,
        room=room,
        seq=1,
        prev="0" * 32,
        ts_ms=ann.clock.now_ms,
        actor=bob.key,
        kind="message",
        content={"text": "it is me"},
    )
    document = forged.to_json() | {"author": ann.key, "actor": ann.key, "seq": place(0, 3), "prev": "ab" * 16}
    offered = ann.rooms.offer(room, [entry_from_json(document, room)]).result()
    assert [one.why for one in offered.refused] == ["its signature is not its author's"]
    assert ann.rooms.state(room).messages == ()


def test_a_cloned_device_is_told_of_and_nothing_more_of_it_counts(ann: House, bob: House, room: str) -> None:
    bob.rooms.say(room, "one").result()
    bob.give(ann, room)
    last = bob.rooms.entries(room)[-1]
    twin = sign_entry(
        bob.who,
        room=room,
        seq=last.seq,
        prev=last.prev,
        ts_ms=last.ts_ms,
        actor=bob.key,
        kind="message",
        content={"text": "two"},
    )
    ann.rooms.offer(room, [twin]).result()
    ann.reopen()
    assert ann.rooms.state(room).messages == ()
    ann.give(bob, room)
    assert same(room, ann, bob)
    (warning,) = bob.of(RoomWarning)
    assert isinstance(warning, RoomWarning)
    assert (warning.key, warning.name, warning.about) == (bob.key, "bob", "fork")
    with pytest.raises(RefusedError, match="two devices write in this name"):
        bob.rooms.say(room, "three").result()


# --- members ---------------------------------------------------------------------------------------------------------


def test_w18_who_leaves_is_a_member_no_more_and_may_come_back(ann: House, bob: House, room: str) -> None:
    bob.rooms.leave(room).result()
    with pytest.raises(RefusedError, match="not a member of it, or not any more"):
        bob.rooms.say(room, "still here").result()
    bob.give(ann, room)
    assert ann.of(MemberLeft) == [MemberLeft(room=room, key=bob.key, name="bob")]
    assert bob.of(MemberLeft) == [MemberLeft(room=room, key=bob.key, own=True, name="bob")]
    assert [one.display_name for one in ann.rooms.state(room).members] == ["ann"]
    ann.rooms.add_member(room, bob.who.card).result()
    ann.give(bob, room)
    bob.rooms.say(room, "here again").result()
    bob.give(ann, room)
    assert [one.text for one in ann.rooms.state(room).messages] == ["here again"]
    assert same(room, ann, bob)


def test_w18_who_is_removed_keeps_what_was_said_and_says_nothing_more(ann: House, bob: House, room: str) -> None:
    bob.put(room, "task_created", "t1", title="before")
    bob.give(ann, room)
    ann.rooms.remove_member(room, bob.key).result()
    bob.put(room, "task_created", "t2", title="after, not knowing")
    bob.give(ann, room)
    assert list(ann.rooms.state(room).tasks) == ["t1"]
    ann.give(bob, room)
    assert list(bob.rooms.state(room).tasks) == ["t1"]
    assert ann.of(MemberRemoved) == [MemberRemoved(room=room, key=bob.key, name="bob")]
    assert bob.of(MemberRemoved) == [MemberRemoved(room=room, key=bob.key, own=True, name="bob")]
    assert same(room, ann, bob)
    with pytest.raises(NotFoundError, match="not a member"):
        ann.rooms.remove_member(room, bob.key).result()


def test_w22_a_removal_renews_the_invitation_in_the_same_step(ann: House, bob: House, room: str) -> None:
    before = ann.rooms.settings(room).invite
    heard: list[tuple[SignedEntry, ...]] = []
    ann.rooms.on_entries = lambda _, entries: heard.append(entries)
    ann.rooms.remove_member(room, bob.key).result()
    assert [[entry.kind for entry in entries] for entries in heard] == [["remove", "settings"]]
    assert ann.rooms.settings(room).invite not in {"", before}


def test_a_room_that_invites_nobody_does_not_begin_to_with_a_removal(ann: House, bob: House, room: str) -> None:
    ann.rooms.set(room, invite="").result()
    ann.rooms.remove_member(room, bob.key).result()
    assert ann.rooms.settings(room).invite == ""


def test_several_are_vouched_for_in_one_step(ann: House, room: str) -> None:
    cat, dan = Person("cat"), Person("dan")
    heard: list[tuple[SignedEntry, ...]] = []
    ann.rooms.on_entries = lambda _, entries: heard.append(entries)
    ann.rooms.add_member(room, cat.card, dan.card).result()
    ann.rooms.add_member(room, cat.card, dan.card).result()
    assert [len(entries) for entries in heard] == [2]
    assert {cat.identity_key, dan.identity_key} <= ann.rooms.roster(room).members.keys()


def test_only_the_creator_removes_sets_burns_and_makes_snapshots(ann: House, bob: House, room: str) -> None:
    for call in (
        lambda: bob.rooms.remove_member(room, ann.key),
        lambda: bob.rooms.set(room, history="all"),
        lambda: bob.rooms.burn_for_all(room),
        lambda: bob.rooms.snapshot(room),
    ):
        with pytest.raises(RefusedError, match="only its creator can"):
            call().result()
    with pytest.raises(RefusedError, match="cannot be removed"):
        ann.rooms.remove_member(room, ann.key).result()


def test_a_mark_stays_until_the_card_is_another(ann: House, bob: House, room: str) -> None:
    ann.rooms.mark_verified(room, bob.key).result()
    ann.reopen()
    assert ann.rooms.state(room).resolve_member("bob").verified
    moved = Person("bob")
    object.__setattr__(moved, "node", Person("another node").node)
    ann.rooms.add_member(room, moved.card).result()
    assert not ann.rooms.state(room).resolve_member("bob").verified
    assert ann.of(MemberVerified)[-1] == MemberVerified(room=room, key=bob.key, verified=False)
    ann.reopen()
    assert not ann.rooms.state(room).resolve_member("bob").verified
    with pytest.raises(NotFoundError):
        ann.rooms.mark_verified(room, "Z" * 43).result()


def test_presence_is_shown_and_forgotten(ann: House, bob: House, room: str) -> None:
    assert [one.present for one in ann.rooms.state(room).members] == [True, True]
    ann.rooms.note_present(room, [])
    assert [one.present for one in ann.rooms.state(room).members] == [True, False]
    ann.rooms.note_present(room, [bob.key])
    assert [one.present for one in ann.rooms.state(room).members] == [True, True]


def test_a_room_of_which_nothing_has_come_waits(tmp_path: Path) -> None:
    house = House(tmp_path, "dora")
    house.rooms.adopt("cd" * 16, "far away", "ab" * 16, {}).result()
    assert [one.is_self for one in house.rooms.state("cd" * 16).members] == [True]
    with pytest.raises(UnavailableError, match="nothing of it has come yet"):
        house.rooms.say("cd" * 16, "hello").result()
    with pytest.raises(RefusedError, match="in the room already"):
        house.rooms.adopt("cd" * 16, "again", "ab" * 16, {}).result()
    house.store.close()


# --- settings and links ----------------------------------------------------------------------------------------------


def test_settings_reach_the_others(ann: House, bob: House, room: str) -> None:
    ann.rooms.set(room, auto_delete=True, require_signed=False).result()
    bob.rooms.keep(room, 5).result()
    ann.give(bob, room)
    bob.give(ann, room)
    found = ann.rooms.settings(room)
    assert (found.name, found.auto_delete, found.require_signed, found.keep and found.keep.until_ms) == (
        "harbor",
        True,
        False,
        5,
    )
    assert bob.rooms.settings(room) == found
    assert bob.of(RoomSettings)[:1] == [RoomSettings(room=room, author=bob.key, changed=("keep",))] or bob.of(
        RoomSettings
    )[:1] == [RoomSettings(room=room, author=ann.key, changed=("auto_delete", "require_signed"))]
    ann.rooms.burn_for_all(room).result()
    ann.give(bob, room)
    assert bob.rooms.settings(room).burned
    for changes in ({}, {"colour": "red"}, {"history": "none"}, {"auto_delete": "yes"}, {"invite": "xyz"}):
        with pytest.raises(UsageError, match="no such setting"):
            ann.rooms.set(room, **changes)  # type: ignore[arg-type]


def test_the_way_to_the_others_is_kept_sealed(ann: House, bob: House, room: str) -> None:
    assert bob.rooms.link(room) == {"relay": "ws://here", "invite": "x"}
    assert ann.rooms.link(room) == {}
    ann.rooms.set_link(room, {"relay": "wss://elsewhere"}).result()
    ann.reopen()
    assert ann.rooms.link(room) == {"relay": "wss://elsewhere"}
    assert b"elsewhere" not in ann.path.read_bytes()
    ann.rooms.set_link(room, {}).result()
    assert ann.rooms.link(room) == {}
    with pytest.raises(NotFoundError):
        ann.rooms.set_link("0" * 32, {})


# --- snapshots -------------------------------------------------------------------------------------------------------


def test_w19_a_joiner_gets_tasks_but_not_what_was_said(ann: House, bob: House, room: str, tmp_path: Path) -> None:
    for number in range(20):
        ann.put(room, "task_created", f"t{number}", title="x" * 900)
        bob.rooms.say(room, f"old {number}").result()
    bob.give(ann, room)
    ann.clock.advance(1)
    ann.rooms.snapshot(room).result()
    ann.give(bob, room)
    cat = House(tmp_path, "cat", ann.clock)
    ann.clock.advance(1)
    ann.rooms.add_member(room, cat.who.card).result()
    cat.rooms.adopt(room, "harbor", ann.who.card.fingerprint, {}).result()
    ann.give(cat, room)
    assert len(cat.rooms.state(room).tasks) == 20
    assert cat.rooms.state(room).messages == ()
    assert len(bob.rooms.state(room).messages) == 20, "who was there keeps what was said"
    cat.put(room, "task_updated", "t3", title="by cat")
    cat.give(ann, room)
    ann.give(bob, room)
    cat.reopen()
    assert same(room, ann, bob, cat)
    assert not ann.of(RoomWarning)
    cat.store.close()


def test_a_snapshot_that_is_not_what_its_entries_come_to_is_told_of(ann: House, bob: House, room: str) -> None:
    ann.put(room, "task_created", "t1", title="x")
    ann.give(bob, room)
    last = ann.rooms.entries(room)[-1]
    heads = {(ann.key, 0): number_of(last.seq)}
    (content,) = snapshot_contents(1, 0, heads, EMPTY)
    lie = sign_entry(
        ann.who,
        room=room,
        seq=last.seq + 1,
        prev=last.id,
        ts_ms=last.ts_ms + 1,
        actor=ann.key,
        kind="snapshot",
        content=content,
    )
    bob.rooms.offer(room, [lie]).result()
    assert dict(bob.rooms.state(room).tasks) == {}, "all take it alike"
    (warning,) = bob.of(RoomWarning)
    assert isinstance(warning, RoomWarning)
    assert (warning.key, warning.about) == (ann.key, "snapshot")


# --- restored directories --------------------------------------------------------------------------------------------


def test_a_node_that_was_restored_writes_in_a_block_of_its_own(ann: House, bob: House, room: str) -> None:
    bob.rooms.say(room, "kept").result()
    kept = raw(bob.path, "SELECT max(pos) FROM room_log")[0][0]
    bob.rooms.say(room, "lost").result()
    bob.give(ann, room)
    bob.store.close()
    raw(bob.path, "DELETE FROM room_log WHERE pos > ?", kept)
    bob.open()
    bob.store.write(begin_block).result()
    bob.rooms.say(room, "after").result()
    entry = bob.sent[-1]
    assert (block_of(entry.seq) > 0, number_of(entry.seq)) == (True, 1)
    bob.give(ann, room)
    ann.give(bob, room)
    assert same(room, ann, bob)
    assert {one.text for one in bob.rooms.state(room).messages} == {"kept", "lost", "after"}
    assert not ann.of(RoomWarning)


def test_entries_beyond_their_size_are_refused_with_a_reason(ann: House, room: str) -> None:
    big = TaskDraft("task_created", "t1", {"description": "ä" * 16_384})
    (rejected,) = ann.rooms.submit(room, [big]).result().rejected
    assert rejected.reason == "is larger than 32 KiB"
    with pytest.raises(RefusedError, match="larger than 32 KiB"):
        ann.rooms.say(room, "ä" * 16_384).result()
    ann.put(room, "task_created", "t1", description="ä" * 15_000)
