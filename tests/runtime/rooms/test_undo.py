"""Undo of one's own last change: a pure function of the room's events."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.canonical import Json
from runtime.errors import NotFoundError, RefusedError
from runtime.rooms.drafts import TaskDraft
from runtime.rooms.tasks import TaskEvent, fold, task_to_json
from runtime.rooms.undo import Undo, undo_last

ME, ANN = "me", "ann"
AGENT = "agent:room:unblock@me"


class History:
    """A room's events, one after another."""

    def __init__(self) -> None:
        self.events: list[tuple[TaskEvent, bool]] = []

    def did(self, actor: str, kind: str, task_id: str = "a", **fields: Json) -> None:
        self.say(actor, TaskDraft(kind, task_id, fields))

    def say(self, actor: str, draft: TaskDraft) -> None:
        at = 1_000 + len(self.events)
        event = TaskEvent(type=draft.type, task_id=draft.task_id, task=draft.task, timestamp=at, actor_id=actor)
        self.events.append((event, draft.undoes))

    def undo(self) -> Undo:
        """Takes my last change back, as the room would."""
        undo = undo_last(self.events, ME)
        for draft in undo.drafts:
            self.say(ME, draft)
        return undo

    def task(self, task_id: str = "a") -> dict[str, Any]:
        shown = task_to_json(fold(event for event, _ in self.events).tasks[task_id])
        return {key: value for key, value in shown.items() if key != "updatedAt" and value not in ([], False)}


@pytest.fixture
def history() -> History:
    found = History()
    found.did(ANN, "task_created", "b", title="Other")
    found.did(ANN, "task_created", "a", title="Publish")
    return found


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("task_assigned", {"assignee": ME}),
        ("task_status_changed", {"status": "completed"}),
        ("task_status_changed", {"status": "in_progress", "title": "Edited elsewhere", "dueAt": 5}),
        ("task_dependencies_changed", {"blockedBy": ["b"]}),
        ("task_updated", {"title": "New", "description": "Words", "dueAt": 5, "parentId": "b"}),
        ("task_urgency_changed", {"urgent": True}),
    ],
)
def test_each_kind_of_change_is_taken_back_whole(history: History, kind: str, fields: dict[str, Json]) -> None:
    before = history.task()
    history.did(ME, kind, **fields)
    assert history.task() != before
    assert history.undo().task_id == "a"
    assert history.task() == before


def test_an_assignment_is_taken_back_with_the_status_that_it_set(history: History) -> None:
    history.did(ME, "task_assigned", assignee=ME)
    undo = undo_last(history.events, ME)
    assert undo.fields == ("assignee", "status")
    assert [(draft.type, draft.task) for draft in undo.drafts] == [
        ("task_assigned", {"assignee": None}),
        ("task_status_changed", {"status": "pending"}),
    ]


def test_an_assignment_that_comes_back_begins_no_task_that_was_pending(history: History) -> None:
    history.did(ANN, "task_assigned", assignee=ME)
    history.did(ANN, "task_status_changed", status="pending")
    before = history.task()
    history.did(ME, "task_assigned", assignee=None)
    history.undo()
    assert history.task() == before
    with pytest.raises(NotFoundError):
        history.undo()


def test_undo_goes_further_back_each_time(history: History) -> None:
    first = history.task()
    history.did(ME, "task_status_changed", status="in_progress")
    history.did(ME, "task_updated", title="Second")
    history.did(ME, "task_assigned", "b", assignee=ANN)
    for _ in range(3):
        history.undo()
    assert history.task() == first
    with pytest.raises(NotFoundError, match="no change of yours"):
        history.undo()


@pytest.mark.parametrize(
    ("kind", "there", "back"),
    [
        ("task_dependencies_changed", {"blockedBy": ["b"]}, {"blockedBy": []}),
        ("task_status_changed", {"status": "completed"}, {"status": "pending"}),
        ("task_urgency_changed", {"urgent": True}, {"urgent": False}),
    ],
)
def test_what_was_taken_back_by_hand_is_a_change_like_any_other(
    history: History, kind: str, there: dict[str, Json], back: dict[str, Json]
) -> None:
    history.did(ME, "task_updated", title="Mine")
    start = history.task()
    history.did(ME, kind, **there)
    changed = history.task()
    history.did(ME, kind, **back)
    assert history.undo().fields == tuple(there)
    assert history.task() == changed
    assert history.undo().fields == tuple(there)
    assert history.task() == start
    assert history.undo().fields == ("title",)


