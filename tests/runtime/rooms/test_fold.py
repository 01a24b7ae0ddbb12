"""The fold of a room: the order in which entries come does not matter, whatever the distance."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.rooms import fold as fold_module
from runtime.rooms.fold import MESSAGES, BeyondHorizonError, Message, RoomFold
from runtime.rooms.tasks import CREATIONS, EMPTY, Folding, Task, TaskEvent, TaskState

KINDS = ["task_created", "task_updated", "task_assigned", "task_dependencies_changed"]


def event(at: int, task_id: str = "a", kind: str = "task_created", actor: str = "ann", **payload: object) -> TaskEvent:
    return TaskEvent(type=kind, task_id=task_id, task=payload, timestamp=at, actor_id=actor)  # type: ignore[arg-type]


entries = st.lists(
    st.builds(
        lambda at, task_id, kind, actor, title, waits: event(at, task_id, kind, actor, title=title, blockedBy=waits),
        st.integers(0, 30),
        st.sampled_from("abc"),
        st.sampled_from(KINDS),
        st.sampled_from(["ann", "bob"]),
        st.sampled_from("xyz"),
        st.lists(st.sampled_from("abc"), max_size=2),
    ),
    max_size=40,
).map(lambda events: [(f"{n:03}", f"author {n}", one) for n, one in enumerate(events)])

Said = tuple[str, str, TaskEvent]


def plainly(said: list[Said], state: TaskState = EMPTY) -> dict[str, Task]:
    """Sorted, and folded from the beginning; who creates a task that is there changes nothing."""
    folding = Folding(state)
    for _, _, event in sorted(said, key=lambda one: (one[2].timestamp, one[2].actor_id, one[0])):
        if event.type not in CREATIONS or event.task_id not in folding.tasks:
            folding.apply(event)
    return dict(folding.tasks)


@given(entries, st.integers(1, 12))
def test_any_order_gives_the_same_state(said: list[Said], window: int) -> None:
    expected = plainly(said)
    assert RoomFold.of(said, []).folding.tasks == expected
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fold_module, "_WINDOW", window)
        grown = RoomFold()
        known: list[Said] = []
        for one in said:
            known.append(one)
            try:
                grown.add(*one)
            except BeyondHorizonError:
                grown = RoomFold.of(known, [])
            assert grown.folding.tasks == plainly(known)
    assert list(grown.folding.tasks) == list(expected)


@given(entries, st.integers(0, 30), st.sampled_from(["ann", "bob"]))
def test_behind_a_snapshot_nothing_is_older_than_its_horizon(said: list[Said], horizon: int, author: str) -> None:
    """An author's events count in their order, each later than the one before it, the first behind the horizon."""
    mine = [(one, author, event) for one, _, event in said if event.actor_id == author]
    at, expected = horizon, []
    for one, _, event in sorted(mine, key=lambda one: (one[2].timestamp, one[0])):
        at = max(at + 1, event.timestamp)
        expected.append((one, author, replace(event, timestamp=at)))
    state = TaskState(
        {"a": Task(id="a", title="A", status="pending", created_by="x", created_at=1, updated_at=horizon)},
        {"a": "z"},
        frozenset(),
    )
    found = RoomFold.of(mine, [], state=state, horizon=horizon)
    assert found.folding.tasks == plainly(expected, state)
    assert found.last_ms == at


def test_what_is_not_later_than_the_last_one_of_its_author_is_folded_anew() -> None:
    grown = RoomFold()
    grown.add("1", "ann", event(5, "t"))
    with pytest.raises(BeyondHorizonError, match="another one of its author"):
        grown.add("2", "ann", event(5, "u", actor="agent:x:y@ann"))
    assert list(grown.folding.tasks) == ["t"]
    assert RoomFold(horizon=5).last_ms == 5


def test_creating_what_is_there_and_wording_anew_what_another_made_change_nothing() -> None:
    agent, other = "agent:r:digest@ann", "agent:r:other@ann"
    grown = RoomFold()
    assert grown.add("1", "ann", event(1, "t", actor=agent, title="mine"))
    assert not grown.add("2", "bob", event(2, "t", actor="bob", title="again"))
    assert not grown.add("3", "ann", event(3, "t", "task_status_changed", actor=other, title="theirs"))
    assert grown.add("4", "ann", event(4, "t", "task_status_changed", actor=agent, title="anew"))
    assert grown.folding.tasks["t"].title == "anew"


@given(st.integers(1, 50), st.integers(1, 6))
def test_one_window_back_is_always_at_hand(count: int, window: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fold_module, "_WINDOW", window)
        grown = RoomFold()
        for n in range(count):
            grown.add(f"{n:03}", "ann", event(10 * n, f"t{n}"))
        grown.add("late", "bob", event(10 * max(0, count - window) + 5, "late"))
        assert "late" in grown.folding.tasks
        assert len(grown._tail) <= 2 * window + 1
        assert len(grown._checkpoints) <= 2


def test_what_comes_in_order_is_not_folded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    grown = RoomFold()
    monkeypatch.setattr(grown, "_fold_again", None)
    assert all(grown.add(f"{n:05}", "ann", event(n, f"t{n}")) for n in range(2000))
    assert len(grown.folding.tasks) == 2000


def test_messages_sort_in_and_the_oldest_are_let_go() -> None:
    grown = RoomFold()
    for at in [5, 1, *range(10, 10 + MESSAGES - 1)]:
        grown.say(Message(at, "ann", f"m{at}", ""))
    assert [message.ts_ms for message in grown.messages] == [5, *range(10, 10 + MESSAGES - 1)]
