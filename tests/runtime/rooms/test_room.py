"""Rooms over a real store: what is kept, what is shown when, what is undone, and what other processes do meanwhile."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.clock import ManualClock
from runtime.errors import AmbiguousError, NotFoundError, RefusedError, UnavailableError, UsageError
from runtime.events import Event, MemberJoined, MessagePosted, RoomCreated, TaskChanged, TaskRejected
from runtime.journal import Journal
from runtime.rooms import fold as fold_module
from runtime.rooms.drafts import ClockBehindError, SubmitResult, TaskDraft, new_task_id
from runtime.rooms.members import agent_actor
from runtime.rooms.room import MESSAGE_CHARACTERS, Rooms
from runtime.rooms.tasks import TaskEvent
from runtime.store import Store, Transaction
from runtime.vault import SealBrokenError, Vault
from tests.runtime.people import Person

ANN, BOB = Person("Ann"), Person("Bob")
ME = ANN.identity_key


@dataclass
class House:
    """One process's rooms."""

    path: Path
    owner: bool = True
    vault: Vault = field(default_factory=lambda: Vault(b"v" * 32))
    clock: ManualClock = field(default_factory=ManualClock)
    who: Person = ANN

    def __post_init__(self) -> None:
        self.store = Store.open(self.path, self.clock, owner=self.owner)
        self.events: list[Event] = []
        self.journal = Journal(self.store)
        self.journal.subscribe(self.store.first_seq, lambda records: self.events.extend(r.event for r in records))
        self.told: list[tuple[str, tuple[TaskEvent, ...]]] = []
        self.rooms = Rooms(
            self.store,
            self.vault,
            self.who,
            self.who.node,
            display_name=self.who.name,
            on_change=lambda room, events: self.told.append((room, events)),
        )

    def create(self, name: str = "harbor") -> str:
        return self.rooms.create(name).result().room

    def submit(self, room: str, *drafts: TaskDraft, **options: Any) -> SubmitResult:
        return self.rooms.submit(room, drafts, **options).result()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "orlop.db"


@pytest.fixture
def house(path: Path) -> Iterator[House]:
    found = House(path)
    yield found
    found.store.close()


def created(task_id: str, **fields: Any) -> TaskDraft:
    return TaskDraft("task_created", task_id, fields)


def urgent(task_id: str) -> TaskDraft:
    return TaskDraft("task_urgency_changed", task_id, {"urgent": True})


def raw(path: Path, sql: str, *params: Any) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection, connection:
        return connection.execute(sql, params).fetchall()


# --- rooms and their names -------------------------------------------------------------------------------------------


def test_a_new_room_has_this_node_as_its_member(house: House) -> None:
    info = house.rooms.create("harbor").result()
    view = house.rooms.state(info.room)
    assert (view.name, view.created_ms, len(view.room)) == ("harbor", house.clock.now_ms, 32)
    assert [(m.identity_key, m.display_name, m.is_self) for m in view.members] == [(ME, "Ann", True)]
    assert (dict(view.tasks), view.messages, view.progress.total) == ({}, (), 0)
    assert house.rooms.list() == [info]
    assert house.events == [
        RoomCreated(room=info.room, name="harbor"),
        MemberJoined(room=info.room, key=ME, name="Ann"),
    ]


@pytest.mark.parametrize("name", ["", " x", "x ", "x" * 65, "a\nb", "a\x1b[31m", "a\u202eb", "\ud800"])
def test_names_of_rooms_are_harmless(house: House, name: str) -> None:
    with pytest.raises(UsageError, match="room name"):
        house.rooms.create(name)
    assert house.rooms.list() == []


def test_a_room_is_found_by_id_beginning_and_name(house: House) -> None:
    room, other = house.create("harbor"), house.create("mill")
    assert [house.rooms.resolve(one) for one in (room, room[:6], "harbor", "mill")] == [room, room, room, other]
    for unknown in ("", room[:3], "nobody"):
        with pytest.raises(NotFoundError, match="no such room"):
            house.rooms.resolve(unknown)


def test_a_name_that_two_rooms_have_is_ambiguous_and_both_are_named(house: House) -> None:
    first, second = house.create("twin"), house.create("twin")
    with pytest.raises(AmbiguousError) as error:
        house.rooms.resolve("twin")
    assert first in error.value.why
    assert second in error.value.why