def test_a_change_after_an_undo_is_what_the_next_one_takes_back(history: History) -> None:
    history.did(ME, "task_dependencies_changed", blockedBy=["b"])
    history.undo()
    history.did(ME, "task_dependencies_changed", blockedBy=["b"])
    assert history.undo().fields == ("blockedBy",)
    with pytest.raises(NotFoundError):
        history.undo()


def test_the_same_field_changed_by_somebody_else_since_is_refused_by_name(history: History) -> None:
    history.did(ME, "task_updated", title="Mine")
    history.did(ANN, "task_updated", title="Hers")
    with pytest.raises(RefusedError, match="somebody else changed its title since"):
        undo_last(history.events, ME)


def test_it_is_refused_also_when_their_change_led_back(history: History) -> None:
    history.did(ME, "task_status_changed", status="in_progress")
    history.did(ANN, "task_status_changed", status="completed")
    history.did(ANN, "task_status_changed", status="in_progress")
    with pytest.raises(RefusedError, match="changed its status since"):
        undo_last(history.events, ME)


def test_another_field_changed_by_somebody_else_is_left_as_they_set_it(history: History) -> None:
    history.did(ME, "task_updated", title="Mine")
    history.did(ANN, "task_updated", description="Hers")
    history.undo()
    assert history.task()["title"] == "Publish"
    assert history.task()["description"] == "Hers"


def test_my_agents_change_is_not_mine(history: History) -> None:
    history.did(ME, "task_updated", title="Mine")
    history.did(AGENT, "task_urgency_changed", urgent=True)
    assert history.undo().fields == ("title",)
    history.did(ME, "task_urgency_changed", urgent=False)
    history.did(AGENT, "task_urgency_changed", urgent=True)
    with pytest.raises(RefusedError, match="changed its urgent since"):
        undo_last(history.events, ME)


def test_a_task_that_was_made_stays(history: History) -> None:
    history.did(ME, "task_created", "c", title="Made")
    with pytest.raises(RefusedError, match="rooms never delete one"):
        undo_last(history.events, ME)


def test_an_event_that_changed_nothing_is_passed_over(history: History) -> None:
    history.did(ME, "task_updated", title="Mine")
    history.did(ME, "task_updated", title="Mine")
    history.did(ME, "task_updated", "gone", title="None")
    assert history.undo().fields == ("title",)


_CHANGES = st.tuples(
    st.sampled_from([ME, ANN]),
    st.sampled_from(["a", "b"]),
    st.sampled_from(
        [
            ("task_status_changed", "status", "completed"),
            ("task_status_changed", "status", "pending"),
            ("task_assigned", "assignee", ANN),
            ("task_assigned", "assignee", None),
            ("task_urgency_changed", "urgent", True),
            ("task_updated", "title", "Other"),
            ("task_updated", "title", "Third"),
            ("task_dependencies_changed", "blockedBy", ["b"]),
        ]
    ),
)


@given(st.lists(_CHANGES, max_size=12))
def test_undo_never_touches_a_field_that_somebody_else_changed_last(
    changes: list[tuple[str, str, tuple[str, str, Json]]],
) -> None:
    history = History()
    history.did(ANN, "task_created", "b", title="Other")
    history.did(ANN, "task_created", "a", title="Publish")
    hers: dict[tuple[str, str], object] = {}
    for actor, task_id, (kind, key, value) in changes:
        before = history.task(task_id)
        history.did(actor, kind, task_id, **{key: value})
        after = history.task(task_id)
        for name in {*before, *after}:
            if before.get(name) != after.get(name):
                hers.pop((task_id, name), None)
                if actor == ANN:
                    hers[task_id, name] = after.get(name)
    for _ in range(20):
        try:
            history.undo()
        except (NotFoundError, RefusedError):
            break
    else:
        pytest.fail("undo comes to no end")
    for (task_id, key), value in hers.items():
        assert history.task(task_id).get(key) == value
