"""The fold of a room: the order in which entries come does not matter, whatever the distance."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.rooms import fold as fold_module
from runtime.rooms.fold import MESSAGES, BeyondHorizonError, Message, RoomFold
from runtime.rooms.tasks import TaskEvent, fold

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
).map(lambda events: [(f"{n:03}", one) for n, one in enumerate(events)])


def in_order(pairs: list[tuple[str, TaskEvent]]) -> list[TaskEvent]:
    return [one for _, one in sorted(pairs, key=lambda pair: (pair[1].timestamp, pair[1].actor_id, pair[0]))]


@given(entries, st.integers(1, 12))
def test_any_order_gives_the_same_state(pairs: list[tuple[str, TaskEvent]], window: int) -> None:
    expected = fold(in_order(pairs))
    assert RoomFold.of(pairs, []).folding.tasks == expected.tasks
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fold_module, "_WINDOW", window)
        grown, known = RoomFold(), []
        for pair in pairs:
            known.append(pair)
            try:
                grown.add(*pair)
            except BeyondHorizonError:
                grown = RoomFold.of(known, [])
            assert grown.folding.tasks == fold(in_order(known)).tasks
    assert list(grown.folding.tasks) == list(expected.tasks)


@given(st.integers(1, 50), st.integers(1, 6))
def test_one_window_back_is_always_at_hand(count: int, window: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fold_module, "_WINDOW", window)
        grown = RoomFold()
        for n in range(count):
            grown.add(f"{n:03}", event(10 * n, f"t{n}"))
        grown.add("late", event(10 * max(0, count - window) + 5, "late"))
        assert "late" in grown.folding.tasks
        assert len(grown._tail) <= 2 * window + 1
        assert len(grown._checkpoints) <= 2


def test_what_comes_in_order_is_not_folded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    grown = RoomFold()
    monkeypatch.setattr(grown, "_fold_again", None)
    assert all(grown.add(f"{n:05}", event(n, f"t{n}")) for n in range(2000))
    assert len(grown.folding.tasks) == 2000


def test_messages_sort_in_and_the_oldest_are_let_go() -> None:
    grown = RoomFold()
    for at in [5, 1, *range(10, 10 + MESSAGES - 1)]:
        grown.say(Message(at, "ann", f"m{at}", ""))
    assert [message.ts_ms for message in grown.messages] == [5, *range(10, 10 + MESSAGES - 1)]