@pytest.mark.parametrize(
    "call",
    [
        lambda rooms, room: rooms.state(room),
        lambda rooms, room: rooms.submit(room, [created("a")]).result(),
        lambda rooms, room: rooms.say(room, "x").result(),
        lambda rooms, room: rooms.seal(room, b"", b""),
    ],
    ids=["state", "submit", "say", "seal"],
)
def test_an_unknown_room_is_said(house: House, call: Callable[[Rooms, str], Any]) -> None:
    with pytest.raises(NotFoundError, match="no such room"):
        call(house.rooms, "0" * 32)


# --- tasks -----------------------------------------------------------------------------------------------------------


def test_what_is_admitted_changes_the_room_and_what_is_not_is_said(house: House) -> None:
    room = house.create()
    drafts = [created("a", title="A"), urgent("nope"), urgent("a"), created("a", title="again")]
    result = house.submit(room, *drafts, cause=7)
    assert [(event.type, event.task_id) for event in result.admitted] == [
        ("task_created", "a"),
        ("task_urgency_changed", "a"),
    ]
    assert [(one.draft, one.reason) for one in result.rejected] == [
        (drafts[1], "Event for unknown taskId: nope"),
        (drafts[3], "the task a exists already"),
    ]
    task = house.rooms.state(room).tasks["a"]
    assert (task.title, task.urgent, task.created_by) == ("A", True, ME)
    assert house.events[2:] == [
        TaskChanged(
            room=room,
            task="a",
            change="task_created",
            actor=ME,
            fields=("title", "status", "createdBy", "createdAt"),
            status="pending",
            title="A",
            cause=7,
        ),
        TaskRejected(
            room=room,
            task="",
            actor=ME,
            reason="Event for unknown taskId: …",
            detail="Event for unknown taskId: nope",
            cause=7,
        ),
        TaskChanged(
            room=room,
            task="a",
            change="task_urgency_changed",
            actor=ME,
            fields=("urgent",),
            status="pending",
            title="A",
            cause=7,
        ),
        TaskRejected(
            room=room,
            task="a",
            actor=ME,
            reason="the task … exists already",
            detail="the task a exists already",
            cause=7,
        ),
    ]
    assert house.told == [(room, result.admitted)]


def test_times_of_one_author_rise_whoever_acts(house: House) -> None:
    room = house.create()
    now = house.clock.now_ms
    first = house.submit(room, *(created(f"t{n}") for n in range(64)), actor=agent_actor(room, "busy", ME))
    second = house.submit(room, created("x"))
    times = [event.timestamp for event in (*first.admitted, *second.admitted)]
    assert times == list(range(now + 1, now + 66))
    assert {event.actor_id for event in first.admitted} == {agent_actor(room, "busy", ME)}
    house.clock.advance(10)
    assert house.submit(room, created("y")).admitted[0].timestamp == now + 10_000


def test_nobody_acts_for_another(house: House) -> None:
    room = house.create()
    result = house.submit(room, created("a"), actor="Z" * 43)
    assert result.admitted == ()
    assert "is not its author" in result.rejected[0].reason
    assert house.told == []


def test_a_clock_that_fell_is_waited_for(house: House) -> None:
    room = house.create()
    house.submit(room, created("a"))
    house.clock.now_ms -= 300_000 - 2
    assert house.submit(room, created("b")).admitted
    house.clock.now_ms -= 100_000
    with pytest.raises(ClockBehindError, match="clock is 6 minutes behind"):
        house.submit(room, created("c"))
    with pytest.raises(ClockBehindError, match="clock is 6 minutes behind"):
        house.rooms.say(room, "x").result()
    assert list(house.rooms.state(room).tasks) == ["a", "b"]
    house.clock.now_ms += 400_000
    assert house.submit(room, created("c")).admitted


def test_a_view_does_not_change_and_is_the_same_until_the_room_changes(house: House) -> None:
    room = house.create()
    house.submit(room, created("a"))
    before = house.rooms.state(room)
    assert house.rooms.state(room) is before
    house.submit(room, created("b", blockedBy=["a"]))
    after = house.rooms.state(room)
    assert (list(before.tasks), list(after.tasks)) == (["a"], ["a", "b"])
    assert (before.progress.blocked, after.progress.blocked) == (0, 1)
    assert house.rooms.state(room) is after


def test_a_view_finds_tasks_and_members_and_plans(house: House) -> None:
    room = house.create()
    house.submit(room, created("task-1", title="Paint"), created("task-2", title="Sand", parentId="task-1"))
    view = house.rooms.state(room)
    assert (view.resolve_task("task-2"), view.resolve_task("Paint")) == ("task-2", "task-1")
    with pytest.raises(AmbiguousError):
        view.resolve_task("task")
    assert view.resolve_member("Ann").identity_key == view.resolve_member(ME[:36]).identity_key == ME
    assert [one.task_id for one in view.auto_assign(house.clock.now_ms)] == ["task-1", "task-2"]
    assert view.subtask_progress == {"task-1": 0}


def test_a_new_process_reads_the_same_room(path: Path) -> None:
    with closing_house(House(path)) as one:
        room = one.create()
        one.submit(room, created("a", title="Käse"), created("b", blockedBy=["a"]), urgent("a"))
        one.rooms.say(room, "hello").result()
        before = one.rooms.state(room)
    with closing_house(House(path)) as other:
        after = other.rooms.state(room)
    assert (after.tasks, after.members, after.messages, after.name) == (
        before.tasks,
        before.members,
        before.messages,
        before.name,
    )


class closing_house:  # noqa: N801 - reads like contextlib.closing
    def __init__(self, house: House) -> None:
        self.house = house

    def __enter__(self) -> House:
        return self.house

    def __exit__(self, *_: object) -> None:
        self.house.store.close()


# --- messages --------------------------------------------------------------------------------------------------------


def test_messages_are_kept_in_order_and_the_latest_are_at_hand(house: House) -> None:
    room = house.create()
    said = [house.rooms.say(room, f"m{n}") for n in range(205)][-1].result()
    messages = house.rooms.state(room).messages
    assert [message.text for message in messages] == [f"m{n}" for n in range(5, 205)]
    assert messages[-1] == said
    assert house.events[-1] == MessagePosted(room=room, id=said.id, author=ME, text="m204")


@pytest.mark.parametrize("text", ["", " \n", "x" * (MESSAGE_CHARACTERS + 1), "\udcff"])
def test_messages_are_checked(house: House, text: str) -> None:
    with pytest.raises(UsageError):
        house.rooms.say(house.create(), text)


# --- at rest ---------------------------------------------------------------------------------------------------------


def test_nothing_that_was_written_lies_open(house: House, path: Path) -> None:
    room = house.create()
    house.submit(room, created("a", title="SECRET-TITLE", description="SECRET-TEXT"))
    house.rooms.say(room, "SECRET-MESSAGE").result()
    house.store.close()
    content = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert b"SECRET" not in content
    assert b"Ann" not in content
    assert room.encode() in content


@pytest.mark.parametrize(
    "change",
    [
        "author = 'Z'",
        "author_seq = author_seq + 10",
        "timestamp_ms = timestamp_ms + 1",
        "actor = 'Z'",
        "event_id = 'Z'",
        "kind = 'message'",
        "sealed = x'01'",
        "sealed = (SELECT sealed FROM room_log ORDER BY pos DESC LIMIT 1)",
    ],
)
def test_a_changed_row_is_noticed(path: Path, change: str) -> None:
    with closing_house(House(path)) as one:
        room = one.create()
        one.submit(room, created("a"), created("b"))
    raw(path, f"UPDATE room_log SET {change} WHERE pos = 2")
    with closing_house(House(path)) as other:
        with pytest.raises(RefusedError, match="entry 2 of its log"):
            other.rooms.state(room)
        with pytest.raises(RefusedError, match="entry 2 of its log"):
            other.submit(room, created("c"))
    assert raw(path, "SELECT count(*) FROM room_log") == [(3,)]


def test_a_row_of_another_room_is_noticed(path: Path) -> None:
    with closing_house(House(path)) as one:
        room, other = one.create("a"), one.create("b")
        one.submit(room, created("a"))
    raw(path, "UPDATE room_log SET room = ? WHERE kind = 'task'", other)
    with closing_house(House(path)) as two, pytest.raises(RefusedError, match="entry 3"):
        two.rooms.state(other)


def test_another_vault_opens_nothing(path: Path) -> None:
    with closing_house(House(path)) as one:
        room = one.create()
    with closing_house(House(path, vault=Vault(b"w" * 32))) as two, pytest.raises(SealBrokenError):
        two.rooms.state(room)


def test_what_belongs_to_a_room_is_sealed_for_it_alone(house: House) -> None:
    room, other = house.create(), house.create()
    sealed = house.rooms.seal(room, b"plain", b"what")
    assert house.rooms.open(room, sealed, b"what") == b"plain"
    for where, aad in ((other, b"what"), (room, b"else")):
        with pytest.raises(SealBrokenError):
            house.rooms.open(where, sealed, aad)


# --- transactions ----------------------------------------------------------------------------------------------------


def test_nobody_sees_what_is_not_committed(house: House) -> None:
    room = house.create()
    house.submit(room, created("a"))
    before = house.rooms.state(room)
    inside, go_on = threading.Event(), threading.Event()

    def work(tx: Transaction) -> None:
        house.rooms.append(tx, room, [created("b")], actor=ME)
        inside.set()
        assert go_on.wait(10)

    future = house.store.write(work)
    assert inside.wait(10)
    assert house.rooms.state(room) is before
    go_on.set()
    future.result()
    assert list(house.rooms.state(room).tasks) == ["a", "b"]
    assert house.told[1:] == [], "who appends passes on what was admitted himself"


def test_a_room_that_is_first_looked_at_during_a_transaction_shows_what_is_committed(path: Path) -> None:
    with closing_house(House(path)) as one:
        room = one.create()
        one.submit(room, created("a"))
    with closing_house(House(path)) as house:
        inside, go_on = threading.Event(), threading.Event()

        def work(tx: Transaction) -> None:
            house.rooms.append(tx, room, [created("b")], actor=ME)
            inside.set()
            assert go_on.wait(10)

        future = house.store.write(work)
        assert inside.wait(10)
        assert list(house.rooms.state(room).tasks) == ["a"]
        go_on.set()
        future.result()
        assert list(house.rooms.state(room).tasks) == ["a", "b"]


def batch(house: House, *works: Any) -> list[Any]:
    """Runs works in one commit, and gives their futures."""
    gate = threading.Event()
    opener = house.store.write(lambda _: gate.wait(10))
    futures = [house.store.write(work) for work in works]
    gate.set()
    opener.result()
    return futures


class OnPurposeError(Exception):
    """A work fails."""


def appending(house: House, room: str, *drafts: TaskDraft, fail: bool = False) -> Any:
    def work(tx: Transaction) -> SubmitResult:
        result = house.rooms.append(tx, room, drafts, actor=ME)
        if fail:
            raise OnPurposeError
        return result

    return work


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=8))
def test_what_is_undone_was_never_there(
    tmp_path_factory: pytest.TempPathFactory, plan: list[tuple[bool, bool]]
) -> None:
    """Works fail between others in the same commit, with somebody looking at the room in between."""
    with closing_house(House(tmp_path_factory.mktemp("room") / "orlop.db")) as house:
        room = house.create()
        works, expected = [], []
        for n, (fail, look) in enumerate(plan):
            works.append(appending(house, room, created(f"t{n}"), fail=fail))
            if look:
                works.append(lambda _: look_from_elsewhere(house, room))
            if not fail:
                expected.append(f"t{n}")
        for future in batch(house, *works):
            assert future.exception() is None or isinstance(future.exception(), OnPurposeError)
        assert list(house.rooms.state(room).tasks) == expected
        house.submit(room, created("last"))
        assert list(house.rooms.state(room).tasks) == [*expected, "last"]


def look_from_elsewhere(house: House, room: str) -> None:
    """The view, from a thread that is not the writer's, while a transaction of the writer is open."""
    thread = threading.Thread(target=house.rooms.state, args=(room,))
    thread.start()
    thread.join(10)
    assert not thread.is_alive()


def test_a_commit_that_fails_leaves_everything_as_it_was(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    room = house.create()
    house.submit(room, created("a"))
    before = house.rooms.state(room)
    writer = house.store._writer

    def full(_: Any) -> None:
        raise UnavailableError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(writer, "_seal", full)
        with pytest.raises(UnavailableError):
            house.submit(room, created("b"))
    assert house.rooms.state(room).tasks == before.tasks
    assert house.told == [(room, house.told[0][1])]
    assert house.submit(room, created("b")).admitted
    assert list(house.rooms.state(room).tasks) == ["a", "b"]


# --- other processes -------------------------------------------------------------------------------------------------


def test_processes_without_an_owner_take_in_what_others_append(path: Path) -> None:
    with closing_house(House(path, owner=False)) as one, closing_house(House(path, owner=False)) as two:
        room = one.create()
        for n in range(4):
            (one, two)[n % 2].submit(room, created(f"t{n}"))
        assert two.submit(room, created("t0")).rejected[0].reason == "the task t0 exists already"
        assert list(one.rooms.state(room).tasks) == list(two.rooms.state(room).tasks) == ["t0", "t1", "t2", "t3"]
        same = one.rooms.state(room)
        assert one.rooms.state(room) is same
        two.rooms.say(room, "hello").result()
        assert one.rooms.state(room).messages[-1].text == "hello"
        rows = raw(path, "SELECT author_seq, timestamp_ms FROM room_log ORDER BY pos")
        assert [seq for seq, _ in rows] == [1, 2, 3, 4, 5, 6]
        assert [at for _, at in rows] == sorted({at for _, at in rows})


def test_many_processes_append_at_once(path: Path) -> None:
    houses = [House(path, owner=False) for _ in range(3)]
    room = houses[0].create()
    futures = [house.rooms.submit(room, [created(new_task_id())]) for _ in range(10) for house in houses]
    assert all(len(future.result().admitted) == 1 for future in futures)
    seqs = [seq for (seq,) in raw(path, "SELECT author_seq FROM room_log ORDER BY pos")]
    assert seqs == list(range(1, 32))
    assert {len(house.rooms.state(room).tasks) for house in houses} == {30}
    for house in houses:
        house.store.close()


def test_a_change_is_dated_behind_what_it_builds_on_also_by_a_clock_that_is_behind(path: Path) -> None:
    """Another member, whose clock is behind: its change would else sort before ours, and be lost."""
    with closing_house(House(path)) as one:
        room = one.create()
        one.rooms.add_member(room, BOB.card).result()
        one.submit(room, created("a", title="first"))
        one.clock.advance(60)
        one.submit(room, TaskDraft("task_updated", "a", {"title": "ours"}))
        ours = one.rooms.state(room).tasks["a"].updated_at
    behind = ManualClock(one.clock.now_ms - 30_000)
    with closing_house(House(path, clock=behind, who=BOB)) as other:
        made = other.submit(room, created("b"), TaskDraft("task_updated", "a", {"title": "theirs"}))
        waits = other.submit(room, created("c", blockedBy=["a"], parentId="b"))
        tasks = other.rooms.state(room).tasks
    assert [event.timestamp for event in made.admitted] == [behind.now_ms, ours + 1]
    assert (tasks["a"].title, tasks["c"].blocked_by, waits.admitted[0].timestamp) == ("theirs", ("a",), ours + 2)
    with closing_house(House(path)) as again:
        assert again.rooms.state(room).tasks == tasks


def test_entries_that_come_very_late_are_taken_in_all_the_same(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fold_module, "_WINDOW", 2)
    clock = ManualClock()
    ahead = ManualClock(clock.now_ms + 200_000)
    with (
        closing_house(House(path, owner=False, clock=ahead)) as one,
        closing_house(House(path, owner=False, clock=clock, who=BOB)) as other,
    ):
        room = one.create()
        one.rooms.add_member(room, BOB.card).result()
        one.submit(room, *(created(f"t{n}") for n in range(9)))
        assert other.submit(room, created("early"), created("next")).rejected == ()
        expected = ["early", "next", *(f"t{n}" for n in range(9))]
        assert list(one.rooms.state(room).tasks) == list(other.rooms.state(room).tasks) == expected
